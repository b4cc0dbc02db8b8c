//! What happened to schedules: the facts that stand in the journal. Their meaning never changes; a new kind is a new variant.

use serde::{Deserialize, Serialize};
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::name::Name;
use tidemill_protocol::schedule::{FilesChange, FiringOutcome, Moment, ScheduleSpec};

/// What happened to a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleFact {
    /// It was made, or is another from now on.
    ScheduleSet {
        /// The schedule.
        name: Name,
        /// What it is.
        spec: Box<ScheduleSpec>,
        /// Who set it.
        by: String,
    },
    /// It was removed; its runs go on.
    ScheduleRemoved {
        /// The schedule.
        name: Name,
        /// Who removed it.
        by: String,
    },
    /// It fires no more until it is resumed.
    SchedulePaused {
        /// The schedule.
        name: Name,
        /// Why; may be empty.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
        /// Who paused it.
        by: String,
    },
    /// It fires again, from this moment on.
    ScheduleResumed {
        /// The schedule.
        name: Name,
        /// Who resumed it.
        by: String,
    },
    /// One of its moments is settled.
    ScheduleFired {
        /// The schedule.
        name: Name,
        /// The moment.
        moment: Moment,
        /// What became of it.
        outcome: FiringOutcome,
    },
    /// Its files were looked at for the first time, or were not what they were at the look before.
    ScheduleLooked {
        /// The schedule.
        name: Name,
        /// The blob that says what was there.
        listing: ArtifactRef,
        /// What it is to answer; none at the first look, and where files only went away.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        change: Option<FilesChange>,
    },
}

impl ScheduleFact {
    /// The schedule that it is about.
    pub const fn schedule(&self) -> &Name {
        match self {
            Self::ScheduleSet { name, .. }
            | Self::ScheduleRemoved { name, .. }
            | Self::SchedulePaused { name, .. }
            | Self::ScheduleResumed { name, .. }
            | Self::ScheduleFired { name, .. }
            | Self::ScheduleLooked { name, .. } => name,
        }
    }
}
