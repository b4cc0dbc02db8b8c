//! What happened in a run, event by event, for those who watch. Follows one run from its first event on, so it needs nothing but the journal.

use crate::catalog::{CatalogFact, Verdict};
use crate::ledger::{LedgerEvent, LedgerFact};
use crate::remarks::RemarkFact;
use tidemill_engine::{Event, Fact};
use tidemill_protocol::api::EventView;
use tidemill_protocol::ids::{RunId, StepIndex, StepPath, StepRef};
use tidemill_protocol::status::{RunStatus, StepStatus};

/// One run as its events tell it.
#[derive(Debug)]
pub(crate) struct History {
    run: RunId,
    paths: Vec<StepPath>,
    status: RunStatus,
}

/// What an event says, before it is put together.
struct Line {
    event: &'static str,
    step: Option<StepIndex>,
    attempt: Option<u32>,
    step_status: Option<StepStatus>,
    detail: String,
}

impl Line {
    fn run(event: &'static str, detail: impl Into<String>) -> Self {
        Self {
            event,
            step: None,
            attempt: None,
            step_status: None,
            detail: detail.into(),
        }
    }

    fn step(event: &'static str, step: StepIndex, status: StepStatus) -> Self {
        Self {
            event,
            step: Some(step),
            attempt: None,
            step_status: Some(status),
            detail: String::new(),
        }
    }

    fn attempt(self, attempt: u32) -> Self {
        Self {
            attempt: Some(attempt),
            ..self
        }
    }

    fn detail(self, detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            ..self
        }
    }
}

impl History {
    /// The history of a run of which no event was seen yet.
    pub(crate) fn new(run: RunId) -> Self {
        Self {
            run,
            paths: Vec::new(),
            status: RunStatus::Running,
        }
    }

    /// How the run stands after the events seen so far.
    pub(crate) fn status(&self) -> RunStatus {
        self.status
    }

    /// The next event of the journal; none when it is about something else.
    pub(crate) fn observe(&mut self, sequence: u64, event: &Event) -> Option<EventView> {
        let line = self
            .run_line(&event.fact)
            .or_else(|| self.step_line(&event.fact))?;
        Some(EventView {
            sequence,
            at: event.at,
            run: self.run,
            event: line.event.to_owned(),
            step: line
                .step
                .and_then(|step| self.paths.get(step.as_usize()).cloned()),
            attempt: line.attempt,
            step_status: line.step_status,
            run_status: self.status,
            detail: line.detail,
        })
    }

    /// The same of what happened in a ledger.
    pub(crate) fn observe_ledger(&self, sequence: u64, event: &LedgerEvent) -> Option<EventView> {
        if let LedgerFact::Remarks(fact) = &event.fact {
            let (word, detail) = remark(fact).filter(|_| fact.run() == self.run)?;
            return Some(EventView {
                sequence,
                at: event.at,
                run: self.run,
                event: word.to_owned(),
                step: None,
                attempt: None,
                step_status: None,
                run_status: self.status,
                detail,
            });
        }
        let LedgerFact::Catalog(CatalogFact::OutputSettled {
            kind,
            name,
            run,
            step,
            output,
            verdict,
        }) = &event.fact
        else {
            return None;
        };
        if *run != self.run {
            return None;
        }
        let (word, detail) = match verdict {
            Verdict::Version(version) => ("output_named", format!("{output} is {kind} {name}:{version}")),
            Verdict::Refused(why) => (
                "output_refused",
                format!("{output} is no version of {kind} {name}: {why}"),
            ),
        };
        Some(EventView {
            sequence,
            at: event.at,
            run: self.run,
            event: word.to_owned(),
            step: Some(step.clone()),
            attempt: None,
            step_status: None,
            run_status: self.status,
            detail,
        })
    }

    fn run_line(&mut self, fact: &Fact) -> Option<Line> {
        let line = match fact {
            Fact::RunSubmitted {
                run,
                plan,
                submitted_by,
                ..
            } if *run == self.run => {
                self.paths = plan.steps.iter().map(|step| step.path.clone()).collect();
                self.status = RunStatus::Queued;
                Line::run(
                    "run_submitted",
                    format!("{} steps, by {submitted_by}", plan.steps.len()),
                )
            }
            Fact::StepsAdded { run, steps, .. } if *run == self.run => {
                self.paths.extend(steps.iter().map(|step| step.path.clone()));
                Line::run("steps_added", format!("{} steps", steps.len()))
            }
            Fact::RunCancelRequested { run, by } if *run == self.run => {
                self.status = RunStatus::Cancelling;
                Line::run("run_cancel_requested", format!("by {by}"))
            }
            Fact::RunStopRequested { run, cause } if *run == self.run => {
                let name = self
                    .paths
                    .get(cause.as_usize())
                    .map_or("a step", StepPath::as_str);
                Line::run("run_stop_requested", format!("{name} failed"))
            }
            Fact::RunRetried { run, by } if *run == self.run => {
                self.status = RunStatus::Running;
                Line::run("run_retried", format!("by {by}"))
            }
            Fact::RunFinished { run, status } if *run == self.run => {
                self.status = *status;
                Line::run("run_finished", "")
            }
            Fact::RunForgotten { run } if *run == self.run => Line::run("run_forgotten", ""),
            _ => return None,
        };
        Some(line)
    }

    fn step_line(&mut self, fact: &Fact) -> Option<Line> {
        let ours = |step: &StepRef| (step.run == self.run).then_some(step.step);
        let ended = |by_person: bool| {
            if by_person {
                StepStatus::Cancelled
            } else {
                StepStatus::Aborted
            }
        };
        let line = match fact {
            Fact::StepReused { step, source, .. } => {
                let source = if source.run == self.run {
                    self.paths
                        .get(source.step.as_usize())
                        .map_or_else(String::new, ToString::to_string)
                } else {
                    source.run.to_string()
                };
                Line::step("step_reused", ours(step)?, StepStatus::Reused).detail(format!("from {source}"))
            }
            Fact::StepFollows { step, leader, .. } => {
                Line::step("step_follows", ours(step)?, StepStatus::Ready)
                    .detail(format!("the same work is under way in run {}", leader.run))
            }
            Fact::StepSkipped { step, cause } => {
                let name = self.paths.get(cause.as_usize()).map_or("", StepPath::as_str);
                Line::step("step_skipped", ours(step)?, StepStatus::Skipped)
                    .detail(format!("because of {name}"))
            }
            Fact::StepEnded { step, by_person } => Line::step("step_ended", ours(step)?, ended(*by_person)),
            Fact::StepFailed { step, failure } => {
                Line::step("step_failed", ours(step)?, StepStatus::Failed).detail(failure.reason.describe())
            }
            Fact::StepRetryDue { step } => Line::step("step_retry_due", ours(step)?, StepStatus::Ready),
            _ => self.attempt_line(fact, ended)?,
        };
        let released = matches!(fact, Fact::AttemptDispatched { .. } | Fact::StepReused { .. });
        if released && self.status == RunStatus::Queued {
            self.status = RunStatus::Running;
        }
        Some(line)
    }

    fn attempt_line(&self, fact: &Fact, ended: impl Fn(bool) -> StepStatus) -> Option<Line> {
        let (Fact::AttemptDispatched { attempt, .. }
        | Fact::AttemptClaimed { attempt, .. }
        | Fact::AttemptResumed { attempt, .. }
        | Fact::AttemptSucceeded { attempt, .. }
        | Fact::AttemptFailed { attempt, .. }
        | Fact::AttemptReturned { attempt, .. }
        | Fact::AttemptPreempted { attempt, .. }
        | Fact::CheckpointSaved { attempt, .. }
        | Fact::AttemptStopped { attempt, .. }) = fact
        else {
            return None;
        };
        if attempt.run != self.run {
            return None;
        }
        let line = |event, status| Line::step(event, attempt.step, status).attempt(attempt.attempt);
        let line = match fact {
            Fact::AttemptDispatched { .. } => line("attempt_dispatched", StepStatus::Dispatched),
            Fact::AttemptClaimed { worker, .. } => {
                line("attempt_claimed", StepStatus::Running).detail(worker.as_str())
            }
            Fact::AttemptResumed {
                worker, withdrawn, ..
            } => {
                let void =
                    withdrawn.map_or_else(String::new, |number| format!("; attempt {number} is withdrawn"));
                line("attempt_resumed", StepStatus::Running).detail(format!("{worker} is back{void}"))
            }
            Fact::AttemptSucceeded { worker, .. } => {
                line("attempt_succeeded", StepStatus::Succeeded).detail(worker.as_str())
            }
            Fact::AttemptFailed {
                failure, retry_at, ..
            } => {
                let status = retry_at.map_or(StepStatus::Failed, |_| StepStatus::Waiting);
                let again = if retry_at.is_some() {
                    "; will be tried again"
                } else {
                    ""
                };
                line("attempt_failed", status).detail(format!("{}{again}", failure.reason.describe()))
            }
            Fact::AttemptPreempted { .. } => {
                line("attempt_preempted", StepStatus::Ready).detail("the machine was taken away")
            }
            Fact::CheckpointSaved { checkpoint, .. } => Line {
                step_status: None,
                ..line("checkpoint_saved", StepStatus::Running)
            }
            .detail(format!(
                "{} files, {} bytes",
                checkpoint.files, checkpoint.size_bytes
            )),
            Fact::AttemptReturned { .. } => line("attempt_returned", StepStatus::Ready),
            Fact::AttemptStopped { by_person, .. } => line("attempt_stopped", ended(*by_person)),
            _ => return None,
        };
        Some(line)
    }
}

/// What was said of a run, and by whom; the texts themselves are not events.
fn remark(fact: &RemarkFact) -> Option<(&'static str, String)> {
    let (word, by) = match fact {
        RemarkFact::RunDescribed { by, .. } => ("run_described", by),
        RemarkFact::RunCommented { by, .. } => ("run_commented", by),
        RemarkFact::CommentEdited { by, .. } => ("comment_edited", by),
        RemarkFact::CommentRemoved { by, .. } => ("comment_removed", by),
        RemarkFact::RemarksForgotten { .. } => return None,
    };
    Some((word, format!("by {by}")))
}
