//! The start of one run for one moment, with its lines in the audit log; and whether what hindered it may pass.

use super::state::Schedule;
use super::words;
use crate::error::{CommandError, Stopped};
use crate::handle::{CoordinatorHandle, SubmitError};
use crate::projects::Filed;
use crate::published::{self, PublishedError};
use crate::specs::SpecError;
use std::collections::BTreeMap;
use tidemill_engine::Rejection;
use tidemill_protocol::api::{AuditDecision, AuditEntry, Problem};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::name::Name;
use tidemill_protocol::schedule::{FiringOutcome, Moment};
use tidemill_protocol::time::Timestamp;

/// Longest reason that is kept with a firing, in characters.
const WHY_CHARS_MAX: usize = 1_000;

/// What came of a start.
pub(super) enum Start {
    /// A run, or a refusal that stays one.
    Settled(FiringOutcome),
    /// The world hindered it; it may be tried again.
    Hindered(String),
}

/// Starts the run of this moment, in the name of whoever made the schedule. A second time the same run is found.
pub(super) async fn start(
    handle: &CoordinatorHandle,
    name: &Name,
    schedule: &Schedule,
    moment: &Moment,
) -> Result<Start, Stopped> {
    let entry = entry(name, schedule, handle.inner.clock.now());
    let Ok(ticket) = handle.inner.audit.announce(entry).await else {
        return Ok(Start::Hindered("the audit log cannot be written".to_owned()));
    };
    let started = begin(handle, name, schedule, moment).await;
    let mut entry = ticket.entry();
    let outcome = match started {
        Ok(run) => {
            entry.decision = AuditDecision::Accepted;
            entry.ids.insert("run".to_owned(), run.to_string());
            Ok(Start::Settled(FiringOutcome::Started { run }))
        }
        Err(error) => {
            let why: String = in_words(&error).chars().take(WHY_CHARS_MAX).collect();
            entry.why = Some(why.clone());
            match judge(&error) {
                Judgement::Stopped => Err(Stopped),
                Judgement::MayPass => {
                    entry.decision = AuditDecision::Failed;
                    Ok(Start::Hindered(why))
                }
                Judgement::Stays => Ok(Start::Settled(FiringOutcome::Refused { why })),
            }
        }
    };
    ticket.conclude(entry).await;
    outcome
}

async fn begin(
    handle: &CoordinatorHandle,
    name: &Name,
    schedule: &Schedule,
    moment: &Moment,
) -> Result<tidemill_protocol::ids::RunId, PublishedError> {
    let (pipeline, version) = (schedule.spec.pipeline.clone(), schedule.spec.version.clone());
    let looking = handle.look(move |sight| published::find(sight, &pipeline, version.as_ref()));
    let startable = looking.await??;
    let project = schedule.spec.project.clone();
    let filing = handle.look(move |sight| Filed::by_schedule(&sight.ledgers.projects, project));
    let filed = filing.await??;
    let request = words::request(name, schedule, moment);
    let by = Some(schedule.created_by.clone());
    Ok(published::start(handle, &startable, request, (by, filed))
        .await?
        .run)
}

/// What an error means for the firing.
enum Judgement {
    /// The coordinator ends.
    Stopped,
    /// It may go better another time.
    MayPass,
    /// It will not.
    Stays,
}

fn judge(error: &PublishedError) -> Judgement {
    match error {
        PublishedError::Stopped(_)
        | PublishedError::Refused(SubmitError::Command(CommandError::Stopped(_))) => Judgement::Stopped,
        PublishedError::Spec(SpecError::Store(error)) if error.is_retryable() => Judgement::MayPass,
        PublishedError::Refused(
            SubmitError::DiskFull { .. }
            | SubmitError::Command(CommandError::Rejected(Rejection::QueueFull { .. })),
        ) => Judgement::MayPass,
        PublishedError::Unknown(_)
        | PublishedError::NoProject(_)
        | PublishedError::NotMade(_)
        | PublishedError::Disabled { .. }
        | PublishedError::Spec(_)
        | PublishedError::Refused(_) => Judgement::Stays,
    }
}

fn in_words(error: &PublishedError) -> String {
    match error {
        PublishedError::Refused(SubmitError::Invalid(problems)) => {
            let problems: Vec<&str> = problems
                .iter()
                .map(|Problem { message, .. }| message.as_str())
                .collect();
            problems.join("; ")
        }
        PublishedError::Refused(SubmitError::Command(error)) => error.to_string(),
        PublishedError::Refused(SubmitError::DiskFull { .. }) => {
            "the coordinator's disk is nearly full".to_owned()
        }
        PublishedError::Refused(SubmitError::Unplannable | SubmitError::TwoKeys) => {
            "the pipeline could not be planned".to_owned()
        }
        other => other.to_string(),
    }
}

fn entry(name: &Name, schedule: &Schedule, at: Timestamp) -> AuditEntry {
    AuditEntry {
        sequence: 0,
        at,
        decision: AuditDecision::Refused,
        of: None,
        who: schedule.created_by.clone(),
        token: None,
        scope: None,
        from: "schedule".to_owned(),
        method: "FIRE".to_owned(),
        route: Some("/api/v1/schedules/{name}".to_owned()),
        ids: BTreeMap::from([("name".to_owned(), name.to_string())]),
        status: None,
        why: None,
        request_id: None,
        count: None,
        previous: Digest::from_bytes([0; 32]),
    }
}
