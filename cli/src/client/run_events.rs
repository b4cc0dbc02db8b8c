//! The events of a run until it has ended, whatever happens to the connection between: a stream that breaks off is asked for again from after the
//! last event that arrived. A run that was retried has several ends; only the last one counts.

use super::patience::Patience;
use super::{Client, EventStream};
use crate::exit::Exit;
use crate::failure::Failure;
use std::time::Duration;
use tidemill_protocol::api::EventView;
use tokio::time::{Instant, timeout};

/// A stream that lived this long was a good one, even if nothing happened meanwhile.
const GOOD_STREAM: Duration = Duration::from_secs(5);
/// How long a stream may stay open after a run's end before the run itself is asked.
const CLOSES_WITHIN: Duration = Duration::from_secs(2);

/// What there is to see.
#[derive(Debug)]
pub(crate) enum Seen {
    /// Something happened.
    Event(Box<EventView>),
    /// The coordinator does not answer at present; it is asked again. Said once for each time that it goes away.
    Lost(Failure),
}

/// The events of one run.
#[derive(Debug)]
pub(crate) struct RunEvents {
    client: Client,
    run: String,
    stream: Option<(EventStream, Instant)>,
    seen: u64,
    saw_end: bool,
    patience: Patience,
}

impl RunEvents {
    /// The events of this run with a larger sequence number than `after`.
    pub(super) fn new(client: &Client, run: &str, after: u64) -> Self {
        Self {
            client: client.clone(),
            run: run.to_owned(),
            stream: None,
            seen: after,
            saw_end: false,
            patience: Patience::new(client.patience()),
        }
    }

    /// What is next to see; none once the run has ended. Fails when the coordinator stays away, or refuses. When dropped half-way no event is
    /// lost, but a connection that was being made is.
    pub(crate) async fn next(&mut self) -> Result<Option<Seen>, Failure> {
        loop {
            let failure = match self.event().await {
                Ok(Some(event)) => return Ok(Some(Seen::Event(Box::new(event)))),
                Ok(None) => match self.client.run(&self.run).await {
                    Ok(run) if run.summary.status.is_terminal() => return Ok(None),
                    Ok(_) => {
                        let failure = Failure::new(Exit::Unreachable, "the coordinator sends no events");
                        self.patience.wait(failure).await?;
                        continue;
                    }
                    Err(failure) => failure,
                },
                Err(failure) => failure,
            };
            if failure.exit != Exit::Unreachable {
                return Err(failure);
            }
            if self.patience.is_fresh() {
                let news = Failure::new(failure.exit, failure.what.clone());
                self.patience.wait(failure).await?;
                return Ok(Some(Seen::Lost(news)));
            }
            self.patience.wait(failure).await?;
        }
    }

    /// The next event; none when the stream has ended.
    async fn event(&mut self) -> Result<Option<EventView>, Failure> {
        if self.stream.is_none() {
            let stream = self.client.events(&self.run, self.seen).await?;
            self.stream = Some((stream, Instant::now()));
        }
        while let Some((stream, opened)) = &mut self.stream {
            let next = if self.saw_end {
                timeout(CLOSES_WITHIN, stream.next()).await.unwrap_or(Ok(None))
            } else {
                stream.next().await
            };
            if opened.elapsed() >= GOOD_STREAM {
                self.patience.met();
            }
            match next {
                Ok(Some(event)) if event.sequence <= self.seen => {}
                Ok(Some(event)) => {
                    self.seen = event.sequence;
                    self.saw_end = event.run_status.is_terminal();
                    self.patience.met();
                    return Ok(Some(event));
                }
                Ok(None) => self.stream = None,
                Err(failure) => {
                    self.stream = None;
                    return Err(failure);
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::extract::Query;
    use axum::http::StatusCode;
    use axum::routing::get;
    use serde_json::json;
    use std::collections::HashMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const RUN: &str = "01890000-0000-7000-8000-000000000000";

    fn line(sequence: u64, status: &str) -> String {
        let event = json!({"sequence": sequence, "at": 1, "run": RUN, "event": "x", "run_status": status});
        format!("data: {event}\n\n")
    }

    fn run(status: &str) -> String {
        json!({
            "id": RUN, "pipeline": "p", "display_name": "p", "experiment": "e", "status": status,
            "submitted_by": "me", "submitted_at": 1000, "steps": {}, "steps_list": [],
        })
        .to_string()
    }

    /// A coordinator whose streams break off after two events each, and whose run ends twice.
    fn brittle() -> Client {
        let all = [
            (1, "queued"),
            (2, "running"),
            (3, "failed"),
            (4, "running"),
            (5, "succeeded"),
        ];
        let events = move |Query(query): Query<HashMap<String, u64>>| async move {
            let after = query.get("after").copied().unwrap_or(0);
            let next = all.iter().filter(|(sequence, _)| *sequence > after).take(2);
            next.map(|(sequence, status)| line(*sequence, status))
                .collect::<String>()
        };
        let asked = Arc::new(AtomicUsize::new(0));
        let show = move || {
            let times = asked.fetch_add(1, Ordering::Relaxed);
            async move { run(if times < 2 { "running" } else { "succeeded" }) }
        };
        let router = Router::new()
            .route("/api/v1/runs/{run}/events", get(events))
            .route("/api/v1/runs/{run}", get(show));
        Client::in_process(router)
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_stream_goes_on_after_the_last_event_and_beyond_an_earlier_end() {
        let mut events = RunEvents::new(&brittle(), RUN, 0);
        let mut seen = Vec::new();
        while let Some(next) = events.next().await.unwrap() {
            if let Seen::Event(event) = next {
                seen.push(event.sequence);
            }
        }
        assert_eq!(seen, [1, 2, 3, 4, 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_coordinator_that_stays_away_is_given_up() {
        let router = Router::new().fallback(|| async { StatusCode::BAD_GATEWAY });
        let mut events = RunEvents::new(&Client::in_process(router), RUN, 0);
        let first = events.next().await.unwrap();
        assert!(matches!(first, Some(Seen::Lost(_))), "{first:?}");
        let failure = events.next().await.unwrap_err();
        assert_eq!(failure.exit, Exit::Unreachable);
    }
}
