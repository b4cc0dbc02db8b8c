//! Which deliveries of one channel are settled. The broker numbers them 1, 2, 3, …; knowing the unbroken run of settled ones lets many
//! acknowledgements travel as one frame without ever acknowledging a message that nobody has settled.

use std::collections::VecDeque;

#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Every tag up to here is settled.
    floor: u64,
    /// Whether the tags after the floor are settled.
    above: VecDeque<bool>,
    unsettled: usize,
}

impl Ledger {
    /// The broker delivered this tag.
    pub(super) fn deliver(&mut self, tag: u64) {
        while self.floor + (self.above.len() as u64) < tag {
            self.above.push_back(false);
            self.unsettled += 1;
        }
    }

    /// The tag is settled otherwise than by [`Self::acknowledge`]; the broker must hear of it before it hears of later acknowledgements.
    pub(super) fn settle(&mut self, tag: u64) {
        let Some(place) = tag.checked_sub(self.floor + 1) else {
            return;
        };
        if let Some(settled) = usize::try_from(place)
            .ok()
            .and_then(|place| self.above.get_mut(place))
            && !*settled
        {
            *settled = true;
            self.unsettled -= 1;
        }
        while self.above.front() == Some(&true) {
            self.above.pop_front();
            self.floor += 1;
        }
    }

    /// Settles a batch of tags, each delivered and settled never before. Answers the tag of the batch up to which the broker can be told
    /// with one frame; the later ones need a frame each.
    pub(super) fn acknowledge(&mut self, tags: impl Iterator<Item = u64> + Clone) -> Option<u64> {
        for tag in tags.clone() {
            self.settle(tag);
        }
        tags.filter(|tag| *tag <= self.floor).max()
    }

    pub(super) const fn unsettled(&self) -> usize {
        self.unsettled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivered(count: u64) -> Ledger {
        let mut ledger = Ledger::default();
        (1..=count).for_each(|tag| ledger.deliver(tag));
        ledger
    }

    #[test]
    fn an_unbroken_run_is_one_acknowledgement() {
        let mut ledger = delivered(10);
        assert_eq!(ledger.acknowledge([3, 1, 2].into_iter()), Some(3));
        assert_eq!(ledger.unsettled(), 7);
    }

    #[test]
    fn a_gap_is_never_acknowledged() {
        let mut ledger = delivered(5);
        assert_eq!(ledger.acknowledge([2, 4].into_iter()), None);
        // 2 is settled, so the run now reaches 2, but only 1 is news.
        assert_eq!(ledger.acknowledge([1].into_iter()), Some(1));
        assert_eq!(ledger.acknowledge([3, 5].into_iter()), Some(5));
        assert_eq!(ledger.unsettled(), 0);
    }

    #[test]
    fn what_was_rejected_does_not_break_the_run() {
        let mut ledger = delivered(3);
        ledger.settle(2);
        assert_eq!(ledger.acknowledge([1, 3].into_iter()), Some(3));
        assert_eq!(ledger.unsettled(), 0);
    }

    #[test]
    fn settling_twice_changes_nothing() {
        let mut ledger = delivered(2);
        ledger.settle(1);
        ledger.settle(1);
        ledger.settle(7);
        assert_eq!(ledger.unsettled(), 1);
    }
}
