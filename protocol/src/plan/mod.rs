//! A plan: one run's steps with every name resolved and every parameter bound. It is what the engine executes and what the journal
//! keeps, so it says nothing about files, spans or expressions; those end in the language.
//!
//! Steps are small and numerous, templates large and few: what many steps share stands once in a [`StepTemplate`].

mod builtin;
mod python;
mod rules;
mod secrets;
mod work;

pub use builtin::{Builtin, CopyTo};
pub use python::{PythonVersion, PythonVersions};
pub use rules::{CheckpointRule, Registration, RetryPolicy, StepRules, When};
pub use secrets::{SECRETS_PER_STEP_MAX, SecretForm, SecretUse, may_name_variable};
pub use work::{
    Command, Distribution, DistributionKind, Environment, Fragment, InputMode, InputPort, KeyPart,
    OutputPort, PortType, PythonEnvironment, StepKind, StepWork, Word,
};

use crate::artifact::ArtifactRef;
use crate::catalog::AssetUse;
use crate::digest::Digest;
use crate::ids::{StepIndex, StepPath};
use crate::key::InputValue;
use crate::literal::Literal;
use crate::name::{Name, PortName};
use crate::project::{default_project, is_default_project};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most steps that one file may hold.
pub const STEPS_PER_FILE_MAX: usize = 10_000;
/// Most steps that a run may grow to by steps added while it goes on.
pub const STEPS_PER_RUN_MAX: usize = 100_000;

/// Everything the engine needs to run a pipeline once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The pipeline's name: what earlier runs of it are found by.
    pub pipeline: Name,
    /// What people call it.
    pub display_name: String,
    /// The experiment under which the run is filed; also the group for fair share.
    pub experiment: Name,
    /// The project that the run belongs to, for quotas and fair share.
    #[serde(default = "default_project", skip_serializing_if = "is_default_project")]
    pub project: Name,
    /// Free text.
    #[serde(default)]
    pub description: String,
    /// The author's labels.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The pipeline's parameters as bound for this run, for display.
    #[serde(default)]
    pub parameters: BTreeMap<PortName, InputValue>,
    /// What a failed step means for the others.
    #[serde(default)]
    pub on_step_failure: OnStepFailure,
    /// Whether committed results are ignored.
    #[serde(default)]
    pub force_rerun: bool,
    /// What the steps share. `PlannedStep::template` counts into this list.
    pub templates: Vec<Arc<StepTemplate>>,
    /// The steps. A step's index is its place here; data and order edges only ever name smaller or larger places of this list and form no circle.
    pub steps: Vec<PlannedStep>,
    /// Which step outputs are the pipeline's own.
    #[serde(default)]
    pub outputs: BTreeMap<PortName, StepOutput>,
    /// What the person should know though nothing is wrong (e.g. an ignored setting), shown with the run.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The versions that the pipeline took from a catalog.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<AssetUse>,
    /// The blob with the JSON of the pipeline that this was made of; none where it was not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<ArtifactRef>,
}

/// What a failed step means for the steps that do not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnStepFailure {
    /// The run stops: running steps are aborted, waiting ones never start. Azure ML's default.
    #[default]
    Stop,
    /// Only steps that depend on the failed one are given up (`continue_on_step_failure: true`).
    Continue,
}

/// An output of a step of the same run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StepOutput {
    /// The step.
    pub step: StepIndex,
    /// Its output.
    pub output: PortName,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// Its name in the run.
    pub path: StepPath,
    /// Place of its template in [`Plan::templates`].
    pub template: u32,
    /// Its inputs in name order, no name twice. An optional input that was not given is not listed.
    pub inputs: Vec<(PortName, InputBinding)>,
    /// Steps that must be terminal before it, without any data passing. Sorted, no step twice. Edges that `inputs` imply are not repeated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<StepIndex>,
}

/// Where an input comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputBinding {
    /// Known when the run was planned.
    Value(InputValue),
    /// The output of another step.
    Step(StepOutput),
}

/// What steps share: what is executed, where, and under which rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTemplate {
    /// What is executed.
    pub work: StepWork,
    /// The rules around it; none of them is part of the step key. Templates with equal rules share them.
    pub rules: Arc<StepRules>,
    /// Digest of [`StepWork`], computed once when the plan is made: the unchanging part of the step key.
    pub fixed: Digest,
}

impl StepTemplate {
    /// Puts work and rules together.
    pub fn new(work: StepWork, rules: impl Into<Arc<StepRules>>) -> Self {
        let fixed = work.digest();
        Self {
            work,
            rules: rules.into(),
            fixed,
        }
    }
}

impl Plan {
    /// The template of a step.
    ///
    /// # Panics
    /// When the step's template does not exist: plans are made by the language, which never does that.
    pub fn template(&self, step: &PlannedStep) -> &Arc<StepTemplate> {
        self.templates
            .get(step.template as usize)
            .expect("a plan's steps name templates of the plan")
    }
}

/// A literal parameter as text, or the short name of an artifact: for display only.
pub fn display_value(value: &InputValue) -> String {
    match value {
        InputValue::Literal(Literal { text, .. }) => text.to_string(),
        InputValue::Artifact(artifact) => artifact.digest.short(),
        InputValue::Uri(uri) => uri.to_string(),
    }
}
