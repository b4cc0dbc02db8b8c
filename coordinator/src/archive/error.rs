//! What can go wrong with an archive. Nothing here is repaired silently: an archive that contradicts itself or the local journal stops whoever looks.

use super::flaw::RecordFlaw;
use crate::journal::JournalError;
use std::path::PathBuf;
use tidemill_artifacts::StoreError;

/// An archive that could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The store failed.
    #[error("the archive cannot be reached")]
    Store(#[from] StoreError),
    /// The store did not answer in time.
    #[error("the archive does not answer")]
    Silent,
    /// An object of the archive is not sound.
    #[error("{object} of the archive is damaged")]
    Damaged {
        /// Its name.
        object: String,
        /// What is wrong with it.
        source: RecordFlaw,
    },
    /// Objects of the archive do not fit together.
    #[error("the archive is not whole: {0}")]
    Broken(String),
    /// Another coordinator went on from this archive.
    #[error("another coordinator has taken over: epoch {epoch} was claimed by {address}")]
    Superseded {
        /// The newer epoch.
        epoch: u64,
        /// Who claimed it.
        address: String,
    },
    /// The archive holds events that the local journal does not have: this state folder is an old copy, or another coordinator went on.
    #[error("the archive knows events up to {archived}, the journal of this machine ends with event {local}")]
    Behind {
        /// The last event of the archive.
        archived: u64,
        /// The last event of the local journal.
        local: u64,
    },
    /// The archive and the local journal tell different stories.
    #[error("event {sequence} of the archive is not the one in the journal of this machine")]
    Diverged {
        /// The first event that differs.
        sequence: u64,
    },
    /// There is nothing to recover from.
    #[error("the store holds no archive{}", .0.as_ref().map_or(String::new(), |key| format!(" of the coordinator with the key {key}")))]
    NoArchive(Option<String>),
    /// Several coordinators have archives here.
    #[error("the store holds archives of several coordinators")]
    Ambiguous(Vec<String>),
    /// A coordinator still writes to this archive.
    #[error("a coordinator lives: {address} showed a sign of life in epoch {epoch}")]
    Alive {
        /// Its epoch.
        epoch: u64,
        /// Its address.
        address: String,
    },
    /// The state folder holds a journal already.
    #[error("there is a journal at {} already", .0.display())]
    Exists(PathBuf),
    /// The active coordinator does not wait for the archive, so what it answered may be lost when it is replaced.
    #[error("the active coordinator {address} does not wait for the archive")]
    NotSynchronous {
        /// Its address.
        address: String,
    },
    /// Objects that are not the coordinator's hide what is.
    #[error("the archive holds more than {max} {objects} that the key of this coordinator has not signed")]
    Strange {
        /// What kind of objects.
        objects: &'static str,
        /// How many are looked past.
        max: usize,
    },
    /// Nobody said whose archive is to be believed.
    #[error("nothing here says whose archive is to be believed")]
    Unnamed(Vec<String>),
    /// So few digits of a key could be those of a forged one.
    #[error("`{0}` is too short to tell a coordinator's key from a forged one")]
    ShortKey(String),
    /// What is written to an archive is signed.
    #[error("the signing key of the coordinator is not here, and nothing is added to its archive without it")]
    Keyless,
    /// The key of the coordinator that is stood in for, or recovered, cannot be read.
    #[error("cannot read the signing key {}", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The local journal failed.
    #[error("the journal of this machine failed")]
    Journal(#[from] JournalError),
    /// A file of the state folder failed.
    #[error("cannot use {}", .path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl ArchiveError {
    /// Whether another coordinator goes on from this archive, so that this one must not.
    pub const fn is_superseded(&self) -> bool {
        matches!(
            self,
            Self::Superseded { .. } | Self::Behind { .. } | Self::Diverged { .. }
        )
    }

    /// Whether there is something in the archive that its coordinator has not put there.
    pub const fn is_of_strangers(&self) -> bool {
        matches!(
            self,
            Self::Strange { .. }
                | Self::Damaged {
                    source: RecordFlaw::Unsigned | RecordFlaw::Forged,
                    ..
                }
        )
    }
}
