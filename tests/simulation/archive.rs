//! The journal's copy in the store, by the rules of decision 0020: slots that are filled once, epochs that are claimed once, signs of life. Whoever fills the
//! next slot is the coordinator.

/// Ticks between two signs of life.
pub(crate) const BEAT_TICKS: u64 = 2;
/// Ticks after the last good sign of life during which a coordinator may speak.
pub(crate) const SURE_TICKS: u64 = 8;
/// Ticks without a sign of life after which a standby takes over.
pub(crate) const SILENCE_TICKS: u64 = 15;
/// Longest time between two looks that counts as silence.
const LOOK_COUNTS_MAX: u64 = 3;

/// A sealed piece of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) epoch: u64,
    pub(crate) records: Vec<Vec<u8>>,
}

/// The archive of the one coordinator.
#[derive(Debug, Default)]
pub(crate) struct Archive {
    segments: Vec<Segment>,
    records: Vec<Vec<u8>>,
    epoch: u64,
    beat: Option<(u64, u64)>,
}

impl Archive {
    /// Claims the next epoch, larger than `known`.
    pub(crate) fn claim(&mut self, known: u64) -> u64 {
        self.epoch = self.epoch.max(known) + 1;
        self.epoch
    }

    pub(crate) const fn newest_epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn beat(&mut self, epoch: u64, number: u64) {
        self.beat = self.beat.max(Some((epoch, number)));
    }

    pub(crate) const fn slots(&self) -> usize {
        self.segments.len()
    }

    /// Every record, in order.
    pub(crate) fn records(&self) -> &[Vec<u8>] {
        &self.records
    }

    /// Fills a slot; answers with what is in it already.
    pub(crate) fn fill(&mut self, slot: usize, segment: Segment) -> Result<(), Segment> {
        if let Some(found) = self.segments.get(slot) {
            return Err(found.clone());
        }
        assert_eq!(slot, self.segments.len(), "slots are filled in order");
        self.records.extend(segment.records.iter().cloned());
        self.segments.push(segment);
        Ok(())
    }
}

/// A standby that waits for signs of life to stop, by its own clock.
#[derive(Debug, Default)]
pub(crate) struct Watcher {
    seen: Option<(u64, u64)>,
    silent_ticks: u64,
    looked_at: Option<u64>,
}

impl Watcher {
    pub(crate) fn look(&mut self, now: u64, archive: &Archive) {
        let looked_at = self.looked_at.replace(now);
        if archive.beat > self.seen {
            self.seen = archive.beat;
            self.silent_ticks = 0;
            return;
        }
        let passed = looked_at.map_or(0, |at| now - at);
        self.silent_ticks += passed.min(LOOK_COUNTS_MAX);
    }

    /// The store could not be asked: the time since the last look counts for nothing.
    pub(crate) const fn could_not_look(&mut self) {
        self.looked_at = None;
    }

    pub(crate) const fn is_silent(&self) -> bool {
        self.silent_ticks >= SILENCE_TICKS
    }
}
