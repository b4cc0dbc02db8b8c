//! The queues as they change: server-sent events, each a whole picture. Nobody needs an older one, so whoever comes back is given the newest. All watchers
//! share one look.

use super::error::ApiError;
use super::fleet;
use crate::handle::CoordinatorHandle;
use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tidemill_protocol::api::{ErrorCode, QueueView};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until, timeout};

/// How old a picture may be when nobody looks again: so many are told at most.
const LOOK_EVERY_MIN: Duration = Duration::from_millis(250);
/// How long one goes without a look when nothing is heard: signs of life of workers and the broker's own numbers are no events.
const LOOK_EVERY_MAX: Duration = Duration::from_millis(500);
/// How often a silent stream shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// One message of the stream.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it describes what the stream writes as text")]
struct QueuesMessage {
    /// A number that grows with each change.
    id: Option<String>,
    /// `refused` for the last message of a stream whose caller has lost the right to it; absent otherwise.
    event: Option<String>,
    /// All queues as `GET /api/v1/queues` lists them, a list of `QueueView` written as JSON; for `refused`, the error's body.
    #[schema(content_media_type = "application/json")]
    data: String,
}

/// What all watchers share: the last picture, and when it was taken.
#[derive(Debug, Clone, Default)]
pub(super) struct Board(Arc<Mutex<Last>>);

#[derive(Debug, Default)]
struct Last {
    looked: Option<Instant>,
    picture: Picture,
}

/// The queues at one moment.
#[derive(Debug, Clone, Default)]
struct Picture {
    number: u64,
    queues: Arc<[QueueView]>,
}

impl Board {
    /// The newest picture.
    async fn newest(&self, handle: &CoordinatorHandle) -> Result<Picture, ApiError> {
        let mut last = self.0.lock().await;
        let is_fresh = last
            .looked
            .is_some_and(|looked| looked.elapsed() < LOOK_EVERY_MIN);
        if !is_fresh {
            let queues = fleet::queues_now(handle).await?;
            let is_first = last.looked.replace(Instant::now()).is_none();
            if is_first || !are_alike(&last.picture.queues, &queues) {
                last.picture = Picture {
                    number: handle.inner.clock.now().0.max(last.picture.number + 1),
                    queues: queues.into(),
                };
            }
        }
        Ok(last.picture.clone())
    }
}

/// Whether nothing has changed but the time.
fn are_alike(before: &[QueueView], now: &[QueueView]) -> bool {
    let timeless = |queue: &QueueView| QueueView {
        oldest_age_ms: u64::from(queue.oldest_age_ms > 0),
        ..queue.clone()
    };
    before.len() == now.len()
        && before
            .iter()
            .zip(now)
            .all(|(one, other)| timeless(one) == timeless(other))
}

/// Watches the queues: server-sent events, one at the start and one after each change, four a second at most. Each holds all queues, so whoever lost the stream has missed nothing when it comes back.
#[utoipa::path(get, path = "/api/v1/queues/events", tag = "queues", security(("token" = ["reader"])), params(
    ("Last-Event-ID" = Option<u64>, Header, description = "The id of the last event that was seen: those that follow have larger ones."),
), responses(
    (status = 200, description = "The queues, as they change.", body = QueuesMessage, content_type = "text/event-stream"),
))]
pub(super) async fn watch(
    State(handle): State<CoordinatorHandle>,
    Extension(board): Extension<Board>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let seen = match headers.get("last-event-id") {
        None => 0,
        Some(last) => number(last.to_str().unwrap_or_default())?,
    };
    // Before the first look: nothing may fall between what is seen and what is heard.
    let events = handle.inner.events.subscribe();
    let first = board.newest(&handle).await?;
    let watching = Watching {
        handle,
        board,
        events,
        seen,
        told: None,
        next: Some(first),
    };
    let told = stream::unfold(watching, |mut watching| async move {
        let picture = watching.next().await?;
        // Also larger than what another coordinator told, whose clock may have been ahead.
        watching.seen = picture.number.max(watching.seen.saturating_add(1));
        let event = Event::default().id(watching.seen.to_string());
        let event = event.json_data(&*picture.queues).expect("queues are plain data");
        Some((Ok::<_, Infallible>(event), watching))
    });
    Ok(Sse::new(told)
        .keep_alive(KeepAlive::new().interval(HEARTBEAT))
        .into_response())
}

fn number(text: &str) -> Result<u64, ApiError> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(64).collect();
        let message = format!("`Last-Event-ID` is `{shown}`, which is the id of no event of queues");
        ApiError::new(ErrorCode::BadRequest, message)
            .hint("give back the last id that was seen, or none to begin")
    })
}

struct Watching {
    handle: CoordinatorHandle,
    board: Board,
    events: tokio::sync::broadcast::Receiver<Arc<crate::driver::DurableEvents>>,
    /// The id that the caller has seen last.
    seen: u64,
    /// The number of the picture that was told last.
    told: Option<u64>,
    next: Option<Picture>,
}

impl Watching {
    /// The next picture that differs from the last one; none when the coordinator stops.
    async fn next(&mut self) -> Option<Picture> {
        loop {
            let looked = Instant::now();
            let picture = match self.next.take() {
                Some(first) => first,
                None => self.board.newest(&self.handle).await.ok()?,
            };
            if self.told.is_none_or(|told| told < picture.number) {
                self.told = Some(picture.number);
                return Some(picture);
            }
            if !self.wait(looked).await {
                return None;
            }
        }
    }

    /// Waits until something may have changed, and not less than the shortest time; false when the coordinator stops.
    async fn wait(&mut self, looked: Instant) -> bool {
        let token = self.handle.inner.token.clone();
        let waiting = async {
            // Whatever is heard, and also when too much was: it is looked anew.
            drop(timeout(LOOK_EVERY_MAX, self.events.recv()).await);
            sleep_until(looked + LOOK_EVERY_MIN).await;
        };
        let goes_on = token.run_until_cancelled(waiting).await.is_some();
        // What was heard meanwhile is in the next look.
        self.events = self.events.resubscribe();
        goes_on
    }
}
