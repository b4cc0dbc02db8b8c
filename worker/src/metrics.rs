//! Every metric of this crate: name, unit, meaning. The numbers are kept where they arise and read here; exporting them is the process's business.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A metric: its name, its unit, what it means.
pub const METRICS: [(&str, &str, &str); 5] = [
    (
        "tidemill_attempts_claimed_total",
        "attempts",
        "attempts that this worker has claimed since it started",
    ),
    (
        "tidemill_attempts_adopted_total",
        "attempts",
        "attempts of an earlier daemon that this one has gone on with",
    ),
    (
        "tidemill_tasks_refused_total",
        "tasks",
        "tasks that were not authentic or not for this worker's targets",
    ),
    (
        "tidemill_tasks_given_back_total",
        "tasks",
        "tasks that were given back to the queue because no slot was free",
    ),
    (
        "tidemill_reports_unacknowledged",
        "reports",
        "reports that the coordinator has not acknowledged yet",
    ),
];

/// The counters behind [`METRICS`], in its order.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub claimed: AtomicU64,
    pub adopted: AtomicU64,
    pub refused: Arc<AtomicU64>,
    pub given_back: AtomicU64,
}

impl Counters {
    /// Counts one more.
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// The values now, by name.
    pub(crate) fn read(&self, unacknowledged: usize) -> [(&'static str, u64); 5] {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let values = [
            value(&self.claimed),
            value(&self.adopted),
            value(&self.refused),
            value(&self.given_back),
            unacknowledged as u64,
        ];
        let mut named = [("", 0); 5];
        for ((slot, (name, ..)), value) in named.iter_mut().zip(METRICS).zip(values) {
            *slot = (name, value);
        }
        named
    }
}
