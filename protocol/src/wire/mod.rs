//! What travels over the broker. MessagePack bodies in a signed envelope; compatible with the release before and after.

mod control;
mod envelope;
mod key;
mod report;
mod task;
mod tracking;

pub use control::{Control, LogChunk, LogStream, StopReason};
pub use envelope::{
    Audience, ENVELOPE_BYTES_MAX, EnvelopeError, Kind, Opened, open, open_from_worker, open_set_aside,
    open_unsigned, seal, seal_as_worker, seal_unsigned, signer_of,
};
pub use key::{
    BadKey, BadSignatureText, KeyId, KeySignature, SIGNATURE_BYTES, SignerKey, TrustedKey, TrustedKeys,
};
pub use report::{
    AttemptUsage, Heartbeat, Offer, Phase, Report, ReportBatch, ReportBody, RunningAttempt, Success,
};
pub use task::StepTask;
pub use tracking::{HiddenText, TrackingGrant};
