//! Named things with versions, over the same API as everything else. A name that is not known comes back with the one that was likely meant.

use super::transport::Payload;
use super::{Client, decode, segment, with_query};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings::nearest;
use axum::http::Method;
use serde::de::DeserializeOwned;
use tidemill_protocol::api::{
    AddVersionRequest, AssetView, DescribeRequest, LabelRequest, LineageView, Page, VersionView, routes,
};
use tidemill_protocol::catalog::{AssetKind, AssetRef, LATEST, Version};
use tidemill_protocol::name::Name;

/// Items that are asked for at once.
const PAGE: usize = 500;
/// Names among which the one that was meant is looked for.
const COMPARED_MAX: usize = 2_000;

/// What a list of assets is narrowed to.
#[derive(Debug, Clone, Default)]
pub(crate) struct AssetFilter {
    /// At most so many.
    pub(crate) limit: usize,
    /// Only names that begin so.
    pub(crate) prefix: Option<String>,
    /// Only with this tag, as `name` or `name=text`.
    pub(crate) tag: Option<String>,
    /// The order; by name when absent.
    pub(crate) sort: Option<String>,
}

/// Whose lineage is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// What it is about, as people write it.
    pub(crate) of: &'a str,
    /// Which kind of asset a name means.
    pub(crate) kind: Option<AssetKind>,
    /// `up` or `down`; both when absent.
    pub(crate) direction: Option<&'a str>,
    /// Edges from there at most.
    pub(crate) depth: Option<u32>,
    /// Things at most.
    pub(crate) limit: u32,
}

impl Client {
    /// Assets of one kind, in the order of their names unless another is asked for.
    pub(crate) async fn assets(
        &self,
        kind: AssetKind,
        filter: &AssetFilter,
    ) -> Result<Vec<AssetView>, Failure> {
        let narrowed = [
            ("prefix", filter.prefix.clone()),
            ("tag", filter.tag.clone()),
            ("sort", filter.sort.clone()),
        ];
        self.pages(&format!("{}/{kind}", routes::ASSETS), &narrowed, filter.limit)
            .await
    }

    /// The versions of an asset, the newest first.
    pub(crate) async fn versions(&self, kind: AssetKind, name: &Name) -> Result<Vec<VersionView>, Failure> {
        let listed = self.pages(&versions_path(kind, name), &[], usize::MAX).await;
        self.advised(kind, name, listed).await
    }

    /// The version that is meant.
    pub(crate) async fn version(&self, kind: AssetKind, asset: &AssetRef) -> Result<VersionView, Failure> {
        let wanted = asset.wanted.as_ref().map_or(LATEST, Version::as_str);
        let path = format!("{}/{}", versions_path(kind, &asset.name), segment(wanted));
        let found = self.get(path).await;
        self.advised(kind, &asset.name, found).await
    }

    /// Adds a version.
    pub(crate) async fn add_version(
        &self,
        kind: AssetKind,
        name: &Name,
        request: &AddVersionRequest,
    ) -> Result<VersionView, Failure> {
        self.create(versions_path(kind, name), request).await
    }

    /// Changes an asset's text and tags.
    pub(crate) async fn describe_asset(
        &self,
        kind: AssetKind,
        name: &Name,
        request: &DescribeRequest,
    ) -> Result<AssetView, Failure> {
        let changed = self.patch(asset_path(kind, name), request).await;
        self.advised(kind, name, changed).await
    }

    /// Changes a version's text, tags and stage.
    pub(crate) async fn describe_version(
        &self,
        version: &VersionView,
        request: &DescribeRequest,
    ) -> Result<VersionView, Failure> {
        self.patch(version_path(version), request).await
    }

    /// Points a label at a version.
    pub(crate) async fn set_label(&self, version: &VersionView, label: &Version) -> Result<(), Failure> {
        let request = LabelRequest {
            version: version.version.clone(),
        };
        let path = label_path(version.kind, &version.name, label);
        drop(
            self.transport
                .send(Method::PUT, &path, Payload::json(&request)?)
                .await?,
        );
        Ok(())
    }

    /// Removes a label.
    pub(crate) async fn remove_label(
        &self,
        kind: AssetKind,
        name: &Name,
        label: &Version,
    ) -> Result<(), Failure> {
        let path = label_path(kind, name, label);
        let removed = self.transport.send(Method::DELETE, &path, Payload::Empty).await;
        self.advised(kind, name, removed.map(drop)).await
    }

    /// Removes a version.
    pub(crate) async fn remove_version(&self, version: &VersionView) -> Result<(), Failure> {
        let path = version_path(version);
        drop(self.transport.send(Method::DELETE, &path, Payload::Empty).await?);
        Ok(())
    }

    /// What something was made of, and what was made of it.
    pub(crate) async fn lineage(&self, asked: &Asked<'_>) -> Result<LineageView, Failure> {
        let query = [
            ("of", Some(asked.of.to_owned())),
            ("kind", asked.kind.map(|kind| kind.to_string())),
            ("direction", asked.direction.map(str::to_owned)),
            ("depth", asked.depth.map(|depth| depth.to_string())),
            ("limit", Some(asked.limit.to_string())),
        ];
        self.get(with_query(routes::LINEAGE, &query)).await
    }

    async fn patch<T: DeserializeOwned>(
        &self,
        path: String,
        request: &DescribeRequest,
    ) -> Result<T, Failure> {
        let payload = Payload::json(request)?;
        decode(self.transport.send(Method::PATCH, &path, payload).await?).await
    }

    /// Every item of a list that comes in pages, up to a limit.
    pub(super) async fn pages<T: DeserializeOwned>(
        &self,
        path: &str,
        narrowed: &[(&str, Option<String>)],
        limit: usize,
    ) -> Result<Vec<T>, Failure> {
        let mut items: Vec<T> = Vec::new();
        let mut cursor: Option<String> = None;
        while items.len() < limit {
            let rest = (limit - items.len()).min(PAGE).to_string();
            let mut query = vec![("limit", Some(rest)), ("cursor", cursor.take())];
            query.extend(narrowed.iter().cloned());
            let page: Page<T> = self.get(with_query(path, &query)).await?;
            items.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        Ok(items)
    }

    /// What came back; of a name that is not known with the one that was likely meant.
    async fn advised<T>(
        &self,
        kind: AssetKind,
        name: &Name,
        outcome: Result<T, Failure>,
    ) -> Result<T, Failure> {
        let failure = match outcome {
            Err(failure) if failure.exit == Exit::NotFound && failure.help.is_empty() => failure,
            other => return other,
        };
        let filter = AssetFilter {
            limit: COMPARED_MAX,
            ..AssetFilter::default()
        };
        let Ok(known) = self.assets(kind, &filter).await else {
            return Err(failure);
        };
        let is_known = known.iter().any(|asset| asset.name == *name);
        let mut names = known.iter().map(|asset| asset.name.as_str());
        Err(if is_known {
            failure.help(format!(
                "tidemill {kind} versions {name} shows versions and labels"
            ))
        } else if let Some(near) = nearest(name.as_str(), names.by_ref()) {
            failure.help(format!("did you mean `{near}`?"))
        } else {
            failure.help(format!("tidemill {kind} list shows them"))
        })
    }
}

fn asset_path(kind: AssetKind, name: &Name) -> String {
    format!("{}/{kind}/{name}", routes::ASSETS)
}

fn versions_path(kind: AssetKind, name: &Name) -> String {
    format!("{}/versions", asset_path(kind, name))
}

fn version_path(version: &VersionView) -> String {
    let versions = versions_path(version.kind, &version.name);
    format!("{versions}/{}", segment(version.version.as_str()))
}

fn label_path(kind: AssetKind, name: &Name, label: &Version) -> String {
    format!("{}/labels/{}", asset_path(kind, name), segment(label.as_str()))
}
