//! Workers and queues.

use super::error::ApiError;
use super::listing::{Asked, Listing};
use crate::handle::CoordinatorHandle;
use crate::views::{queue_views, worker_views};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use futures_util::future::join_all;
use std::time::Duration;
use tidemill_protocol::api::{BrokerQueueView, ErrorBody, ErrorCode, QueueView, Untold, WorkerView};
use tidemill_protocol::ids::WorkerId;
use tidemill_protocol::wire::Control;
use tidemill_transport::{Queue, Unsettled};

/// How long the broker may take to say how full its queues are.
const DEPTH_WITHIN: Duration = Duration::from_millis(800);

/// Lists the workers that were heard of.
#[utoipa::path(get, path = "/api/v1/workers", tag = "workers", security(("token" = ["reader"])), params(Asked<WorkerView>), responses(
    (status = 200, description = "The workers.", body = Listing<WorkerView>),
))]
pub(super) async fn workers(
    State(handle): State<CoordinatorHandle>,
    asked: Asked<WorkerView>,
) -> Result<Json<Listing<WorkerView>>, ApiError> {
    let mut views = handle
        .look(|sight| worker_views(sight.engine, sight.fleet, &sight.ledgers.enrolment))
        .await?;
    for view in &mut views {
        view.enrolled = handle.inner.roster.key_of(&view.id).is_some();
    }
    Ok(asked.answer(views))
}

async fn instruct(handle: &CoordinatorHandle, name: &str, control: Control) -> Result<StatusCode, ApiError> {
    let unknown = || ApiError::new(ErrorCode::NotFound, format!("there is no worker `{name}`"));
    let id: WorkerId = name.parse().map_err(|_| unknown())?;
    let wanted = id.clone();
    let known = handle
        .look(move |sight| sight.fleet.worker(&wanted).is_some())
        .await?;
    if !known {
        return Err(unknown().hint("tidemill worker list shows them"));
    }
    handle.instruct(id, control).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tells a worker to take nothing new and to end when what it does is done.
#[utoipa::path(post, path = "/api/v1/workers/{worker}/drain", tag = "workers", security(("token" = ["operator"])), params(("worker" = String, Path)), responses(
    (status = 204, description = "It was told."),
    (status = 404, description = "There is no such worker.", body = ErrorBody),
))]
pub(super) async fn drain(
    State(handle): State<CoordinatorHandle>,
    Path(worker): Path<String>,
) -> Result<StatusCode, ApiError> {
    instruct(&handle, &worker, Control::Drain).await
}

/// Tells a worker that its machine is about to be taken away: what it does is stopped and made elsewhere, and it takes nothing new.
#[utoipa::path(post, path = "/api/v1/workers/{worker}/preempt", tag = "workers", security(("token" = ["operator"])), params(("worker" = String, Path)), responses(
    (status = 204, description = "It was told."),
    (status = 404, description = "There is no such worker.", body = ErrorBody),
))]
pub(super) async fn preempt(
    State(handle): State<CoordinatorHandle>,
    Path(worker): Path<String>,
) -> Result<StatusCode, ApiError> {
    instruct(&handle, &worker, Control::Preempt).await
}

/// Tells a worker to take tasks again.
#[utoipa::path(post, path = "/api/v1/workers/{worker}/resume", tag = "workers", security(("token" = ["operator"])), params(("worker" = String, Path)), responses(
    (status = 204, description = "It was told."),
    (status = 404, description = "There is no such worker.", body = ErrorBody),
))]
pub(super) async fn resume(
    State(handle): State<CoordinatorHandle>,
    Path(worker): Path<String>,
) -> Result<StatusCode, ApiError> {
    instruct(&handle, &worker, Control::Resume).await
}

/// Lists the queues: the backlog, and beside it what the broker says, where it answers.
#[utoipa::path(get, path = "/api/v1/queues", tag = "queues", security(("token" = ["reader"])), params(Asked<QueueView>), responses(
    (status = 200, description = "The queue of every compute target that is in use or served.", body = Listing<QueueView>),
))]
pub(super) async fn queues(
    State(handle): State<CoordinatorHandle>,
    asked: Asked<QueueView>,
) -> Result<Json<Listing<QueueView>>, ApiError> {
    Ok(asked.answer(queues_now(&handle).await?))
}

/// Every queue, as it is now.
pub(super) async fn queues_now(handle: &CoordinatorHandle) -> Result<Vec<QueueView>, ApiError> {
    let now = handle.inner.clock.now();
    let mut views = handle
        .look(move |sight| queue_views(sight.engine, sight.fleet, now, sight.now))
        .await?;
    let depths = views
        .iter()
        .map(|view| depth(handle, Queue::Tasks(view.target.clone())));
    let depths = join_all(depths).await;
    for (view, depth) in views.iter_mut().zip(depths) {
        view.broker = depth;
    }
    Ok(views)
}

/// What the broker says of a queue; nothing when it could not be asked.
pub(super) async fn depth(handle: &CoordinatorHandle, queue: Queue) -> Option<BrokerQueueView> {
    let asked = tokio::time::timeout(DEPTH_WITHIN, handle.inner.broker.depth(&queue)).await;
    let depth = asked.ok()?.ok()?;
    let unsettled = depth
        .unsettled
        .map_or_else(|| handle.inner.broker.unsettled(&queue), Unsettled::Count);
    let (unacknowledged, untold) = match unsettled {
        Unsettled::Count(count) => (Some(count), None),
        Unsettled::NotAsked => (None, Some(Untold::NotAsked)),
        Unsettled::NoAnswer => (None, Some(Untold::NoAnswer)),
    };
    Some(BrokerQueueView {
        ready: depth.ready,
        unacknowledged,
        untold,
        consumers: depth.consumers,
    })
}
