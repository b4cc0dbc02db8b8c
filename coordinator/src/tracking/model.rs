//! A model that a run logged: what it is, how it stands, and what was measured of it. Its files are among those of its experiment. And the name of one that is
//! registered and has no version yet.

use super::fact::{Lifecycle, ModelPoint, ModelStatus, NewModel, TrackingFact};
use super::id::TrackedId;
use super::run::change_tags;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tidemill_protocol::time::Timestamp;

/// Metrics of one model that are kept, on all its data sets.
const METRICS_MAX: usize = 1_000;

/// A logged model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedModel {
    /// What it is.
    pub what: NewModel,
    /// How it stands.
    pub status: ModelStatus,
    /// Whether it is deleted.
    pub lifecycle: Lifecycle,
    /// The last point of each metric on each data set, with the run that measured it.
    pub metrics: Vec<(TrackedId, ModelPoint)>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub changed_at: Timestamp,
    /// Who made it.
    pub by: String,
}

/// A registered model that has no version yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// Free text.
    pub description: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When it was registered.
    pub at: Timestamp,
    /// When something else was said of it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) changed_at: Option<Timestamp>,
    /// Who registered it.
    pub by: String,
}

impl Announced {
    /// When it was registered, or something else was said of it last.
    pub fn changed_at(&self) -> Timestamp {
        self.changed_at.unwrap_or(self.at)
    }
}

impl LoggedModel {
    pub(super) fn new(at: Timestamp, what: NewModel, by: String) -> Self {
        Self {
            what,
            status: ModelStatus::Pending,
            lifecycle: Lifecycle::Active,
            metrics: Vec::new(),
            created_at: at,
            changed_at: at,
            by,
        }
    }

    /// The last value of a metric, whatever it was measured on.
    pub fn metric(&self, key: &str) -> Option<f64> {
        let points = self
            .metrics
            .iter()
            .map(|(_, point)| point)
            .filter(|point| point.key == key);
        let latest = points.reduce(|latest, point| {
            if point.point.is_after(&latest.point) {
                point
            } else {
                latest
            }
        });
        latest.map(|point| point.point.value.0)
    }

    pub(super) fn change(&mut self, at: Timestamp, fact: &TrackingFact) {
        let TrackingFact::ModelChanged {
            model: _,
            status,
            params,
            tags,
            lifecycle,
            by: _,
        } = fact
        else {
            return;
        };
        self.changed_at = at;
        self.status = status.unwrap_or(self.status);
        self.lifecycle = lifecycle.unwrap_or(self.lifecycle);
        self.what.params.extend(params.clone());
        change_tags(&mut self.what.tags, tags);
    }

    pub(super) fn note(&mut self, run: &TrackedId, new: &ModelPoint) {
        let is_same = |known: &ModelPoint| known.key == new.key && known.dataset == new.dataset;
        if let Some((run_known, known)) = self.metrics.iter_mut().find(|(_, known)| is_same(known)) {
            if new.point.is_after(&known.point) {
                *run_known = run.clone();
                *known = new.clone();
            }
        } else if self.metrics.len() < METRICS_MAX {
            self.metrics.push((run.clone(), new.clone()));
        }
    }
}

impl ModelStatus {
    /// The word of the protocol.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "LOGGED_MODEL_PENDING",
            Self::Ready => "LOGGED_MODEL_READY",
            Self::Failed => "LOGGED_MODEL_UPLOAD_FAILED",
        }
    }
}
