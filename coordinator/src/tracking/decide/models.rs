//! Decisions about models that are logged.

use super::Decided;
use crate::tracking::command::{TrackingChange, TrackingRejection};
use crate::tracking::fact::{Lifecycle, NewModel, TrackingFact};
use crate::tracking::limits::{
    MODELS_MAX, PARAM_CHARS_MAX, PARAMS_MAX, TAG_CHARS_MAX, check_key, check_name, check_room, check_tags,
    check_value,
};
use crate::tracking::state::Tracking;
use std::collections::BTreeMap;
use tidemill_protocol::name::Name;

/// Longest description of a registered model in characters.
const DESCRIPTION_CHARS_MAX: usize = 16_000;

/// Makes a model.
pub(super) fn log(tracking: &Tracking, by: &str, model: &str, logged: &NewModel) -> Decided {
    let experiment = tracking.experiment(&logged.experiment);
    let unknown = || TrackingRejection::UnknownExperiment(logged.experiment.clone());
    if experiment.ok_or_else(unknown)?.lifecycle == Lifecycle::Deleted {
        return Err(TrackingRejection::Deleted("experiment"));
    }
    check_room("logged models", tracking.models.len() + 1, MODELS_MAX)?;
    check_name("a model", &logged.name)?;
    check_params(&logged.params)?;
    let tags = logged
        .tags
        .iter()
        .map(|(key, value)| (key.clone(), Some(value.clone())));
    check_tags(&BTreeMap::new(), &tags.collect(), TAG_CHARS_MAX)?;
    Ok(vec![TrackingFact::ModelLogged {
        model: model.to_owned(),
        logged: logged.clone(),
        by: by.to_owned(),
    }])
}

fn check_params(params: &BTreeMap<String, String>) -> Result<(), TrackingRejection> {
    for (key, value) in params {
        check_key("parameter", key)?;
        check_value("parameter", key, value, PARAM_CHARS_MAX)?;
    }
    check_room("parameters of one model", params.len(), PARAMS_MAX)
}

/// Changes a model.
pub(super) fn change(tracking: &Tracking, by: &str, change: &TrackingChange) -> Decided {
    let TrackingChange::ChangeModel {
        model,
        status,
        params,
        tags,
        lifecycle,
    } = change
    else {
        return Ok(Vec::new());
    };
    let old = tracking
        .model(model)
        .filter(|old| old.lifecycle == Lifecycle::Active);
    let old = old.ok_or_else(|| TrackingRejection::UnknownModel(model.clone()))?;
    check_params(params)?;
    check_tags(&old.what.tags, tags, TAG_CHARS_MAX)?;
    let status = status.filter(|status| *status != old.status);
    let lifecycle = lifecycle.filter(|lifecycle| *lifecycle != old.lifecycle);
    if status.is_none() && lifecycle.is_none() && params.is_empty() && tags.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![TrackingFact::ModelChanged {
        model: model.clone(),
        status,
        params: params.clone(),
        tags: tags.clone(),
        lifecycle,
        by: by.to_owned(),
    }])
}

/// Registers a name, or says something else of it.
pub(super) fn announce(tracking: &Tracking, by: &str, change: &TrackingChange) -> Decided {
    let TrackingChange::Announce {
        name,
        description,
        tags,
    } = change
    else {
        return Ok(Vec::new());
    };
    check_room(
        "registered models without a version",
        tracking.announced.len() + 1,
        MODELS_MAX,
    )?;
    let set = tags.iter().map(|(key, value)| (key.clone(), Some(value.clone())));
    check_tags(&BTreeMap::new(), &set.collect(), TAG_CHARS_MAX)?;
    check_value("description", name.as_str(), description, DESCRIPTION_CHARS_MAX)?;
    Ok(vec![TrackingFact::ModelAnnounced {
        name: name.clone(),
        description: description.clone(),
        tags: tags.clone(),
        by: by.to_owned(),
    }])
}

/// Gives a name up, if it is there.
pub(super) fn unannounce(tracking: &Tracking, by: &str, name: &Name) -> Vec<TrackingFact> {
    let there = tracking.announcement(name);
    let gone = there.map(|_| TrackingFact::ModelUnannounced {
        name: name.clone(),
        by: by.to_owned(),
    });
    gone.into_iter().collect()
}
