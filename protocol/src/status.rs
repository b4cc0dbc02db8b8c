//! The public words for how runs, steps and attempts stand. One table for the API, the CLI, the SDK and the UI.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! status {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal, terminal: $terminal:literal, good: $good:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every status, in the order in which people expect them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word, as API, CLI and UI show it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Whether nothing can follow.
            pub const fn is_terminal(self) -> bool {
                match self { $(Self::$variant => $terminal,)* }
            }

            /// Whether it ended as the author wished.
            pub const fn is_good(self) -> bool {
                match self { $(Self::$variant => $good,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

status! {
    /// How a run stands.
    RunStatus {
        /// Accepted; no step has been released yet.
        Queued = "queued", terminal: false, good: false;
        /// At least one step was released, and not all steps are terminal.
        Running = "running", terminal: false, good: false;
        /// A person asked to end it; its attempts are being stopped.
        Cancelling = "cancelling", terminal: false, good: false;
        /// Every step ended well, or was skipped by its own condition.
        Succeeded = "succeeded", terminal: true, good: true;
        /// At least one step failed.
        Failed = "failed", terminal: true, good: false;
        /// A person ended it.
        Cancelled = "cancelled", terminal: true, good: false;
        /// The system ended it.
        Aborted = "aborted", terminal: true, good: false;
    }
}

status! {
    /// How a step of a run stands.
    StepStatus {
        /// Waits for steps before it.
        Blocked = "blocked", terminal: false, good: false;
        /// Could run; waits in the backlog of its compute target, or for an equal step of another run.
        Ready = "ready", terminal: false, good: false;
        /// Its task is in the queue of its compute target; no worker has claimed it.
        Dispatched = "dispatched", terminal: false, good: false;
        /// A worker has claimed it.
        Running = "running", terminal: false, good: false;
        /// Waits for the moment of its next attempt.
        Waiting = "waiting", terminal: false, good: false;
        /// An attempt of it was committed.
        Succeeded = "succeeded", terminal: true, good: true;
        /// The committed result of an equal step was taken over; nothing was executed.
        Reused = "reused", terminal: true, good: true;
        /// Not run, because a step before it ended badly or its condition did not hold.
        Skipped = "skipped", terminal: true, good: false;
        /// Its last attempt failed.
        Failed = "failed", terminal: true, good: false;
        /// A person ended it.
        Cancelled = "cancelled", terminal: true, good: false;
        /// The system ended it, because the run was to stop at the first failure.
        Aborted = "aborted", terminal: true, good: false;
    }
}

status! {
    /// How one try at a step stands.
    AttemptStatus {
        /// Its task was published.
        Dispatched = "dispatched", terminal: false, good: false;
        /// A worker has claimed it.
        Running = "running", terminal: false, good: false;
        /// Its result was committed.
        Succeeded = "succeeded", terminal: true, good: true;
        /// It ended badly.
        Failed = "failed", terminal: true, good: false;
        /// Its lease ran out, or its task was dead-lettered.
        Lost = "lost", terminal: true, good: false;
        /// The worker gave it back unstarted.
        Returned = "returned", terminal: true, good: false;
        /// The worker's machine was taken away; it is made again elsewhere at once.
        Preempted = "preempted", terminal: true, good: false;
        /// Its task was taken back unclaimed: the attempt that it was to replace turned out to live.
        Withdrawn = "withdrawn", terminal: true, good: false;
        /// A person ended it.
        Cancelled = "cancelled", terminal: true, good: false;
        /// The system ended it.
        Aborted = "aborted", terminal: true, good: false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_the_same_in_json_and_in_text() {
        for status in StepStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        for status in RunStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
    }

    #[test]
    fn only_what_is_terminal_can_be_good() {
        assert!(StepStatus::ALL.iter().all(|s| s.is_terminal() || !s.is_good()));
        assert!(RunStatus::ALL.iter().all(|s| s.is_terminal() || !s.is_good()));
        assert!(AttemptStatus::ALL.iter().all(|s| s.is_terminal() || !s.is_good()));
    }
}
