//! Logged models: made, finished, tagged, found. Their files are logged like those of runs.

use super::artifacts;
use super::asked::{Asked, Pair, Texts, Whole, tags, to_set};
use super::change::{change, random};
use super::fault::Fault;
use super::reach::{check_sees, sees};
use super::seek::Sought;
use super::shapes;
use crate::access::Caller;
use crate::api::record::Made;
use crate::handle::CoordinatorHandle;
use crate::tracking::{
    DEFAULT_EXPERIMENT, Lifecycle, LoggedModel, ModelStatus, NewModel, TrackedId, TrackingChange,
};
use crate::views::tracked::{MODELS, ShownModel};
use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Models on one page when nobody says how many, and at most.
const PAGE: (usize, usize) = (50, 1_000);

/// A new model.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Create {
    experiment_id: Option<String>,
    name: Option<String>,
    model_type: Option<String>,
    source_run_id: Option<String>,
    params: Vec<Pair>,
    tags: Vec<Pair>,
}

async fn found(handle: &CoordinatorHandle, caller: &Caller, id: &str) -> Result<Arc<LoggedModel>, Fault> {
    let wanted = id.to_owned();
    let found = handle.look(move |sight| sight.ledgers.tracking.model(&wanted).cloned());
    let missing = || Fault::missing(format!("there is no logged model with the id `{id}`"));
    let found = found
        .await?
        .filter(|model| model.lifecycle == Lifecycle::Active)
        .ok_or_else(missing)?;
    check_sees(caller, &found.what.experiment)?;
    Ok(found)
}

async fn answer(handle: &CoordinatorHandle, caller: &Caller, id: &str) -> Result<Json<Value>, Fault> {
    let model = found(handle, caller, id).await?;
    Ok(Json(json!({"model": shapes::model(id, &model)})))
}

/// Makes a model, whose files follow.
#[utoipa::path(post, path = "/api/2.0/mlflow/logged-models", tag = "mlflow", security(("token" = ["submitter"]), ("attempt" = [])), request_body = Value, responses(
    (status = 200, description = "The new model.", body = Value),
    (status = 404, description = "There is no such experiment.", body = Value),
))]
pub(super) async fn create(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Create>,
) -> Result<(Extension<Made>, Json<Value>), Fault> {
    let id = format!("m-{}", TrackedId::from_random(random()?));
    let logged = NewModel {
        experiment: asked
            .experiment_id
            .unwrap_or_else(|| DEFAULT_EXPERIMENT.to_owned()),
        name: asked
            .name
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| id.clone()),
        model_type: asked.model_type.filter(|kind| !kind.is_empty()),
        run: asked
            .source_run_id
            .filter(|run| !run.is_empty())
            .map(|run| TrackedId::named(&run)),
        params: tags(asked.params),
        tags: tags(asked.tags),
    };
    let log = TrackingChange::LogModel {
        model: id.clone(),
        logged,
    };
    let id = change(&handle, &caller, log).await?.unwrap_or(id);
    let shown = answer(&handle, &caller, &id).await?;
    Ok((Extension(Made("model", id)), shown))
}

/// Shows a model.
#[utoipa::path(get, path = "/api/2.0/mlflow/logged-models/{model_id}", tag = "mlflow", security(("token" = ["reader"]), ("attempt" = [])), params(("model_id" = String, Path)), responses(
    (status = 200, description = "The model.", body = Value),
    (status = 404, description = "There is none with this id.", body = Value),
))]
pub(super) async fn get(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Fault> {
    answer(&handle, &caller, &id).await
}

/// How a model stands.
#[derive(Debug, Deserialize)]
pub(super) struct Finish {
    status: String,
}

/// Says that a model's files are there, or that they did not arrive.
#[utoipa::path(patch, path = "/api/2.0/mlflow/logged-models/{model_id}", tag = "mlflow", security(("token" = ["submitter"]), ("attempt" = [])), params(("model_id" = String, Path)), request_body = Value, responses(
    (status = 200, description = "The model.", body = Value),
    (status = 404, description = "There is none with this id.", body = Value),
))]
pub(super) async fn finish(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Asked(asked): Asked<Finish>,
) -> Result<Json<Value>, Fault> {
    let all = [ModelStatus::Pending, ModelStatus::Ready, ModelStatus::Failed];
    let wanted = all.into_iter().find(|status| status.as_str() == asked.status);
    let wanted =
        wanted.ok_or_else(|| Fault::invalid(format!("`{}` is no status of a model", asked.status)))?;
    let finish = TrackingChange::ChangeModel {
        model: id.clone(),
        status: Some(wanted),
        params: BTreeMap::new(),
        tags: BTreeMap::new(),
        lifecycle: None,
    };
    change(&handle, &caller, finish).await?;
    answer(&handle, &caller, &id).await
}

/// Deletes a model.
#[utoipa::path(delete, path = "/api/2.0/mlflow/logged-models/{model_id}", tag = "mlflow", security(("token" = ["submitter"])), params(("model_id" = String, Path)), responses(
    (status = 200, description = "It is deleted.", body = Value),
    (status = 404, description = "There is none with this id.", body = Value),
))]
pub(super) async fn delete(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Fault> {
    change(
        &handle,
        &caller,
        with(&id, |_, _, lifecycle| *lifecycle = Some(Lifecycle::Deleted)),
    )
    .await?;
    Ok(Json(json!({})))
}

type Params = BTreeMap<String, String>;
type Tags = BTreeMap<String, Option<String>>;

/// A change of a model in which this is set.
fn with(id: &str, set: impl FnOnce(&mut Params, &mut Tags, &mut Option<Lifecycle>)) -> TrackingChange {
    let (mut params, mut tags, mut lifecycle) = (BTreeMap::new(), BTreeMap::new(), None);
    set(&mut params, &mut tags, &mut lifecycle);
    TrackingChange::ChangeModel {
        model: id.to_owned(),
        status: None,
        params,
        tags,
        lifecycle,
    }
}

/// Tags or parameters of a model.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Described {
    tags: Vec<Pair>,
    params: Vec<Pair>,
}

/// Sets tags of a model.
#[utoipa::path(patch, path = "/api/2.0/mlflow/logged-models/{model_id}/tags", tag = "mlflow", security(("token" = ["submitter"]), ("attempt" = [])), params(("model_id" = String, Path)), request_body = Value, responses(
    (status = 200, description = "The model.", body = Value),
    (status = 404, description = "There is none with this id.", body = Value),
))]
pub(super) async fn set_tags(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Asked(asked): Asked<Described>,
) -> Result<Json<Value>, Fault> {
    change(
        &handle,
        &caller,
        with(&id, |_, tags, _| *tags = to_set(asked.tags)),
    )
    .await?;
    answer(&handle, &caller, &id).await
}

/// Removes a tag of a model.
#[utoipa::path(delete, path = "/api/2.0/mlflow/logged-models/{model_id}/tags/{key}", tag = "mlflow", security(("token" = ["submitter"]), ("attempt" = [])), params(("model_id" = String, Path), ("key" = String, Path)), responses(
    (status = 200, description = "It is gone.", body = Value),
    (status = 404, description = "There is no such model.", body = Value),
))]
pub(super) async fn delete_tag(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path((id, key)): Path<(String, String)>,
) -> Result<Json<Value>, Fault> {
    let untagged = with(&id, |_, tags, _| {
        tags.insert(key, None);
    });
    change(&handle, &caller, untagged).await?;
    Ok(Json(json!({})))
}

/// Adds parameters of a model.
#[utoipa::path(post, path = "/api/2.0/mlflow/logged-models/{model_id}/params", tag = "mlflow", security(("token" = ["submitter"]), ("attempt" = [])), params(("model_id" = String, Path)), request_body = Value, responses(
    (status = 200, description = "They are kept.", body = Value),
    (status = 404, description = "There is no such model.", body = Value),
))]
pub(super) async fn log_params(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Asked(asked): Asked<Described>,
) -> Result<Json<Value>, Fault> {
    change(
        &handle,
        &caller,
        with(&id, |params, _, _| *params = tags(asked.params)),
    )
    .await?;
    Ok(Json(json!({})))
}

/// A search for models.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Search {
    experiment_ids: Texts,
    filter: Option<String>,
    max_results: Option<Whole>,
    order_by: Vec<By>,
    page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct By {
    field_name: String,
    #[serde(default)]
    ascending: Option<bool>,
}

/// Searches logged models of some experiments.
#[utoipa::path(post, path = "/api/2.0/mlflow/logged-models/search", tag = "mlflow", security(("token" = ["reader"]), ("attempt" = [])), request_body = Value, responses(
    (status = 200, description = "One page of models, by the orders asked for, then the newest first.", body = Value),
    (status = 400, description = "The filter or an order is not understood.", body = Value),
))]
pub(super) async fn search(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Search>,
) -> Result<Json<Value>, Fault> {
    let orders = asked.order_by.iter().map(|by| {
        let way = if by.ascending.unwrap_or(true) {
            "ASC"
        } else {
            "DESC"
        };
        format!("{} {way}", by.field_name)
    });
    let sought = Sought {
        filter: asked.filter,
        max_results: asked.max_results,
        order_by: Texts(orders.collect()),
        page_token: asked.page_token,
    };
    let search = sought.read(&MODELS, PAGE)?;
    let Texts(experiments) = asked.experiment_ids;
    let all = handle.look(move |sight| {
        let models = sight.ledgers.tracking.models();
        let wanted = models.filter(|(_, model)| experiments.contains(&model.what.experiment));
        let shown = wanted.map(|(id, model)| ShownModel {
            id: id.to_owned(),
            model: Arc::clone(model),
        });
        shown.collect::<Vec<ShownModel>>()
    });
    let mut all = all.await?;
    all.retain(|shown| {
        shown.model.lifecycle == Lifecycle::Active && sees(&caller, &shown.model.what.experiment)
    });
    all.sort_by(|left, right| {
        (Reverse(left.model.created_at), &left.id).cmp(&(Reverse(right.model.created_at), &right.id))
    });
    let (found, next) = search.page(all);
    let found = found
        .iter()
        .map(|shown| shapes::model(&shown.id, &shown.model))
        .collect();
    Ok(Json(shapes::page_of("models", found, next)))
}

/// A folder of a model.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Folder {
    artifact_directory_path: Option<String>,
}

/// Lists a folder of a model's files.
#[utoipa::path(get, path = "/api/2.0/mlflow/logged-models/{model_id}/artifacts/directories", tag = "mlflow", security(("token" = ["reader"]), ("attempt" = [])), params(("model_id" = String, Path)), responses(
    (status = 200, description = "Its files and folders, by their paths below the model's root.", body = Value),
    (status = 404, description = "There is no such model.", body = Value),
))]
pub(super) async fn list_artifacts(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Asked(asked): Asked<Folder>,
) -> Result<Json<Value>, Fault> {
    let model = found(&handle, &caller, &id).await?;
    let root = shapes::model_uri(&id, &model);
    artifacts::below(&handle, &root, asked.artifact_directory_path.as_deref()).await
}
