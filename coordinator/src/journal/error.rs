//! What can go wrong with a journal. None of it is retried: a coordinator that cannot write must not speak.

use std::path::{Path, PathBuf};

/// A journal that could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Something that was durable once is missing or changed. Nothing was modified.
    #[error(
        "the journal at {} is damaged: {reason}; nothing was changed. Look with `tidemill journal verify --state-dir {}`, \
         keep what is whole with `tidemill journal repair --state-dir {}`",
        .dir.display(), state_dir(.dir), state_dir(.dir)
    )]
    Damaged {
        /// The journal's folder.
        dir: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// Another process has it open.
    #[error("the journal at {} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// It was written by a newer version.
    #[error("the journal at {} has format {found}, newer than {known}", .dir.display())]
    NewerFormat {
        /// The journal's folder.
        dir: PathBuf,
        /// The format found.
        found: u16,
        /// The newest format that this version reads.
        known: u16,
    },
    /// The system refused.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// sled refused.
    #[error("the journal's database failed to {action}")]
    Database {
        /// What was attempted.
        action: &'static str,
        /// Why not.
        source: ::sled::Error,
    },
    /// An earlier failure made the state on disk unknown; only a restart can find out.
    #[error("the journal failed before and takes nothing more")]
    Poisoned,
    /// It is durable here and was to be in the archive too, which did not take it: nobody was told of it.
    #[error("the archive did not take what the journal holds")]
    Unarchived,
    /// An event could not be read, though its bytes are whole.
    #[error("event {sequence} of the journal cannot be read")]
    Unreadable {
        /// Its sequence number.
        sequence: u64,
        /// Why not.
        source: tidemill_protocol::codec::DecodeError,
    },
}

impl JournalError {
    pub(super) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn damaged(dir: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged {
            dir: dir.to_owned(),
            reason: reason.into(),
        }
    }
}

/// The state folder to which a journal's folder belongs, as a shell would take it.
fn state_dir(dir: &Path) -> String {
    let parent = dir.parent().unwrap_or(dir).display().to_string();
    if parent
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b))
    {
        parent
    } else {
        format!("'{}'", parent.replace('\'', r"'\''"))
    }
}
