//! The coordinator itself: who it is, whether it lives, whether it is ready, its metrics, and the description of its API.

use super::error::ApiError;
use super::in_time::{unless_hindered, words};
use crate::archive::Asker;
use crate::handle::CoordinatorHandle;
use crate::metrics::Gauge;
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use tidemill_protocol::api::{CoordinatorView, ErrorBody, ErrorCode};
use tidemill_transport::Link;

/// Says who answers.
#[utoipa::path(get, path = "/api/v1", tag = "service", security(("token" = ["reader"])), responses(
    (status = 200, description = "The coordinator.", body = CoordinatorView),
))]
pub(super) async fn coordinator(State(handle): State<CoordinatorHandle>) -> Json<CoordinatorView> {
    let inner = &handle.inner;
    let mut view = inner.view.clone();
    if let Some(archive) = &mut view.archive {
        (archive.lag_events, archive.lag_ms) = inner.metrics.archive_lag(inner.clock.monotonic());
    }
    Json(view)
}

/// Describes the API. Open to all: it tells of the program, nothing of this installation.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "service", security(()), responses(
    (status = 200, description = "This document.", body = Object),
))]
pub(super) async fn openapi_json() -> Json<utoipa::openapi::OpenApi> {
    Json(super::openapi())
}

/// Lives: answered at once, whatever it waits for. What keeps it from answering anything else is said in a second line.
#[utoipa::path(get, path = "/healthz", tag = "service", security(()), responses((status = 200, description = "It lives.")))]
pub(super) async fn healthz(State(handle): State<CoordinatorHandle>) -> String {
    match handle.inner.reach.hindrance(Asker::Anybody) {
        None => "ok\n".to_owned(),
        Some(hindrance) => format!("ok\n{}\n", words(hindrance)),
    }
}

/// Is ready: it is sure that it is the active coordinator, the driver answers and the broker is there.
#[utoipa::path(get, path = "/readyz", tag = "service", security(()), responses(
    (status = 200, description = "It is ready."),
    (status = 503, description = "It is not, for this reason.", body = ErrorBody),
))]
pub(super) async fn readyz(State(handle): State<CoordinatorHandle>) -> Result<&'static str, ApiError> {
    unless_hindered(&handle, Asker::Anybody, handle.look(|_| ())).await?;
    let link = handle.inner.broker.link().borrow().clone();
    match link {
        Link::Up => Ok("ready\n"),
        Link::Down(why) | Link::Blocked(why) => Err(ApiError::new(
            ErrorCode::Unavailable,
            format!("the broker cannot be used: {why}"),
        )),
    }
}

/// Shows the metrics in Prometheus' text format; without those of the state while that cannot be asked.
#[utoipa::path(get, path = "/metrics", tag = "service", security(("token" = ["reader"])), responses(
    (status = 200, description = "The metrics.", content_type = "text/plain"),
))]
pub(super) async fn metrics(State(handle): State<CoordinatorHandle>) -> Result<Response, ApiError> {
    let up = matches!(*handle.inner.broker.link().borrow(), Link::Up);
    let state = handle.look(|sight| gauges(sight.engine, sight.fleet));
    // A machine asks, which knows from `may_answer` what to think of it.
    let state = unless_hindered(&handle, Asker::Machine, state).await;
    let mut gauges = state.unwrap_or_default();
    let may_answer = handle.inner.reach.hindrance(Asker::Anybody).is_none();
    gauges.push(Gauge {
        name: "may_answer",
        help: "Whether it is sure that it is the active coordinator, and no answer waits for its archive.",
        values: vec![(None, if may_answer { 1.0 } else { 0.0 })],
    });
    gauges.push(Gauge {
        name: "broker_up",
        help: "Whether the broker can be used.",
        values: vec![(None, if up { 1.0 } else { 0.0 })],
    });
    if handle.inner.view.archive.is_some() {
        gauges.extend(archive_gauges(
            handle.inner.metrics.archive_lag(handle.inner.clock.monotonic()),
        ));
    }
    let text = handle.inner.metrics.render(&gauges);
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    Ok((kind, text).into_response())
}

#[expect(clippy::cast_precision_loss, reason = "counts of events are far below 2^52")]
fn archive_gauges((events, millis): (u64, u64)) -> [Gauge; 2] {
    [
        Gauge {
            name: "archive_lag_events",
            help: "Events that are durable here and not in the object store yet.",
            values: vec![(None, events as f64)],
        },
        Gauge {
            name: "archive_lag_seconds",
            help: "For how long the object store has lacked events.",
            values: vec![(None, millis as f64 / 1_000.0)],
        },
    ]
}

#[expect(clippy::cast_precision_loss, reason = "counts of steps are far below 2^52")]
fn gauges(engine: &tidemill_engine::Engine, fleet: &tidemill_engine::Fleet) -> Vec<Gauge> {
    let by_target = |value: fn(&tidemill_engine::Backlog) -> f64| {
        let backlogs = engine.backlogs();
        backlogs
            .map(|(target, backlog)| (Some(target.to_string()), value(&backlog)))
            .collect()
    };
    let slots = fleet
        .targets()
        .map(|target| (Some(target.to_string()), f64::from(fleet.capacity(target).slots)));
    vec![
        Gauge {
            name: "backlog_steps",
            help: "Steps that could run and are not released, by compute target.",
            values: by_target(|backlog| backlog.queued as f64),
        },
        Gauge {
            name: "dispatched_steps",
            help: "Steps whose task is out and not claimed, by compute target.",
            values: by_target(|backlog| f64::from(backlog.dispatched)),
        },
        Gauge {
            name: "running_steps",
            help: "Steps that run, by compute target.",
            values: by_target(|backlog| f64::from(backlog.running)),
        },
        Gauge {
            name: "slots",
            help: "Slots of live workers, by compute target.",
            values: slots.collect(),
        },
        Gauge {
            name: "workers",
            help: "Workers that were heard of and are not silent.",
            values: vec![(
                None,
                fleet.workers().filter(|(_, worker)| !worker.is_silent()).count() as f64,
            )],
        },
        Gauge {
            name: "runs",
            help: "Runs that are known.",
            values: vec![(None, engine.runs_len() as f64)],
        },
    ]
}
