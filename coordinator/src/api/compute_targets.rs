//! Compute targets over REST: what waits for each, what runs on it, and who serves it.

use super::error::ApiError;
use super::fleet::depth;
use super::listing::{Asked, Key};
use crate::handle::CoordinatorHandle;
use crate::views::target_views;
use axum::Json;
use axum::extract::{Path, State};
use futures_util::future::join_all;
use tidemill_protocol::api::{ComputeTargetView, ErrorBody, ErrorCode, Page};
use tidemill_protocol::name::Name;
use tidemill_transport::Queue;

async fn all(handle: &CoordinatorHandle) -> Result<Vec<ComputeTargetView>, ApiError> {
    let now = handle.inner.clock.now();
    let looking = handle.look(move |sight| {
        let enrolment = &sight.ledgers.enrolment;
        target_views((sight.engine, sight.fleet), enrolment, (now, sight.now))
    });
    Ok(looking.await?)
}

/// Adds what is not the driver's to know: what the broker says of the queues, and which workers are known by a key.
async fn complete(handle: &CoordinatorHandle, views: &mut [ComputeTargetView]) {
    let depths = views
        .iter()
        .map(|view| depth(handle, Queue::Tasks(view.name.clone())));
    let depths = join_all(depths).await;
    for (view, depth) in views.iter_mut().zip(depths) {
        view.queue.broker = depth;
        for worker in &mut view.workers {
            worker.enrolled = handle.inner.roster.key_of(&worker.id).is_some();
        }
    }
}

/// Lists the compute targets that steps wait for or run on, or that workers serve, in the order of their names.
#[utoipa::path(get, path = "/api/v1/compute-targets", tag = "compute-targets", security(("token" = ["reader"])), params(Asked<ComputeTargetView>), responses(
    (status = 200, description = "One page.", body = Page<ComputeTargetView>),
))]
pub(super) async fn list(
    State(handle): State<CoordinatorHandle>,
    asked: Asked<ComputeTargetView>,
) -> Result<Json<Page<ComputeTargetView>>, ApiError> {
    let fitting = all(&handle)
        .await?
        .into_iter()
        .filter(|view| asked.wants(view.name.as_str()));
    let mut page = asked.select(fitting, |view| {
        let key = match asked.order.field {
            "slots_free" => Key::from(u64::from(view.slots_free)),
            _ => Key::of(&view.name),
        };
        (key, Key::of(&view.name))
    });
    complete(&handle, &mut page.items).await;
    Ok(Json(page))
}

/// Shows a compute target.
#[utoipa::path(get, path = "/api/v1/compute-targets/{name}", tag = "compute-targets", security(("token" = ["reader"])), params(("name" = String, Path)), responses(
    (status = 200, description = "The compute target.", body = ComputeTargetView),
    (status = 404, description = "No step waits for it or runs on it, and no worker serves it.", body = ErrorBody),
))]
pub(super) async fn show(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<Name>,
) -> Result<Json<ComputeTargetView>, ApiError> {
    let found = all(&handle).await?.into_iter().find(|view| view.name == name);
    let Some(view) = found else {
        let message = format!("nothing uses a compute target `{name}`, and no worker serves it");
        return Err(ApiError::new(ErrorCode::NotFound, message).hint(format!(
            "tidemill compute list shows them; tidemill worker start --compute {name} serves it"
        )));
    };
    let mut views = [view];
    complete(&handle, &mut views).await;
    let [view] = views;
    Ok(Json(view))
}
