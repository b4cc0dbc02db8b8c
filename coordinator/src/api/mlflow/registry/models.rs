//! Registered models: made, described, found, given aliases, removed.

use super::add::catalog;
use super::shown::{self, MODELS, name_of, stage_of, version_of};
use crate::access::Caller;
use crate::api::mlflow::asked::{Asked, Pair, Texts, tags};
use crate::api::mlflow::change::change;
use crate::api::mlflow::fault::Fault;
use crate::api::mlflow::seek::Sought;
use crate::api::mlflow::shapes;
use crate::api::record::Made;
use crate::catalog::{Changes, Which};
use crate::handle::CoordinatorHandle;
use crate::tracking::TrackingChange;
use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tidemill_protocol::catalog::{AssetKind, ModelStage};
use tidemill_protocol::name::Name;

/// Models on one page when nobody says how many, and at most.
pub(super) const PAGE: (usize, usize) = (100, 200_000);

/// A model by its name, and what is said of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::api::mlflow) struct Named {
    name: String,
    tags: Vec<Pair>,
    description: Option<String>,
    key: String,
    value: String,
    alias: String,
    version: String,
    new_name: Option<String>,
    stages: Texts,
}

async fn found(handle: &CoordinatorHandle, name: &Name) -> Result<shown::Model, Fault> {
    let wanted = name.clone();
    let found = handle.look(move |sight| shown::model(sight, &wanted));
    found
        .await?
        .ok_or_else(|| Fault::missing(format!("there is no registered model `{}`", name.as_str())))
}

async fn answer(handle: &CoordinatorHandle, name: &Name) -> Result<Json<Value>, Fault> {
    let model = found(handle, name).await?;
    Ok(Json(json!({"registered_model": model.to_json()})))
}

/// Registers a model, which has no version yet.
#[utoipa::path(post, path = "/api/2.0/mlflow/registered-models/create", tag = "mlflow", security(("token" = ["submitter"]), ("attempt" = [])), request_body = Value, responses(
    (status = 200, description = "The registered model.", body = Value),
    (status = 400, description = "The name is taken (`RESOURCE_ALREADY_EXISTS`) or not allowed.", body = Value),
))]
pub(in crate::api::mlflow) async fn create(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Named>,
) -> Result<(Extension<Made>, Json<Value>), Fault> {
    let name = name_of(&asked.name)?;
    if found(&handle, &name).await.is_ok() && !handle.may_be_done().await? {
        return Err(Fault::taken(format!(
            "there is a registered model `{}` already",
            asked.name
        )));
    }
    let announce = TrackingChange::Announce {
        name: name.clone(),
        description: asked.description.unwrap_or_default(),
        tags: tags(asked.tags),
    };
    change(&handle, &caller, announce).await?;
    let shown = answer(&handle, &name).await?;
    Ok((Extension(Made("model", asked.name)), shown))
}

/// Shows a registered model.
#[utoipa::path(get, path = "/api/2.0/mlflow/registered-models/get", tag = "mlflow", security(("token" = ["reader"]), ("attempt" = [])), params(("name" = String, Query)), responses(
    (status = 200, description = "The registered model.", body = Value),
    (status = 404, description = "There is none with this name.", body = Value),
))]
pub(in crate::api::mlflow) async fn get(
    State(handle): State<CoordinatorHandle>,
    Asked(asked): Asked<Named>,
) -> Result<Json<Value>, Fault> {
    answer(&handle, &name_of(&asked.name)?).await
}

/// Sets texts and tags of a model: in the catalog, or where it has no version yet beside it.
async fn describe(
    handle: &CoordinatorHandle,
    caller: &Caller,
    name: &Name,
    (description, tags): (Option<String>, BTreeMap<String, Option<String>>),
) -> Result<(), Fault> {
    let model = found(handle, name).await?;
    if model.is_kept() {
        let describe = Changes::Describe {
            which: Which::Asset,
            description,
            tags,
            stage: None,
        };
        return catalog(handle, caller, name, describe).await.map(|_| ());
    }
    let (description, tags) = model.described(description, &tags);
    change(
        handle,
        caller,
        TrackingChange::Announce {
            name: name.clone(),
            description,
            tags,
        },
    )
    .await?;
    Ok(())
}

/// Describes a registered model.
#[utoipa::path(patch, path = "/api/2.0/mlflow/registered-models/update", tag = "mlflow", security(("token" = ["submitter"])), request_body = Value, responses(
    (status = 200, description = "The registered model.", body = Value),
    (status = 404, description = "There is none with this name.", body = Value),
))]
pub(in crate::api::mlflow) async fn update(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Named>,
) -> Result<Json<Value>, Fault> {
    let name = name_of(&asked.name)?;
    describe(&handle, &caller, &name, (asked.description, BTreeMap::new())).await?;
    answer(&handle, &name).await
}

/// Renames a registered model. Its former name goes on to mean it, because pipelines and runs refer to it.
#[utoipa::path(post, path = "/api/2.0/mlflow/registered-models/rename", tag = "mlflow", security(("token" = ["submitter"])), request_body = Value, responses(
    (status = 200, description = "The registered model.", body = Value),
    (status = 400, description = "The name is taken (`RESOURCE_ALREADY_EXISTS`) or not allowed.", body = Value),
    (status = 404, description = "There is none with this name.", body = Value),
))]
pub(in crate::api::mlflow) async fn rename(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Named>,
) -> Result<Json<Value>, Fault> {
    let name = name_of(&asked.name)?;
    let to = name_of(asked.new_name.as_deref().unwrap_or_default())?;
    let model = found(&handle, &name).await?;
    // Also one that has no version yet, and one that had the name.
    let other = found(&handle, &to).await;
    if other.is_ok_and(|other| other.name != model.name) {
        let message = format!("there is a registered model `{to}` already");
        return Err(Fault::taken(message));
    }
    if model.is_kept() {
        catalog(&handle, &caller, &name, Changes::Rename(to.clone())).await?;
        return answer(&handle, &to).await;
    }
    if to == model.name {
        return answer(&handle, &to).await;
    }
    // Nothing refers to one that has no version yet.
    let (description, tags) = model.described(None, &BTreeMap::new());
    let announce = TrackingChange::Announce {
        name: to.clone(),
        description,
        tags,
    };
    change(&handle, &caller, announce).await?;
    change(&handle, &caller, TrackingChange::Unannounce(name)).await?;
    answer(&handle, &to).await
}

/// Removes a registered model with all its versions.
#[utoipa::path(delete, path = "/api/2.0/mlflow/registered-models/delete", tag = "mlflow", security(("token" = ["operator"])), request_body = Value, responses(
    (status = 200, description = "It is gone.", body = Value),
    (status = 404, description = "There is none with this name.", body = Value),
))]
pub(in crate::api::mlflow) async fn delete(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Named>,
) -> Result<Json<Value>, Fault> {
    let name = name_of(&asked.name)?;
    let model = found(&handle, &name).await?;
    if !model.is_kept() {
        change(&handle, &caller, TrackingChange::Unannounce(name)).await?;
        return Ok(Json(json!({})));
    }
    let wanted = name.clone();
    let versions = handle.look(move |sight| {
        let asset = sight.ledgers.catalog.asset(AssetKind::Model, &wanted);
        asset.map(|asset| asset.versions.keys().cloned().collect::<Vec<_>>())
    });
    for version in versions.await?.unwrap_or_default() {
        catalog(&handle, &caller, &name, Changes::Remove(version)).await?;
    }
    Ok(Json(json!({})))
}

/// Searches registered models.
#[utoipa::path(get, path = "/api/2.0/mlflow/registered-models/search", tag = "mlflow", security(("token" = ["reader"]), ("attempt" = [])), responses(
    (status = 200, description = "One page of registered models, by name.", body = Value),
    (status = 400, description = "The filter or an order is not understood.", body = Value),
))]
pub(in crate::api::mlflow) async fn search(
    State(handle): State<CoordinatorHandle>,
    Asked(asked): Asked<Sought>,
) -> Result<Json<Value>, Fault> {
    let search = asked.read(&MODELS, PAGE)?;
    let all = handle.look(shown::all_models).await?;
    let (found, next) = search.page(all);
    let found = found.iter().map(shown::Model::to_json).collect();
    Ok(Json(shapes::page_of("registered_models", found, next)))
}

/// Shows the latest version of a model in each stage, or in those that are named.
#[utoipa::path(get, path = "/api/2.0/mlflow/registered-models/get-latest-versions", tag = "mlflow", security(("token" = ["reader"]), ("attempt" = [])), params(("name" = String, Query), ("stages" = Option<Vec<String>>, Query)), responses(
    (status = 200, description = "The latest version in each stage that has one.", body = Value),
    (status = 400, description = "There is no such stage.", body = Value),
    (status = 404, description = "There is no such model.", body = Value),
))]
pub(in crate::api::mlflow) async fn latest(
    State(handle): State<CoordinatorHandle>,
    Asked(asked): Asked<Named>,
) -> Result<Json<Value>, Fault> {
    let model = found(&handle, &name_of(&asked.name)?).await?;
    let stages = asked.stages.0.iter().map(|stage| stage_of(stage));
    let stages: Vec<ModelStage> = stages.collect::<Result<_, Fault>>()?;
    let wanted = model
        .latest
        .iter()
        .filter(|version| stages.is_empty() || stages.contains(&version.stage()));
    let versions: Vec<Value> = wanted.map(shown::Shown::to_json).collect();
    Ok(Json(json!({"model_versions": versions})))
}

/// Shows the latest version of a model in each stage, or in those that are named, asked for in a body.
#[utoipa::path(post, path = "/api/2.0/mlflow/registered-models/get-latest-versions", tag = "mlflow", security(("token" = ["reader"]), ("attempt" = [])), request_body = Value, responses(
    (status = 200, description = "The latest version in each stage that has one.", body = Value),
    (status = 400, description = "There is no such stage.", body = Value),
    (status = 404, description = "There is no such model.", body = Value),
))]
pub(in crate::api::mlflow) async fn latest_by_body(
    state: State<CoordinatorHandle>,
    asked: Asked<Named>,
) -> Result<Json<Value>, Fault> {
    latest(state, asked).await
}

/// Sets a tag of a registered model.
#[utoipa::path(post, path = "/api/2.0/mlflow/registered-models/set-tag", tag = "mlflow", security(("token" = ["submitter"])), request_body = Value, responses(
    (status = 200, description = "It is set.", body = Value),
    (status = 404, description = "There is no such model.", body = Value),
))]
pub(in crate::api::mlflow) async fn set_tag(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Named>,
) -> Result<Json<Value>, Fault> {
    let tags = BTreeMap::from([(asked.key, Some(asked.value))]);
    describe(&handle, &caller, &name_of(&asked.name)?, (None, tags)).await?;
    Ok(Json(json!({})))
}

/// Removes a tag of a registered model.
#[utoipa::path(delete, path = "/api/2.0/mlflow/registered-models/delete-tag", tag = "mlflow", security(("token" = ["submitter"])), request_body = Value, responses(
    (status = 200, description = "It is gone.", body = Value),
    (status = 404, description = "There is no such model.", body = Value),
))]
pub(in crate::api::mlflow) async fn delete_tag(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Named>,
) -> Result<Json<Value>, Fault> {
    let tags = BTreeMap::from([(asked.key, None)]);
    describe(&handle, &caller, &name_of(&asked.name)?, (None, tags)).await?;
    Ok(Json(json!({})))
}

/// Points an alias at a version.
#[utoipa::path(post, path = "/api/2.0/mlflow/registered-models/alias", tag = "mlflow", security(("token" = ["submitter"])), request_body = Value, responses(
    (status = 200, description = "It points there.", body = Value),
    (status = 404, description = "There is no such model or version.", body = Value),
))]
pub(in crate::api::mlflow) async fn set_alias(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Named>,
) -> Result<Json<Value>, Fault> {
    let label = Changes::Label {
        label: version_of(&asked.alias)?,
        version: version_of(&asked.version)?,
    };
    catalog(&handle, &caller, &name_of(&asked.name)?, label).await?;
    Ok(Json(json!({})))
}

/// Removes an alias.
#[utoipa::path(delete, path = "/api/2.0/mlflow/registered-models/alias", tag = "mlflow", security(("token" = ["submitter"])), request_body = Value, responses(
    (status = 200, description = "It is gone.", body = Value),
    (status = 404, description = "There is no such model or alias.", body = Value),
))]
pub(in crate::api::mlflow) async fn unalias(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Named>,
) -> Result<Json<Value>, Fault> {
    let unlabel = Changes::Unlabel(version_of(&asked.alias)?);
    catalog(&handle, &caller, &name_of(&asked.name)?, unlabel).await?;
    Ok(Json(json!({})))
}

/// Shows the version that an alias points at.
#[utoipa::path(get, path = "/api/2.0/mlflow/registered-models/alias", tag = "mlflow", security(("token" = ["reader"]), ("attempt" = [])), params(("name" = String, Query), ("alias" = String, Query)), responses(
    (status = 200, description = "The version.", body = Value),
    (status = 404, description = "There is no such model or alias.", body = Value),
))]
pub(in crate::api::mlflow) async fn alias(
    State(handle): State<CoordinatorHandle>,
    Asked(asked): Asked<Named>,
) -> Result<Json<Value>, Fault> {
    let (name, alias) = (name_of(&asked.name)?, version_of(&asked.alias)?);
    let found = handle
        .look(move |sight| shown::version(sight, &name, &alias))
        .await?;
    let missing = || {
        Fault::missing(format!(
            "registered model `{}` has no alias `{}`",
            asked.name, asked.alias
        ))
    };
    let found = found.ok_or_else(missing)?;
    Ok(Json(json!({"model_version": found.to_json()})))
}
