//! The unacknowledged reports, in order of their numbers, and how far each has come. Pure bookkeeping.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};
use tidemill_protocol::wire::Report;
use tidemill_transport::Delivery;
use tokio::sync::oneshot;

/// Most reports in one message.
pub(super) const BATCH_REPORTS_MAX: usize = 256;
/// A message takes no further report once it has about this many bytes.
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// What a report without outputs takes, roughly.
const REPORT_BYTES: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Sending,
    /// The broker has it, since then.
    Published(Instant),
}

#[derive(Debug)]
struct Entry {
    report: Report,
    stage: Stage,
    claim: Option<Claim>,
}

/// What follows once the broker has a claim.
#[derive(Debug)]
pub(super) struct Claim {
    /// The claimed task, to be acknowledged.
    pub delivery: Option<Delivery>,
    /// Who waits for it, if anybody does.
    pub waiting: Option<oneshot::Sender<()>>,
}

impl Claim {
    fn published(self) {
        if let Some(delivery) = self.delivery {
            // If the broker never hears of it, it delivers again, and whoever gets it finds the attempt claimed.
            delivery.ack_soon();
        }
        if let Some(waiting) = self.waiting {
            // Whoever asked may have been stopped meanwhile.
            waiting.send(()).ok();
        }
    }
}

/// The reports that the coordinator has not acknowledged.
#[derive(Debug)]
pub(super) struct Lane {
    first_sequence: u64,
    entries: VecDeque<Entry>,
    /// No report before this place of `entries` is waiting.
    next_waiting: usize,
}

/// Reports to be sent in one message.
#[derive(Debug)]
pub(super) struct Batch {
    pub first_sequence: u64,
    pub reports: Vec<Report>,
}

impl Batch {
    /// The numbers of its reports.
    pub(super) fn sequences(&self) -> RangeInclusive<u64> {
        self.first_sequence..=self.first_sequence + self.reports.len() as u64 - 1
    }
}

impl Lane {
    /// A lane without reports; the first one gets the number 1.
    pub(super) fn new() -> Self {
        Self {
            first_sequence: 1,
            entries: VecDeque::new(),
            next_waiting: 0,
        }
    }

    /// Adds a report.
    pub(super) fn push(&mut self, report: Report, claim: Option<Claim>) {
        self.entries.push_back(Entry {
            report,
            stage: Stage::Waiting,
            claim,
        });
    }

    /// About how many reports wait to be sent: exact unless some were to be sent again.
    pub(super) fn waiting(&self) -> usize {
        self.entries.len() - self.next_waiting
    }

    /// How many reports are unacknowledged.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether every report has reached the broker.
    pub(super) fn is_published(&self) -> bool {
        self.entries
            .iter()
            .all(|e| matches!(e.stage, Stage::Published(_)))
    }

    /// Takes the oldest waiting reports that fit into a message.
    pub(super) fn next_batch(&mut self) -> Option<Batch> {
        while self
            .entries
            .get(self.next_waiting)
            .is_some_and(|e| e.stage != Stage::Waiting)
        {
            self.next_waiting += 1;
        }
        let from = self.next_waiting;
        let mut bytes = 0;
        let mut reports = Vec::new();
        for entry in self.entries.range_mut(from..).take(BATCH_REPORTS_MAX) {
            if entry.stage != Stage::Waiting || bytes > BATCH_BYTES_MAX {
                break;
            }
            entry.stage = Stage::Sending;
            bytes += bytes_of(&entry.report);
            reports.push(entry.report.clone());
        }
        self.next_waiting += reports.len();
        (!reports.is_empty()).then_some(Batch {
            first_sequence: self.first_sequence + from as u64,
            reports,
        })
    }

    fn range_mut(&mut self, sequences: RangeInclusive<u64>) -> impl Iterator<Item = &mut Entry> {
        let first = self.first_sequence;
        let from = sequences.start().saturating_sub(first);
        let to = (sequences.end() + 1).saturating_sub(first);
        let clamp = |place: u64| {
            usize::try_from(place)
                .unwrap_or(usize::MAX)
                .min(self.entries.len())
        };
        let (from, to) = (clamp(from), clamp(to));
        self.entries.range_mut(from..to)
    }

    /// The broker has these.
    pub(super) fn published(&mut self, sequences: RangeInclusive<u64>, now: Instant) {
        for entry in self.range_mut(sequences) {
            entry.stage = Stage::Published(now);
            if let Some(claim) = entry.claim.take() {
                claim.published();
            }
        }
    }

    /// The broker may not have these.
    pub(super) fn not_published(&mut self, sequences: RangeInclusive<u64>) {
        for entry in self.range_mut(sequences) {
            entry.stage = Stage::Waiting;
        }
        self.next_waiting = 0;
    }

    /// The coordinator has everything up to this number.
    pub(super) fn stored(&mut self, sequence: u64, now: Instant) {
        self.published(self.first_sequence..=sequence, now);
        while self.first_sequence <= sequence && self.entries.pop_front().is_some() {
            self.first_sequence += 1;
            self.next_waiting = self.next_waiting.saturating_sub(1);
        }
    }

    /// Lets everything that was published longer than `age` ago be sent again.
    pub(super) fn send_again(&mut self, age: Duration, now: Instant) {
        for entry in &mut self.entries {
            if matches!(entry.stage, Stage::Published(at) if now.saturating_duration_since(at) >= age) {
                entry.stage = Stage::Waiting;
                self.next_waiting = 0;
            }
        }
    }
}

fn bytes_of(report: &Report) -> usize {
    use tidemill_protocol::wire::ReportBody;
    match &report.body {
        ReportBody::Succeeded(success) => REPORT_BYTES * (1 + success.outputs.len()),
        ReportBody::Failed { failure, .. } => {
            REPORT_BYTES + failure.message.len() + failure.stderr_tail.len()
        }
        _ => REPORT_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_protocol::ids::{AttemptId, FencingToken, RunId, StepIndex};
    use tidemill_protocol::time::Timestamp;
    use tidemill_protocol::wire::ReportBody;

    fn lane(reports: u32) -> Lane {
        let mut lane = Lane::new();
        for step in 0..reports {
            let report = Report {
                attempt: AttemptId {
                    run: RunId(uuid::Uuid::nil()),
                    step: StepIndex(step),
                    attempt: 1,
                },
                token: FencingToken(1),
                at: Timestamp(1),
                body: ReportBody::Claimed,
            };
            lane.push(report, None);
        }
        lane
    }

    #[test]
    fn a_batch_takes_what_waits_and_no_report_twice() {
        let mut lane = lane(300);
        let first = lane.next_batch().unwrap();
        let second = lane.next_batch().unwrap();
        assert_eq!(
            (first.first_sequence, first.reports.len()),
            (1, BATCH_REPORTS_MAX)
        );
        assert_eq!((second.first_sequence, second.reports.len()), (257, 44));
        assert!(lane.next_batch().is_none());
    }

    #[test]
    fn what_was_not_taken_is_sent_again_and_nothing_else() {
        let now = Instant::now();
        let mut lane = lane(3);
        lane.next_batch().unwrap();
        lane.published(1..=1, now);
        lane.not_published(2..=3);
        let again = lane.next_batch().unwrap();
        assert_eq!((again.first_sequence, again.reports.len()), (2, 2));
    }

    #[test]
    fn stored_reports_are_forgotten_and_the_others_stay() {
        let now = Instant::now();
        let mut lane = lane(3);
        lane.next_batch().unwrap();
        lane.stored(2, now);
        assert_eq!(lane.len(), 1);
        lane.stored(2, now);
        assert_eq!(lane.len(), 1, "an old word changes nothing");
        lane.published(1..=3, now);
        lane.send_again(Duration::ZERO, now);
        assert_eq!(lane.next_batch().unwrap().first_sequence, 3);
    }

    #[test]
    fn a_report_that_was_published_lately_is_not_sent_again() {
        let now = Instant::now();
        let mut lane = lane(1);
        lane.next_batch().unwrap();
        lane.published(1..=1, now);
        lane.send_again(Duration::from_secs(1), now);
        assert!(lane.next_batch().is_none());
        assert!(lane.is_published());
    }
}
