//! Looking at assets: lists in pages, one asset, its versions.

use super::{asset, version};
use crate::api::error::ApiError;
use crate::api::listing::{Asked, Key, shown};
use crate::api::revision::etag;
use crate::handle::CoordinatorHandle;
use crate::views;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, HeaderValue, header};
use serde::Deserialize;
use tidemill_protocol::api::{AssetView, ErrorBody, Page, VersionView};
use tidemill_protocol::catalog::{AssetKind, Stage, Version};
use tidemill_protocol::name::Name;

/// Which assets to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[cfg_attr(feature = "fuzzing", derive(serde::Serialize))]
pub(in crate::api) struct AssetsQuery {
    /// Only assets whose names begin so.
    prefix: Option<String>,
    /// Only assets with this tag, as `name` or `name=text`.
    tag: Option<String>,
}

/// Which versions to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[cfg_attr(feature = "fuzzing", derive(serde::Serialize))]
pub(in crate::api) struct VersionsQuery {
    /// Only versions that stand so.
    stage: Option<Stage>,
}

/// Lists assets of one kind in the order of their names.
#[utoipa::path(get, path = "/api/v1/assets/{kind}", tag = "assets", security(("token" = ["reader"])), params(("kind" = AssetKind, Path), AssetsQuery, Asked<AssetView>), responses(
    (status = 200, description = "One page.", body = Page<AssetView>),
))]
pub(in crate::api) async fn list(
    State(handle): State<CoordinatorHandle>,
    Path(kind): Path<AssetKind>,
    Query(query): Query<AssetsQuery>,
    mut asked: Asked<AssetView>,
) -> Result<Json<Page<AssetView>>, ApiError> {
    asked.resolve(|text| {
        let name = text.parse::<Name>().ok()?;
        Some((Key::of(&name), Key::of(&name)))
    })?;
    let page = handle.look(move |sight| {
        let prefix = query.prefix.as_deref().unwrap_or_default();
        let assets = sight.ledgers.catalog.assets(kind, None);
        let fitting = assets
            .filter(|(name, _)| name.as_str().starts_with(prefix))
            .filter(|(_, asset)| query.tag.as_deref().is_none_or(|tag| has_tag(&asset.tags, tag)));
        let fitting = fitting.filter(|(name, _)| asked.wants(name.as_str()));
        let page = asked.select(fitting, |(name, asset)| {
            let key = match asked.order.field {
                "created_at" => Key::from(asset.created_at.0),
                "created_by" => Key::from(asset.created_by.as_str()),
                "versions" => Key::from(asset.versions.len() as u64),
                _ => Key::from(name.as_str()),
            };
            (key, Key::from(name.as_str()))
        });
        shown(page, |(name, asset)| views::asset_view(kind, name, asset))
    });
    Ok(Json(page.await?))
}

fn has_tag(tags: &std::collections::BTreeMap<String, String>, wanted: &str) -> bool {
    match wanted.split_once('=') {
        Some((name, text)) => tags.get(name).is_some_and(|found| found == text),
        None => tags.contains_key(wanted),
    }
}

/// Shows an asset. The `ETag` is its revision: give it back as `If-Match` to change only what nobody changed meanwhile.
#[utoipa::path(get, path = "/api/v1/assets/{kind}/{name}", tag = "assets", security(("token" = ["reader"])), params(("kind" = AssetKind, Path), ("name" = String, Path)), responses(
    (status = 200, description = "The asset.", body = AssetView),
    (status = 404, description = "There is no such asset.", body = ErrorBody),
))]
pub(in crate::api) async fn show(
    State(handle): State<CoordinatorHandle>,
    Path((kind, name)): Path<(AssetKind, Name)>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<AssetView>), ApiError> {
    let view = handle.look(move |sight| {
        let (name, found) = asset(sight, kind, &name)?;
        Ok::<_, ApiError>(views::asset_view(kind, name, found))
    });
    let view = view.await??;
    Ok(([(header::ETAG, etag(view.revision))], Json(view)))
}

/// Lists the versions of an asset, the one added last first.
#[utoipa::path(get, path = "/api/v1/assets/{kind}/{name}/versions", tag = "assets", security(("token" = ["reader"])), params(("kind" = AssetKind, Path), ("name" = String, Path), VersionsQuery, Asked<VersionView>), responses(
    (status = 200, description = "One page.", body = Page<VersionView>),
    (status = 404, description = "There is no such asset.", body = ErrorBody),
))]
pub(in crate::api) async fn versions(
    State(handle): State<CoordinatorHandle>,
    Path((kind, name)): Path<(AssetKind, Name)>,
    Query(query): Query<VersionsQuery>,
    mut asked: Asked<VersionView>,
) -> Result<Json<Page<VersionView>>, ApiError> {
    let page = handle.look(move |sight| {
        let (name, found) = asset(sight, kind, &name)?;
        asked.resolve(|text| {
            let (version, kept) = found.versions.get_key_value(&text.parse::<Version>().ok()?)?;
            Some((Key::from(kept.created_at.0), key_of(version).into_owned()))
        })?;
        let all = found.versions.iter();
        let fitting = all.filter(|(_, kept)| query.stage.is_none_or(|stage| kept.stage == stage));
        let page = asked.select(fitting, |(version, kept)| {
            let key = match asked.order.field {
                "created_by" => Key::from(kept.created_by.as_str()),
                "version" => key_of(version),
                "stage" => Key::of(&kept.stage),
                _ => Key::from(kept.created_at.0),
            };
            (key, key_of(version))
        });
        let view = |one| views::version_view((kind, name, found), one);
        Ok::<_, ApiError>(shown(page, view))
    });
    Ok(Json(page.await??))
}

/// Where a version stands among others: numbers by what they count, before words.
fn key_of(version: &Version) -> Key<'_> {
    version
        .as_number()
        .map_or_else(|| Key::from(version.as_str()), Key::from)
}

/// Shows a version, named itself or by a label such as `latest`.
#[utoipa::path(get, path = "/api/v1/assets/{kind}/{name}/versions/{version}", tag = "assets", security(("token" = ["reader"])), params(("kind" = AssetKind, Path), ("name" = String, Path), ("version" = String, Path)), responses(
    (status = 200, description = "The version.", body = VersionView),
    (status = 404, description = "There is no such version.", body = ErrorBody),
))]
pub(in crate::api) async fn show_version(
    State(handle): State<CoordinatorHandle>,
    Path((kind, name, wanted)): Path<(AssetKind, Name, Version)>,
) -> Result<Json<VersionView>, ApiError> {
    let view = handle.look(move |sight| {
        let (name, found) = asset(sight, kind, &name)?;
        let one = version((kind, name, found), &wanted)?;
        Ok::<_, ApiError>(views::measured_version(
            (sight.engine, &sight.ledgers.tracking),
            (kind, name, found),
            one,
        ))
    });
    Ok(Json(view.await??))
}
