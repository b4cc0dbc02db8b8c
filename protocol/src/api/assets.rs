//! Assets over REST: named things with versions.

use super::metrics::MetricPoint;
use crate::artifact::ArtifactRef;
use crate::catalog::{AssetBody, AssetKind, ModelStage, Origin, ParameterDoc, Stage, Version};
use crate::ids::StepPath;
use crate::name::{Name, PortName};
use crate::plan::Environment;
use crate::spec::{DataType, PipelineSpec};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Adds a version, and the asset if it is the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddVersionRequest {
    /// The version; the number after the largest when absent. Adding the same again under the same version changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// What it is to be.
    pub source: AssetSource,
    /// Free text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Labels of the author's for people and searches.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Labels that are to point at it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Version>,
    /// Where it came from, when the source does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Who asks, for display; a token's subject counts instead where one is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What a version is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AssetSource {
    /// Files that are in the store.
    Content {
        /// What they mean; `uri_file` or `uri_folder` by their shape when absent.
        #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>)]
        data_type: Option<DataType>,
        /// Their name.
        artifact: ArtifactRef,
    },
    /// Files behind an address, which is handed on as it is.
    Uri {
        /// What they mean.
        #[serde(rename = "type")]
        #[schema(value_type = String)]
        data_type: DataType,
        /// The address.
        uri: String,
    },
    /// An output of a step that ended well.
    Output {
        /// What it means; the output's own type when absent.
        #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>)]
        data_type: Option<DataType>,
        /// The run: an id, a unique prefix of one, or `last`.
        run: String,
        /// The step.
        step: StepPath,
        /// Its output.
        output: PortName,
    },
    /// The software around steps.
    #[schema(value_type = Object)]
    Environment(Environment),
    /// A pipeline, self-contained; what it names by digest must be in the store already.
    #[schema(value_type = Object)]
    Pipeline(Box<PipelineSpec>),
    /// The pipeline of a run as it was submitted: with the defaults of its parameters, not with the values that the run had.
    Run {
        /// The run: an id, a unique prefix of one, `last`, or `@` and a name.
        run: String,
    },
}

/// Changes what people call an asset or a version. What is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DescribeRequest {
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Tags to set, or to remove with `null`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, Option<String>>,
    /// How a version stands. An asset as a whole has no stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// The stage of the registry into which a version of a model comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_stage: Option<ModelStage>,
    /// Whether the other versions in that stage, `staging` or `production`, are archived.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archive_existing: bool,
    /// The asset's new name. The old one goes on to mean it. A version has no name of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
}

/// Points a label at a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelRequest {
    /// The version.
    pub version: Version,
}

/// An asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AssetView {
    /// What it is.
    pub kind: AssetKind,
    /// Its name.
    pub name: Name,
    /// Free text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// People's labels for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The version that was added last.
    pub latest: Version,
    /// How many versions it has.
    pub versions: u64,
    /// Labels that point at versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, Version>,
    /// Of a model: the newest version in each stage of the registry but `none`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub model_stages: BTreeMap<ModelStage, Version>,
    /// Names that it had, and that still mean it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_names: Vec<Name>,
    /// Counts every change; also the answer's `ETag`.
    pub revision: u64,
    /// When its first version was added.
    pub created_at: Timestamp,
    /// Who added it.
    pub created_by: String,
}

/// A version of an asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct VersionView {
    /// What the asset is.
    pub kind: AssetKind,
    /// Its name.
    pub name: Name,
    /// The version.
    pub version: Version,
    /// What it is.
    pub body: AssetBody,
    /// Labels that point at it, `latest` among them where it was added last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Free text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// People's labels for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// How it stands.
    pub stage: Stage,
    /// Its stage in the registry, of a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_stage: Option<ModelStage>,
    /// What was measured of a model, where its version is shown alone: of the logged model that it is, else by the run or step that made it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<VersionMetric>,
    /// Where it came from.
    #[serde(default)]
    pub origin: Origin,
    /// When it was added.
    pub created_at: Timestamp,
    /// Who added it.
    pub created_by: String,
}

/// A metric of a version of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct VersionMetric {
    /// The metric's name.
    pub key: String,
    /// Its last point: by step, then by time.
    pub last: MetricPoint,
    /// The tracked run that measured it.
    pub tracked_run: String,
    /// The data set on which it was measured, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
}

impl VersionView {
    /// The parameters that a call may give, of a pipeline or component.
    pub fn parameters(&self) -> &[ParameterDoc] {
        match &self.body {
            AssetBody::Component(body) | AssetBody::Pipeline(body) => &body.parameters,
            AssetBody::Data(_) | AssetBody::Model(_) | AssetBody::Environment(_) => &[],
        }
    }
}

/// Starts a run of a published pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartRequest {
    /// Values for its parameters, as text. One that takes files takes an address, or `azureml:NAME:VERSION`, `azureml:NAME@LABEL` or `azureml:NAME` for a data
    /// asset or model of the catalog; behind one that is itself an address, `/PATH` may follow.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// What people call this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The experiment; the pipeline's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
    /// The project that the run belongs to; `default` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Name>,
    /// Labels beside the pipeline's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Added to every step's priority.
    #[serde(default)]
    pub priority: i32,
    /// Run every step, whatever is known.
    #[serde(default)]
    pub force_rerun: bool,
    /// Whether steps that do not depend on a failed one go on; as the pipeline says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continue_on_step_failure: Option<bool>,
    /// Starting twice with the same key gives the same run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Who asks, for display; a token's subject counts instead where one is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}
