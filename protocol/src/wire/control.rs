//! What the coordinator tells workers directly, and the log bytes that come back when somebody follows.

use crate::ids::{AttemptId, FencingToken};
use crate::time::Millis;
use serde::{Deserialize, Serialize};

/// An instruction to one worker. Signed like a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "control", rename_all = "snake_case")]
pub enum Control {
    /// Stop this attempt and commit nothing.
    Stop {
        /// The attempt.
        attempt: AttemptId,
        /// Only if the worker holds it under this token.
        token: FencingToken,
        /// Why.
        reason: StopReason,
    },
    /// Take nothing new; end when what runs is done.
    Drain,
    /// Take tasks again.
    Resume,
    /// The machine is about to be taken away: take nothing new, stop what runs and let it be made elsewhere.
    Preempt,
    /// Reports of this incarnation up to this sequence number are stored durably; the worker may forget them.
    Stored {
        /// The incarnation that sent them.
        incarnation: u64,
        /// The last sequence number stored.
        sequence: u64,
    },
    /// The coordinator does not know the worker's offer (it has just started): send a heartbeat and unacknowledged reports now.
    Announce,
    /// Send the attempt's log as it grows, from these offsets on, until told otherwise or until it ends.
    FollowLog {
        /// The attempt.
        attempt: AttemptId,
        /// Whether to send or to stop sending.
        follow: bool,
    },
    /// Nothing that the worker does counts: it stops what runs and takes nothing for this long. Said again as long as it is so; 0 ends it.
    Quarantine {
        /// For how long.
        length: Millis,
    },
    /// An instruction of a newer coordinator.
    #[serde(other)]
    Unknown,
}

/// Why an attempt is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// A person cancelled the run.
    Cancelled,
    /// The system ended the run.
    Aborted,
    /// Another attempt, or another worker's claim, has taken its place.
    Fenced,
}

/// Which of a process's two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of a running attempt's log. Not stored, may be lost; the whole log is stored when the attempt ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogChunk {
    /// The attempt.
    pub attempt: AttemptId,
    /// Which stream.
    pub stream: LogStream,
    /// Place of the first byte in the stream.
    pub offset: u64,
    /// The bytes, at most 64 KiB.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}
