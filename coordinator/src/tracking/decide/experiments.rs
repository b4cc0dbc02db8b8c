//! Decisions about experiments.

use super::Decided;
use crate::tracking::command::TrackingRejection;
use crate::tracking::fact::{Lifecycle, TrackingFact};
use crate::tracking::limits::{
    EXPERIMENT_TAG_CHARS_MAX, EXPERIMENTS_MAX, check_name, check_room, check_tags,
};
use crate::tracking::state::Tracking;
use std::collections::BTreeMap;

/// Makes an experiment.
pub(super) fn create(tracking: &Tracking, by: &str, name: &str, tags: &BTreeMap<String, String>) -> Decided {
    check_name("an experiment", name)?;
    check_free(tracking, name)?;
    check_room("experiments", tracking.experiments.len() + 1, EXPERIMENTS_MAX)?;
    let set = tags.iter().map(|(key, value)| (key.clone(), Some(value.clone())));
    check_tags(&BTreeMap::new(), &set.collect(), EXPERIMENT_TAG_CHARS_MAX)?;
    Ok(vec![TrackingFact::ExperimentCreated {
        id: tracking.id_of_experiment(name),
        name: name.to_owned(),
        tags: tags.clone(),
        by: by.to_owned(),
    }])
}

fn check_free(tracking: &Tracking, name: &str) -> Result<(), TrackingRejection> {
    let same = tracking
        .experiments
        .values()
        .find(|experiment| experiment.name == name);
    let Some(same) = same else {
        return Ok(());
    };
    let hint = match same.lifecycle {
        Lifecycle::Active => "",
        Lifecycle::Deleted => "; it is deleted: restore it, or choose another name",
    };
    Err(TrackingRejection::ExperimentTaken(name.to_owned(), hint))
}

type Wanted<'a> = (
    Option<&'a str>,
    Option<Lifecycle>,
    &'a BTreeMap<String, Option<String>>,
);

/// Changes an experiment.
pub(super) fn change(
    tracking: &Tracking,
    by: &str,
    id: &str,
    (name, lifecycle, tags): Wanted<'_>,
) -> Decided {
    let unknown = || TrackingRejection::UnknownExperiment(id.to_owned());
    let old = tracking.experiment(id).ok_or_else(unknown)?;
    let name = name.filter(|name| *name != old.name);
    let lifecycle = lifecycle.filter(|lifecycle| *lifecycle != old.lifecycle);
    if old.lifecycle == Lifecycle::Deleted && lifecycle.is_none() && (name.is_some() || !tags.is_empty()) {
        return Err(TrackingRejection::Deleted("experiment"));
    }
    if let Some(name) = name {
        check_name("an experiment", name)?;
        check_free(tracking, name)?;
    }
    check_tags(&old.tags, tags, EXPERIMENT_TAG_CHARS_MAX)?;
    let changed = tags
        .iter()
        .filter(|(key, value)| old.tags.get(*key) != value.as_ref());
    let changed: BTreeMap<String, Option<String>> =
        changed.map(|(key, value)| (key.clone(), value.clone())).collect();
    if name.is_none() && lifecycle.is_none() && changed.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![TrackingFact::ExperimentChanged {
        id: id.to_owned(),
        name: name.map(ToOwned::to_owned),
        lifecycle,
        tags: changed,
        by: by.to_owned(),
    }])
}
