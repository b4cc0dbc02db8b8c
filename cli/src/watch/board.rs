//! How a watched run stands, from its events alone. Pure: what is drawn of it is elsewhere.

use std::collections::BTreeMap;
use tidemill_protocol::api::{EventView, RunView};
use tidemill_protocol::ids::StepPath;
use tidemill_protocol::status::{RunStatus, StepStatus};
use tidemill_protocol::time::{Millis, Timestamp};

/// What is known of one step.
#[derive(Debug, Clone, Copy)]
struct Known {
    status: StepStatus,
    since: Timestamp,
    started: Option<Timestamp>,
}

/// How a run stands.
#[derive(Debug)]
pub(super) struct Board {
    steps: BTreeMap<StepPath, Known>,
    running: Vec<StepPath>,
    tally: BTreeMap<StepStatus, usize>,
    sequence: u64,
    status: RunStatus,
    submitted: Timestamp,
    now: Timestamp,
    drawn: std::time::Instant,
    name: String,
}

/// An event that changed something worth showing.
#[derive(Debug)]
pub(super) struct Change {
    /// The event.
    pub(super) event: EventView,
    /// How its step stood before, if it is about a step whose status changed.
    pub(super) step: Option<(StepPath, StepStatus)>,
    /// How long the step worked, once it has ended.
    pub(super) took: Option<Millis>,
}

impl Board {
    /// A board with the steps of this run, none of them begun: events tell the rest.
    pub(super) fn new(run: &RunView) -> Self {
        let submitted = run.summary.submitted_at;
        let known = Known {
            status: StepStatus::Blocked,
            since: submitted,
            started: None,
        };
        let steps: BTreeMap<_, _> = run
            .steps_list
            .iter()
            .map(|step| (step.path.clone(), known))
            .collect();
        Self {
            tally: BTreeMap::from([(StepStatus::Blocked, steps.len())]),
            steps,
            running: Vec::new(),
            sequence: 0,
            status: RunStatus::Queued,
            submitted,
            now: submitted,
            drawn: std::time::Instant::now(),
            name: run.summary.display_name.clone(),
        }
    }

    /// Takes in an event; answers what changed, nothing when the event was known already.
    pub(super) fn apply(&mut self, event: EventView) -> Option<Change> {
        if event.sequence <= self.sequence {
            return None;
        }
        self.sequence = event.sequence;
        self.status = event.run_status;
        self.now = self.now.max(event.at);
        self.drawn = std::time::Instant::now();
        let (Some(path), Some(status)) = (event.step.clone(), event.step_status) else {
            return Some(Change {
                event,
                step: None,
                took: None,
            });
        };
        let known = self.steps.entry(path.clone()).or_insert_with(|| {
            *self.tally.entry(StepStatus::Blocked).or_default() += 1;
            Known {
                status: StepStatus::Blocked,
                since: event.at,
                started: None,
            }
        });
        let before = known.status;
        if before == status {
            return Some(Change {
                event,
                step: None,
                took: None,
            });
        }
        if let Some(count) = self.tally.get_mut(&before) {
            *count -= 1;
        }
        *self.tally.entry(status).or_default() += 1;
        let took = (before == StepStatus::Running && status.is_terminal())
            .then(|| event.at.since(known.started.unwrap_or(known.since)));
        known.status = status;
        known.since = event.at;
        if status == StepStatus::Running {
            known.started = Some(event.at);
            self.running.push(path.clone());
        } else if before == StepStatus::Running {
            self.running.retain(|running| *running != path);
        }
        Some(Change {
            event,
            step: Some((path, before)),
            took,
        })
    }

    /// The last event that was taken in.
    pub(super) const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// How the run stands.
    pub(super) const fn status(&self) -> RunStatus {
        self.status
    }

    /// What people call the run.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// How many steps there are.
    pub(super) fn total(&self) -> usize {
        self.steps.len()
    }

    /// How many steps stand like this.
    pub(super) fn count(&self, status: StepStatus) -> usize {
        self.tally.get(&status).copied().unwrap_or_default()
    }

    /// How many steps are done with.
    pub(super) fn done(&self) -> usize {
        StepStatus::ALL
            .iter()
            .filter(|status| status.is_terminal())
            .map(|status| self.count(*status))
            .sum()
    }

    /// The steps that run, in the order in which they began, each with how long it has run.
    pub(super) fn running(&self) -> impl Iterator<Item = (&StepPath, Millis)> {
        let now = self.now();
        self.running
            .iter()
            .map(move |path| (path, now.since(self.steps[path].since)))
    }

    /// How long a moment lies after the submission.
    pub(super) fn since_submission(&self, moment: Timestamp) -> Millis {
        moment.since(self.submitted)
    }

    /// How long the run has gone on.
    pub(super) fn elapsed(&self) -> Millis {
        self.now().since(self.submitted)
    }

    /// The coordinator's clock, as far as events tell, carried on by ours: the two machines need not agree on the time.
    fn now(&self) -> Timestamp {
        let passed = u64::try_from(self.drawn.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.now + Millis(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const RUN: &str = "01890000-0000-7000-8000-000000000000";

    fn board() -> Board {
        let step = |path: &str| json!({"path": path, "display_name": path, "kind": "command", "target": "cpu", "status": "running"});
        let run = json!({
            "id": RUN, "pipeline": "p", "display_name": "p", "experiment": "e", "status": "running",
            "submitted_by": "me", "submitted_at": 1000, "steps": {}, "steps_list": [step("a"), step("b")],
        });
        Board::new(&serde_json::from_value(run).unwrap())
    }

    fn event(sequence: u64, step: &str, status: &str) -> EventView {
        serde_json::from_value(json!({
            "sequence": sequence, "at": 1000 + sequence * 100, "run": RUN, "event": "x", "step": step,
            "step_status": status, "run_status": "running",
        }))
        .unwrap()
    }

    #[test]
    fn counts_follow_the_events() {
        let mut board = board();
        assert_eq!((board.total(), board.done()), (2, 0));
        board.apply(event(1, "a", "running")).unwrap();
        assert_eq!(board.running().count(), 1);
        let change = board.apply(event(4, "a", "succeeded")).unwrap();
        assert_eq!(change.took, Some(Millis(300)));
        board.apply(event(5, "b", "reused")).unwrap();
        assert_eq!(
            (
                board.done(),
                board.count(StepStatus::Reused),
                board.running().count()
            ),
            (2, 1, 0)
        );
    }

    #[test]
    fn an_event_seen_before_changes_nothing() {
        let mut board = board();
        board.apply(event(3, "a", "running")).unwrap();
        assert!(board.apply(event(3, "a", "running")).is_none());
        assert!(board.apply(event(2, "a", "dispatched")).is_none());
        assert_eq!(board.count(StepStatus::Running), 1);
    }

    #[test]
    fn steps_added_while_the_run_goes_on_are_counted() {
        let mut board = board();
        board.apply(event(1, "fan.0", "running")).unwrap();
        assert_eq!(board.total(), 3);
        assert_eq!(board.count(StepStatus::Blocked), 2);
    }
}
