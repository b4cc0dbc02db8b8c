//! Versions of registered models: added, shown, described, removed.

use super::add::{self, Create, add, described};
use super::models::PAGE;
use super::shown::{self, VERSIONS, name_of, stage_of, version_of};
use crate::access::Caller;
use crate::api::mlflow::asked::Asked;
use crate::api::mlflow::fault::Fault;
use crate::api::mlflow::seek::Sought;
use crate::api::mlflow::shapes;
use crate::api::record::Made;
use crate::catalog::Changes;
use crate::handle::CoordinatorHandle;
use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tidemill_protocol::catalog::Version;
use tidemill_protocol::name::Name;

/// A version, and what is said of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::api::mlflow) struct Named {
    name: String,
    version: String,
    description: Option<String>,
    key: String,
    value: String,
}

async fn found(handle: &CoordinatorHandle, name: &Name, version: &Version) -> Result<shown::Shown, Fault> {
    let wanted = (name.clone(), version.clone());
    let found = handle
        .look(move |sight| shown::version(sight, &wanted.0, &wanted.1))
        .await?;
    found.ok_or_else(|| {
        Fault::missing(format!(
            "registered model `{}` has no version `{}`",
            name.as_str(),
            version.as_str()
        ))
    })
}

async fn answer(handle: &CoordinatorHandle, name: &Name, version: &Version) -> Result<Json<Value>, Fault> {
    let shown = found(handle, name, version).await?;
    Ok(Json(json!({"model_version": shown.to_json()})))
}

/// Registers a version: of a logged model, or of files of a run. Its files never change from then on, whatever is logged later.
#[utoipa::path(post, path = "/api/2.0/mlflow/model-versions/create", tag = "mlflow", security(("token" = ["submitter"]), ("attempt" = [])), request_body = Value, responses(
    (status = 200, description = "The version, with the next number.", body = Value),
    (status = 404, description = "There is no such registered model, or there are no files at the source.", body = Value),
))]
pub(in crate::api::mlflow) async fn create(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Create>,
) -> Result<(Extension<Made>, Json<Value>), Fault> {
    let (name, version) = add(&handle, &caller, asked).await?;
    let shown = answer(&handle, &name, &version).await?;
    Ok((Extension(Made("version", version.as_str().to_owned())), shown))
}

/// Shows a version.
#[utoipa::path(get, path = "/api/2.0/mlflow/model-versions/get", tag = "mlflow", security(("token" = ["reader"]), ("attempt" = [])), params(("name" = String, Query), ("version" = String, Query)), responses(
    (status = 200, description = "The version.", body = Value),
    (status = 404, description = "There is no such model or version.", body = Value),
))]
pub(in crate::api::mlflow) async fn get(
    State(handle): State<CoordinatorHandle>,
    Asked(asked): Asked<Named>,
) -> Result<Json<Value>, Fault> {
    answer(&handle, &name_of(&asked.name)?, &version_of(&asked.version)?).await
}

/// Says where the files of a version are read from.
#[utoipa::path(get, path = "/api/2.0/mlflow/model-versions/get-download-uri", tag = "mlflow", security(("token" = ["reader"]), ("attempt" = [])), params(("name" = String, Query), ("version" = String, Query)), responses(
    (status = 200, description = "The address.", body = Value),
    (status = 404, description = "There is no such model or version.", body = Value),
))]
pub(in crate::api::mlflow) async fn download_uri(
    State(handle): State<CoordinatorHandle>,
    Asked(asked): Asked<Named>,
) -> Result<Json<Value>, Fault> {
    let shown = found(&handle, &name_of(&asked.name)?, &version_of(&asked.version)?).await?;
    Ok(Json(json!({"artifact_uri": shown.files_uri()})))
}

async fn describe(
    handle: &CoordinatorHandle,
    caller: &Caller,
    asked: Named,
    tags: BTreeMap<String, Option<String>>,
) -> Result<(Name, Version), Fault> {
    let (name, version) = (name_of(&asked.name)?, version_of(&asked.version)?);
    add::catalog(
        handle,
        caller,
        &name,
        described(version.clone(), asked.description, tags),
    )
    .await?;
    Ok((name, version))
}

/// Describes a version.
#[utoipa::path(patch, path = "/api/2.0/mlflow/model-versions/update", tag = "mlflow", security(("token" = ["submitter"])), request_body = Value, responses(
    (status = 200, description = "The version.", body = Value),
    (status = 404, description = "There is no such model or version.", body = Value),
))]
pub(in crate::api::mlflow) async fn update(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Named>,
) -> Result<Json<Value>, Fault> {
    let (name, version) = describe(&handle, &caller, asked, BTreeMap::new()).await?;
    answer(&handle, &name, &version).await
}

/// Sets a tag of a version.
#[utoipa::path(post, path = "/api/2.0/mlflow/model-versions/set-tag", tag = "mlflow", security(("token" = ["submitter"])), request_body = Value, responses(
    (status = 200, description = "It is set.", body = Value),
    (status = 404, description = "There is no such model or version.", body = Value),
))]
pub(in crate::api::mlflow) async fn set_tag(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Named>,
) -> Result<Json<Value>, Fault> {
    let tags = BTreeMap::from([(asked.key.clone(), Some(asked.value.clone()))]);
    describe(&handle, &caller, asked, tags).await?;
    Ok(Json(json!({})))
}

/// Removes a tag of a version.
#[utoipa::path(delete, path = "/api/2.0/mlflow/model-versions/delete-tag", tag = "mlflow", security(("token" = ["submitter"])), request_body = Value, responses(
    (status = 200, description = "It is gone.", body = Value),
    (status = 404, description = "There is no such model or version.", body = Value),
))]
pub(in crate::api::mlflow) async fn delete_tag(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Named>,
) -> Result<Json<Value>, Fault> {
    let tags = BTreeMap::from([(asked.key.clone(), None)]);
    describe(&handle, &caller, asked, tags).await?;
    Ok(Json(json!({})))
}

/// A stage into which a version comes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::api::mlflow) struct Transition {
    name: String,
    version: String,
    stage: String,
    archive_existing_versions: bool,
}

/// Brings a version into a stage, and archives the others in it where that is asked for.
#[utoipa::path(post, path = "/api/2.0/mlflow/model-versions/transition-stage", tag = "mlflow", security(("token" = ["submitter"])), request_body = Value, responses(
    (status = 200, description = "The version.", body = Value),
    (status = 400, description = "There is no such stage, or nothing can be archived for it.", body = Value),
    (status = 404, description = "There is no such model or version.", body = Value),
))]
pub(in crate::api::mlflow) async fn stage(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Transition>,
) -> Result<Json<Value>, Fault> {
    let (name, version) = (name_of(&asked.name)?, version_of(&asked.version)?);
    let promote = Changes::Promote {
        version: version.clone(),
        stage: stage_of(&asked.stage)?,
        archive_existing: asked.archive_existing_versions,
    };
    add::catalog(&handle, &caller, &name, promote).await?;
    answer(&handle, &name, &version).await
}

/// Removes a version.
#[utoipa::path(delete, path = "/api/2.0/mlflow/model-versions/delete", tag = "mlflow", security(("token" = ["operator"])), request_body = Value, responses(
    (status = 200, description = "It is gone.", body = Value),
    (status = 404, description = "There is no such model or version.", body = Value),
))]
pub(in crate::api::mlflow) async fn delete(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Named>,
) -> Result<Json<Value>, Fault> {
    let remove = Changes::Remove(version_of(&asked.version)?);
    add::catalog(&handle, &caller, &name_of(&asked.name)?, remove).await?;
    Ok(Json(json!({})))
}

/// Searches versions of registered models.
#[utoipa::path(get, path = "/api/2.0/mlflow/model-versions/search", tag = "mlflow", security(("token" = ["reader"]), ("attempt" = [])), responses(
    (status = 200, description = "One page of versions, the newest first, or as asked and then by name.", body = Value),
    (status = 400, description = "The filter or an order is not understood.", body = Value),
))]
pub(in crate::api::mlflow) async fn search(
    State(handle): State<CoordinatorHandle>,
    Asked(asked): Asked<Sought>,
) -> Result<Json<Value>, Fault> {
    let search = asked.read(&VERSIONS, PAGE)?;
    let mut all = handle.look(shown::all_versions).await?;
    if asked.order_by.0.is_empty() {
        shown::newest_first(&mut all);
    }
    let (found, next) = search.page(all);
    let found = found.iter().map(shown::Shown::to_json).collect();
    Ok(Json(shapes::page_of("model_versions", found, next)))
}
