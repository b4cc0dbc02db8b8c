//! What became of one moment of a schedule.

use crate::ids::RunId;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A moment of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Moment {
    /// When, as the trigger names it.
    pub nominal: Timestamp,
    /// What gave the occasion, where time alone did not: the version that was added, or the run that ended.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cause: String,
}

impl Moment {
    /// A moment of the clock.
    pub const fn of_clock(nominal: Timestamp) -> Self {
        Self {
            nominal,
            cause: String::new(),
        }
    }
}

/// A moment of a schedule that is settled, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Firing {
    /// The moment, as the trigger named it.
    pub nominal: Timestamp,
    /// What gave the occasion, where time alone did not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cause: String,
    /// When it was settled.
    pub at: Timestamp,
    /// What became of it.
    pub outcome: FiringOutcome,
}

/// What became of a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FiringOutcome {
    /// A run was started.
    Started {
        /// The run.
        #[schema(value_type = String)]
        run: RunId,
    },
    /// It waits for the run before it.
    Queued,
    /// Nothing was started, because a run of the schedule still went on, or too many waited.
    Overlapped,
    /// Nobody was there at that moment, and the schedule does not make up for it.
    Missed {
        /// How many such moments there were; this is the last.
        times: u64,
    },
    /// The run was refused.
    Refused {
        /// Why.
        why: String,
    },
}
