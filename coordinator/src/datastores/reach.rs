//! Whether a datastore can be reached from here, with the secrets that its definition names: asked once, nothing is written. Workers stand elsewhere; what they
//! can reach, their attempts say. What is asked goes through a guard: an operator of the service need not be one of this machine's network.

use axum::http::StatusCode;
use std::time::Duration;
use tidemill_artifacts::{FetchLimits, Guard, RemoteStore, StoreConfig, StoreError, public_url, refusal};
use tidemill_protocol::datastore::{Datastore, DatastoreKind};
use tidemill_protocol::secret::GivenSecrets;

/// How long it may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// Most causes of an error that are told.
const CAUSES_MAX: usize = 4;

/// Asks; says what was found, or why nothing was.
pub(crate) async fn reach(
    definition: &Datastore,
    given: &GivenSecrets,
    guard: &Guard,
) -> Result<String, String> {
    let asking = ask(with_secrets(definition, given)?, guard);
    let answered = tokio::time::timeout(ANSWERS_WITHIN, asking).await;
    answered.unwrap_or_else(|_| Err(format!("no answer within {} s", ANSWERS_WITHIN.as_secs())))
}

/// The store's address and options, with the values of its secrets.
pub(crate) fn with_secrets(definition: &Datastore, given: &GivenSecrets) -> Result<StoreConfig, String> {
    let mut options = definition.options.clone();
    for (option, secret) in &definition.secrets {
        let value = given
            .0
            .get(secret)
            .and_then(|value| std::str::from_utf8(value.reveal()).ok());
        let value =
            value.ok_or_else(|| format!("the secret `{secret}` is no text, which `{option}` has to be"))?;
        options.insert(option.clone(), value.to_owned());
    }
    Ok(StoreConfig {
        url: definition.url.clone(),
        options,
    })
}

async fn ask(config: StoreConfig, guard: &Guard) -> Result<String, String> {
    let url = &config.url;
    match DatastoreKind::of(url) {
        Some(DatastoreKind::Local) => {
            let path = url.strip_prefix("file://").unwrap_or(url);
            let found = tokio::fs::metadata(path).await;
            let found = found.map_err(|error| format!("{path} on the coordinator's machine: {error}"))?;
            if found.is_dir() {
                Ok(format!("{path} is a folder on the coordinator's machine"))
            } else {
                Err(format!("{path} is no folder on the coordinator's machine"))
            }
        }
        Some(DatastoreKind::Http) => {
            let address = guard.admit(url).map_err(|why| chain(&why))?;
            let client = guard.client(ANSWERS_WITHIN).map_err(|error| chain(&error))?;
            let answer = client.head(address).send().await.map_err(|error| chain(&error))?;
            answered(&public_url(url), answer.status())
        }
        _ => {
            let told = |error: &StoreError| chain(error);
            let store = RemoteStore::open(&config, FetchLimits::default(), Some(guard))
                .map_err(|error| told(&error))?;
            let has_any = store.look().await.map_err(|error| told(&error))?;
            let what = if has_any {
                "it can be listed"
            } else {
                "it can be listed, and is empty"
            };
            Ok(what.to_owned())
        }
    }
}

/// What the answer of a web server to a question for its root means. A server without anything there, or without this kind of question, is there all the same.
fn answered(server: &str, status: StatusCode) -> Result<String, String> {
    let said = format!("{server} answers {status}");
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(format!(
            "{said}: it does not let this machine in; a datastore of a web server has no login, so have the server open this path to it, or keep the files in a bucket"
        )),
        status if status.is_server_error() => Err(format!(
            "{said}: the server fails; its own log says why, try again when it is well"
        )),
        _ => Ok(said),
    }
}

/// An error with its causes; of one that the guard caused, what opens the place.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    if let Some(why) = refusal(error) {
        return format!(
            "{why}; the coordinator's setting `datastore_allow` opens places beside the public internet"
        );
    }
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> = causes.take(CAUSES_MAX).map(ToString::to_string).collect();
    texts.join(": ")
}
