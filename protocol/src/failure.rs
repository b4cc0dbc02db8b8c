//! Why an attempt ended badly. A step that fails is data, not an error: it is stored, counted, shown and retried.

use serde::{Deserialize, Serialize};

/// Longest tail of a step's standard error kept with its failure, in bytes.
pub const STDERR_TAIL_BYTES_MAX: usize = 4096;

/// The reason, by what a reader would do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureReason {
    /// The process ended with this exit code.
    ExitCode {
        /// The code, never 0.
        code: i32,
    },
    /// The process was ended by this signal, which tidemill did not send.
    Signal {
        /// The signal's number.
        signal: i32,
    },
    /// The system ended the process for want of memory.
    OutOfMemory,
    /// The step's time limit ran out.
    TimedOut {
        /// The limit in milliseconds.
        limit_ms: u64,
    },
    /// The worker fell silent for longer than its lease.
    Lost,
    /// The process could not be started.
    StartFailed,
    /// The environment could not be built.
    EnvironmentFailed,
    /// An input could not be read, or its bytes were not those that were committed.
    InputUnreadable,
    /// Bytes that the step reads are damaged in the store or gone from it, or were for this worker.
    InputLost {
        /// Digest of the artifact that could not be read whole: an input, the code, a checkpoint.
        digest: String,
    },
    /// The process ended well without a declared output.
    OutputMissing {
        /// The output's name.
        output: String,
    },
    /// An output held something that may not be collected (a link, a device, a name outside the grammar).
    OutputRefused {
        /// The output's name.
        output: String,
    },
    /// The worker's disk or the store would not take an output.
    StoreFailed,
    /// The store could not be reached for what the step reads, so the step did not begin.
    StoreUnavailable,
    /// The worker's disk was full.
    DiskFull,
    /// A secret that the step names does not exist, or cannot be given as the step wants it.
    SecretMissing,
    /// The step's secrets could not be had from the coordinator in time; the process was not started.
    SecretsUnavailable,
    /// No executor for this step kind is built in.
    ExecutorMissing,
    /// The task came back from the broker undeliverable too often.
    DeadLettered,
    /// A worker refused the task as not authentic or not for it.
    Refused,
    /// A reason that a newer version of tidemill gave.
    #[serde(other)]
    Unknown,
}

impl FailureReason {
    /// Whether the fault lies with the machines and not with the step: such failures are retried even when the author asked for no
    /// retries (within the engine's limit).
    pub const fn is_infrastructure(&self) -> bool {
        match self {
            Self::Lost
            | Self::StoreFailed
            | Self::StoreUnavailable
            | Self::DiskFull
            | Self::SecretsUnavailable
            | Self::DeadLettered
            | Self::Refused => true,
            Self::ExitCode { .. }
            | Self::Signal { .. }
            | Self::OutOfMemory
            | Self::TimedOut { .. }
            | Self::StartFailed
            | Self::EnvironmentFailed
            | Self::InputUnreadable
            | Self::InputLost { .. }
            | Self::OutputMissing { .. }
            | Self::OutputRefused { .. }
            | Self::SecretMissing
            | Self::ExecutorMissing
            | Self::Unknown => false,
        }
    }

    /// Whether what all steps need was away, so that others failed likewise and the step is tried again for as long as such an outage may last.
    pub const fn is_outage(&self) -> bool {
        matches!(self, Self::StoreUnavailable)
    }

    /// Whether another try cannot end differently, so that none is made.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::ExecutorMissing)
    }

    /// One phrase for people: lower case, no full stop.
    pub fn describe(&self) -> String {
        match self {
            Self::ExitCode { code } => format!("exit code {code}"),
            Self::Signal { signal } => format!("ended by signal {signal}"),
            Self::OutOfMemory => "out of memory".into(),
            Self::TimedOut { limit_ms } => format!("time limit of {} s ran out", limit_ms / 1000),
            Self::Lost => "worker fell silent".into(),
            Self::StartFailed => "process could not be started".into(),
            Self::EnvironmentFailed => "environment could not be built".into(),
            Self::InputUnreadable => "input could not be read".into(),
            Self::InputLost { .. } => "bytes of an input are damaged or gone".into(),
            Self::OutputMissing { output } => format!("output `{output}` was not written"),
            Self::OutputRefused { output } => format!("output `{output}` could not be collected"),
            Self::StoreFailed => "outputs could not be stored".into(),
            Self::StoreUnavailable => "the store could not be reached".into(),
            Self::DiskFull => "the worker's disk was full".into(),
            Self::SecretMissing => "a secret of the step is missing".into(),
            Self::SecretsUnavailable => "the step's secrets could not be had".into(),
            Self::ExecutorMissing => "no executor for this step kind is built in".into(),
            Self::DeadLettered => "task could not be delivered".into(),
            Self::Refused => "worker refused the task".into(),
            Self::Unknown => "unknown reason".into(),
        }
    }
}

/// A failure with what a person needs to act on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Failure {
    /// The reason.
    #[serde(flatten)]
    pub reason: FailureReason,
    /// One or two sentences of detail; may be empty.
    #[serde(default)]
    pub message: String,
    /// The last lines of the step's standard error, at most [`STDERR_TAIL_BYTES_MAX`] bytes, with control characters removed.
    #[serde(default)]
    pub stderr_tail: String,
}

impl Failure {
    /// A failure with no more detail than its reason.
    pub fn new(reason: FailureReason) -> Self {
        Self {
            reason,
            message: String::new(),
            stderr_tail: String::new(),
        }
    }

    /// The same with a sentence of detail.
    pub fn with_message(reason: FailureReason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            stderr_tail: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_of_a_newer_version_is_read_as_unknown() {
        let newer = serde_json::json!({"reason": "struck_by_lightning", "volts": 9, "message": "ow"});
        let failure: Failure = serde_json::from_value(newer).unwrap();
        assert_eq!(failure.reason, FailureReason::Unknown);
        assert_eq!(failure.message, "ow");
    }

    #[test]
    fn a_failure_survives_messagepack() {
        let failure = Failure::with_message(FailureReason::ExitCode { code: 3 }, "it broke");
        assert_eq!(
            crate::codec::decode::<Failure>(&crate::codec::encode(&failure)).unwrap(),
            failure
        );
    }
}
