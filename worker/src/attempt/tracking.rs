//! What a step's process needs to log to the coordinator, as clients of MLflow look for it. Whoever sets one of these variables knows better; whoever sends their
//! steps to another server is told nothing of ours.

use std::collections::BTreeMap;
use tidemill_protocol::secret::SecretValue;
use tidemill_protocol::wire::{StepTask, TrackingGrant};

/// The variable that says where the server is.
const SERVER: &str = "MLFLOW_TRACKING_URI";

/// What the process is given, if it is given anything: by a coordinator that knows how, on a worker that knows where.
fn given<'t>(task: &'t StepTask, url: Option<&'t str>) -> Option<(&'t TrackingGrant, &'t str)> {
    let is_elsewhere = task.template.work.environment_variables.contains_key(SERVER)
        || task.template.work.secrets.contains_key(SERVER);
    task.tracking.as_ref().zip(url).filter(|_| !is_elsewhere)
}

/// Adds the variables to those of the process.
pub(super) fn add(environment: &mut BTreeMap<String, String>, task: &StepTask, url: Option<&str>) {
    let Some((grant, url)) = given(task, url) else {
        return;
    };
    if environment.contains_key(SERVER) {
        return;
    }
    let variables = [
        (SERVER, url),
        ("MLFLOW_TRACKING_TOKEN", grant.token.reveal()),
        ("MLFLOW_EXPERIMENT_ID", &grant.experiment),
        ("MLFLOW_RUN_ID", &grant.run),
        ("MLFLOW_DISABLE_TELEMETRY", "true"),
    ];
    for (name, value) in variables {
        let is_secret = task.template.work.secrets.contains_key(name);
        if !is_secret {
            environment
                .entry(name.to_owned())
                .or_insert_with(|| value.to_owned());
        }
    }
}

/// What is to be covered in what the process writes.
pub(super) fn token(task: &StepTask, url: Option<&str>) -> Option<SecretValue> {
    let (grant, _) = given(task, url)?;
    SecretValue::new(grant.token.reveal().as_bytes().to_vec()).ok()
}
