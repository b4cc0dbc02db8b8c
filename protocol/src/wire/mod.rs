//! What travels over the broker. MessagePack bodies in a signed envelope; compatible with the release before and after.

mod control;
mod envelope;
mod report;
mod task;

pub use control::{Control, LogChunk, LogStream, StopReason};
pub use envelope::{
    Audience, ENVELOPE_BYTES_MAX, EnvelopeError, Kind, Opened, SignerKey, TrustedKey, TrustedKeys, open,
    open_set_aside, open_unsigned, seal, seal_unsigned,
};
pub use report::{
    AttemptUsage, Heartbeat, Offer, Phase, Report, ReportBatch, ReportBody, RunningAttempt, Success,
};
pub use task::StepTask;
