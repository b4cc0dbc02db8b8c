//! The gate looks at a token once, and what it let through may last for days. Here the look is kept up: when a caller's right has ended, by its time, by
//! revocation or because the first token was made, what is still on its way to or from them ends within a second.

use crate::access::{Access, Caller, Refusal};
use crate::handle::CoordinatorHandle;
use axum::body::{Body, Bytes};
use axum::http::{Response, header};
use hyper::body::{Body as _, Frame, SizeHint};
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tidemill_protocol::api::{ErrorBody, ErrorCode};
use tidemill_protocol::time::Clock;
use tokio::sync::watch;

/// How often the time of a token is looked at. Its revocation is heard of at once.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The name of the last event of a stream whose caller may not see more; its data is a body as refusals have it.
const LAST_EVENT: &str = "refused";

/// What a caller's right rests on.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    caller: Caller,
    access: watch::Receiver<Arc<Access>>,
    clock: Arc<dyn Clock>,
}

/// How a body ends whose caller lost their right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// With an event that says so.
    LastEvent,
    /// Before its end, so that nobody takes it for whole.
    BrokenOff,
}

impl Standing {
    pub(super) fn of(caller: &Caller, handle: &CoordinatorHandle) -> Self {
        Self {
            caller: caller.clone(),
            access: handle.inner.access.clone(),
            clock: Arc::clone(&handle.inner.clock),
        }
    }

    /// What comes from the caller, as long as their right holds.
    pub(super) fn incoming(&self, body: Body) -> Body {
        if body.is_end_stream() {
            return body;
        }
        self.limit(body, Ending::BrokenOff)
    }

    /// What goes to the caller, as long as their right holds.
    pub(super) fn outgoing(&self, response: Response<Body>) -> Response<Body> {
        let kind = response.headers().get(header::CONTENT_TYPE);
        let is_events = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let ending = if is_events {
            Ending::LastEvent
        } else {
            Ending::BrokenOff
        };
        // What is in memory already is not worth a second look.
        if response.body().size_hint().exact().is_some() {
            return response;
        }
        response.map(|body| self.limit(body, ending))
    }

    fn limit(&self, body: Body, ending: Ending) -> Body {
        if self.caller.is_lasting() {
            return body;
        }
        let lost = Box::pin(self.clone().lost());
        Body::new(Limited {
            body,
            lost,
            ending,
            is_over: false,
        })
    }

    /// Returns when the right has ended, with why.
    async fn lost(mut self) -> Refusal {
        loop {
            let now = self.clock.now();
            if let Some(refusal) = self.caller.refusal(&self.access.borrow_and_update(), now) {
                return refusal;
            }
            let later = async {
                match self.caller {
                    Caller::Token {
                        expires_at: Some(_), ..
                    } => tokio::time::sleep(LOOK_EVERY).await,
                    _ => pending().await,
                }
            };
            tokio::select! {
                changed = self.access.changed() => if changed.is_err() {
                    // The coordinator has ended, and its streams end by themselves.
                    pending::<()>().await;
                },
                () = later => {}
            }
        }
    }
}

/// A body that ends with its caller's right.
struct Limited {
    body: Body,
    lost: Pin<Box<dyn Future<Output = Refusal> + Send>>,
    ending: Ending,
    is_over: bool,
}

impl hyper::body::Body for Limited {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let Poll::Ready(refusal) = self.lost.as_mut().poll(cx) else {
            return Pin::new(&mut self.body).poll_frame(cx);
        };
        self.is_over = true;
        // Whatever fed it is of no use any more.
        self.body = Body::empty();
        Poll::Ready(Some(match self.ending {
            Ending::LastEvent => Ok(Frame::data(last_event(refusal))),
            Ending::BrokenOff => Err(axum::Error::new(refusal)),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.ending {
            Ending::LastEvent => SizeHint::default(),
            Ending::BrokenOff => self.body.size_hint(),
        }
    }
}

fn last_event(refusal: Refusal) -> Bytes {
    let body = ErrorBody {
        code: ErrorCode::Unauthorized,
        message: refusal.to_string(),
        hint: Some("`tidemill login URL` keeps another token for this address".to_owned()),
        problems: Vec::new(),
        request_id: String::new(),
    };
    let data = serde_json::to_string(&body).expect("an error body is plain data");
    format!("event: {LAST_EVENT}\ndata: {data}\n\n").into()
}
