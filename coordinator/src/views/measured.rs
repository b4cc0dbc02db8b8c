//! Metrics of a run: what its steps' last attempts logged, of a step that took its result over those of the step that made it, and what was logged to the run
//! itself.

use super::step::step_name;
use crate::tracking::{Bucket, Point, Series, TrackedId, TrackedRun, Tracking};
use std::sync::Arc;
use tidemill_engine::{Engine, Run, StepState};
use tidemill_protocol::api::{MetricBucket, MetricPoint, MetricView};
use tidemill_protocol::ids::{AttemptId, StepIndex, StepPath, StepRef};

/// Something of a run that logged metrics.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    /// Where it stands in the plan; the run itself before its steps.
    pub(crate) rank: u64,
    /// The step and which attempt at it; none for the run itself.
    pub(crate) step: Option<(StepPath, u32)>,
    /// The id by which tracking knows it.
    pub(crate) id: TrackedId,
    /// Whose result the step took over, and whose metrics these are, as `RUN/STEP`.
    pub(crate) reused_from: Option<String>,
    /// What it logged.
    pub(crate) logged: Arc<TrackedRun>,
}

/// What of a run logged something, in plan order.
pub(crate) fn measured(engine: &Engine, run: &Run, tracking: &Tracking) -> Vec<Measured> {
    let whole = (0, None, None, TrackedId::of_run(run.id()));
    let steps = (0_u32..).map(StepIndex).zip(run.steps());
    let steps = steps.filter_map(|(step, state)| {
        let reference = StepRef { run: run.id(), step };
        let attempt = last_attempt(engine, reference)?;
        let reused_from = match state.state() {
            StepState::Reused { source, .. } => Some(step_name(engine, *source)),
            _ => None,
        };
        let own = (run.planned(step)?.path.clone(), attempt.attempt);
        let rank = u64::from(step.0) + 1;
        Some((rank, Some(own), reused_from, TrackedId::of_attempt(attempt)))
    });
    let all = std::iter::once(whole).chain(steps);
    all.filter_map(|(rank, step, reused_from, id)| {
        let logged = Arc::clone(tracking.run(&id)?);
        Some(Measured {
            rank,
            step,
            id,
            reused_from,
            logged,
        })
    })
    .collect()
}

/// The last attempt at a step, or of one that took its result over the last attempt at the step that made it.
pub(crate) fn last_attempt(engine: &Engine, step: StepRef) -> Option<AttemptId> {
    let state = engine.run(step.run)?.step(step.step)?;
    if let StepState::Reused { source, .. } = state.state() {
        let made = engine.run(source.run)?.step(source.step)?;
        return made.last_attempt().map(|(attempt, _)| AttemptId {
            run: source.run,
            step: source.step,
            attempt,
        });
    }
    state.last_attempt().map(|(attempt, _)| AttemptId {
        run: step.run,
        step: step.step,
        attempt,
    })
}

impl Measured {
    /// A client's run, which has no steps.
    pub(crate) fn alone(id: TrackedId, logged: Arc<TrackedRun>) -> Self {
        Self {
            rank: 0,
            step: None,
            id,
            reused_from: None,
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
            reused_from: self.reused_from.clone(),
            key: key.to_owned(),
            last: point_view(series.latest),
            points: series.count(),
        }
    }
}

/// A point.
pub(crate) const fn point_view(point: Point) -> MetricPoint {
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
        min: point_view(bucket.min),
        max: point_view(bucket.max),
        last: point_view(bucket.last),
        points: bucket.count,
    }
}
