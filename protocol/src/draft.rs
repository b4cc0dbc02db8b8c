//! The words of drafts: named pipelines that may still be changed. Kept in the journal, so readable for ever.

use crate::catalog::PipelineBody;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a draft is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DraftSpec {
    /// The pipeline with its parameters.
    pub pipeline: PipelineBody,
    /// What it was made of: `run ID`, or `NAME:VERSION` of a published pipeline; empty for one that was handed over.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub made_of: String,
    /// Values for its parameters, as text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// What people call its runs; the pipeline's display name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The experiment of its runs; the pipeline's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
    /// Labels of its runs, and by which drafts are found.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Whether steps that do not depend on a failed one go on; as the pipeline says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continue_on_step_failure: Option<bool>,
    /// Free text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}
