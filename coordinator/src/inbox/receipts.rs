//! Up to which report each worker may forget: only what is durable without a gap. Pure.
//!
//! After a start the coordinator does not know where a worker's unacknowledged reports begin, so it asks the worker to send them all, and gives no receipt
//! until that had time to arrive.

use std::collections::BTreeMap;
use tidemill_protocol::ids::WorkerId;
use tidemill_protocol::time::Millis;

/// How long a worker whose past is unknown has to send what is not acknowledged.
const SETTLING: Millis = Millis(5_000);
/// Ranges that may be stored ahead of a gap; beyond, the oldest gap waits for the worker to send it again.
const RANGES_MAX: usize = 1_024;
/// Workers whose receipts are kept; the one that is silent longest is forgotten first, and settles anew.
const WORKERS_MAX: usize = 4_096;

/// The receipts of all workers.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    workers: BTreeMap<WorkerId, Receipt>,
}

#[derive(Debug)]
struct Receipt {
    incarnation: u64,
    since: Millis,
    heard: Millis,
    settled: bool,
    /// Stored ranges: first → last, apart from each other.
    ranges: BTreeMap<u64, u64>,
    /// The last sequence number that the worker was told.
    told: Option<u64>,
}

impl Receipts {
    /// Notes that these reports are durable. Answers whether the worker should be asked for its unacknowledged ones.
    pub(super) fn stored(
        &mut self,
        worker: &WorkerId,
        incarnation: u64,
        first: u64,
        count: u64,
        now: Millis,
    ) -> bool {
        if count == 0 {
            return false;
        }
        let unknown = self
            .workers
            .get(worker)
            .is_none_or(|receipt| receipt.incarnation < incarnation);
        if unknown {
            self.make_room();
            let receipt = Receipt {
                incarnation,
                since: now,
                heard: now,
                // The first reports of an incarnation have nothing before them.
                settled: first <= 1,
                ranges: BTreeMap::new(),
                told: None,
            };
            self.workers.insert(worker.clone(), receipt);
        }
        let Some(receipt) = self.workers.get_mut(worker) else {
            return false;
        };
        if receipt.incarnation == incarnation {
            receipt.heard = now;
            receipt.add(first, first + count - 1);
        }
        unknown && !receipt.settled
    }

    /// The receipts to be sent now: worker, incarnation, last sequence number without a gap.
    pub(super) fn due(&mut self, now: Millis) -> Vec<(WorkerId, u64, u64)> {
        let mut due = Vec::new();
        for (worker, receipt) in &mut self.workers {
            receipt.settled |= now.0 >= receipt.since.0 + SETTLING.0;
            let Some((_, last)) = receipt.ranges.first_key_value() else {
                continue;
            };
            if receipt.settled && receipt.told != Some(*last) {
                receipt.told = Some(*last);
                due.push((worker.clone(), receipt.incarnation, *last));
            }
        }
        due
    }

    /// Whether somebody's receipt is held back for now.
    pub(super) fn is_settling(&self) -> bool {
        self.workers.values().any(|receipt| !receipt.settled)
    }

    fn make_room(&mut self) {
        if self.workers.len() < WORKERS_MAX {
            return;
        }
        let oldest = self.workers.iter().min_by_key(|(_, receipt)| receipt.heard);
        if let Some(oldest) = oldest.map(|(worker, _)| worker.clone()) {
            self.workers.remove(&oldest);
        }
    }
}

impl Receipt {
    fn add(&mut self, mut first: u64, mut last: u64) {
        // A repetition is acknowledged again: the first receipt may have been lost.
        if self.told.is_some_and(|told| first <= told) {
            self.told = None;
        }
        let touching: Vec<u64> = self
            .ranges
            .range(..=last.saturating_add(1))
            .filter(|(_, end)| end.saturating_add(1) >= first)
            .map(|(start, _)| *start)
            .collect();
        for start in touching {
            if let Some(end) = self.ranges.remove(&start) {
                first = first.min(start);
                last = last.max(end);
            }
        }
        self.ranges.insert(first, last);
        if self.ranges.len() > RANGES_MAX {
            self.ranges.pop_last();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker() -> WorkerId {
        "w".parse().unwrap()
    }

    fn due(receipts: &mut Receipts, now: u64) -> Vec<u64> {
        receipts
            .due(Millis(now))
            .into_iter()
            .map(|(_, _, last)| last)
            .collect()
    }

    #[test]
    fn a_receipt_never_passes_a_gap() {
        let mut receipts = Receipts::default();
        assert!(
            !receipts.stored(&worker(), 9, 1, 3, Millis(0)),
            "it starts at the start"
        );
        receipts.stored(&worker(), 9, 7, 2, Millis(0));
        assert_eq!(due(&mut receipts, 1), [3]);
        assert!(due(&mut receipts, 2).is_empty(), "nothing new is not said twice");
        receipts.stored(&worker(), 9, 4, 3, Millis(3));
        assert_eq!(due(&mut receipts, 4), [8]);
    }

    #[test]
    fn after_a_start_the_worker_is_asked_and_given_time() {
        let mut receipts = Receipts::default();
        assert!(receipts.stored(&worker(), 9, 40, 2, Millis(0)));
        assert!(due(&mut receipts, 1).is_empty());
        assert!(
            !receipts.stored(&worker(), 9, 35, 5, Millis(2)),
            "it is asked once"
        );
        assert_eq!(due(&mut receipts, 5_000), [41]);
    }

    #[test]
    fn a_repetition_is_acknowledged_again() {
        let mut receipts = Receipts::default();
        receipts.stored(&worker(), 9, 1, 3, Millis(0));
        assert_eq!(due(&mut receipts, 1), [3]);
        receipts.stored(&worker(), 9, 2, 1, Millis(2));
        assert_eq!(due(&mut receipts, 3), [3]);
    }

    #[test]
    fn an_older_incarnation_is_not_acknowledged_as_the_newer() {
        let mut receipts = Receipts::default();
        receipts.stored(&worker(), 9, 1, 3, Millis(0));
        receipts.stored(&worker(), 8, 1, 90, Millis(0));
        assert_eq!(receipts.due(Millis(1)), [(worker(), 9, 3)]);
    }
}
