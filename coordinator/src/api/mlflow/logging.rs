//! What is logged to a run: points, parameters, tags, and what it used and made.

use super::asked::{Asked, Pair, Whole, run_of, to_set};
use super::change::change;
use super::fault::Fault;
use super::shapes::RUN_NAME;
use crate::access::Caller;
use crate::handle::CoordinatorHandle;
use crate::tracking::{
    DatasetUse, Logging, ModelOutput, ModelPoint, Number, Point, TrackedId, TrackingChange,
};
use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Points in one request.
const POINTS_MAX: usize = 1_000;
/// Parameters, and tags, in one request.
const PAIRS_MAX: usize = 100;
/// All of them together.
const ENTITIES_MAX: usize = 1_000;

/// A point of a metric, as requests write it.
#[derive(Debug, Deserialize)]
pub(super) struct AskedPoint {
    key: String,
    value: Number,
    #[serde(default)]
    timestamp: Option<Whole>,
    #[serde(default)]
    step: Option<Whole>,
    #[serde(default)]
    model_id: Option<String>,
    #[serde(default)]
    dataset_name: Option<String>,
    #[serde(default)]
    dataset_digest: Option<String>,
}

impl AskedPoint {
    fn point(&self) -> Result<Point, Fault> {
        let Whole(time) = self.timestamp.ok_or_else(|| {
            Fault::invalid(format!("the point of metric `{}` has no `timestamp`", self.key))
        })?;
        Ok(Point {
            time,
            step: self.step.unwrap_or_default().0,
            value: self.value,
        })
    }

    fn of_model(&self, point: Point) -> Option<ModelPoint> {
        let model = self.model_id.clone().filter(|model| !model.is_empty())?;
        let name = self.dataset_name.clone().filter(|name| !name.is_empty());
        let dataset = name.map(|name| (name, self.dataset_digest.clone().unwrap_or_default()));
        Some(ModelPoint {
            model,
            key: self.key.clone(),
            point,
            dataset,
        })
    }
}

fn nothing(run: TrackedId) -> Logging {
    Logging {
        run,
        points: Vec::new(),
        of_models: Vec::new(),
        params: Vec::new(),
        tags: BTreeMap::new(),
    }
}

fn add_points(logging: &mut Logging, points: Vec<AskedPoint>) -> Result<(), Fault> {
    for asked in points {
        let point = asked.point()?;
        logging.of_models.extend(asked.of_model(point));
        logging.points.push((asked.key, point));
    }
    Ok(())
}

async fn log(handle: &CoordinatorHandle, caller: &Caller, logging: Logging) -> Result<Json<Value>, Fault> {
    // A run's name is shown as a tag, and clients rename it by that.
    let name = logging.tags.get(RUN_NAME).cloned().flatten();
    let run = logging.run.clone();
    change(handle, caller, TrackingChange::Log(logging)).await?;
    if name.is_some() {
        let renamed = TrackingChange::ChangeRun {
            run,
            name,
            status: None,
            ended_at: None,
            lifecycle: None,
        };
        change(handle, caller, renamed).await?;
    }
    Ok(Json(json!({})))
}

/// One point.
#[derive(Debug, Deserialize)]
pub(super) struct LogMetric {
    #[serde(default)]
    run_id: Option<String>,
    #[serde(default)]
    run_uuid: Option<String>,
    #[serde(flatten)]
    point: AskedPoint,
}

/// Logs a point of a metric.
#[utoipa::path(post, path = "/api/2.0/mlflow/runs/log-metric", tag = "mlflow", security(("token" = ["submitter"]), ("attempt" = [])), request_body = Value, responses(
    (status = 200, description = "It is kept.", body = Value),
    (status = 400, description = "The point is not allowed, or the run is deleted.", body = Value),
    (status = 404, description = "There is no such run.", body = Value),
))]
pub(super) async fn log_metric(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<LogMetric>,
) -> Result<Json<Value>, Fault> {
    let mut logging = nothing(run_of(asked.run_id, asked.run_uuid)?);
    add_points(&mut logging, vec![asked.point])?;
    log(&handle, &caller, logging).await
}

/// One parameter or tag.
#[derive(Debug, Deserialize)]
pub(super) struct LogPair {
    #[serde(default)]
    run_id: Option<String>,
    #[serde(default)]
    run_uuid: Option<String>,
    key: String,
    #[serde(default)]
    value: String,
}

/// Logs a parameter. A parameter has one value for ever.
#[utoipa::path(post, path = "/api/2.0/mlflow/runs/log-parameter", tag = "mlflow", security(("token" = ["submitter"]), ("attempt" = [])), request_body = Value, responses(
    (status = 200, description = "It is kept.", body = Value),
    (status = 400, description = "It has another value already, or is not allowed.", body = Value),
    (status = 404, description = "There is no such run.", body = Value),
))]
pub(super) async fn log_parameter(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<LogPair>,
) -> Result<Json<Value>, Fault> {
    let mut logging = nothing(run_of(asked.run_id, asked.run_uuid)?);
    logging.params.push((asked.key, asked.value));
    log(&handle, &caller, logging).await
}

/// Sets a tag of a run.
#[utoipa::path(post, path = "/api/2.0/mlflow/runs/set-tag", tag = "mlflow", security(("token" = ["submitter"]), ("attempt" = [])), request_body = Value, responses(
    (status = 200, description = "It is set.", body = Value),
    (status = 404, description = "There is no such run.", body = Value),
))]
pub(super) async fn set_tag(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<LogPair>,
) -> Result<Json<Value>, Fault> {
    let mut logging = nothing(run_of(asked.run_id, asked.run_uuid)?);
    logging.tags.insert(asked.key, Some(asked.value));
    log(&handle, &caller, logging).await
}

/// Removes a tag of a run.
#[utoipa::path(post, path = "/api/2.0/mlflow/runs/delete-tag", tag = "mlflow", security(("token" = ["submitter"]), ("attempt" = [])), request_body = Value, responses(
    (status = 200, description = "It is gone.", body = Value),
    (status = 404, description = "There is no such run.", body = Value),
))]
pub(super) async fn delete_tag(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<LogPair>,
) -> Result<Json<Value>, Fault> {
    let mut logging = nothing(run_of(asked.run_id, asked.run_uuid)?);
    logging.tags.insert(asked.key, None);
    log(&handle, &caller, logging).await
}

/// Points, parameters and tags together.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LogBatch {
    run_id: Option<String>,
    run_uuid: Option<String>,
    metrics: Vec<AskedPoint>,
    params: Vec<Pair>,
    tags: Vec<Pair>,
}

fn check_batch(asked: &LogBatch) -> Result<(), Fault> {
    let counts = [
        ("metrics", asked.metrics.len(), POINTS_MAX),
        ("params", asked.params.len(), PAIRS_MAX),
        ("tags", asked.tags.len(), PAIRS_MAX),
    ];
    let all = (
        "metrics, params and tags together",
        counts.iter().map(|(_, count, _)| count).sum(),
        ENTITIES_MAX,
    );
    for (what, count, max) in counts.into_iter().chain([all]) {
        if count > max {
            return Err(Fault::invalid(format!(
                "a batch has at most {max} {what}; this one has {count}"
            )));
        }
    }
    Ok(())
}

/// Logs points, parameters and tags: all, or when one of them is not allowed none.
#[utoipa::path(post, path = "/api/2.0/mlflow/runs/log-batch", tag = "mlflow", security(("token" = ["submitter"]), ("attempt" = [])), request_body = Value, responses(
    (status = 200, description = "They are kept.", body = Value),
    (status = 400, description = "One of them is not allowed, or there are too many.", body = Value),
    (status = 404, description = "There is no such run.", body = Value),
))]
pub(super) async fn log_batch(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<LogBatch>,
) -> Result<Json<Value>, Fault> {
    check_batch(&asked)?;
    let mut logging = nothing(run_of(asked.run_id, asked.run_uuid)?);
    add_points(&mut logging, asked.metrics)?;
    logging.params = asked
        .params
        .into_iter()
        .map(|pair| (pair.key, pair.value))
        .collect();
    logging.tags = to_set(asked.tags);
    log(&handle, &caller, logging).await
}

/// A model as older clients log it: its description, as text.
#[derive(Debug, Deserialize)]
pub(super) struct LogModel {
    #[serde(default)]
    run_id: Option<String>,
    model_json: String,
}

/// What is noted of a model: what it is called and made of, without the configurations of its flavours and without its signature, which are in its files.
fn noted(model_json: &str) -> Result<Value, Fault> {
    let parsed = serde_json::from_str::<Map<String, Value>>(model_json);
    let mut model = parsed.map_err(|error| Fault::invalid(format!("`model_json` is no model: {error}")))?;
    for field in ["artifact_path", "flavors", "utc_time_created", "run_id"] {
        if !model.contains_key(field) {
            return Err(Fault::invalid(format!("the model has no `{field}`")));
        }
    }
    let is_noted = |field: &str| {
        matches!(
            field,
            "run_id" | "utc_time_created" | "artifact_path" | "model_uuid" | "flavors"
        )
    };
    model.retain(|field, _| is_noted(field));
    if let Some(Value::Object(flavors)) = model.get_mut("flavors") {
        for flavor in flavors.values_mut().filter_map(Value::as_object_mut) {
            flavor.remove("config");
        }
    }
    Ok(Value::Object(model))
}

/// Notes a model whose files the client has logged, as clients before 3 do.
#[utoipa::path(post, path = "/api/2.0/mlflow/runs/log-model", tag = "mlflow", security(("token" = ["submitter"]), ("attempt" = [])), request_body = Value, responses(
    (status = 200, description = "It is noted, in the run's tag `mlflow.log-model.history`.", body = Value),
    (status = 400, description = "The description is none, or there is no room for it in the tag.", body = Value),
    (status = 404, description = "There is no such run.", body = Value),
))]
pub(super) async fn log_model(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<LogModel>,
) -> Result<Json<Value>, Fault> {
    let note = TrackingChange::NoteModel {
        run: run_of(asked.run_id, None)?,
        model: noted(&asked.model_json)?,
    };
    change(&handle, &caller, note).await?;
    Ok(Json(json!({})))
}

/// A data set, as requests write it.
#[derive(Debug, Deserialize)]
struct AskedDataset {
    #[serde(default)]
    tags: Vec<Pair>,
    dataset: Described,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Described {
    name: String,
    digest: String,
    source_type: String,
    source: String,
    schema: Option<String>,
    profile: Option<String>,
}

impl From<AskedDataset> for DatasetUse {
    fn from(AskedDataset { tags, dataset }: AskedDataset) -> Self {
        Self {
            name: dataset.name,
            digest: dataset.digest,
            source_type: dataset.source_type,
            source: dataset.source,
            schema: dataset.schema,
            profile: dataset.profile,
            tags: super::asked::tags(tags),
        }
    }
}

/// A model that was used or made.
#[derive(Debug, Deserialize)]
struct AskedModel {
    model_id: String,
    #[serde(default)]
    step: Option<Whole>,
}

/// What a run used.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LogInputs {
    run_id: Option<String>,
    run_uuid: Option<String>,
    datasets: Vec<AskedDataset>,
    models: Vec<AskedModel>,
}

/// Notes which data sets and models a run used.
#[utoipa::path(post, path = "/api/2.0/mlflow/runs/log-inputs", tag = "mlflow", security(("token" = ["submitter"]), ("attempt" = [])), request_body = Value, responses(
    (status = 200, description = "They are noted.", body = Value),
    (status = 404, description = "There is no such run.", body = Value),
))]
pub(super) async fn log_inputs(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<LogInputs>,
) -> Result<Json<Value>, Fault> {
    let link = TrackingChange::Link {
        run: run_of(asked.run_id, asked.run_uuid)?,
        datasets: asked.datasets.into_iter().map(Into::into).collect(),
        models_in: asked.models.into_iter().map(|model| model.model_id).collect(),
        models_out: Vec::new(),
    };
    change(&handle, &caller, link).await?;
    Ok(Json(json!({})))
}

/// What a run made.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LogOutputs {
    run_id: Option<String>,
    models: Vec<AskedModel>,
}

/// Notes which models a run made.
#[utoipa::path(post, path = "/api/2.0/mlflow/runs/outputs", tag = "mlflow", security(("token" = ["submitter"]), ("attempt" = [])), request_body = Value, responses(
    (status = 200, description = "They are noted.", body = Value),
    (status = 404, description = "There is no such run.", body = Value),
))]
pub(super) async fn log_outputs(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<LogOutputs>,
) -> Result<Json<Value>, Fault> {
    let models = asked.models.into_iter();
    let link = TrackingChange::Link {
        run: run_of(asked.run_id, None)?,
        datasets: Vec::new(),
        models_in: Vec::new(),
        models_out: models
            .map(|made| ModelOutput {
                model: made.model_id,
                step: made.step.unwrap_or_default().0,
            })
            .collect(),
    };
    change(&handle, &caller, link).await?;
    Ok(Json(json!({})))
}
