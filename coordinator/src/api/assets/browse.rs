//! Looking at assets: lists in pages, one asset, its versions.

use super::{asset, version};
use crate::api::error::ApiError;
use crate::api::revision::etag;
use crate::handle::CoordinatorHandle;
use crate::views;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, HeaderValue, header};
use serde::Deserialize;
use std::cmp::Reverse;
use tidemill_protocol::api::{AssetView, ErrorBody, Page, VersionView};
use tidemill_protocol::catalog::{AssetKind, Stage, Version};
use tidemill_protocol::name::Name;

/// Items on one page when nobody says how many.
const PAGE_DEFAULT: usize = 50;
/// Items on one page at most.
const PAGE_MAX: usize = 1_000;

/// Which assets to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[cfg_attr(feature = "fuzzing", derive(serde::Serialize))]
pub(in crate::api) struct AssetsQuery {
    /// How many, at most 1,000; 50 when absent.
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Name>,
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
    /// How many, at most 1,000; 50 when absent.
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Version>,
    /// Only versions that stand so.
    stage: Option<Stage>,
}

/// Lists assets of one kind in the order of their names.
#[utoipa::path(get, path = "/api/v1/assets/{kind}", tag = "assets", security(("token" = ["reader"])), params(("kind" = AssetKind, Path), AssetsQuery), responses(
    (status = 200, description = "One page.", body = Page<AssetView>),
))]
pub(in crate::api) async fn list(
    State(handle): State<CoordinatorHandle>,
    Path(kind): Path<AssetKind>,
    Query(query): Query<AssetsQuery>,
) -> Result<Json<Page<AssetView>>, ApiError> {
    let limit = query.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let page = handle.look(move |sight| {
        let prefix = query.prefix.as_deref().unwrap_or_default();
        let assets = sight.ledgers.catalog.assets(kind, query.cursor.as_ref());
        let fitting = assets
            .filter(|(name, _)| name.as_str().starts_with(prefix))
            .filter(|(_, asset)| query.tag.as_deref().is_none_or(|tag| has_tag(&asset.tags, tag)));
        let views = fitting.map(|(name, asset)| views::asset_view(kind, name, asset));
        let mut items: Vec<AssetView> = views.take(limit + 1).collect();
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| more).map(|asset| asset.name.to_string());
        Page { items, next_cursor }
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
        let found = asset(sight, kind, &name)?;
        Ok::<_, ApiError>(views::asset_view(kind, &name, found))
    });
    let view = view.await??;
    Ok(([(header::ETAG, etag(view.revision))], Json(view)))
}

/// Lists the versions of an asset, the one added last first.
#[utoipa::path(get, path = "/api/v1/assets/{kind}/{name}/versions", tag = "assets", security(("token" = ["reader"])), params(("kind" = AssetKind, Path), ("name" = String, Path), VersionsQuery), responses(
    (status = 200, description = "One page.", body = Page<VersionView>),
    (status = 404, description = "There is no such asset.", body = ErrorBody),
))]
pub(in crate::api) async fn versions(
    State(handle): State<CoordinatorHandle>,
    Path((kind, name)): Path<(AssetKind, Name)>,
    Query(query): Query<VersionsQuery>,
) -> Result<Json<Page<VersionView>>, ApiError> {
    let limit = query.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let page = handle.look(move |sight| {
        let found = asset(sight, kind, &name)?;
        let mut all: Vec<_> = found.versions.iter().collect();
        all.sort_by_key(|(version, kept)| Reverse((kept.created_at, *version)));
        let after = query.cursor.as_ref();
        let from = after.map_or(0, |after| {
            let at = all.iter().position(|(version, _)| *version == after);
            at.map_or(all.len(), |at| at + 1)
        });
        let rest = all.into_iter().skip(from);
        let fitting = rest.filter(|(_, kept)| query.stage.is_none_or(|stage| kept.stage == stage));
        let views = fitting.map(|one| views::version_view((kind, &name, found), one));
        let mut items: Vec<VersionView> = views.take(limit + 1).collect();
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| more).map(|one| one.version.to_string());
        Ok::<_, ApiError>(Page { items, next_cursor })
    });
    Ok(Json(page.await??))
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
        let found = asset(sight, kind, &name)?;
        let one = version((kind, &name, found), &wanted)?;
        Ok::<_, ApiError>(views::version_view((kind, &name, found), one))
    });
    Ok(Json(view.await??))
}
