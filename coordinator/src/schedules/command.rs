//! What may be asked of the schedules, and why something is not done.

use super::calendar::CalendarError;
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::name::Name;
use tidemill_protocol::schedule::{FiringOutcome, Moment, ScheduleSpec};
use tidemill_protocol::time::Timestamp;

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScheduleCommand {
    /// Make a schedule, or make it another.
    Set {
        /// The schedule.
        name: Name,
        /// What it is to be.
        spec: Box<ScheduleSpec>,
        /// Whether there must be none yet.
        is_new: bool,
        /// Who asks, and what they have seen.
        by: Asker,
    },
    /// Forget a schedule.
    Remove {
        /// The schedule.
        name: Name,
        /// Who asks, and what they have seen.
        by: Asker,
    },
    /// Let it fire no more.
    Pause {
        /// The schedule.
        name: Name,
        /// Why; may be empty.
        reason: String,
        /// Who asks, and what they have seen.
        by: Asker,
    },
    /// Let it fire again.
    Resume {
        /// The schedule.
        name: Name,
        /// Who asks, and what they have seen.
        by: Asker,
    },
    /// Note what became of one of its moments.
    Settle {
        /// The schedule.
        name: Name,
        /// Which of that name.
        created_at: Timestamp,
        /// The moment.
        moment: Moment,
        /// What became of it.
        outcome: FiringOutcome,
    },
    /// Note what a look at its files found. Nothing is noted when it is another by now.
    Look {
        /// The schedule.
        name: Name,
        /// Which of that name.
        created_at: Timestamp,
        /// What it was when it was looked.
        revision: u64,
        /// What had been seen before.
        before: Option<ArtifactRef>,
        /// What lies there now.
        listing: ArtifactRef,
        /// The difference; none where nothing was seen before.
        found: Option<Difference>,
    },
}

/// What two looks at the same files differ in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// How many are new.
    pub added: u64,
    /// How many are something else.
    pub changed: u64,
    /// How many are gone.
    pub removed: u64,
    /// The first of those that are new or something else, in order.
    pub paths: Vec<String>,
}

/// Who asks for a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// In whose name.
    pub name: String,
    /// Whether they may change what others made.
    pub may_change_all: bool,
    /// The revision that they have seen; nothing is done when it is another by now.
    pub expect: Option<u64>,
}

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleRejection {
    /// No such schedule.
    #[error("there is no schedule `{0}`")]
    Unknown(Name),
    /// There is one of this name.
    #[error("there is a schedule `{0}` already")]
    Exists(Name),
    /// It changed since the caller looked.
    #[error("the schedule has revision {found} by now, not {expected}")]
    Changed {
        /// What the caller had seen.
        expected: u64,
        /// What it is.
        found: u64,
    },
    /// Somebody else made it.
    #[error("the schedule belongs to {0}")]
    NotYours(String),
    /// The trigger makes no sense.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    /// It would start itself.
    #[error("a schedule cannot start the pipeline whose runs it waits for")]
    Circle,
    /// The trigger names no moment that is still to come.
    #[error("it would never fire")]
    NeverFires,
    /// A text, a list or a number is out of its bounds.
    #[error("{0}")]
    OutOfBounds(&'static str),
    /// All the room is taken.
    #[error("there are as many schedules as there may be")]
    TooMany,
}
