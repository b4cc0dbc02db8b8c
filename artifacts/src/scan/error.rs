//! Why files of this machine cannot become an artifact.

use std::io;
use std::path::{Path, PathBuf};
use tidemill_protocol::name::NameError;

/// Why a file or folder cannot become an artifact. Each names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The system's answer.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The answer.
        #[source]
        source: io::Error,
    },
    /// There is nothing there.
    #[error("{} does not exist", path.display())]
    NotFound {
        /// Where.
        path: PathBuf,
    },
    /// A file was expected and a folder is there, or the reverse.
    #[error("{} is not a {expected}", path.display())]
    WrongKind {
        /// Where.
        path: PathBuf,
        /// "file" or "folder".
        expected: &'static str,
    },
    /// A symbolic link stands where none may.
    #[error("{} is a symbolic link: {reason}", path.display())]
    Link {
        /// The link.
        path: PathBuf,
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// A device, pipe or socket.
    #[error("{} is a {kind}, not a file or folder", path.display())]
    Special {
        /// Where.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// A file of an output has another name somewhere.
    #[error("{} has {names} hard links: only a file with a single name is surely the step's own", path.display())]
    HardLinked {
        /// The file.
        path: PathBuf,
        /// How many names it has.
        names: u64,
    },
    /// A name that artifacts cannot hold.
    #[error("{} cannot be part of an artifact", path.display())]
    Name {
        /// The file.
        path: PathBuf,
        /// The rule that its name breaks.
        #[source]
        source: NameError,
    },
    /// Ignore rules that cannot be read.
    #[error("cannot follow the ignore rules below {}: {reason}", path.display())]
    IgnoreRules {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file was written to while it was hashed.
    #[error("{} keeps changing while it is read", path.display())]
    Changing {
        /// The file.
        path: PathBuf,
    },
    /// More files or bytes than allowed.
    #[error("{} has more than {limit} {what}", path.display())]
    TooLarge {
        /// The folder.
        path: PathBuf,
        /// The limit.
        limit: u64,
        /// "files" or "bytes".
        what: &'static str,
    },
}

impl ScanError {
    /// The system's answer, with absence told apart.
    pub(super) fn file(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        if source.kind() == io::ErrorKind::NotFound {
            return Self::NotFound {
                path: path.to_owned(),
            };
        }
        Self::File {
            action,
            path: path.to_owned(),
            source,
        }
    }
}
