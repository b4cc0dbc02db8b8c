//! What a durable event is in `OpenLineage`'s words. A run is a run of the job PIPELINE, a step one of the job PIPELINE.STEP with the run as its parent; data are named by
//! what made them (PIPELINE/STEP/OUTPUT), by their name in the catalog, or by their address, and their version is the digest of their content.

use super::OpenLineageConfig;
use super::moment::rfc3339;
use crate::driver::Sight;
use serde_json::{Value, json};
use tidemill_engine::{Event, Fact, Run};
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::{RunId, StepIndex};
use tidemill_protocol::key::InputValue;
use tidemill_protocol::plan::InputBinding;
use tidemill_protocol::status::RunStatus;
use tidemill_protocol::wire::Success;
use uuid::Uuid;

/// Who tells.
const PRODUCER: &str = concat!(
    "https://github.com/tidemill/tidemill/tree/",
    env!("CARGO_PKG_VERSION")
);
/// The form of an event.
const SCHEMA: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
/// The forms of the facets.
const PARENT: &str = "https://openlineage.io/spec/facets/1-1-0/ParentRunFacet.json#/$defs/ParentRunFacet";
const FAILED: &str =
    "https://openlineage.io/spec/facets/1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet";
const VERSION: &str = "https://openlineage.io/spec/facets/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet";

/// What happened to a run or a step.
struct Told<'a> {
    kind: &'static str,
    run: &'a Run,
    step: Option<StepIndex>,
    result: Option<&'a Success>,
    failure: Option<String>,
}

/// The event in `OpenLineage`'s words; none when it tells nothing of lineage.
pub(super) fn tell(sight: &Sight<'_>, event: &Event, config: &OpenLineageConfig) -> Option<Value> {
    let of_run = |run: RunId| sight.engine.run(run);
    let blank = |kind, run, step| Told {
        kind,
        run,
        step,
        result: None,
        failure: None,
    };
    let told = match &event.fact {
        Fact::RunSubmitted { run, .. } => blank("START", of_run(*run)?, None),
        Fact::RunFinished { run, status } => {
            let kind = match status {
                RunStatus::Succeeded => "COMPLETE",
                RunStatus::Cancelled | RunStatus::Aborted => "ABORT",
                _ => "FAIL",
            };
            blank(kind, of_run(*run)?, None)
        }
        Fact::AttemptClaimed { attempt, .. } => {
            let kind = if attempt.attempt == 1 { "START" } else { "RUNNING" };
            blank(kind, of_run(attempt.run)?, Some(attempt.step))
        }
        Fact::AttemptSucceeded { attempt, success, .. } => Told {
            result: Some(success),
            ..blank("COMPLETE", of_run(attempt.run)?, Some(attempt.step))
        },
        Fact::StepReused { step, result, .. } => Told {
            result: Some(result),
            ..blank("COMPLETE", of_run(step.run)?, Some(step.step))
        },
        Fact::AttemptFailed {
            attempt,
            failure,
            retry_at: None,
            ..
        } => Told {
            failure: Some(failure.reason.describe()),
            ..blank("FAIL", of_run(attempt.run)?, Some(attempt.step))
        },
        Fact::AttemptStopped { attempt, .. } => blank("ABORT", of_run(attempt.run)?, Some(attempt.step)),
        _ => return None,
    };
    let (run_id, job) = names(&told)?;
    let mut facets = serde_json::Map::new();
    if told.step.is_some() {
        let parent = json!({
            "_producer": PRODUCER, "_schemaURL": PARENT,
            "run": {"runId": told.run.id()},
            "job": {"namespace": config.namespace, "name": told.run.plan().pipeline},
        });
        facets.insert("parent".to_owned(), parent);
    }
    if let Some(message) = &told.failure {
        let failed = json!({
            "_producer": PRODUCER, "_schemaURL": FAILED, "message": message, "programmingLanguage": "unknown",
        });
        facets.insert("errorMessage".to_owned(), failed);
    }
    Some(json!({
        "eventType": told.kind, "eventTime": rfc3339(event.at), "producer": PRODUCER, "schemaURL": SCHEMA,
        "run": {"runId": run_id, "facets": facets},
        "job": {"namespace": config.namespace, "name": job, "facets": {}},
        "inputs": told.step.map(|step| inputs(told.run, step, config)).unwrap_or_default(),
        "outputs": outputs(&told, config),
    }))
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

fn inputs(run: &Run, step: StepIndex, config: &OpenLineageConfig) -> Vec<Value> {
    let inputs = run.planned(step).into_iter().flat_map(|planned| &planned.inputs);
    let data = inputs.filter_map(|(_, binding)| match binding {
        InputBinding::Value(InputValue::Literal(_)) => None,
        InputBinding::Value(InputValue::Uri(uri)) => Some(at_address(uri, config)),
        InputBinding::Value(InputValue::Artifact(artifact)) => Some(content(run, artifact, config)),
        InputBinding::Step(source) => {
            let result = run.step(source.step).and_then(|step| step.result());
            let artifact = result.and_then(|result| result.outputs.get(&source.output))?;
            let path = &run.planned(source.step)?.path;
            let name = format!("{}/{path}/{}", run.plan().pipeline, source.output);
            Some(dataset(&config.namespace, &name, &artifact.digest.to_string()))
        }
    });
    data.collect()
}

fn outputs(told: &Told<'_>, config: &OpenLineageConfig) -> Vec<Value> {
    let Some(planned) = told.step.and_then(|step| told.run.planned(step)) else {
        return Vec::new();
    };
    let outputs = told.result.into_iter().flat_map(|result| &result.outputs);
    let data = outputs.map(|(output, artifact)| {
        let name = format!("{}/{}/{output}", told.run.plan().pipeline, planned.path);
        dataset(&config.namespace, &name, &artifact.digest.to_string())
    });
    data.collect()
}

/// A content that the pipeline brought along: by its name in the catalog where it has one.
fn content(run: &Run, artifact: &ArtifactRef, config: &OpenLineageConfig) -> Value {
    let mut used = run.plan().assets.iter();
    let is_it = |content: &ArtifactRef| content.digest == artifact.digest;
    if let Some(used) = used.find(|used| used.content.as_ref().is_some_and(is_it)) {
        let name = format!("{}/{}", used.kind, used.name);
        return dataset(&config.namespace, &name, used.version.as_str());
    }
    let digest = artifact.digest.to_string();
    dataset(&config.namespace, &format!("content/{digest}"), &digest)
}

/// Data behind an address: the scheme and the host are their namespace, as others name them.
fn at_address(address: &str, config: &OpenLineageConfig) -> Value {
    let bare = address.split(['?', '#']).next().unwrap_or(address);
    let split = bare.split_once("://").and_then(|(scheme, rest)| {
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        // A login is nobody's business.
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        Some((format!("{scheme}://{host}"), path)).filter(|(_, path)| !path.is_empty())
    });
    match split {
        Some((namespace, path)) => json!({"namespace": namespace, "name": path, "facets": {}}),
        None => json!({"namespace": config.namespace, "name": bare, "facets": {}}),
    }
}

fn dataset(namespace: &str, name: &str, version: &str) -> Value {
    let facet = json!({"_producer": PRODUCER, "_schemaURL": VERSION, "datasetVersion": version});
    json!({"namespace": namespace, "name": name, "facets": {"version": facet}})
}
