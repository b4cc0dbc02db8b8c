//! What a durable event is in `OpenLineage`'s words. A run is a run of the job PIPELINE, a step one of the job PIPELINE.STEP with the run as its parent. Whatever ends has begun: a
//! step that ends without a worker (its result was there already, nobody could execute it) is told with its beginning.

use super::dataset::{inputs, outputs};
use super::moment::rfc3339;
use super::{OpenLineageConfig, PRODUCER};
use crate::driver::Sight;
use serde_json::{Map, Value, json};
use tidemill_engine::{Event, Fact, Run};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::{AttemptId, RunId, StepIndex, StepRef};
use tidemill_protocol::status::RunStatus;
use tidemill_protocol::time::Timestamp;
use tidemill_protocol::wire::Success;
use uuid::Uuid;

/// The form of an event.
const SCHEMA: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
/// The forms of the facets.
const PARENT: &str = "https://openlineage.io/spec/facets/1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet";
const FAILED: &str =
    "https://openlineage.io/spec/facets/1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet";
const ENGINE: &str =
    "https://openlineage.io/spec/facets/1-1-1/ProcessingEngineRunFacet.json#/$defs/ProcessingEngineRunFacet";
const JOB_TYPE: &str = "https://openlineage.io/spec/facets/2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet";

/// What happened to a run or a step.
#[derive(Clone)]
struct Told<'a> {
    kind: &'static str,
    run: &'a Run,
    step: Option<StepIndex>,
    result: Option<&'a Success>,
    failure: Option<String>,
}

impl<'a> Told<'a> {
    fn of_run(kind: &'static str, run: &'a Run) -> Self {
        Self {
            kind,
            run,
            step: None,
            result: None,
            failure: None,
        }
    }

    fn of_step(kind: &'static str, run: &'a Run, step: StepIndex) -> Self {
        Self {
            step: Some(step),
            ..Self::of_run(kind, run)
        }
    }
}

/// The event in `OpenLineage`'s words; nothing when it tells nothing of lineage. `batch` is what became durable with it.
pub(super) fn tell(
    sight: &Sight<'_>,
    batch: &[Event],
    event: &Event,
    config: &OpenLineageConfig,
) -> Vec<Value> {
    let Some((told, has_begun)) = told(sight, batch, event) else {
        return Vec::new();
    };
    let beginning = (!has_begun).then(|| Told {
        kind: "START",
        result: None,
        failure: None,
        ..told.clone()
    });
    let all = beginning.into_iter().chain([told]);
    all.filter_map(|told| written(&told, event.at, config)).collect()
}

/// What the event tells, and whether the beginning of that was told before, or is what it tells.
fn told<'a>(sight: &Sight<'a>, batch: &[Event], event: &'a Event) -> Option<(Told<'a>, bool)> {
    let of_run = |run: RunId| sight.engine.run(run);
    let of_attempt =
        |kind, attempt: &AttemptId| Some(Told::of_step(kind, of_run(attempt.run)?, attempt.step));
    Some(match &event.fact {
        Fact::RunSubmitted { run, .. } => (Told::of_run("START", of_run(*run)?), true),
        Fact::RunFinished { run, status } => (Told::of_run(ended_as(*status), of_run(*run)?), true),
        Fact::AttemptClaimed { attempt, .. } => {
            let told = of_attempt("RUNNING", attempt)?;
            let was_claimed = was_claimed_before(told.run, attempt);
            let kind = if was_claimed { "RUNNING" } else { "START" };
            (Told { kind, ..told }, true)
        }
        Fact::AttemptSucceeded { attempt, success, .. } => {
            let told = of_attempt("COMPLETE", attempt)?;
            let has_begun = has_begun(told.run, attempt, batch, event.at);
            let result = Some(&**success);
            (Told { result, ..told }, has_begun)
        }
        Fact::StepReused { step, result, .. } => {
            let told = Told::of_step("COMPLETE", of_run(step.run)?, step.step);
            let result = Some(&**result);
            (Told { result, ..told }, was_ever_claimed(told.run, step.step))
        }
        Fact::AttemptFailed {
            attempt,
            failure,
            retry_at: None,
            ..
        } => {
            let told = of_attempt("FAIL", attempt)?;
            let failure = Some(failure.reason.describe());
            (Told { failure, ..told }, was_ever_claimed(told.run, attempt.step))
        }
        Fact::StepFailed { step, failure } => {
            let told = Told::of_step("FAIL", of_run(step.run)?, step.step);
            let failure = Some(failure.reason.describe());
            (Told { failure, ..told }, was_ever_claimed(told.run, step.step))
        }
        Fact::AttemptStopped { attempt, .. } => stopped(sight, attempt.step_ref())?,
        Fact::StepEnded { step, .. } => stopped(sight, *step)?,
        _ => return None,
    })
}

/// A step that was stopped; nothing where it had not begun, since nobody has heard of it.
fn stopped<'a>(sight: &Sight<'a>, step: StepRef) -> Option<(Told<'a>, bool)> {
    let run = sight.engine.run(step.run)?;
    was_ever_claimed(run, step.step).then(|| (Told::of_step("ABORT", run, step.step), true))
}

fn ended_as(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Succeeded => "COMPLETE",
        RunStatus::Cancelled | RunStatus::Aborted => "ABORT",
        _ => "FAIL",
    }
}

fn was_ever_claimed(run: &Run, step: StepIndex) -> bool {
    let step = run.step(step);
    step.is_some_and(|step| step.attempts().iter().any(|attempt| attempt.claim().is_some()))
}

fn was_claimed_before(run: &Run, attempt: &AttemptId) -> bool {
    let earlier = usize::try_from(attempt.attempt.saturating_sub(1)).unwrap_or(usize::MAX);
    let attempts = run
        .step(attempt.step)
        .into_iter()
        .flat_map(tidemill_engine::Step::attempts);
    attempts.take(earlier).any(|attempt| attempt.claim().is_some())
}

/// Whether the beginning of a step was told that ends well with this attempt. A result that came without a claim is its claim, at the same moment.
fn has_begun(run: &Run, attempt: &AttemptId, batch: &[Event], at: Timestamp) -> bool {
    let place = usize::try_from(attempt.attempt.saturating_sub(1)).ok();
    let step = run.step(attempt.step);
    let claim = place.and_then(|place| step?.attempts().get(place)?.claim());
    let was_claimed_apart = claim.is_some_and(|claim| claim.at != at)
        || batch.iter().any(
            |event| matches!(&event.fact, Fact::AttemptClaimed { attempt: claimed, .. } if claimed == attempt),
        );
    was_claimed_apart || was_claimed_before(run, attempt)
}

/// The event as it is sent.
fn written(told: &Told<'_>, at: Timestamp, config: &OpenLineageConfig) -> Option<Value> {
    let (run_id, job) = names(told)?;
    let kind = if told.step.is_some() { "STEP" } else { "PIPELINE" };
    let job_type = json!({
        "_producer": PRODUCER, "_schemaURL": JOB_TYPE, "processingType": "BATCH", "integration": "TIDEMILL", "jobType": kind,
    });
    let step = told.step;
    let made = step
        .zip(told.result)
        .map(|(step, result)| outputs(told.run, step, result, config));
    Some(json!({
        "eventType": told.kind, "eventTime": rfc3339(at), "producer": PRODUCER, "schemaURL": SCHEMA,
        "run": {"runId": run_id, "facets": run_facets(told, config)},
        "job": {"namespace": config.namespace, "name": job, "facets": {"jobType": job_type}},
        "inputs": step.map(|step| inputs(told.run, step, config)).unwrap_or_default(),
        "outputs": made.unwrap_or_default(),
    }))
}

fn run_facets(told: &Told<'_>, config: &OpenLineageConfig) -> Map<String, Value> {
    let engine = json!({
        "_producer": PRODUCER, "_schemaURL": ENGINE, "name": "tidemill", "version": env!("CARGO_PKG_VERSION"),
    });
    let mut facets = Map::from_iter([("processing_engine".to_owned(), engine)]);
    if told.step.is_some() {
        let run = json!({"runId": told.run.id()});
        let job = json!({"namespace": config.namespace, "name": told.run.plan().pipeline});
        let parent = json!({
            "_producer": PRODUCER, "_schemaURL": PARENT, "run": run, "job": job, "root": {"run": run, "job": job},
        });
        facets.insert("parent".to_owned(), parent);
    }
    if let Some(message) = &told.failure {
        let failed = json!({
            "_producer": PRODUCER, "_schemaURL": FAILED, "message": message, "programmingLanguage": "unknown",
        });
        facets.insert("errorMessage".to_owned(), failed);
    }
    facets
}

/// The id of the run and the name of the job.
fn names(told: &Told<'_>) -> Option<(Uuid, String)> {
    let pipeline = &told.run.plan().pipeline;
    let Some(step) = told.step else {
        return Some((told.run.id().0, pipeline.to_string()));
    };
    let path = &told.run.planned(step)?.path;
    Some((id_of(told.run.id(), step), format!("{pipeline}.{path}")))
}

/// The same id for the same step, whoever computes it.
fn id_of(run: RunId, step: StepIndex) -> Uuid {
    let digest = Digest::of(format!("openlineage {run}/{step}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_bytes()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
