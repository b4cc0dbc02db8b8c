//! Searching runs.

use super::asked::{Asked, Texts};
use super::experiments::View;
use super::fault::Fault;
use super::reach::check_sees;
use super::seek::Sought;
use super::shapes;
use crate::access::Caller;
use crate::api::error::ApiError;
use crate::handle::CoordinatorHandle;
use crate::views::tracked::{RUNS, runs_in};
use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::Value;

/// Runs on one page when nobody says how many, and at most.
const PAGE: (usize, usize) = (1_000, 50_000);
/// Experiments that one search looks at.
const EXPERIMENTS_MAX: usize = 1_000;

/// A search for runs.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Search {
    #[serde(flatten)]
    sought: Sought,
    experiment_ids: Texts,
    run_view_type: Option<String>,
}

/// Searches runs of some experiments, by a filter such as `metrics.loss < 0.5 AND params.model = 'tree'`.
#[utoipa::path(post, path = "/api/2.0/mlflow/runs/search", tag = "mlflow", security(("token" = ["reader"]), ("attempt" = [])), request_body = Value, responses(
    (status = 200, description = "One page of runs, by the orders asked for, then the newest first.", body = Value),
    (status = 400, description = "The filter or an order is not understood.", body = Value),
))]
pub(super) async fn runs(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Search>,
) -> Result<Json<Value>, Fault> {
    let search = asked.sought.read(&RUNS, PAGE)?;
    let view = View::of(asked.run_view_type.as_deref())?;
    let Texts(experiments) = asked.experiment_ids;
    if experiments.len() > EXPERIMENTS_MAX {
        return Err(Fault::invalid(format!(
            "at most {EXPERIMENTS_MAX} experiments are searched at once"
        )));
    }
    for experiment in &experiments {
        check_sees(&caller, experiment)?;
    }
    let all = handle.look(move |sight| runs_in(sight.engine, &sight.ledgers.tracking, &experiments));
    let mut all = all.await?;
    // What was found may be much, and the driver has let go of it.
    let searching = tokio::task::spawn_blocking(move || {
        all.retain(|run| view.shows(run.lifecycle));
        let (found, next) = search.page(all);
        shapes::page_of("runs", found.iter().map(shapes::run).collect(), next)
    });
    let found = searching.await.map_err(|error| ApiError::internal(&error))?;
    Ok(Json(found))
}
