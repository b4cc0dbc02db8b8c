//! Decisions about tracked runs: made, changed, logged to.

use super::Decided;
use crate::tracking::command::{Logging, NewRun, TrackingChange, TrackingRejection};
use crate::tracking::fact::{Columns, Lifecycle, SealedPoints, TrackingFact};
use crate::tracking::id::TrackedId;
use crate::tracking::limits::{
    LINKS_MAX, METRICS_MAX, PARAM_CHARS_MAX, PARAMS_MAX, RUNS_MAX, TAG_CHARS_MAX, TAIL_POINTS_MAX, check_key,
    check_name, check_room, check_tags, check_value,
};
use crate::tracking::run::TrackedRun;
use crate::tracking::state::Tracking;
use serde_json::Value;
use std::collections::BTreeMap;

/// The tag in which older clients look for a run's models.
const MODELS_TAG: &str = "mlflow.log-model.history";

/// Makes a run.
pub(super) fn create(tracking: &Tracking, by: &str, new: &NewRun) -> Decided {
    let experiment = tracking.experiment(&new.experiment);
    let unknown = || TrackingRejection::UnknownExperiment(new.experiment.clone());
    if experiment.ok_or_else(unknown)?.lifecycle == Lifecycle::Deleted {
        return Err(TrackingRejection::Deleted("experiment"));
    }
    check_room("tracked runs", tracking.runs.len() + 1, RUNS_MAX)?;
    check_name("a run", &new.name)?;
    let tags = new
        .tags
        .iter()
        .map(|(key, value)| (key.clone(), Some(value.clone())));
    check_tags(&BTreeMap::new(), &tags.collect(), TAG_CHARS_MAX)?;
    Ok(vec![created(by, new)])
}

/// The fact that keeps a run.
pub(super) fn created(by: &str, new: &NewRun) -> TrackingFact {
    TrackingFact::RunCreated {
        run: new.run.clone(),
        experiment: new.experiment.clone(),
        name: new.name.clone(),
        user: new.user.clone(),
        started_at: new.started_at,
        tags: new.tags.clone(),
        by: by.to_owned(),
    }
}

fn known<'a>(tracking: &'a Tracking, run: &TrackedId) -> Result<&'a TrackedRun, TrackingRejection> {
    let found = tracking.run(run);
    found
        .map(AsRef::as_ref)
        .ok_or_else(|| TrackingRejection::UnknownRun(run.to_string()))
}

fn active<'a>(tracking: &'a Tracking, run: &TrackedId) -> Result<&'a TrackedRun, TrackingRejection> {
    let found = known(tracking, run)?;
    match found.lifecycle {
        Lifecycle::Active => Ok(found),
        Lifecycle::Deleted => Err(TrackingRejection::Deleted("run")),
    }
}

/// Changes a run.
pub(super) fn change(tracking: &Tracking, by: &str, change: &TrackingChange) -> Decided {
    let TrackingChange::ChangeRun {
        run,
        name,
        status,
        ended_at,
        lifecycle,
    } = change
    else {
        return Ok(Vec::new());
    };
    let old = if lifecycle.is_some() {
        known(tracking, run)?
    } else {
        active(tracking, run)?
    };
    let name = name.as_ref().filter(|name| **name != old.name);
    if let Some(name) = name {
        check_name("a run", name)?;
    }
    let status = status.filter(|status| *status != old.status);
    let ended_at = ended_at.filter(|ended_at| Some(*ended_at) != old.ended_at);
    let lifecycle = lifecycle.filter(|lifecycle| *lifecycle != old.lifecycle);
    if name.is_none() && status.is_none() && ended_at.is_none() && lifecycle.is_none() {
        return Ok(Vec::new());
    }
    Ok(vec![TrackingFact::RunChanged {
        run: run.clone(),
        name: name.cloned(),
        status,
        ended_at,
        lifecycle,
        by: by.to_owned(),
    }])
}

/// Logs to a run: everything, or when one thing is wrong nothing.
pub(super) fn log(tracking: &Tracking, logging: &Logging) -> Decided {
    let run = active(tracking, &logging.run)?;
    let points = new_points(run, logging)?;
    let params = new_params(run, &logging.params)?;
    check_tags(&run.tags, &logging.tags, TAG_CHARS_MAX)?;
    let tags = logging
        .tags
        .iter()
        .filter(|(key, value)| run.tags.get(*key) != value.as_ref());
    let tags: BTreeMap<String, Option<String>> =
        tags.map(|(key, value)| (key.clone(), value.clone())).collect();
    if points.is_empty() && params.is_empty() && tags.is_empty() && logging.of_models.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![TrackingFact::Logged {
        run: logging.run.clone(),
        points,
        params,
        tags,
        of_models: logging.of_models.clone(),
    }])
}

/// Adds a model to the list that the run's tag holds. Here and not with who asks, so that two at once are both noted.
pub(super) fn note_model(tracking: &Tracking, run: &TrackedId, model: &Value) -> Decided {
    let noted = active(tracking, run)?.tags.get(MODELS_TAG);
    let noted = noted.map_or(Ok(Vec::new()), |text| serde_json::from_str::<Vec<Value>>(text));
    let mut noted = noted.map_err(|_| {
        TrackingRejection::Invalid(format!(
            "the tag `{MODELS_TAG}` of the run is no list of models; remove it"
        ))
    })?;
    noted.push(model.clone());
    let text = Value::Array(noted).to_string();
    let logging = Logging {
        run: run.clone(),
        points: Vec::new(),
        of_models: Vec::new(),
        params: Vec::new(),
        tags: BTreeMap::from([(MODELS_TAG.to_owned(), Some(text))]),
    };
    log(tracking, &logging)
}

fn new_points(run: &TrackedRun, logging: &Logging) -> Result<BTreeMap<String, Columns>, TrackingRejection> {
    let mut points: BTreeMap<String, Columns> = BTreeMap::new();
    for (key, point) in &logging.points {
        let series = run.series.get(key);
        if series.is_none() {
            check_key("metric", key)?;
        }
        if series.is_some_and(|series| series.has_lately(*point)) {
            continue;
        }
        points.entry(key.clone()).or_default().push(*point);
    }
    let new = points.keys().filter(|key| !run.series.contains_key(*key));
    check_room("metrics of one run", run.series.len() + new.count(), METRICS_MAX)?;
    if !points.is_empty() && run.unsealed >= TAIL_POINTS_MAX {
        return Err(TrackingRejection::Backlogged);
    }
    Ok(points)
}

fn new_params(
    run: &TrackedRun,
    wanted: &[(String, String)],
) -> Result<BTreeMap<String, String>, TrackingRejection> {
    let mut params: BTreeMap<String, String> = BTreeMap::new();
    for (key, value) in wanted {
        check_key("parameter", key)?;
        check_value("parameter", key, value, PARAM_CHARS_MAX)?;
        match run.params.get(key).or_else(|| params.get(key)) {
            Some(old) if old == value => {}
            Some(old) => {
                return Err(TrackingRejection::ParamChanged {
                    key: key.clone(),
                    old: old.clone(),
                    new: value.clone(),
                });
            }
            None => {
                params.insert(key.clone(), value.clone());
            }
        }
    }
    params.retain(|key, _| !run.params.contains_key(key));
    check_room(
        "parameters of one run",
        run.params.len() + params.len(),
        PARAMS_MAX,
    )?;
    Ok(params)
}

/// Notes what a run used and made; what is known already is not noted again.
pub(super) fn link(tracking: &Tracking, change: &TrackingChange) -> Decided {
    let TrackingChange::Link {
        run: id,
        datasets,
        models_in,
        models_out,
    } = change
    else {
        return Ok(Vec::new());
    };
    let run = active(tracking, id)?;
    for dataset in datasets {
        check_value("data set", &dataset.name, &dataset.name, 500)?;
        check_value("data set's digest of", &dataset.name, &dataset.digest, 36)?;
        check_value("data set's source of", &dataset.name, &dataset.source, 65_535)?;
        check_value(
            "data set's columns of",
            &dataset.name,
            dataset.schema.as_deref().unwrap_or_default(),
            1_048_575,
        )?;
        check_value(
            "data set's profile of",
            &dataset.name,
            dataset.profile.as_deref().unwrap_or_default(),
            1_048_575,
        )?;
    }
    let datasets: Vec<_> = datasets
        .iter()
        .filter(|new| !run.datasets.contains(new))
        .cloned()
        .collect();
    let models_in: Vec<_> = models_in
        .iter()
        .filter(|new| !run.models_in.contains(new))
        .cloned()
        .collect();
    let models_out: Vec<_> = models_out
        .iter()
        .filter(|new| !run.models_out.contains(new))
        .cloned()
        .collect();
    check_room(
        "data sets of one run",
        run.datasets.len() + datasets.len(),
        LINKS_MAX,
    )?;
    check_room(
        "models that one run used",
        run.models_in.len() + models_in.len(),
        LINKS_MAX,
    )?;
    check_room(
        "models that one run made",
        run.models_out.len() + models_out.len(),
        LINKS_MAX,
    )?;
    if datasets.is_empty() && models_in.is_empty() && models_out.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![TrackingFact::Linked {
        run: id.clone(),
        datasets,
        models_in,
        models_out,
    }])
}

/// Notes that points are in the store. They are the first ones of each series, and nobody else has sealed some meanwhile.
pub(super) fn seal(tracking: &Tracking, change: &TrackingChange) -> Decided {
    let TrackingChange::Seal {
        run: id,
        blob,
        size_bytes,
        series,
    } = change
    else {
        return Ok(Vec::new());
    };
    let run = known(tracking, id)?;
    let fits = |(key, wanted): (&String, &(u64, SealedPoints))| {
        let (before, sealed) = wanted;
        let found = run.series.get(key);
        found.is_some_and(|found| found.sealed() == *before && found.tail.len() as u64 >= sealed.count)
    };
    if !series.iter().all(fits) {
        return Err(TrackingRejection::Invalid(
            "other points were sealed meanwhile".to_owned(),
        ));
    }
    let series = series
        .iter()
        .map(|(key, (_, sealed))| (key.clone(), sealed.clone()));
    Ok(vec![TrackingFact::PointsSealed {
        run: id.clone(),
        blob: *blob,
        size_bytes: *size_bytes,
        series: series.collect(),
    }])
}
