//! What is answered: experiments, runs and points as the protocol writes them. Whole numbers are numbers, and what is not known is left out.

use crate::tracking::{DatasetUse, Listed, LoggedModel, Point, TrackedId, TrackedRun};
use crate::views::tracked::{ShownExperiment, ShownRun};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The tag that shows a run's name.
pub(super) const RUN_NAME: &str = "mlflow.runName";

/// An experiment.
pub(super) fn experiment(experiment: &ShownExperiment) -> Value {
    json!({
        "experiment_id": experiment.id,
        "name": experiment.name,
        "artifact_location": format!("mlflow-artifacts:/{}", experiment.id),
        "lifecycle_stage": experiment.lifecycle.as_str(),
        "creation_time": experiment.created_at,
        "last_update_time": experiment.changed_at,
        "tags": pairs(&experiment.tags),
    })
}

/// A run with everything but its points.
pub(super) fn run(run: &ShownRun) -> Value {
    let mut tags = run.tags.clone();
    tags.insert(RUN_NAME.to_owned(), run.name.clone());
    let logged = run.logged.as_deref();
    json!({
        "info": run_info(run),
        "data": {
            "metrics": logged.map(latest).unwrap_or_default(),
            "params": pairs(&run.params),
            "tags": pairs(&tags),
        },
        "inputs": {
            "dataset_inputs": logged.map(datasets).unwrap_or_default(),
            "model_inputs": logged.map(|run| models(&run.models_in)).unwrap_or_default(),
        },
        "outputs": {
            "model_outputs": logged.map(models_out).unwrap_or_default(),
        },
    })
}

/// What a run is, without what was logged.
pub(super) fn run_info(run: &ShownRun) -> Value {
    let mut info = json!({
        "run_id": run.id.as_str(),
        "run_uuid": run.id.as_str(),
        "run_name": run.name,
        "experiment_id": run.experiment,
        "user_id": run.user,
        "status": run.status.as_str(),
        "start_time": run.started_at,
        "artifact_uri": run.artifact_uri(),
        "lifecycle_stage": run.lifecycle.as_str(),
    });
    if let (Some(ended_at), Some(fields)) = (run.ended_at, info.as_object_mut()) {
        fields.insert("end_time".to_owned(), ended_at.into());
    }
    info
}

/// Tags or parameters.
pub(super) fn pairs(pairs: &BTreeMap<String, String>) -> Vec<Value> {
    pairs
        .iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect()
}

/// A point of a metric.
pub(super) fn point(key: &str, point: Point) -> Value {
    json!({"key": key, "value": point.value, "timestamp": point.time, "step": point.step})
}

fn latest(run: &TrackedRun) -> Vec<Value> {
    run.series
        .iter()
        .map(|(key, series)| point(key, series.latest))
        .collect()
}

fn datasets(run: &TrackedRun) -> Vec<Value> {
    run.datasets.iter().map(dataset).collect()
}

fn dataset(used: &DatasetUse) -> Value {
    let mut fields = Map::new();
    let texts = [
        ("name", Some(&used.name)),
        ("digest", Some(&used.digest)),
        ("source_type", Some(&used.source_type)),
        ("source", Some(&used.source)),
        ("schema", used.schema.as_ref()),
        ("profile", used.profile.as_ref()),
    ];
    fields.extend(
        texts
            .into_iter()
            .filter_map(|(name, text)| Some((name.to_owned(), text?.as_str().into()))),
    );
    json!({"dataset": fields, "tags": pairs(&used.tags)})
}

fn models(ids: &[String]) -> Vec<Value> {
    ids.iter().map(|id| json!({"model_id": id})).collect()
}

fn models_out(run: &TrackedRun) -> Vec<Value> {
    let models = run.models_out.iter();
    models
        .map(|made| json!({"model_id": made.model, "step": made.step}))
        .collect()
}

/// A logged model.
pub(super) fn model(id: &str, model: &LoggedModel) -> Value {
    let what = &model.what;
    let mut info = json!({
        "model_id": id,
        "experiment_id": what.experiment,
        "name": what.name,
        "creation_timestamp_ms": model.created_at,
        "last_updated_timestamp_ms": model.changed_at,
        "artifact_uri": model_uri(id, model),
        "status": model.status.as_str(),
        "tags": pairs(&what.tags),
    });
    if let Some(fields) = info.as_object_mut() {
        let texts = [
            ("model_type", what.model_type.as_deref()),
            ("source_run_id", what.run.as_ref().map(TrackedId::as_str)),
        ];
        fields.extend(
            texts
                .into_iter()
                .filter_map(|(name, text)| Some((name.to_owned(), text?.into()))),
        );
    }
    let metrics = model.metrics.iter().map(|(run, measured)| {
        let mut shown = point(&measured.key, measured.point);
        if let Some(fields) = shown.as_object_mut() {
            fields.insert("model_id".to_owned(), id.into());
            fields.insert("run_id".to_owned(), run.as_str().into());
            if let Some((name, digest)) = &measured.dataset {
                fields.insert("dataset_name".to_owned(), name.as_str().into());
                fields.insert("dataset_digest".to_owned(), digest.as_str().into());
            }
        }
        shown
    });
    let metrics: Vec<Value> = metrics.collect();
    json!({"info": info, "data": {"params": pairs(&what.params), "metrics": metrics}})
}

/// Where clients find a model's files.
pub(super) fn model_uri(id: &str, model: &LoggedModel) -> String {
    format!(
        "mlflow-artifacts:/{}/models/{id}/artifacts",
        model.what.experiment
    )
}

/// A file or folder, its name after `before`.
pub(super) fn listed(one: &Listed, before: &str) -> Value {
    let path = format!("{before}{}", one.name);
    match one.size_bytes {
        Some(size) => json!({"path": path, "is_dir": false, "file_size": size}),
        None => json!({"path": path, "is_dir": true}),
    }
}

/// A list and the token of the page after it.
pub(super) fn page_of(name: &str, items: Vec<Value>, next: Option<String>) -> Value {
    let mut page = Map::new();
    page.insert(name.to_owned(), Value::Array(items));
    if let Some(next) = next {
        page.insert("next_page_token".to_owned(), next.into());
    }
    Value::Object(page)
}
