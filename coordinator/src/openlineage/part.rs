//! The part of the coordinator that tells: what became durable is put into `OpenLineage`'s words, waits in a bounded queue, and is sent one event after the other, each a few
//! times. Nothing of a run ever waits for it.

use super::OpenLineageConfig;
use super::event::tell;
use crate::driver::DurableEvents;
use crate::error::Stopped;
use crate::handle::CoordinatorHandle;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tidemill_artifacts::{Guard, public_url};
use tidemill_protocol::destination::Destinations;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

/// Events that wait to be sent; further ones are left out.
const WAITING_MAX: usize = 10_000;
/// How often one event is sent.
const TRIES_MAX: u32 = 4;
/// Pause before it is sent again; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);
/// How long an answer may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// Where a service listens whose address has no path.
const ENDPOINT: &str = "/api/v1/lineage";
/// Every place: the operator named the address.
const EVERYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// Tells until the token is cancelled.
pub(crate) async fn run_openlineage(
    config: OpenLineageConfig,
    live: broadcast::Receiver<Arc<DurableEvents>>,
    handle: CoordinatorHandle,
    token: CancellationToken,
) {
    let (waiting, queue) = mpsc::channel(WAITING_MAX);
    let sending = send(config.url.clone(), queue);
    let listening = listen(&config, live, &handle, waiting);
    tokio::select! {
        () = token.cancelled() => {}
        () = sending => {}
        () = listening => {}
    }
    // Either ends only when the coordinator does.
    token.cancelled().await;
}

async fn listen(
    config: &OpenLineageConfig,
    mut live: broadcast::Receiver<Arc<DurableEvents>>,
    handle: &CoordinatorHandle,
    waiting: mpsc::Sender<Value>,
) {
    loop {
        let batch = match live.recv().await {
            Ok(batch) => batch,
            Err(RecvError::Lagged(batches)) => {
                tracing::warn!(batches, "lineage events were left out: too much happens at once");
                continue;
            }
            Err(RecvError::Closed) => return,
        };
        let told = match told(config, handle, batch).await {
            Ok(told) => told,
            Err(Stopped) => return,
        };
        let total = told.len();
        let left_out = told
            .into_iter()
            .filter(|event| waiting.try_send(event.clone()).is_err())
            .count();
        handle.inner.metrics.lineage_events.add((total - left_out) as u64);
        if left_out > 0 {
            handle.inner.metrics.lineage_left_out.add(left_out as u64);
            tracing::warn!(
                left_out,
                "lineage events were left out: the service does not take them fast enough"
            );
        }
    }
}

async fn told(
    config: &OpenLineageConfig,
    handle: &CoordinatorHandle,
    batch: Arc<DurableEvents>,
) -> Result<Vec<Value>, Stopped> {
    if batch.events.is_empty() {
        return Ok(Vec::new());
    }
    let config = config.clone();
    let look = handle.look(move |sight| {
        let events = batch.events.iter();
        events
            .flat_map(|event| tell(sight, &batch.events, event, &config))
            .collect()
    });
    look.await
}

async fn send(url: String, mut queue: mpsc::Receiver<Value>) {
    let everywhere = Destinations::with(&EVERYWHERE).expect("both are networks");
    let client = match Guard::new(everywhere).client(ANSWERS_WITHIN) {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(%error, "no lineage events are sent");
            return;
        }
    };
    let shown = public_url(&url);
    let endpoint = endpoint(&url);
    while let Some(event) = queue.recv().await {
        let body = event.to_string();
        let mut pause = PAUSE;
        for attempt in 1..=TRIES_MAX {
            let request = client.post(&endpoint).header("content-type", "application/json");
            let sent = tokio::time::timeout(ANSWERS_WITHIN, request.body(body.clone()).send()).await;
            let why = match sent {
                Ok(Ok(answer)) if answer.status().is_success() => break,
                Ok(Ok(answer)) if answer.status().is_client_error() => {
                    tracing::warn!(url = shown, status = %answer.status(), "a lineage event was refused");
                    break;
                }
                Ok(Ok(answer)) => answer.status().to_string(),
                Ok(Err(error)) => error.without_url().to_string(),
                Err(_) => "no answer in time".to_owned(),
            };
            if attempt == TRIES_MAX {
                tracing::warn!(url = shown, why, "a lineage event could not be sent");
                break;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
}

/// The address with the usual path where it has none.
fn endpoint(url: &str) -> String {
    let bare = url.trim_end_matches('/');
    let has_path = bare.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    if has_path {
        url.to_owned()
    } else {
        format!("{bare}{ENDPOINT}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_path_gets_the_usual_one() {
        assert_eq!(
            endpoint("http://marquez:5000/"),
            "http://marquez:5000/api/v1/lineage"
        );
        assert_eq!(
            endpoint("https://host/lineage?key=x"),
            "https://host/lineage?key=x"
        );
    }
}
