//! Tracking as its facts left it, and the questions that it answers.

use super::fact::{Lifecycle, TrackingFact};
use super::files::Files;
use super::id::{DEFAULT_EXPERIMENT, DEFAULT_EXPERIMENT_NAME, TrackedId, experiment_id};
use super::model::{Announced, LoggedModel};
use super::run::TrackedRun;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;

/// All experiments and tracked runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tracking {
    pub(super) experiments: BTreeMap<String, Experiment>,
    pub(super) runs: BTreeMap<TrackedId, Arc<TrackedRun>>,
    pub(super) models: BTreeMap<String, Arc<LoggedModel>>,
    pub(super) files: Files,
    pub(super) announced: BTreeMap<Name, Announced>,
}

/// An experiment: what runs that are to be compared have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Experiment {
    /// Its name.
    pub name: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether it is deleted.
    pub lifecycle: Lifecycle,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub changed_at: Timestamp,
    /// Who made it.
    pub by: String,
}

impl Tracking {
    /// An experiment that is kept.
    pub fn experiment(&self, id: &str) -> Option<&Experiment> {
        self.experiments.get(id)
    }

    /// All experiments that are kept.
    pub fn experiments(&self) -> impl Iterator<Item = (&str, &Experiment)> {
        self.experiments
            .iter()
            .map(|(id, experiment)| (id.as_str(), experiment))
    }

    /// The id of the experiment with this name: of the one that is kept, or the one that it will have.
    pub fn id_of_experiment(&self, name: &str) -> String {
        let kept = self
            .experiments
            .iter()
            .find(|(_, experiment)| experiment.name == name);
        kept.map_or_else(
            || experiment_id(name, |id| self.is_taken(name, id)),
            |(id, _)| id.clone(),
        )
    }

    fn is_taken(&self, name: &str, id: &str) -> bool {
        let is_default = id == DEFAULT_EXPERIMENT && name != DEFAULT_EXPERIMENT_NAME;
        is_default || self.experiments.contains_key(id)
    }

    /// A run to which something was logged.
    pub fn run(&self, id: &TrackedId) -> Option<&Arc<TrackedRun>> {
        self.runs.get(id)
    }

    /// All of them.
    pub fn runs(&self) -> impl Iterator<Item = (&TrackedId, &Arc<TrackedRun>)> {
        self.runs.iter()
    }
}

impl Tracking {
    /// A model that a run logged.
    pub fn model(&self, id: &str) -> Option<&Arc<LoggedModel>> {
        self.models.get(id)
    }

    /// All of them.
    pub fn models(&self) -> impl Iterator<Item = (&str, &Arc<LoggedModel>)> {
        self.models.iter().map(|(id, model)| (id.as_str(), model))
    }

    /// A registered model that has no version yet.
    pub fn announcement(&self, name: &Name) -> Option<&Announced> {
        self.announced.get(name)
    }

    /// All of them.
    pub fn announced(&self) -> impl Iterator<Item = (&Name, &Announced)> {
        self.announced.iter()
    }

    /// The files that were logged.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// What has to be looked at to decide about something that is kept from now on: all experiments, and the runs that these facts are about.
    pub(super) fn around(&self, facts: &[TrackingFact]) -> Self {
        let runs = facts.iter().filter_map(|fact| match fact {
            TrackingFact::RunCreated { run, .. } => self.runs.get_key_value(run),
            _ => None,
        });
        Self {
            experiments: self.experiments.clone(),
            runs: runs.map(|(id, run)| (id.clone(), Arc::clone(run))).collect(),
            ..Self::default()
        }
    }
}
