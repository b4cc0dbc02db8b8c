//! Runs: submit, list, show, end, retry, compare.

use super::error::ApiError;
use super::listing::{Asked, Key, shown};
use super::projects;
use super::record::Made;
use super::select;
use crate::access::Caller;
use crate::driver::Sight;
use crate::handle::{CoordinatorHandle, Submitted};
use crate::projects::may_change;
use crate::remarks::Remarks;
use crate::views::tracked::own_names;
use crate::views::{Phrased, describe_changes, draft_diff, run_summary, run_view};
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use std::ops::Bound;
use tidemill_engine::Run;
use tidemill_protocol::api::{ErrorBody, ErrorCode, Page, RunDiffView, RunSummary, RunView, SubmitRequest};
use tidemill_protocol::ids::RunId;
use tidemill_protocol::name::Name;
use tidemill_protocol::status::RunStatus;
use tidemill_protocol::time::Timestamp;

/// The order of submission, in which the engine holds runs.
const SUBMITTED: &str = "submitted_at";

/// Reads a body that may be large, off the async threads.
pub(super) async fn parse(body: Bytes) -> Result<SubmitRequest, ApiError> {
    let parsed = tokio::task::spawn_blocking(move || serde_json::from_slice(&body)).await;
    match parsed {
        Ok(Ok(request)) => Ok(request),
        Ok(Err(error)) => Err(ApiError::new(
            ErrorCode::BadRequest,
            format!("the body is no submission: {error}"),
        )),
        Err(error) => Err(ApiError::internal(&error)),
    }
}

/// Starts a run.
#[utoipa::path(post, path = "/api/v1/runs", tag = "runs", security(("token" = ["submitter"])), request_body = SubmitRequest, responses(
    (status = 201, description = "A new run.", body = RunSummary),
    (status = 200, description = "The run that an earlier submission with the same key started.", body = RunSummary),
    (status = 422, description = "The pipeline is not valid.", body = ErrorBody),
    (status = 503, description = "Too much is being submitted at once; Retry-After says when to come back.", body = ErrorBody),
    (status = 507, description = "The coordinator's disk is nearly full; runs that are there go on.", body = ErrorBody),
))]
pub(super) async fn submit(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<(StatusCode, Extension<Made>, Json<RunSummary>), ApiError> {
    let mut request = parse(body).await?;
    request.submitted_by = caller.acts_as(request.submitted_by);
    let filed = projects::filed(&handle, &caller, request.project.take()).await?;
    answer(&handle, handle.submit(request, filed).await?).await
}

/// The answer to a submission that was accepted.
pub(super) async fn answer(
    handle: &CoordinatorHandle,
    submitted: Submitted,
) -> Result<(StatusCode, Extension<Made>, Json<RunSummary>), ApiError> {
    let status = if submitted.new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let made = Made("run", submitted.run.to_string());
    Ok((
        status,
        Extension(made),
        Json(summary(handle, submitted.run).await?),
    ))
}

pub(super) async fn summary(handle: &CoordinatorHandle, run: RunId) -> Result<RunSummary, ApiError> {
    let found = handle
        .look(move |sight| {
            let run = sight.engine.run(run);
            run.map(|run| run_summary(&sight.ledgers.remarks, run))
        })
        .await?;
    found.ok_or_else(|| ApiError::new(ErrorCode::NotFound, format!("there is no run `{run}`")))
}

/// Which runs to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[cfg_attr(feature = "fuzzing", derive(serde::Serialize))]
pub(super) struct ListQuery {
    /// Only runs with this status.
    status: Option<RunStatus>,
    /// Only runs of this pipeline.
    pipeline: Option<Name>,
    /// Only runs of this experiment, by its name, or by the one that it had.
    experiment: Option<String>,
    /// Only runs of this project.
    project: Option<Name>,
    /// Only runs submitted at this moment (milliseconds since 1970) or later.
    #[param(value_type = Option<u64>)]
    since: Option<Timestamp>,
    /// Only runs with all these labels, as `NAME=VALUE` with commas between.
    tags: Option<String>,
}

impl ListQuery {
    /// The labels that are asked for.
    fn labels(&self) -> Result<Vec<(String, String)>, ApiError> {
        let listed = self.tags.as_deref().unwrap_or_default();
        let parts = listed.split(',').filter(|part| !part.is_empty());
        let pairs = parts.map(|part| {
            let pair = part.split_once('=');
            pair.map(|(name, value)| (name.to_owned(), value.to_owned()))
                .ok_or_else(|| {
                    ApiError::new(ErrorCode::BadRequest, format!("`{part}` is no label"))
                        .hint("write it as NAME=VALUE")
                })
        });
        pairs.collect()
    }

    /// The page that is asked for. By the time of their submission runs are found where the page begins; other orders look at each run that fits.
    fn page(
        &self,
        sight: &Sight<'_>,
        labels: &[(String, String)],
        mut asked: Asked<RunSummary>,
    ) -> Result<Page<RunSummary>, ApiError> {
        let remarks = &sight.ledgers.remarks;
        asked.resolve(|text| {
            let number = sight.engine.run_number(text.parse().ok()?)?;
            Some((Key::from(u64::from(number)), Key::Nothing))
        })?;
        let experiment = self.experiment.as_deref();
        let experiments = experiment.map(|name| own_names(sight.engine, &sight.ledgers.tracking, name));
        let fits = |(_, run): &(u32, &Run)| {
            self.fits(labels, remarks, run)
                && experiments
                    .as_ref()
                    .is_none_or(|names| names.contains(&run.plan().experiment.as_str()))
                && asked.wants(remarks.display_name(run.id(), run.plan()))
        };
        let numbered = |(number, run)| ((Key::from(u64::from(number)), Key::Nothing), (number, run));
        let bound = asked.after_number().map_or(Bound::Unbounded, |number| {
            Bound::Excluded(u32::try_from(number).unwrap_or(u32::MAX))
        });
        let (field, whole) = (asked.order.field, (Bound::Unbounded, Bound::Unbounded));
        let page = match (field, asked.order.is_descending) {
            (SUBMITTED, true) => {
                let runs = sight.engine.runs_numbered((Bound::Unbounded, bound)).rev();
                asked.take(runs.filter(fits).map(numbered))
            }
            (SUBMITTED, false) => {
                let runs = sight.engine.runs_numbered((bound, Bound::Unbounded));
                asked.take(runs.filter(fits).map(numbered))
            }
            _ => asked.select(sight.engine.runs_numbered(whole).filter(fits), |(number, run)| {
                let key = match field {
                    "finished_at" => run.finished_at().map_or(Key::Nothing, |at| Key::from(at.0)),
                    "status" => Key::of(&run.status()),
                    _ => Key::from(remarks.display_name(run.id(), run.plan())),
                };
                (key, Key::from(u64::from(*number)))
            }),
        };
        Ok(shown(page, |(_, run)| run_summary(remarks, run)))
    }

    /// Whether a run is asked for, whatever its experiment.
    fn fits(&self, labels: &[(String, String)], remarks: &Remarks, run: &Run) -> bool {
        let plan = run.plan();
        self.status.is_none_or(|status| run.status() == status)
            && self.pipeline.as_ref().is_none_or(|name| plan.pipeline == *name)
            && self.project.as_ref().is_none_or(|name| plan.project == *name)
            && self.since.is_none_or(|since| run.submitted_at() >= since)
            && labels
                .iter()
                .all(|(name, value)| remarks.tag(run.id(), plan, name) == Some(value.as_str()))
    }
}

/// Lists runs, newest first.
#[utoipa::path(get, path = "/api/v1/runs", tag = "runs", security(("token" = ["reader"])), params(ListQuery, Asked<RunSummary>), responses(
    (status = 200, description = "One page.", body = Page<RunSummary>),
))]
pub(super) async fn list(
    State(handle): State<CoordinatorHandle>,
    Query(query): Query<ListQuery>,
    asked: Asked<RunSummary>,
) -> Result<Json<Page<RunSummary>>, ApiError> {
    let labels = query.labels()?;
    let page = handle.look(move |sight| query.page(sight, &labels, asked));
    Ok(Json(page.await??))
}

/// Shows a run with its steps.
#[utoipa::path(get, path = "/api/v1/runs/{run}", tag = "runs", security(("token" = ["reader"])), params(("run" = String, Path)), responses(
    (status = 200, description = "The run.", body = RunView),
    (status = 404, description = "There is no such run.", body = ErrorBody),
    (status = 409, description = "The prefix fits several runs.", body = ErrorBody),
))]
pub(super) async fn show(
    State(handle): State<CoordinatorHandle>,
    Path(run): Path<String>,
) -> Result<Json<RunView>, ApiError> {
    let view = handle.look(move |sight| {
        let run = select::run(sight, &run)?;
        Ok::<_, ApiError>(run_view(sight.engine, sight.ledgers, run, sight.fleet))
    });
    Ok(Json(view.await??))
}

/// Who asks for a change.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[cfg_attr(feature = "fuzzing", derive(serde::Serialize))]
pub(super) struct ByQuery {
    /// For display; a token's own subject counts instead where one is shown.
    #[serde(default)]
    pub(super) by: Option<String>,
}

/// The run that is to be changed, and in whose name: a submitter changes the runs of its own subject only.
pub(super) async fn resolve(
    handle: &CoordinatorHandle,
    caller: Caller,
    (run, query): (String, ByQuery),
) -> Result<(RunId, String), ApiError> {
    let by = caller.acts_as(query.by).unwrap_or_else(|| "unknown".to_owned());
    let id = handle.look(move |sight| {
        let run = select::run(sight, &run)?;
        may_change(&sight.ledgers.projects, &caller, run)?;
        Ok::<_, ApiError>(run.id())
    });
    Ok((id.await??, by))
}

/// Ends a run. Steps that run always still run; a second time nothing more does.
#[utoipa::path(post, path = "/api/v1/runs/{run}/cancel", tag = "runs", security(("token" = ["submitter"])), params(("run" = String, Path), ByQuery), responses(
    (status = 200, description = "The run, which is being cancelled.", body = RunSummary),
    (status = 409, description = "The run has ended.", body = ErrorBody),
))]
pub(super) async fn cancel(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
    Query(query): Query<ByQuery>,
) -> Result<Json<RunSummary>, ApiError> {
    let (run, by) = resolve(&handle, caller, (run, query)).await?;
    handle.cancel(run, by).await?;
    Ok(Json(summary(&handle, run).await?))
}

/// Gives the steps of a run that did not end well another chance.
#[utoipa::path(post, path = "/api/v1/runs/{run}/retry", tag = "runs", security(("token" = ["submitter"])), params(("run" = String, Path), ByQuery), responses(
    (status = 200, description = "The run, which goes on.", body = RunSummary),
    (status = 409, description = "The run has not ended, or ended well.", body = ErrorBody),
))]
pub(super) async fn retry(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
    Query(query): Query<ByQuery>,
) -> Result<Json<RunSummary>, ApiError> {
    let (run, by) = resolve(&handle, caller, (run, query)).await?;
    handle.retry(run, by).await?;
    Ok(Json(summary(&handle, run).await?))
}

/// Forgets a run that has ended. What it alone named in the store goes with the next sweep; results that others reuse stay.
#[utoipa::path(delete, path = "/api/v1/runs/{run}", tag = "runs", security(("token" = ["submitter"])), params(("run" = String, Path), ByQuery), responses(
    (status = 200, description = "The run as it was.", body = RunSummary),
    (status = 404, description = "There is no such run.", body = ErrorBody),
    (status = 409, description = "The run has not ended.", body = ErrorBody),
))]
pub(super) async fn delete(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
    Query(query): Query<ByQuery>,
) -> Result<Json<RunSummary>, ApiError> {
    let (run, _) = resolve(&handle, caller, (run, query)).await?;
    let was = summary(&handle, run).await?;
    handle.forget(run).await?;
    Ok(Json(was))
}

/// Compares two runs.
#[utoipa::path(get, path = "/api/v1/runs/{run}/diff/{other}", tag = "runs", security(("token" = ["reader"])),
    params(("run" = String, Path), ("other" = String, Path)), responses(
    (status = 200, description = "What differs.", body = RunDiffView),
))]
pub(super) async fn diff(
    State(handle): State<CoordinatorHandle>,
    Path((left, right)): Path<(String, String)>,
) -> Result<Json<RunDiffView>, ApiError> {
    let drafted = handle.look(move |sight| {
        let (left, right) = (select::run(sight, &left)?, select::run(sight, &right)?);
        Ok::<_, ApiError>(draft_diff(sight.engine, left, right))
    });
    let (mut view, changes) = drafted.await??;
    let described = describe_changes(&handle.inner.store, &changes).await;
    for (step, phrases) in view.steps.iter_mut().zip(described) {
        step.key = phrases.iter().map(Phrased::text).collect();
    }
    Ok(Json(view))
}
