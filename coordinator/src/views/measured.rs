//! Metrics of a run: what its steps' last attempts logged, and what was logged to the run itself.

use crate::tracking::{Bucket, Point, Series, TrackedId, TrackedRun, Tracking};
use std::sync::Arc;
use tidemill_engine::Run;
use tidemill_protocol::api::{MetricBucket, MetricPoint, MetricView};
use tidemill_protocol::ids::{AttemptId, StepIndex, StepPath};

/// Something of a run that logged metrics.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    /// Where it stands in the plan; the run itself before its steps.
    pub(crate) rank: u64,
    /// The step and which attempt at it; none for the run itself.
    pub(crate) step: Option<(StepPath, u32)>,
    /// The id by which tracking knows it.
    pub(crate) id: TrackedId,
    /// What it logged.
    pub(crate) logged: Arc<TrackedRun>,
}

/// What of a run logged something, in plan order.
pub(crate) fn measured(run: &Run, tracking: &Tracking) -> Vec<Measured> {
    let whole = (0, None, TrackedId::of_run(run.id()));
    let steps = (0_u32..).map(StepIndex).zip(run.steps());
    let steps = steps.filter_map(|(step, state)| {
        let (attempt, _) = state.last_attempt()?;
        let id = TrackedId::of_attempt(AttemptId {
            run: run.id(),
            step,
            attempt,
        });
        let rank = u64::from(step.0) + 1;
        Some((rank, Some((run.planned(step)?.path.clone(), attempt)), id))
    });
    let all = std::iter::once(whole).chain(steps);
    all.filter_map(|(rank, step, id)| {
        let logged = Arc::clone(tracking.run(&id)?);
        Some(Measured {
            rank,
            step,
            id,
            logged,
        })
    })
    .collect()
}

impl Measured {
    /// A client's run, which has no steps.
    pub(crate) fn alone(id: TrackedId, logged: Arc<TrackedRun>) -> Self {
        Self {
            rank: 0,
            step: None,
            id,
            logged,
        }
    }

    /// One of its metrics.
    pub(crate) fn view(&self, key: &str, series: &Series) -> MetricView {
        let (step, attempt) = self.step.clone().unzip();
        MetricView {
            step,
            attempt,
            tracked_run: self.id.to_string(),
            key: key.to_owned(),
            last: point(series.latest),
            points: series.count(),
        }
    }
}

const fn point(point: Point) -> MetricPoint {
    MetricPoint {
        step: point.step,
        time: point.time,
        value: point.value,
    }
}

/// A bucket of a chart.
pub(crate) const fn bucket_view(bucket: &Bucket) -> MetricBucket {
    MetricBucket {
        first_step: bucket.first_step,
        last_step: bucket.last_step,
        min: point(bucket.min),
        max: point(bucket.max),
        last: point(bucket.last),
        points: bucket.count,
    }
}
