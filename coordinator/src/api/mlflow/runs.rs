//! Tracked runs: made, shown, ended, deleted and brought back. What is logged to them is in the file beside this one.

use super::asked::{Asked, Pair, Whole, run_of, tags};
use super::change::{change, random};
use super::fault::Fault;
use super::find::shown;
use super::reach::check_sees;
use super::shapes::{self, RUN_NAME};
use crate::access::Caller;
use crate::api::record::Made;
use crate::handle::CoordinatorHandle;
use crate::tracking::{DEFAULT_EXPERIMENT, Lifecycle, NewRun, TrackedId, TrackedStatus, TrackingChange};
use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

/// How many characters of its id a run without a name is called by.
const SHORT_ID_CHARS: usize = 8;

/// A new run.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Create {
    experiment_id: Option<String>,
    user_id: Option<String>,
    run_name: Option<String>,
    start_time: Option<Whole>,
    tags: Vec<Pair>,
}

/// Makes a run, as MLflow's `runs/create` does.
#[utoipa::path(post, path = "/api/2.0/mlflow/runs/create", tag = "mlflow", security(("token" = ["submitter"]), ("attempt" = [])), request_body = Value, responses(
    (status = 200, description = "The new run.", body = Value),
    (status = 404, description = "There is no such experiment.", body = Value),
))]
pub(super) async fn create(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Create>,
) -> Result<(Extension<Made>, Json<Value>), Fault> {
    let run = TrackedId::from_random(random()?);
    let mut tags = tags(asked.tags);
    let named = asked
        .run_name
        .filter(|name| !name.is_empty())
        .or_else(|| tags.remove(RUN_NAME));
    let short = || {
        format!(
            "run-{}",
            run.as_str().chars().take(SHORT_ID_CHARS).collect::<String>()
        )
    };
    let now = i64::try_from(handle.inner.clock.now().0).unwrap_or(i64::MAX);
    let new = NewRun {
        run: run.clone(),
        experiment: asked
            .experiment_id
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| DEFAULT_EXPERIMENT.to_owned()),
        name: named.unwrap_or_else(short),
        user: caller.acts_as(asked.user_id).unwrap_or_default(),
        started_at: asked.start_time.map_or(now, |Whole(at)| at),
        tags,
    };
    let created = change(&handle, &caller, TrackingChange::CreateRun(new)).await?;
    let run = created.map_or(run, |id| TrackedId::named(&id));
    let made = shown(&handle, &run).await?;
    let answer = json!({"run": shapes::run(&made)});
    Ok((Extension(Made("run", run.to_string())), Json(answer)))
}

/// A run by its id.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ById {
    run_id: Option<String>,
    run_uuid: Option<String>,
}

/// Shows a run with the last point of each of its metrics.
#[utoipa::path(get, path = "/api/2.0/mlflow/runs/get", tag = "mlflow", security(("token" = ["reader"]), ("attempt" = [])), params(("run_id" = String, Query)), responses(
    (status = 200, description = "The run.", body = Value),
    (status = 404, description = "There is none with this id.", body = Value),
))]
pub(super) async fn get(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<ById>,
) -> Result<Json<Value>, Fault> {
    let found = shown(&handle, &run_of(asked.run_id, asked.run_uuid)?).await?;
    check_sees(&caller, &found.experiment)?;
    Ok(Json(json!({"run": shapes::run(&found)})))
}

/// What is different about a run.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Update {
    run_id: Option<String>,
    run_uuid: Option<String>,
    status: Option<Value>,
    end_time: Option<Whole>,
    run_name: Option<String>,
}

fn status(word: &Value) -> Result<TrackedStatus, Fault> {
    let all = TrackedStatus::ALL;
    let found = match word {
        Value::String(word) => all.into_iter().find(|status| status.as_str() == word),
        // Protocol buffers number them from 1, in this order.
        Value::Number(number) => number
            .as_u64()
            .and_then(|n| all.get(usize::try_from(n).ok()?.checked_sub(1)?).copied()),
        _ => None,
    };
    found.ok_or_else(|| {
        let words = all.map(TrackedStatus::as_str).join(", ");
        Fault::invalid(format!("{word} is no status: {words} are"))
    })
}

/// Changes a run's status, end or name.
#[utoipa::path(post, path = "/api/2.0/mlflow/runs/update", tag = "mlflow", security(("token" = ["submitter"]), ("attempt" = [])), request_body = Value, responses(
    (status = 200, description = "What the run is now. A run or attempt of tidemill's own stands as its steps do, whatever was asked.", body = Value),
    (status = 404, description = "There is none with this id.", body = Value),
))]
pub(super) async fn update(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Update>,
) -> Result<Json<Value>, Fault> {
    let run = run_of(asked.run_id, asked.run_uuid)?;
    let changed = TrackingChange::ChangeRun {
        run: run.clone(),
        name: asked.run_name.filter(|name| !name.is_empty()),
        status: asked.status.as_ref().map(status).transpose()?,
        ended_at: asked.end_time.map(|Whole(at)| at),
        lifecycle: None,
    };
    change(&handle, &caller, changed).await?;
    let shown = shown(&handle, &run).await?;
    Ok(Json(json!({"run_info": shapes::run_info(&shown)})))
}

async fn live(
    handle: &CoordinatorHandle,
    caller: &Caller,
    asked: ById,
    lifecycle: Lifecycle,
) -> Result<Json<Value>, Fault> {
    let changed = TrackingChange::ChangeRun {
        run: run_of(asked.run_id, asked.run_uuid)?,
        name: None,
        status: None,
        ended_at: None,
        lifecycle: Some(lifecycle),
    };
    change(handle, caller, changed).await?;
    Ok(Json(json!({})))
}

/// Deletes a run; it can be restored. Of a run of tidemill's own only what tracking shows is hidden.
#[utoipa::path(post, path = "/api/2.0/mlflow/runs/delete", tag = "mlflow", security(("token" = ["submitter"])), request_body = Value, responses(
    (status = 200, description = "It is deleted.", body = Value),
    (status = 404, description = "There is none with this id.", body = Value),
))]
pub(super) async fn delete(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<ById>,
) -> Result<Json<Value>, Fault> {
    live(&handle, &caller, asked, Lifecycle::Deleted).await
}

/// Restores a deleted run.
#[utoipa::path(post, path = "/api/2.0/mlflow/runs/restore", tag = "mlflow", security(("token" = ["submitter"])), request_body = Value, responses(
    (status = 200, description = "It is active.", body = Value),
    (status = 404, description = "There is none with this id.", body = Value),
))]
pub(super) async fn restore(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<ById>,
) -> Result<Json<Value>, Fault> {
    live(&handle, &caller, asked, Lifecycle::Active).await
}
