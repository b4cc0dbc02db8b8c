//! Drafts over REST.

use crate::catalog::Version;
use crate::draft::DraftSpec;
use crate::name::Name;
use crate::spec::PipelineSpec;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DraftView {
    /// Its name.
    pub name: Name,
    /// What it is.
    pub draft: DraftSpec,
    /// Counts every change; also the answer's `ETag`.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it, and may change it.
    pub created_by: String,
    /// When it was changed last.
    pub changed_at: Timestamp,
    /// By whom.
    pub changed_by: String,
}

/// What a draft is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DraftSource {
    /// A pipeline, self-contained. Everything that it names by digest must be in the store already.
    #[schema(value_type = Object)]
    Pipeline(Box<PipelineSpec>),
    /// What a run was submitted with, and the literals that it was given.
    Run {
        /// The run.
        run: String,
    },
    /// A published pipeline.
    Published {
        /// Its name.
        name: Name,
        /// A version or a label; the one that is started when nobody names one when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<Version>,
    },
}

/// Makes or changes a draft. Of a change only what is given counts; a draft that is made needs a source.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DraftRequest {
    /// What it is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<DraftSource>,
    /// Values for its parameters, as text; null takes one away.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Option<String>>,
    /// What people call its runs; an empty text takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The experiment of its runs; an empty text takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
    /// Labels; null takes one away.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, Option<String>>,
    /// Whether steps that do not depend on a failed one go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continue_on_step_failure: Option<bool>,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who asks, for display; a token's own subject counts instead where one is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Publishes a draft: its parameters become the defaults of the version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishDraftRequest {
    /// Under which name; the draft's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Its version; the next number when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Labels that are to point at it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Version>,
    /// Who asks, for display; a token's own subject counts instead where one is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}
