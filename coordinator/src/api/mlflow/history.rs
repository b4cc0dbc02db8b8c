//! All points of a metric, and charts of it.

use super::asked::{Asked, Texts, Whole, page_length, page_start, run_of};
use super::fault::Fault;
use super::find::shown;
use super::reach::check_sees;
use super::shapes;
use crate::access::Caller;
use crate::handle::CoordinatorHandle;
use crate::tracking::{self, Series, TrackedId, points_of};
use crate::views::tracked::ShownRun;
use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

/// Points on one page when nobody says how many, and at most.
const PAGE: (usize, usize) = (25_000, 25_000);
/// Runs of which one request may ask charts.
const RUNS_MAX: usize = 100;
/// Points of each chart when nobody says how many, and at most.
const CHART: (usize, usize) = (320, 2_500);

/// Which points.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct History {
    run_id: Option<String>,
    run_uuid: Option<String>,
    metric_key: String,
    max_results: Option<Whole>,
    page_token: Option<String>,
}

/// The metric that is asked for.
fn key_of(asked: &str) -> Result<&str, Fault> {
    if asked.is_empty() {
        return Err(Fault::invalid("`metric_key` is missing"));
    }
    Ok(asked)
}

fn series<'r>(run: &'r ShownRun, key: &str) -> Option<&'r Series> {
    run.logged.as_ref()?.series.get(key)
}

/// Shows the points of a metric, in the order in which they were logged.
#[utoipa::path(get, path = "/api/2.0/mlflow/metrics/get-history", tag = "mlflow", security(("token" = ["reader"]), ("attempt" = [])), params(("run_id" = String, Query), ("metric_key" = String, Query)), responses(
    (status = 200, description = "One page of points; none when the run has no such metric.", body = Value),
    (status = 404, description = "There is no such run.", body = Value),
))]
pub(super) async fn get(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<History>,
) -> Result<Json<Value>, Fault> {
    let length = page_length(asked.max_results, PAGE.0, PAGE.1)?;
    let start = page_start(asked.page_token.as_deref())?;
    let key = key_of(&asked.metric_key)?;
    let run = shown(&handle, &run_of(asked.run_id, asked.run_uuid)?).await?;
    check_sees(&caller, &run.experiment)?;
    let Some(series) = series(&run, key) else {
        return Ok(Json(shapes::page_of("metrics", Vec::new(), None)));
    };
    let points = tracking::page(&handle.inner.store, (key, series), start, length).await?;
    let end = start.saturating_add(points.len());
    let next = (series.count() > end as u64).then(|| end.to_string());
    let points = points.into_iter().map(|point| shapes::point(key, point));
    Ok(Json(shapes::page_of("metrics", points.collect(), next)))
}

/// Which charts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Charts {
    run_ids: Texts,
    metric_key: String,
    start_step: Option<Whole>,
    end_step: Option<Whole>,
    max_results: Option<Whole>,
}

/// Shows a metric of several runs with as many points as a chart needs: of each stretch of steps the smallest, the largest and the last.
#[utoipa::path(get, path = "/api/2.0/mlflow/metrics/get-history-bulk-interval", tag = "mlflow", security(("token" = ["reader"]), ("attempt" = [])), params(("run_ids" = Vec<String>, Query), ("metric_key" = String, Query)), responses(
    (status = 200, description = "The points, run by run, in the order of their steps.", body = Value),
    (status = 404, description = "There is no such run.", body = Value),
))]
pub(super) async fn charts(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Charts>,
) -> Result<Json<Value>, Fault> {
    let most = page_length(asked.max_results, CHART.0, CHART.1)?;
    let Texts(runs) = asked.run_ids;
    if runs.is_empty() || runs.len() > RUNS_MAX {
        return Err(Fault::invalid(format!("`run_ids` names 1 to {RUNS_MAX} runs")));
    }
    let first = asked.start_step.map_or(i64::MIN, |Whole(step)| step);
    let last = asked.end_step.map_or(i64::MAX, |Whole(step)| step);
    if last < first {
        return Err(Fault::invalid("`end_step` is before `start_step`"));
    }
    let key = key_of(&asked.metric_key)?;
    let mut all = Vec::new();
    for id in runs {
        let run = shown(&handle, &TrackedId::named(&id)).await?;
        check_sees(&caller, &run.experiment)?;
        let Some(series) = series(&run, key) else {
            continue;
        };
        // Three points of each bucket, unless all of them fit.
        let is_small = series.count() <= most as u64;
        let buckets = if is_small { most } else { most.div_ceil(3) };
        let chart = tracking::chart(&handle.inner.store, (key, series), (first, last), buckets).await?;
        for point in points_of(&chart) {
            let mut shown = shapes::point(key, point);
            if let Some(fields) = shown.as_object_mut() {
                fields.insert("run_id".to_owned(), id.as_str().into());
            }
            all.push(shown);
        }
    }
    Ok(Json(json!({"metrics": all})))
}
