//! Room for answers that last as long as what they show: streams of events, logs, the audit log's export. They have a room of their own, so that watchers,
//! whom nobody sends away, cannot fill the one for connections, and one caller's cannot fill it for all.

use super::error::ApiError;
use super::held::HeldBody;
use crate::access::Caller;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidemill_protocol::access::TokenId;
use tidemill_protocol::api::ErrorCode;
use tidemill_protocol::time::Millis;

/// When to come back.
const RETRY_AFTER: Millis = Millis::from_secs(5);

/// The token that opened a stream; none for those who need none, who are on the coordinator's own machine.
type Who = Option<TokenId>;

/// The room for streams of one port.
#[derive(Debug, Clone)]
pub(super) struct Streams(Arc<Room>);

#[derive(Debug)]
struct Room {
    /// Of all tokens together.
    streams_max: usize,
    /// Of one token; as many again are kept for those who need none.
    per_caller_max: usize,
    open: Mutex<HashMap<Who, usize>>,
}

/// A stream's place, free again when this is dropped.
#[derive(Debug)]
struct Place {
    room: Arc<Room>,
    who: Who,
}

/// For whom there is no room.
#[derive(Debug, PartialEq, Eq)]
enum Full {
    ForCaller(usize),
    ForAll(usize),
}

impl Streams {
    pub(super) fn new(streams_max: usize, per_caller_max: usize) -> Self {
        Self(Arc::new(Room {
            streams_max,
            per_caller_max,
            open: Mutex::default(),
        }))
    }

    fn enter(&self, who: Who) -> Result<Place, Full> {
        let room = &self.0;
        let mut open = room.lock();
        if open.get(&who).copied().unwrap_or(0) >= room.per_caller_max {
            return Err(Full::ForCaller(room.per_caller_max));
        }
        let of_tokens = || open.iter().filter(|(who, _)| who.is_some());
        if who.is_some() && of_tokens().map(|(_, count)| count).sum::<usize>() >= room.streams_max {
            return Err(Full::ForAll(room.streams_max));
        }
        *open.entry(who.clone()).or_default() += 1;
        Ok(Place {
            room: Arc::clone(room),
            who,
        })
    }
}

impl Room {
    fn lock(&self) -> MutexGuard<'_, HashMap<Who, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.room.lock();
        if let Some(count) = open.get_mut(&self.who) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.who);
            }
        }
    }
}

/// Lets a request for a stream go on if there is room for one. In process nobody counts.
pub(super) async fn take_a_place(request: Request, next: Next) -> Response {
    let Some(streams) = request.extensions().get::<Streams>() else {
        return next.run(request).await;
    };
    let who = match request.extensions().get::<Caller>() {
        Some(Caller::Token { id, .. }) => Some(id.clone()),
        _ => None,
    };
    match streams.enter(who) {
        Ok(place) => next
            .run(request)
            .await
            .map(|body| Body::new(HeldBody::new(body, place))),
        Err(full) => refusal(&full).into_response(),
    }
}

fn refusal(full: &Full) -> ApiError {
    let error = match full {
        Full::ForCaller(most) => ApiError::new(
            ErrorCode::TooManyRequests,
            format!("{most} streams are open to this caller, and one may have no more at once"),
        )
        .hint("close some, or use another token for what watches beside them"),
        Full::ForAll(most) => ApiError::new(
            ErrorCode::Unavailable,
            format!("{most} streams are open, and there is room for no more"),
        )
        .hint("come back when others have closed theirs; what is no stream is answered meanwhile"),
    };
    error.retry_after(RETRY_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(n: u8) -> Who {
        (n > 0).then(|| TokenId::from_random([n; TokenId::LENGTH]))
    }

    #[test]
    fn one_caller_has_their_share_all_have_theirs_and_the_own_machine_is_never_shut_out() {
        let streams = Streams::new(3, 2);
        let first = [streams.enter(who(1)).unwrap(), streams.enter(who(1)).unwrap()];
        assert_eq!(streams.enter(who(1)).unwrap_err(), Full::ForCaller(2));
        let _second = streams.enter(who(2)).unwrap();
        assert_eq!(streams.enter(who(3)).unwrap_err(), Full::ForAll(3));
        let near = [streams.enter(who(0)).unwrap(), streams.enter(who(0)).unwrap()];
        assert_eq!(streams.enter(who(0)).unwrap_err(), Full::ForCaller(2));
        drop(first);
        let _third = streams.enter(who(3)).unwrap();
        drop(near);
        assert_eq!(streams.0.lock().len(), 2, "whoever has none open is forgotten");
    }
}
