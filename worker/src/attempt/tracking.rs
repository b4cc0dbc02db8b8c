//! What a step's process needs to log to the coordinator, as clients of MLflow look for it. Whoever sets one of these variables knows better; whoever sends their
//! steps to another server is told nothing of ours.

use std::collections::BTreeMap;
use tidemill_protocol::secret::SecretValue;
use tidemill_protocol::wire::{StepTask, TrackingGrant};

/// The variable that says where the server is.
const SERVER: &str = "MLFLOW_TRACKING_URI";

/// Where the server is, as processes reach it.
#[derive(Debug, Default)]
pub(super) struct Server {
    /// Its address; none where steps are told nothing.
    pub(super) url: Option<String>,
    /// A file of certificates that vouch for it.
    pub(super) authority: Option<String>,
}

/// What the process is given, if it is given anything: by a coordinator that knows how, on a worker that knows where.
fn given<'t>(task: &'t StepTask, url: Option<&'t str>) -> Option<(&'t TrackingGrant, &'t str)> {
    let is_elsewhere = task.template.work.environment_variables.contains_key(SERVER)
        || task.template.work.secrets.contains_key(SERVER);
    task.tracking.as_ref().zip(url).filter(|_| !is_elsewhere)
}

/// Whether the process is told of a server that speaks TLS, so that it has to know who vouches for it.
pub(super) fn needs_authority(task: &StepTask, url: Option<&str>) -> bool {
    given(task, url).is_some_and(|(_, url)| url.starts_with("https://"))
}

/// Adds the variables to those of the process.
pub(super) fn add(environment: &mut BTreeMap<String, String>, task: &StepTask, server: &Server) {
    let Some((grant, url)) = given(task, server.url.as_deref()) else {
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
    let authority = server.authority.as_deref();
    let authority = authority.map(|file| ("MLFLOW_TRACKING_SERVER_CERT_PATH", file));
    for (name, value) in variables.into_iter().chain(authority) {
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
