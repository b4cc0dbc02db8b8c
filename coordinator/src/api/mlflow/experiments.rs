//! Experiments: made, found, changed, deleted and brought back.

use super::asked::{Asked, Pair, tags, to_set};
use super::change::change;
use super::fault::Fault;
use super::reach::{check_sees, sees};
use super::seek::Sought;
use super::shapes;
use crate::access::Caller;
use crate::api::record::Made;
use crate::handle::CoordinatorHandle;
use crate::tracking::search::Vocabulary;
use crate::tracking::{Lifecycle, TrackingChange};
use crate::views::tracked;
use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Experiments on one page when nobody says how many, and at most.
const PAGE: (usize, usize) = (1_000, 50_000);

/// What may be asked of experiments.
const EXPERIMENTS: Vocabulary = Vocabulary {
    things: "experiments",
    numbers: &["creation_time", "last_update_time"],
    texts: &["name", "experiment_id"],
    spellings: &[],
    has_metrics: false,
};

/// A new experiment.
#[derive(Debug, Deserialize)]
pub(super) struct Create {
    name: String,
    #[serde(default)]
    artifact_location: Option<String>,
    #[serde(default)]
    tags: Vec<Pair>,
}

/// Makes an experiment, as MLflow's `experiments/create` does.
#[utoipa::path(post, path = "/api/2.0/mlflow/experiments/create", tag = "mlflow", security(("token" = ["submitter"])), request_body = Value, responses(
    (status = 200, description = "`experiment_id` of the new experiment.", body = Value),
    (status = 400, description = "The name is taken (`RESOURCE_ALREADY_EXISTS`) or not allowed.", body = Value),
))]
pub(super) async fn create(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Create>,
) -> Result<(Extension<Made>, Json<Value>), Fault> {
    if asked.artifact_location.is_some_and(|place| !place.is_empty()) {
        return Err(Fault::invalid(
            "experiments have no `artifact_location` here: artifacts are kept in the coordinator's store; leave it out",
        ));
    }
    let name = asked.name.clone();
    let is_there = handle.look(move |sight| {
        let found = tracked::experiment_by_name(sight.engine, &sight.ledgers.tracking, &name);
        found.map(|found| found.id)
    });
    // One that only runs of tidemill's own name is there for every client.
    if is_there.await?.is_some() && !handle.may_be_done().await? {
        return Err(Fault::taken(format!(
            "there is an experiment `{}` already",
            asked.name
        )));
    }
    let create = TrackingChange::CreateExperiment {
        name: asked.name,
        tags: tags(asked.tags),
    };
    let made = change(&handle, &caller, create).await?;
    let id = made.ok_or_else(|| Fault::invalid("no experiment was made"))?;
    let answer = json!({"experiment_id": id});
    Ok((Extension(Made("experiment", id)), Json(answer)))
}

/// An experiment by its id.
#[derive(Debug, Deserialize)]
pub(super) struct ById {
    experiment_id: String,
}

/// Shows an experiment.
#[utoipa::path(get, path = "/api/2.0/mlflow/experiments/get", tag = "mlflow", security(("token" = ["reader"]), ("attempt" = [])), params(("experiment_id" = String, Query)), responses(
    (status = 200, description = "The experiment.", body = Value),
    (status = 404, description = "There is none with this id.", body = Value),
))]
pub(super) async fn get(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<ById>,
) -> Result<Json<Value>, Fault> {
    check_sees(&caller, &asked.experiment_id)?;
    let id = asked.experiment_id.clone();
    let found = handle.look(move |sight| tracked::experiment(sight.engine, &sight.ledgers.tracking, &id));
    let found = found
        .await?
        .ok_or_else(|| Fault::no_experiment(asked.experiment_id))?;
    Ok(Json(json!({"experiment": shapes::experiment(&found)})))
}

/// An experiment by its name.
#[derive(Debug, Deserialize)]
pub(super) struct ByName {
    experiment_name: String,
}

/// Shows the experiment with a name.
#[utoipa::path(get, path = "/api/2.0/mlflow/experiments/get-by-name", tag = "mlflow", security(("token" = ["reader"]), ("attempt" = [])), params(("experiment_name" = String, Query)), responses(
    (status = 200, description = "The experiment.", body = Value),
    (status = 404, description = "There is none with this name.", body = Value),
))]
pub(super) async fn get_by_name(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<ByName>,
) -> Result<Json<Value>, Fault> {
    let name = asked.experiment_name.clone();
    let found =
        handle.look(move |sight| tracked::experiment_by_name(sight.engine, &sight.ledgers.tracking, &name));
    let missing = || Fault::missing(format!("there is no experiment `{}`", asked.experiment_name));
    let found = match (found.await?, &caller) {
        (Some(found), _) => found,
        // That there is none would be told to whoever may make one.
        (None, Caller::Attempt { .. }) => return check_sees(&caller, "").map(|()| Json(json!({}))),
        (None, _) => return Err(missing()),
    };
    check_sees(&caller, &found.id)?;
    Ok(Json(json!({"experiment": shapes::experiment(&found)})))
}

/// A search for experiments.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Search {
    #[serde(flatten)]
    sought: Sought,
    view_type: Option<String>,
}

/// Searches experiments.
#[utoipa::path(post, path = "/api/2.0/mlflow/experiments/search", tag = "mlflow", security(("token" = ["reader"]), ("attempt" = [])), request_body = Value, responses(
    (status = 200, description = "One page of experiments.", body = Value),
    (status = 400, description = "The filter or the order is not understood.", body = Value),
))]
pub(super) async fn search(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Search>,
) -> Result<Json<Value>, Fault> {
    let search = asked.sought.read(&EXPERIMENTS, PAGE)?;
    let view = View::of(asked.view_type.as_deref())?;
    let all = handle.look(|sight| tracked::experiments(sight.engine, &sight.ledgers.tracking));
    let mut all = all.await?;
    all.retain(|experiment| sees(&caller, &experiment.id) && view.shows(experiment.lifecycle));
    let (found, next) = search.page(all);
    let found = found.iter().map(shapes::experiment).collect();
    Ok(Json(shapes::page_of("experiments", found, next)))
}

/// Searches experiments, with the search in the query.
#[utoipa::path(get, path = "/api/2.0/mlflow/experiments/search", tag = "mlflow", security(("token" = ["reader"]), ("attempt" = [])), responses(
    (status = 200, description = "One page of experiments.", body = Value),
    (status = 400, description = "The filter or the order is not understood.", body = Value),
))]
pub(super) async fn search_by_query(
    state: State<CoordinatorHandle>,
    caller: Extension<Caller>,
    asked: Asked<Search>,
) -> Result<Json<Value>, Fault> {
    search(state, caller, asked).await
}

/// Which things a search shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Active,
    Deleted,
    All,
}

impl View {
    /// What a request says; active ones when it says nothing.
    pub(super) fn of(text: Option<&str>) -> Result<Self, Fault> {
        match text {
            None | Some("ACTIVE_ONLY" | "1") => Ok(Self::Active),
            Some("DELETED_ONLY" | "2") => Ok(Self::Deleted),
            Some("ALL" | "3") => Ok(Self::All),
            Some(other) => Err(Fault::invalid(format!(
                "`{other}` is no view: ACTIVE_ONLY, DELETED_ONLY and ALL are"
            ))),
        }
    }

    /// Whether it shows such things.
    pub(super) fn shows(self, lifecycle: Lifecycle) -> bool {
        match self {
            Self::Active => lifecycle == Lifecycle::Active,
            Self::Deleted => lifecycle == Lifecycle::Deleted,
            Self::All => true,
        }
    }
}

/// A new name for an experiment.
#[derive(Debug, Deserialize)]
pub(super) struct Update {
    experiment_id: String,
    #[serde(default)]
    new_name: Option<String>,
}

/// Renames an experiment.
#[utoipa::path(post, path = "/api/2.0/mlflow/experiments/update", tag = "mlflow", security(("token" = ["submitter"])), request_body = Value, responses(
    (status = 200, description = "It has the new name.", body = Value),
    (status = 404, description = "There is none with this id.", body = Value),
))]
pub(super) async fn update(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Update>,
) -> Result<Json<Value>, Fault> {
    let what = (asked.new_name, None, BTreeMap::new());
    alter(&handle, &caller, asked.experiment_id, what).await
}

/// Changes an experiment's name, whether it is deleted, or its tags.
async fn alter(
    handle: &CoordinatorHandle,
    caller: &Caller,
    id: String,
    (name, lifecycle, tags): (
        Option<String>,
        Option<Lifecycle>,
        BTreeMap<String, Option<String>>,
    ),
) -> Result<Json<Value>, Fault> {
    let changed = TrackingChange::ChangeExperiment {
        id,
        name,
        lifecycle,
        tags,
    };
    change(handle, caller, changed).await?;
    Ok(Json(json!({})))
}

/// Deletes an experiment; it can be restored.
#[utoipa::path(post, path = "/api/2.0/mlflow/experiments/delete", tag = "mlflow", security(("token" = ["submitter"])), request_body = Value, responses(
    (status = 200, description = "It is deleted.", body = Value),
    (status = 404, description = "There is none with this id.", body = Value),
))]
pub(super) async fn delete(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<ById>,
) -> Result<Json<Value>, Fault> {
    let what = (None, Some(Lifecycle::Deleted), BTreeMap::new());
    alter(&handle, &caller, asked.experiment_id, what).await
}

/// Restores a deleted experiment.
#[utoipa::path(post, path = "/api/2.0/mlflow/experiments/restore", tag = "mlflow", security(("token" = ["submitter"])), request_body = Value, responses(
    (status = 200, description = "It is active.", body = Value),
    (status = 404, description = "There is none with this id.", body = Value),
))]
pub(super) async fn restore(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<ById>,
) -> Result<Json<Value>, Fault> {
    let what = (None, Some(Lifecycle::Active), BTreeMap::new());
    alter(&handle, &caller, asked.experiment_id, what).await
}

/// A tag of an experiment.
#[derive(Debug, Deserialize)]
pub(super) struct Tag {
    experiment_id: String,
    key: String,
    #[serde(default)]
    value: String,
}

/// Sets a tag of an experiment.
#[utoipa::path(post, path = "/api/2.0/mlflow/experiments/set-experiment-tag", tag = "mlflow", security(("token" = ["submitter"])), request_body = Value, responses(
    (status = 200, description = "It is set.", body = Value),
    (status = 404, description = "There is no such experiment.", body = Value),
))]
pub(super) async fn set_tag(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Tag>,
) -> Result<Json<Value>, Fault> {
    let pair = Pair {
        key: asked.key,
        value: asked.value,
    };
    let what = (None, None, to_set(vec![pair]));
    alter(&handle, &caller, asked.experiment_id, what).await
}

/// Removes a tag of an experiment.
#[utoipa::path(post, path = "/api/2.0/mlflow/experiments/delete-experiment-tag", tag = "mlflow", security(("token" = ["submitter"])), request_body = Value, responses(
    (status = 200, description = "It is gone.", body = Value),
    (status = 404, description = "There is no such experiment.", body = Value),
))]
pub(super) async fn delete_tag(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Tag>,
) -> Result<Json<Value>, Fault> {
    let what = (None, None, BTreeMap::from([(asked.key, None)]));
    alter(&handle, &caller, asked.experiment_id, what).await
}
