//! What can go wrong between us and a store. Variants follow what a caller would do differently; a step's own failure is
//! data of the protocol and is not here, and errors of reading a user's folder are in [`crate::scan`].

use crate::scan::ScanError;
use std::io;
use std::path::PathBuf;
use tidemill_protocol::codec::DecodeError;
use tidemill_protocol::digest::Digest;

/// A failed operation on the store, on the cache, or on a file on its way between them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The address or an option of the store is wrong; nothing was contacted.
    #[error("cannot use the store address {url}: {reason}")]
    Address {
        /// The address without credentials.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store lacks a promise on which commits stand.
    #[error("the store at {url} is refused: {reason}")]
    Refused {
        /// The address without credentials.
        url: String,
        /// The missing promise.
        reason: &'static str,
    },
    /// The object is not in the store.
    #[error("{object} is not in the store")]
    NotFound {
        /// Its key.
        object: String,
    },
    /// The object's bytes are not those that its name promises.
    #[error("{object} is corrupt: expected {expected}, found {found}")]
    Corrupt {
        /// Its key, or the path of a cached file.
        object: String,
        /// What its name promises.
        expected: String,
        /// What was read.
        found: String,
    },
    /// Another attempt to write the same create-only record won with different content.
    #[error("{object} already exists with different content")]
    Conflict {
        /// Its key.
        object: String,
    },
    /// The object is larger than the caller wants to hold in memory.
    #[error("{object} has {size_bytes} bytes, more than the {limit_bytes} allowed here")]
    TooLarge {
        /// Its key.
        object: String,
        /// Its length.
        size_bytes: u64,
        /// The caller's limit.
        limit_bytes: u64,
    },
    /// A file changed between being hashed and being sent.
    #[error("{} changed while it was being uploaded", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A tree names a blob that is not in the store.
    #[error("the tree names {path} with content {digest}, which is not in the store")]
    MissingBlob {
        /// The file's place in the tree.
        path: String,
        /// Its content.
        digest: Digest,
    },
    /// The object was read whole and verified, but is no record of ours.
    #[error("{object} is not readable")]
    Malformed {
        /// Its key.
        object: String,
        /// Why.
        #[source]
        source: DecodeError,
    },
    /// A file of this machine cannot become an artifact.
    #[error("the file cannot be stored")]
    Unfit(#[source] ScanError),
    /// A file of this machine failed us.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried, e.g. "read".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The store failed us after its own retries.
    #[error("cannot {action} {object}")]
    Backend {
        /// What was tried, e.g. "read".
        action: &'static str,
        /// The object's key.
        object: String,
        /// The store's answer.
        #[source]
        source: object_store::Error,
    },
    /// More was stored and asked for in the last hours than is remembered, so nobody knows what a sweep must spare.
    #[error(
        "more contents were stored in the last hours than are remembered: sweep when there is less going on"
    )]
    Busy,
    /// The process is shutting down: its blocking pool no longer runs our work.
    #[error("the process is shutting down")]
    ShuttingDown,
}

/// The result of an operation on the store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

impl StoreError {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Backend { source, .. } => !matches!(
                source,
                object_store::Error::InvalidPath { .. }
                    | object_store::Error::NotSupported { .. }
                    | object_store::Error::NotImplemented { .. }
                    | object_store::Error::PermissionDenied { .. }
                    | object_store::Error::Unauthenticated { .. }
                    | object_store::Error::UnknownConfigurationKey { .. }
            ),
            Self::File { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::Interrupted
            ),
            _ => false,
        }
    }

    /// Whether the store did not answer what it was asked, and may later without anybody's doing; of a folder, that the disk which machines share is away.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Backend { .. } => self.is_retryable(),
            Self::File { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::NotADirectory
                    | io::ErrorKind::StaleNetworkFileHandle
                    | io::ErrorKind::TimedOut
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NetworkUnreachable
                    | io::ErrorKind::NetworkDown
            ),
            _ => false,
        }
    }

    /// Whether the store, or the way to it, fails rather than what was asked: whoever has much to lose waits until somebody has mended it. Wider than
    /// [`Self::is_retryable`]: rights that ran out, a bucket that is gone and a disk that is not mounted are mended by people.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Backend { source, .. } => !matches!(
                source,
                object_store::Error::InvalidPath { .. }
                    | object_store::Error::NotSupported { .. }
                    | object_store::Error::NotImplemented { .. }
                    | object_store::Error::UnknownConfigurationKey { .. }
            ),
            Self::NotFound { .. } => true,
            Self::File { source, .. } => !matches!(
                source.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename | io::ErrorKind::Unsupported
            ),
            _ => false,
        }
    }

    /// Whether the bytes of an artifact are damaged or gone, so that producing it again is the way on.
    pub fn is_data_loss(&self) -> bool {
        matches!(
            self,
            Self::Corrupt { .. } | Self::NotFound { .. } | Self::MissingBlob { .. }
        )
    }

    /// Wraps the store's answer, telling an absent object apart.
    pub(crate) fn backend(
        action: &'static str,
        object: &object_store::path::Path,
        source: object_store::Error,
    ) -> Self {
        match source {
            object_store::Error::NotFound { .. } => Self::NotFound {
                object: object.to_string(),
            },
            source => Self::Backend {
                action,
                object: object.to_string(),
                source,
            },
        }
    }

    /// Wraps the system's answer about a file.
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        Self::File {
            action,
            path: path.into(),
            source: source.into(),
        }
    }
}

impl From<tokio::task::JoinError> for StoreError {
    /// # Panics
    /// Goes on with the panic of the blocking task: an invariant of ours broke there.
    fn from(error: tokio::task::JoinError) -> Self {
        match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Self::ShuttingDown,
        }
    }
}
