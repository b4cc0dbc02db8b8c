//! Metrics of a run's steps: the last point of each, and charts in as many buckets as are asked for.

use super::error::ApiError;
use super::listing::{Asked, Listing};
use super::select;
use crate::driver::Sight;
use crate::handle::CoordinatorHandle;
use crate::tracking::{self, ReadError, TrackedId};
use crate::views::{Measured, bucket_view, measured};
use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use std::sync::Arc;
use tidemill_protocol::api::{ErrorBody, ErrorCode, MetricChart, MetricSeries, MetricView};
use tidemill_protocol::ids::StepPath;

/// Buckets of a chart when nobody says how many.
const BUCKETS_DEFAULT: usize = 300;
/// Buckets of a chart at most.
const BUCKETS_MAX: usize = 10_000;

/// Whose metrics.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[cfg_attr(feature = "fuzzing", derive(serde::Serialize))]
pub(super) struct MetricsQuery {
    /// Only those of this step.
    #[param(value_type = Option<String>)]
    step: Option<StepPath>,
    /// In how many buckets at most, up to 10,000; 300 when absent.
    points: Option<usize>,
    /// Only points at this step of the training or later ones.
    first_step: Option<i64>,
    /// Only points at this step of the training or earlier ones.
    last_step: Option<i64>,
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(error) => error.into(),
            ReadError::Damaged(_) => Self::internal(&error),
        }
    }
}

/// What of a run logged something. A run that only clients of tracking know is meant by its id.
fn found(sight: &Sight<'_>, run: &str, step: Option<&StepPath>) -> Result<Vec<Measured>, ApiError> {
    let tracking = &sight.ledgers.tracking;
    let id = TrackedId::named(run);
    let mut all = match (select::run(sight, run), tracking.run(&id)) {
        (Ok(run), _) => measured(sight.engine, run, tracking),
        (Err(_), Some(logged)) => vec![Measured::alone(id, Arc::clone(logged))],
        (Err(error), None) => return Err(error),
    };
    if let Some(step) = step {
        if let Ok(run) = select::run(sight, run) {
            select::step(run, step.as_str())?;
        }
        all.retain(|measured| measured.step.as_ref().is_some_and(|(of, _)| of == step));
    }
    Ok(all)
}

/// Lists the metrics that a run's steps logged, each with its last point: those of the last attempt at each step, or of one that took its result over those of the step that made it.
#[utoipa::path(get, path = "/api/v1/runs/{run}/metrics", tag = "runs", security(("token" = ["reader"])), params(("run" = String, Path), MetricsQuery, Asked<MetricView>), responses(
    (status = 200, description = "The metrics, in plan order, then by name.", body = Listing<MetricView>),
    (status = 404, description = "There is no such run or step.", body = ErrorBody),
))]
pub(super) async fn list(
    State(handle): State<CoordinatorHandle>,
    Path(run): Path<String>,
    Query(query): Query<MetricsQuery>,
    asked: Asked<MetricView>,
) -> Result<Json<Listing<MetricView>>, ApiError> {
    let found = handle.look(move |sight| found(sight, &run, query.step.as_ref()));
    let found = found.await??;
    let views = found.iter().flat_map(|measured| {
        let series = measured.logged.series.iter();
        series.map(|(key, series)| (measured.rank, measured.view(key, series)))
    });
    Ok(asked.answer_ranked(views.collect()))
}

/// Shows a chart of a metric: for each stretch of steps the smallest, the largest and the last value, so that no peak is lost however many points there are.
#[utoipa::path(get, path = "/api/v1/runs/{run}/metrics/{*key}", tag = "runs", security(("token" = ["reader"])), params(("run" = String, Path), ("key" = String, Path), MetricsQuery), responses(
    (status = 200, description = "One series for each step that logged it.", body = MetricChart),
    (status = 404, description = "There is no such run or step, or nothing of it logged this metric.", body = ErrorBody),
))]
pub(super) async fn chart(
    State(handle): State<CoordinatorHandle>,
    Path((run, key)): Path<(String, String)>,
    Query(query): Query<MetricsQuery>,
) -> Result<Json<MetricChart>, ApiError> {
    let buckets = query.points.unwrap_or(BUCKETS_DEFAULT).clamp(1, BUCKETS_MAX);
    let range = (
        query.first_step.unwrap_or(i64::MIN),
        query.last_step.unwrap_or(i64::MAX),
    );
    let found = handle.look(move |sight| found(sight, &run, query.step.as_ref()));
    let mut chart = MetricChart {
        key,
        series: Vec::new(),
    };
    for measured in found.await?? {
        let Some(series) = measured.logged.series.get(&chart.key) else {
            continue;
        };
        let drawn = tracking::chart(&handle.inner.store, (&chart.key, series), range, buckets).await?;
        chart.series.push(MetricSeries {
            of: measured.view(&chart.key, series),
            unsealed: series.tail.len() as u64,
            buckets: drawn.iter().map(bucket_view).collect(),
        });
    }
    if chart.series.is_empty() {
        let message = format!("nothing logged a metric `{}`", chart.key);
        return Err(ApiError::new(ErrorCode::NotFound, message)
            .hint("`tidemill metrics RUN` lists those that there are"));
    }
    Ok(Json(chart))
}
