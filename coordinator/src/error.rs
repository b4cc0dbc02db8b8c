//! What can go wrong with a coordinator as a whole. A command that is refused is not here: that is a rejection.

use crate::archive::ArchiveError;
use crate::audit::AuditDamage;
use crate::config::ConfigError;
use crate::journal::JournalError;
use std::path::PathBuf;
use tidemill_engine::Rejection;

/// A coordinator that could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting is out of its bounds.
    #[error("the configuration is not valid")]
    Config(#[from] ConfigError),
    /// The journal could not be opened.
    #[error("the journal cannot be opened")]
    Journal(#[from] JournalError),
    /// The state folder, or the signing key in it, cannot be used.
    #[error("cannot use the state folder {}", .state_dir.display())]
    State {
        /// The state folder.
        state_dir: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The archive of the journal cannot be used, or another coordinator goes on from it.
    #[error("the coordinator cannot go on from its archive in the store")]
    Archive(#[from] ArchiveError),
    /// The audit log is not whole, or cannot be opened.
    #[error(
        "the audit log is not whole: `tidemill audit verify` says where; keep its folder `{}` elsewhere as evidence, and a new log is begun", .dir.display()
    )]
    Audit {
        /// Its folder.
        dir: PathBuf,
        /// What is wrong.
        source: AuditDamage,
    },
    /// The system gave no thread.
    #[error("cannot start the driver's thread")]
    Thread(#[source] std::io::Error),
    /// The bus refuses us.
    #[error("the bus cannot be used")]
    Bus(#[from] tidemill_transport::BrokerError),
    /// It stopped while it started.
    #[error("the coordinator stopped while it started")]
    Stopped(#[from] Stopped),
}

/// A coordinator that ended before it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoordinatorError {
    /// The journal failed: nothing more can be promised.
    #[error("the journal failed; the coordinator stops")]
    Journal(#[source] JournalError),
    /// Another coordinator goes on from the archive: this one has ended before it could do harm.
    #[error("the coordinator is not the coordinator any more; it stops")]
    Archive(#[source] ArchiveError),
    /// One of its parts ended.
    #[error("the coordinator's {0} ended unexpectedly")]
    PartEnded(&'static str),
    /// The bus ended, or refuses us for good.
    #[error("the coordinator's {part} lost the bus")]
    Bus {
        /// Which part.
        part: &'static str,
        /// Why.
        source: tidemill_transport::BrokerError,
    },
}

/// The coordinator has stopped, or is about to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the coordinator is stopping")]
pub struct Stopped;

/// A command that was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The engine refuses it.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Nobody is there to carry it out.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl CommandError {
    /// Whether nobody is there any more.
    pub const fn is_stopped(&self) -> bool {
        matches!(self, Self::Stopped(_))
    }
}
