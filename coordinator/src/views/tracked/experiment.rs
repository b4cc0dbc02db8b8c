//! An experiment as it is shown: one that is kept, the default one, or one that only runs of tidemill's own name.

use crate::tracking::search::{Field, Subject};
use crate::tracking::{
    DEFAULT_EXPERIMENT, DEFAULT_EXPERIMENT_NAME, Experiment, Lifecycle, Tracking, own_experiment_id,
};
use std::borrow::Cow;
use std::collections::BTreeMap;
use tidemill_engine::Engine;

/// An experiment as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShownExperiment {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) lifecycle: Lifecycle,
    /// Milliseconds since 1970; 0 for one of which nothing is kept.
    pub(crate) created_at: u64,
    pub(crate) changed_at: u64,
}

impl ShownExperiment {
    fn kept(id: &str, experiment: &Experiment) -> Self {
        Self {
            id: id.to_owned(),
            name: experiment.name.clone(),
            tags: experiment.tags.clone(),
            lifecycle: experiment.lifecycle,
            created_at: experiment.created_at.0,
            changed_at: experiment.changed_at.0,
        }
    }

    fn named(id: String, name: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            tags: BTreeMap::new(),
            lifecycle: Lifecycle::Active,
            created_at: 0,
            changed_at: 0,
        }
    }
}

/// The names that runs of tidemill's own give, each with when the first such run was submitted.
fn names_of_own(engine: &Engine) -> BTreeMap<&str, u64> {
    let runs = engine.runs_newest_first(None);
    runs.map(|run| (run.plan().experiment.as_str(), run.submitted_at().0))
        .collect()
}

/// The names that runs of tidemill's own give to this experiment.
pub(super) fn names_in<'a>(engine: &'a Engine, id: &str) -> Vec<&'a str> {
    let names = names_of_own(engine).into_keys();
    names.filter(|name| own_experiment_id(name) == id).collect()
}

/// The names that runs of tidemill's own give to the experiment with this name, or, when none has it, to the one that had it.
pub(crate) fn own_names<'a>(engine: &'a Engine, tracking: &Tracking, name: &'a str) -> Vec<&'a str> {
    let own = own_experiment_id(name);
    let mut kept = tracking.experiments();
    match kept.find(|(_, experiment)| experiment.name == name) {
        Some((id, _)) if id != own => names_in(engine, id),
        _ => vec![name],
    }
}

/// All experiments, the newest first.
pub(crate) fn all(engine: &Engine, tracking: &Tracking) -> Vec<ShownExperiment> {
    let kept = tracking.experiments();
    let mut all: Vec<ShownExperiment> = kept
        .map(|(id, experiment)| ShownExperiment::kept(id, experiment))
        .collect();
    let mut names = names_of_own(engine);
    names.entry(DEFAULT_EXPERIMENT_NAME).or_insert(0);
    for (name, since) in names {
        let id = own_experiment_id(name);
        if tracking.experiment(&id).is_none() {
            let named = ShownExperiment::named(id, name);
            all.push(ShownExperiment {
                created_at: since,
                changed_at: since,
                ..named
            });
        }
    }
    all.sort_by(|left, right| (right.created_at, &left.id).cmp(&(left.created_at, &right.id)));
    all
}

/// The experiment with this id.
pub(crate) fn by_id(engine: &Engine, tracking: &Tracking, id: &str) -> Option<ShownExperiment> {
    if let Some(kept) = tracking.experiment(id) {
        return Some(ShownExperiment::kept(id, kept));
    }
    if id == DEFAULT_EXPERIMENT {
        return Some(ShownExperiment::named(id.to_owned(), DEFAULT_EXPERIMENT_NAME));
    }
    let named = names_in(engine, id).into_iter().next();
    named.map(|name| ShownExperiment::named(id.to_owned(), name))
}

/// The experiment with this name.
pub(crate) fn by_name(engine: &Engine, tracking: &Tracking, name: &str) -> Option<ShownExperiment> {
    let id = tracking.id_of_experiment(name);
    if let Some(kept) = tracking.experiment(&id) {
        return Some(ShownExperiment::kept(&id, kept));
    }
    let id = own_experiment_id(name);
    if tracking.experiment(&id).is_some() {
        // It was renamed, and has taken its runs along.
        return None;
    }
    let is_named = name == DEFAULT_EXPERIMENT_NAME
        || engine
            .runs_newest_first(None)
            .any(|run| run.plan().experiment.as_str() == name);
    is_named.then(|| ShownExperiment::named(id, name))
}

impl Subject for ShownExperiment {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of our age are exact in a float"
    )]
    fn number(&self, field: &Field) -> Option<f64> {
        match field {
            Field::Number("creation_time") => Some(self.created_at as f64),
            Field::Number(_) => Some(self.changed_at as f64),
            _ => None,
        }
    }

    fn text(&self, field: &Field) -> Option<Cow<'_, str>> {
        match field {
            Field::Tag(key) => self.tags.get(key).map(Into::into),
            Field::Text("experiment_id") => Some((&self.id).into()),
            Field::Text(_) => Some((&self.name).into()),
            _ => None,
        }
    }
}
