//! Everything the engine may ask the world to do. Effects are held until the events that caused them are durable; each may be performed twice without harm.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tidemill_protocol::ids::{AttemptId, FencingToken, RunId, StepIndex, WorkerId};
use tidemill_protocol::time::{Millis, Timestamp};
use tidemill_protocol::wire::{StepTask, StopReason};

/// What must be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Publish this task to the queue of its compute target (`task.template.rules.target`).
    PublishTask(Arc<StepTask>),
    /// Tell a worker to stop an attempt.
    StopAttempt {
        /// The worker.
        worker: WorkerId,
        /// The attempt.
        attempt: AttemptId,
        /// Only under this token.
        token: FencingToken,
        /// Why.
        reason: StopReason,
    },
    /// Wake the engine with this alarm when its moment has come, or when so much time has passed as lay between the decision and that moment: whoever decided may
    /// have had a wall clock that was far ahead.
    SetAlarm {
        /// When.
        at: Timestamp,
        /// How long that was from the decision; no wait is longer.
        pause: Millis,
        /// With what.
        alarm: Alarm,
    },
}

/// A moment at which the engine wants to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Alarm {
    /// A step's pause before its next attempt is over.
    RetryStep {
        /// The run.
        run: RunId,
        /// The step.
        step: StepIndex,
        /// The attempt that failed: an alarm for another one is stale.
        attempt: u32,
    },
}
