//! Lineage over REST: what something was made of, and what was made of it.

use crate::artifact::ArtifactRef;
use crate::catalog::{AssetKind, Version};
use crate::ids::{RunId, StepPath};
use crate::name::Name;
use crate::status::StepStatus;
use serde::{Deserialize, Serialize};

/// What something was made of, what was made of it, or both: a graph whose edges lead the way that data went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LineageView {
    /// What was asked about, by id.
    pub roots: Vec<String>,
    /// What was found, the roots first, the nearest next.
    pub nodes: Vec<LineageNode>,
    /// What led from one to another.
    pub edges: Vec<LineageEdge>,
    /// Whether there is more than the limits let be shown, or than was looked at.
    pub truncated: bool,
}

/// What a node of a lineage is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LineageKind {
    /// A content in the store.
    Artifact,
    /// A version in the catalog.
    Asset,
    /// A step of a run.
    Step,
    /// A run.
    Run,
    /// An address outside.
    Address,
    /// A kind of a newer coordinator.
    #[serde(other)]
    Unknown,
}

/// One thing in a lineage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LineageNode {
    /// Its name in this answer.
    pub id: String,
    /// What it is.
    pub kind: LineageKind,
    /// What people call it: `model churn:7`, `RUN/STEP`, a digest, an address.
    pub name: String,
    /// How many edges it is from the nearest root.
    pub depth: u32,
    /// The run, of a run or a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepPath>,
    /// How the step stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StepStatus>,
    /// The content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<ArtifactRef>,
    /// What the asset is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset_kind: Option<AssetKind>,
    /// The asset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<Name>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
}

/// What led from one thing to another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LineageEdge {
    /// The id of what was there before.
    pub from: String,
    /// The id of what came of it.
    pub to: String,
    /// As what: an input's or output's name, `code`, `environment`, `content`, `reused`, `component`, `pipeline` or `step`.
    pub role: String,
}
