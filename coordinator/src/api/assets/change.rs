//! Changing assets: versions added, described and removed, labels set.

use super::{asset, source, version};
use crate::access::Caller;
use crate::api::error::ApiError;
use crate::api::record::Made;
use crate::api::revision::expected;
use crate::api::tokens::name_of;
use crate::catalog::{Catalog, CatalogCommand, CatalogRejection, Changes, NewVersion, Which};
use crate::handle::CoordinatorHandle;
use crate::views;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use tidemill_protocol::api::{
    AddVersionRequest, AssetView, DescribeRequest, ErrorBody, ErrorCode, LabelRequest, VersionView,
};
use tidemill_protocol::catalog::{AssetKind, Version};
use tidemill_protocol::name::Name;

/// Adds a version, and the asset if it is the first.
#[utoipa::path(post, path = "/api/v1/assets/{kind}/{name}/versions", tag = "assets", security(("token" = ["submitter"])), params(("kind" = AssetKind, Path), ("name" = String, Path)),
    request_body = AddVersionRequest, responses(
    (status = 201, description = "A new version.", body = VersionView),
    (status = 200, description = "The same version was there already.", body = VersionView),
    (status = 400, description = "This kind of asset is not made of that.", body = ErrorBody),
    (status = 404, description = "The source is not there.", body = ErrorBody),
    (status = 409, description = "The version is there and is something else, or the store lacks what it names.", body = ErrorBody),
    (status = 422, description = "The pipeline is not valid.", body = ErrorBody),
))]
pub(in crate::api) async fn add(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path((kind, name)): Path<(AssetKind, Name)>,
    Json(request): Json<AddVersionRequest>,
) -> Result<(StatusCode, Extension<Made>, Json<VersionView>), ApiError> {
    add_version(&handle, &caller, (kind, name), request).await
}

/// Adds a version, for whoever asks in whatever way.
pub(in crate::api) async fn add_version(
    handle: &CoordinatorHandle,
    caller: &Caller,
    (kind, name): (AssetKind, Name),
    request: AddVersionRequest,
) -> Result<(StatusCode, Extension<Made>, Json<VersionView>), ApiError> {
    let (body, origin) = source::resolve(handle, kind, request.source).await?;
    let wanted = request.version.clone();
    let change = Changes::Add(NewVersion {
        version: request.version,
        body,
        description: request.description,
        tags: request.tags,
        labels: request.labels,
        origin: request.origin.or(origin).unwrap_or_default(),
    });
    let command = CatalogCommand {
        kind,
        name: name.clone(),
        expect: None,
        by: name_of(caller, request.by),
        change,
    };
    let added = handle.create::<Catalog>(command).await??;
    let added: Option<Version> = added.and_then(|version| version.parse().ok());
    let status = if added.is_some() {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let version = added.or(wanted).ok_or_else(|| {
        ApiError::new(
            ErrorCode::Internal,
            "a version without a number was added and is not there",
        )
    })?;
    let made = Made("version", version.to_string());
    let view = view_of(handle, kind, name, version).await?;
    Ok((status, Extension(made), Json(view)))
}

async fn view_of(
    handle: &CoordinatorHandle,
    kind: AssetKind,
    name: Name,
    wanted: Version,
) -> Result<VersionView, ApiError> {
    let view = handle.look(move |sight| {
        let (name, found) = asset(sight, kind, &name)?;
        let one = version((kind, name, found), &wanted)?;
        Ok::<_, ApiError>(views::measured_version(
            (sight.engine, &sight.ledgers.tracking),
            (kind, name, found),
            one,
        ))
    });
    view.await?
}

/// Changes an asset's text and tags, or its name: what it had before goes on to mean it, so runs, lineage and pipelines that name it find it.
#[utoipa::path(patch, path = "/api/v1/assets/{kind}/{name}", tag = "assets", security(("token" = ["submitter"])), params(("kind" = AssetKind, Path), ("name" = String, Path)),
    request_body = DescribeRequest, responses(
    (status = 200, description = "The asset as it is now.", body = AssetView),
    (status = 400, description = "A name is to be changed together with something else, or a version's stage is given.", body = ErrorBody),
    (status = 404, description = "There is no such asset.", body = ErrorBody),
    (status = 409, description = "Another asset has the name, or had it.", body = ErrorBody),
    (status = 412, description = "It changed since the revision in `If-Match`.", body = ErrorBody),
))]
pub(in crate::api) async fn describe(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path((kind, name)): Path<(AssetKind, Name)>,
    headers: HeaderMap,
    Json(request): Json<DescribeRequest>,
) -> Result<Json<AssetView>, ApiError> {
    let change = of_asset(request)?;
    if let Changes::Rename(to) = &change {
        check_unannounced(&handle, kind, to).await?;
    }
    carry_out(&handle, &caller, (kind, &name), &headers, change).await?;
    let view = handle.look(move |sight| {
        let (name, found) = asset(sight, kind, &name)?;
        Ok::<_, ApiError>(views::asset_view(kind, name, found))
    });
    Ok(Json(view.await??))
}

/// Changes a version's text, tags and stage, or its stage in the registry of models. What it is never changes.
#[utoipa::path(patch, path = "/api/v1/assets/{kind}/{name}/versions/{version}", tag = "assets", security(("token" = ["submitter"])), params(("kind" = AssetKind, Path), ("name" = String, Path), ("version" = String, Path)),
    request_body = DescribeRequest, responses(
    (status = 200, description = "The version as it is now.", body = VersionView),
    (status = 400, description = "What is to be changed cannot be changed together, or not of this.", body = ErrorBody),
    (status = 404, description = "There is no such version.", body = ErrorBody),
    (status = 412, description = "The asset changed since the revision in `If-Match`.", body = ErrorBody),
))]
pub(in crate::api) async fn describe_version(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path((kind, name, version)): Path<(AssetKind, Name, Version)>,
    headers: HeaderMap,
    Json(request): Json<DescribeRequest>,
) -> Result<Json<VersionView>, ApiError> {
    let change = of_version(&version, request)?;
    carry_out(&handle, &caller, (kind, &name), &headers, change).await?;
    Ok(Json(view_of(&handle, kind, name, version).await?))
}

fn refused(message: &str, hint: &str) -> ApiError {
    ApiError::new(ErrorCode::BadRequest, message).hint(hint)
}

/// What is asked of an asset as a whole: a description, or a name.
fn of_asset(request: DescribeRequest) -> Result<Changes, ApiError> {
    if request.stage.is_some() || request.model_stage.is_some() || request.archive_existing {
        let message = "an asset as a whole has no stage";
        return Err(refused(message, "change that of a version"));
    }
    let Some(to) = request.name.clone() else {
        return Ok(described(Which::Asset, request));
    };
    let alone = DescribeRequest {
        name: Some(to.clone()),
        ..DescribeRequest::default()
    };
    if request != alone {
        let message = "a name is changed by itself";
        return Err(refused(message, "ask once for `name`, and once for the rest"));
    }
    Ok(Changes::Rename(to))
}

/// What is asked of a version: a description, or a stage of the registry.
fn of_version(version: &Version, request: DescribeRequest) -> Result<Changes, ApiError> {
    if request.name.is_some() {
        let message = "a version has no name of its own";
        return Err(refused(message, "change that of the asset"));
    }
    let Some(stage) = request.model_stage else {
        if request.archive_existing {
            let message = "nothing is archived without a stage of the registry";
            return Err(refused(message, "give `model_stage`, too"));
        }
        return Ok(described(Which::Version(version.clone()), request));
    };
    let alone = DescribeRequest {
        model_stage: Some(stage),
        archive_existing: request.archive_existing,
        ..DescribeRequest::default()
    };
    if request != alone {
        let message = "a stage of the registry is changed by itself";
        return Err(refused(
            message,
            "ask once for `model_stage`, and once for the rest",
        ));
    }
    Ok(Changes::Promote {
        version: version.clone(),
        stage,
        archive_existing: request.archive_existing,
    })
}

fn described(which: Which, request: DescribeRequest) -> Changes {
    Changes::Describe {
        which,
        description: request.description,
        tags: request.tags,
        stage: request.stage,
    }
}

/// Refuses the name of a registered model that has no version yet: the catalog does not know of it.
async fn check_unannounced(handle: &CoordinatorHandle, kind: AssetKind, name: &Name) -> Result<(), ApiError> {
    let wanted = name.clone();
    let is_announced = handle.look(move |sight| sight.ledgers.tracking.announcement(&wanted).is_some());
    if kind != AssetKind::Model || !is_announced.await? {
        return Ok(());
    }
    Err(CatalogRejection::NameTaken {
        kind,
        name: name.clone(),
        is_former: false,
    }
    .into())
}

/// Points a label at a version.
#[utoipa::path(put, path = "/api/v1/assets/{kind}/{name}/labels/{label}", tag = "assets", security(("token" = ["submitter"])), params(("kind" = AssetKind, Path), ("name" = String, Path), ("label" = String, Path)),
    request_body = LabelRequest, responses(
    (status = 204, description = "It points there."),
    (status = 404, description = "There is no such version.", body = ErrorBody),
    (status = 409, description = "A version has this name.", body = ErrorBody),
    (status = 412, description = "The asset changed since the revision in `If-Match`.", body = ErrorBody),
))]
pub(in crate::api) async fn label(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path((kind, name, label)): Path<(AssetKind, Name, Version)>,
    headers: HeaderMap,
    Json(request): Json<LabelRequest>,
) -> Result<StatusCode, ApiError> {
    let version = request.version;
    let change = Changes::Label { label, version };
    carry_out(&handle, &caller, (kind, &name), &headers, change).await
}

/// Removes a label.
#[utoipa::path(delete, path = "/api/v1/assets/{kind}/{name}/labels/{label}", tag = "assets", security(("token" = ["submitter"])), params(("kind" = AssetKind, Path), ("name" = String, Path), ("label" = String, Path)), responses(
    (status = 204, description = "It is gone."),
    (status = 404, description = "There is no such label.", body = ErrorBody),
    (status = 412, description = "The asset changed since the revision in `If-Match`.", body = ErrorBody),
))]
pub(in crate::api) async fn unlabel(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path((kind, name, label)): Path<(AssetKind, Name, Version)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    carry_out(&handle, &caller, (kind, &name), &headers, Changes::Unlabel(label)).await
}

/// Removes a version with the labels that point at it; the asset, too, if it is the last. Contents stay as long as runs need them.
#[utoipa::path(delete, path = "/api/v1/assets/{kind}/{name}/versions/{version}", tag = "assets", security(("token" = ["operator"])), params(("kind" = AssetKind, Path), ("name" = String, Path), ("version" = String, Path)), responses(
    (status = 204, description = "It is gone."),
    (status = 404, description = "There is no such version.", body = ErrorBody),
    (status = 412, description = "The asset changed since the revision in `If-Match`.", body = ErrorBody),
))]
pub(in crate::api) async fn remove_version(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path((kind, name, version)): Path<(AssetKind, Name, Version)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    carry_out(
        &handle,
        &caller,
        (kind, &name),
        &headers,
        Changes::Remove(version),
    )
    .await
}

async fn carry_out(
    handle: &CoordinatorHandle,
    caller: &Caller,
    (kind, name): (AssetKind, &Name),
    headers: &HeaderMap,
    change: Changes,
) -> Result<StatusCode, ApiError> {
    let command = CatalogCommand {
        kind,
        name: name.clone(),
        expect: expected(headers)?,
        by: name_of(caller, None),
        change,
    };
    handle.change::<Catalog>(command).await??;
    Ok(StatusCode::NO_CONTENT)
}
