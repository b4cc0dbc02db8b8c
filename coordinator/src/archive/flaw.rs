//! Why bytes of the archive are not believed. Not here: who finds that out, and what is done about it.

use tidemill_protocol::codec;

/// Bytes that are no sound record.
#[derive(Debug, thiserror::Error)]
pub enum RecordFlaw {
    /// They are of something else, or cut.
    #[error("it is too short or no such record")]
    Foreign,
    /// They were changed.
    #[error("its checksum does not fit")]
    Checksum,
    /// Nobody signed them, and they hold what only the coordinator may say.
    #[error("nobody has signed it: an earlier version wrote it, or somebody else who may write to the store")]
    Unsigned,
    /// Their signature is not that of the coordinator.
    #[error("the key of this coordinator has not signed it")]
    Forged,
    /// They are whole and cannot be read.
    #[error("it cannot be read")]
    Unreadable(#[from] codec::DecodeError),
    /// A newer version wrote them.
    #[error("its format is {0}, which is newer than this version")]
    NewerFormat(u32),
    /// What they say cannot be.
    #[error("it contradicts itself")]
    Contradiction,
}
