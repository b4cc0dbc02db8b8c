//! Versions of assets as the API shows them, and what was measured of a model: of the logged model that it is, else by the run or step that made it.

use super::measured::{last_attempt, point_view};
use crate::catalog::{Asset, AssetVersion};
use crate::tracking::{LoggedModel, TrackedId, TrackedRun, Tracking};
use tidemill_engine::Engine;
use tidemill_protocol::api::{VersionMetric, VersionView};
use tidemill_protocol::catalog::{AssetKind, LATEST, Version};
use tidemill_protocol::ids::StepRef;
use tidemill_protocol::name::Name;

/// The tags of a version under which MLflow's clients have it kept which run and which logged model it came from.
pub(crate) const RUN_TAG: &str = "mlflow.run_id";
pub(crate) const MODEL_TAG: &str = "mlflow.model_id";
/// Metrics of one version that are shown.
const METRICS_MAX: usize = 1_000;

/// A version; what was measured of it is not looked for.
pub(crate) fn version_view(
    (kind, name, asset): (AssetKind, &Name, &Asset),
    (version, kept): (&Version, &AssetVersion),
) -> VersionView {
    let latest = (asset.latest == *version).then(|| LATEST.to_owned());
    let labels = asset.labels_of(version).map(ToString::to_string);
    VersionView {
        kind,
        name: name.clone(),
        version: version.clone(),
        body: (*kept.body).clone(),
        labels: latest.into_iter().chain(labels).collect(),
        description: kept.description.clone(),
        tags: kept.tags.clone(),
        stage: kept.stage,
        model_stage: (kind == AssetKind::Model).then_some(kept.model_stage),
        metrics: Vec::new(),
        origin: kept.origin.clone(),
        created_at: kept.created_at,
        created_by: kept.created_by.clone(),
    }
}

/// A version with what was measured of it.
pub(crate) fn measured_version(
    (engine, tracking): (&Engine, &Tracking),
    (kind, name, asset): (AssetKind, &Name, &Asset),
    (version, kept): (&Version, &AssetVersion),
) -> VersionView {
    let view = version_view((kind, name, asset), (version, kept));
    let metrics = match kind {
        AssetKind::Model => metrics((engine, tracking), kept),
        _ => Vec::new(),
    };
    VersionView { metrics, ..view }
}

/// What was measured of a version of a model.
pub(crate) fn metrics((engine, tracking): (&Engine, &Tracking), kept: &AssetVersion) -> Vec<VersionMetric> {
    let model = kept.tags.get(MODEL_TAG).and_then(|id| tracking.model(id));
    let of_model = model.map_or_else(Vec::new, |model| of_model(model));
    if !of_model.is_empty() {
        return of_model;
    }
    let run = made_by(engine, kept);
    let logged = run.and_then(|id| Some((tracking.run(&id)?, id)));
    logged.map_or_else(Vec::new, |(run, id)| of_run(&id, run))
}

fn of_model(model: &LoggedModel) -> Vec<VersionMetric> {
    let metrics = model.metrics.iter().take(METRICS_MAX);
    metrics
        .map(|(run, measured)| VersionMetric {
            key: measured.key.clone(),
            last: point_view(measured.point),
            tracked_run: run.to_string(),
            dataset: measured.dataset.as_ref().map(|(name, _)| name.clone()),
        })
        .collect()
}

fn of_run(id: &TrackedId, run: &TrackedRun) -> Vec<VersionMetric> {
    let series = run.series.iter().take(METRICS_MAX);
    series
        .map(|(key, series)| VersionMetric {
            key: key.clone(),
            last: point_view(series.latest),
            tracked_run: id.to_string(),
            dataset: None,
        })
        .collect()
}

/// The tracked run that made a version of a model: the one that was named when it was registered, else the last attempt at the step that made it, where that is still known.
pub(crate) fn made_by(engine: &Engine, kept: &AssetVersion) -> Option<TrackedId> {
    if let Some(run) = kept.tags.get(RUN_TAG) {
        return Some(TrackedId::named(run));
    }
    let run = kept.origin.run?;
    let Some(path) = &kept.origin.step else {
        return Some(TrackedId::of_run(run));
    };
    let step = engine.run(run)?.find(path)?;
    last_attempt(engine, StepRef { run, step }).map(TrackedId::of_attempt)
}
