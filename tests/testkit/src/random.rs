//! Chance from one seed: xoshiro256** by Blackman and Vigna (<https://prng.di.unimi.it/>), its state filled by `SplitMix64` as its authors advise.

/// A source of chance that gives the same numbers for the same seed.
#[derive(Debug, Clone)]
pub struct Random([u64; 4]);

impl Random {
    /// What this seed gives.
    pub fn new(seed: u64) -> Self {
        let mut state = seed;
        let mut split_mix = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        Self([split_mix(), split_mix(), split_mix(), split_mix()])
    }

    fn next(&mut self) -> u64 {
        let Self(s) = self;
        let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number below `limit`, which is not 0. The bias of the remainder does not matter here.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A place in something of this length, which is not 0.
    pub fn place(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("a place is below a length")
    }

    /// Whether something happens that happens so often in a thousand times.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// One of these, of which there is at least one.
    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let place = self.place(from.len());
        from[place].clone()
    }
}
