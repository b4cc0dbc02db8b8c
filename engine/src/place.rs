//! The engine's own short names for runs and steps: eight bytes instead of twenty, in order of submission.

use serde::{Deserialize, Serialize};
use tidemill_protocol::ids::StepIndex;

/// A run by its number of submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct RunNumber(pub(crate) u32);

/// A group for fair share: the runs of one experiment of a project that one person submitted. Named by the first run of the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct GroupId(pub(crate) u32);

/// A step of any run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) run: RunNumber,
    pub(crate) step: StepIndex,
}

impl Place {
    pub(crate) const FIRST: Self = Self {
        run: RunNumber(0),
        step: StepIndex(0),
    };
    pub(crate) const LAST: Self = Self {
        run: RunNumber(u32::MAX),
        step: StepIndex(u32::MAX),
    };
}
