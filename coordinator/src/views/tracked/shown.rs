//! A tracked run as it is shown, and what a search may ask of it.

use crate::tracking::search::{Field, Subject, Vocabulary};
use crate::tracking::{Lifecycle, TrackedId, TrackedRun, TrackedStatus};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What may be asked of runs.
pub(crate) const RUNS: Vocabulary = Vocabulary {
    things: "runs",
    numbers: &["start_time", "end_time"],
    texts: &[
        "run_id",
        "run_name",
        "status",
        "artifact_uri",
        "user_id",
        "experiment_id",
    ],
    spellings: &[
        ("created", "start_time"),
        ("Created", "start_time"),
        ("run name", "run_name"),
        ("Run name", "run_name"),
        ("Run Name", "run_name"),
    ],
    has_metrics: true,
};

/// A tracked run as it is shown.
#[derive(Debug, Clone)]
pub(crate) struct ShownRun {
    pub(crate) id: TrackedId,
    pub(crate) experiment: String,
    pub(crate) name: String,
    pub(crate) user: String,
    pub(crate) status: TrackedStatus,
    pub(crate) started_at: i64,
    pub(crate) ended_at: Option<i64>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) params: BTreeMap<String, String>,
    /// What was logged to it.
    pub(crate) logged: Option<Arc<TrackedRun>>,
}

impl ShownRun {
    /// Where clients find its files.
    pub(crate) fn artifact_uri(&self) -> String {
        format!("mlflow-artifacts:/{}/{}/artifacts", self.experiment, self.id)
    }

    /// One that clients made.
    pub(super) fn kept(id: &TrackedId, run: &Arc<TrackedRun>) -> Self {
        Self {
            id: id.clone(),
            experiment: run.experiment.clone(),
            name: run.name.clone(),
            user: run.user.clone(),
            status: run.status,
            started_at: run.started_at,
            ended_at: run.ended_at,
            lifecycle: run.lifecycle,
            tags: run.tags.clone(),
            params: run.params.clone(),
            logged: Some(Arc::clone(run)),
        }
    }

    /// The same of the engine's, with what was logged to it.
    pub(super) fn with(mut self, run: &Arc<TrackedRun>) -> Self {
        self.name.clone_from(&run.name);
        self.experiment.clone_from(&run.experiment);
        self.lifecycle = run.lifecycle;
        self.tags.extend(run.tags.clone());
        self.params.extend(run.params.clone());
        self.logged = Some(Arc::clone(run));
        self
    }
}

impl Subject for ShownRun {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of our age are exact in a float"
    )]
    fn number(&self, field: &Field) -> Option<f64> {
        match field {
            Field::Metric(key) => {
                let series = self.logged.as_ref()?.series.get(key)?;
                Some(series.latest.value.0)
            }
            Field::Number("start_time") => Some(self.started_at as f64),
            Field::Number(_) => self.ended_at.map(|at| at as f64),
            Field::Param(_) | Field::Tag(_) | Field::Text(_) | Field::Dataset(_) => None,
        }
    }

    fn text(&self, field: &Field) -> Option<Cow<'_, str>> {
        match field {
            Field::Param(key) => self.params.get(key).map(Into::into),
            Field::Tag(key) => self.tags.get(key).map(Into::into),
            Field::Text(name) => Some(match *name {
                "run_id" => self.id.as_str().into(),
                "run_name" => (&self.name).into(),
                "status" => self.status.as_str().into(),
                "user_id" => (&self.user).into(),
                "experiment_id" => (&self.experiment).into(),
                _ => self.artifact_uri().into(),
            }),
            Field::Dataset(what) => self.datasets(what).first().map(|text| (*text).to_owned().into()),
            Field::Metric(_) | Field::Number(_) => None,
        }
    }

    fn datasets(&self, what: &'static str) -> Vec<&str> {
        let uses = self.logged.iter().flat_map(|run| &run.datasets);
        uses.filter_map(|used| match what {
            "name" => Some(used.name.as_str()),
            "digest" => Some(used.digest.as_str()),
            _ => used.tags.get("mlflow.data.context").map(String::as_str),
        })
        .collect()
    }
}
