//! How each fact changes the state.

use super::fact::{Lifecycle, TrackedStatus, TrackingFact};
use super::id::TrackedId;
use super::model::{Announced, LoggedModel};
use super::run::{TrackedRun, change_tags};
use super::state::{Experiment, Tracking};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_protocol::time::Timestamp;

impl Tracking {
    /// Changes the state by one fact, which happened at this moment.
    pub fn apply(&mut self, at: Timestamp, fact: &TrackingFact) {
        match fact {
            TrackingFact::ExperimentCreated { id, name, tags, by } => {
                let experiment = Experiment {
                    name: name.clone(),
                    tags: tags.clone(),
                    lifecycle: Lifecycle::Active,
                    created_at: at,
                    changed_at: at,
                    by: by.clone(),
                };
                self.experiments.insert(id.clone(), experiment);
            }
            TrackingFact::ExperimentChanged { id, .. } => {
                if let Some(experiment) = self.experiments.get_mut(id) {
                    experiment.changed_at = at;
                    experiment.change(fact);
                }
            }
            TrackingFact::RunCreated { run, .. } => {
                if let Some(made) = made_run(fact) {
                    self.runs.insert(run.clone(), Arc::new(made));
                }
            }
            TrackingFact::RunChanged { run, .. }
            | TrackingFact::Logged { run, .. }
            | TrackingFact::Linked { run, .. }
            | TrackingFact::PointsSealed { run, .. } => {
                if let Some(kept) = self.runs.get_mut(run) {
                    // Copied only while somebody reads the one before.
                    Arc::make_mut(kept).change(fact);
                }
                self.note_models(run, fact);
            }
            TrackingFact::FileStored { path, file, .. } => self.files.put(path.clone(), *file),
            TrackingFact::FilesRemoved { path, .. } => self.files.remove(path),
            TrackingFact::ModelAnnounced {
                name,
                description,
                tags,
                by,
            } => {
                let known = self.announced.get(name).map(|known| known.at);
                let (description, tags, by) = (description.clone(), tags.clone(), by.clone());
                self.announced.insert(
                    name.clone(),
                    Announced {
                        description,
                        tags,
                        at: known.unwrap_or(at),
                        changed_at: Some(at),
                        by,
                    },
                );
            }
            TrackingFact::ModelUnannounced { name, .. } => {
                self.announced.remove(name);
            }
            TrackingFact::ModelLogged { model, logged, by } => {
                let logged = LoggedModel::new(at, logged.clone(), by.clone());
                self.models.insert(model.clone(), Arc::new(logged));
            }
            TrackingFact::ModelChanged { model, .. } => {
                if let Some(kept) = self.models.get_mut(model) {
                    Arc::make_mut(kept).change(at, fact);
                }
            }
        }
    }

    /// Points that say something about models.
    fn note_models(&mut self, run: &TrackedId, fact: &TrackingFact) {
        let TrackingFact::Logged { of_models, .. } = fact else {
            return;
        };
        for point in of_models {
            if let Some(model) = self.models.get_mut(&point.model) {
                Arc::make_mut(model).note(run, point);
            }
        }
    }
}

fn made_run(fact: &TrackingFact) -> Option<TrackedRun> {
    let TrackingFact::RunCreated {
        run: _,
        experiment,
        name,
        user,
        started_at,
        tags,
        by,
    } = fact
    else {
        return None;
    };
    Some(TrackedRun {
        experiment: experiment.clone(),
        name: name.clone(),
        user: user.clone(),
        status: TrackedStatus::Running,
        started_at: *started_at,
        ended_at: None,
        lifecycle: Lifecycle::Active,
        tags: tags.clone(),
        params: BTreeMap::new(),
        series: BTreeMap::new(),
        unsealed: 0,
        datasets: Vec::new(),
        models_in: Vec::new(),
        models_out: Vec::new(),
        by: by.clone(),
    })
}

impl Experiment {
    fn change(&mut self, fact: &TrackingFact) {
        let TrackingFact::ExperimentChanged {
            id: _,
            name,
            lifecycle,
            tags,
            by: _,
        } = fact
        else {
            return;
        };
        if let Some(name) = name {
            self.name.clone_from(name);
        }
        self.lifecycle = lifecycle.unwrap_or(self.lifecycle);
        change_tags(&mut self.tags, tags);
    }
}

impl TrackedRun {
    fn change(&mut self, fact: &TrackingFact) {
        match fact {
            TrackingFact::RunChanged {
                name,
                status,
                ended_at,
                lifecycle,
                ..
            } => {
                if let Some(name) = name {
                    self.name.clone_from(name);
                }
                if let Some(status) = status {
                    self.status = *status;
                    if !status.is_terminal() {
                        self.ended_at = None;
                    }
                }
                self.ended_at = ended_at.or(self.ended_at);
                self.lifecycle = lifecycle.unwrap_or(self.lifecycle);
            }
            TrackingFact::Logged {
                points, params, tags, ..
            } => {
                self.log(points);
                self.params.extend(params.clone());
                change_tags(&mut self.tags, tags);
            }
            TrackingFact::Linked {
                datasets,
                models_in,
                models_out,
                ..
            } => {
                self.datasets.extend_from_slice(datasets);
                self.models_in.extend_from_slice(models_in);
                self.models_out.extend_from_slice(models_out);
            }
            TrackingFact::PointsSealed {
                run: _,
                blob,
                size_bytes,
                series,
            } => self.seal((*blob, *size_bytes), series),
            _ => {}
        }
    }
}
