//! What tidemill does itself for a step, in a process of its own beside the worker: told by one file, so that what is told neither shows among the arguments of the
//! process nor needs its environment. The worker has brought what it takes and stores what it gives; see `attempt`.

mod copy;
mod model;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use tidemill_artifacts::StoreError;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Errand {
    /// Copy files out.
    Copy(CopyErrand),
    /// Look at a model, and give it on.
    RegisterModel {
        model_type: String,
        source: PathBuf,
        to: PathBuf,
    },
}

/// A copy that is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CopyErrand {
    pub source: PathBuf,
    /// The root of the store.
    pub url: String,
    /// The path below it.
    pub path: String,
    pub options: BTreeMap<String, String>,
    /// Options that are secrets, each with the file that holds its value.
    pub secrets: BTreeMap<String, PathBuf>,
    /// Where to say what was copied.
    pub report: PathBuf,
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PerformError {
    /// What is to be done cannot be read.
    #[error("cannot read what is to be done")]
    Unreadable(#[source] io::Error),
    /// A file of this machine failed us.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A name that no file can have elsewhere.
    #[error("the file name {0:?} is no text, and cannot be copied to another store")]
    Name(PathBuf),
    /// More files than one copy may have.
    #[error("there are more than {0} files")]
    TooMany(usize),
    /// A value that is no text.
    #[error("the secret for `{0}` is no text")]
    Secret(String),
    /// The store that is written to.
    #[error("the destination does not take it")]
    Store(#[from] StoreError),
    /// The files are not what they should be.
    #[error("this is no `{model_type}`: {why}")]
    NoModel {
        /// What they should be.
        model_type: String,
        /// What is wrong.
        why: &'static str,
    },
}

impl PerformError {
    fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }
}

/// Does what the file says, and answers with a line about it.
///
/// # Errors
/// When it could not be done; a copy may then be there in part.
pub fn perform(told: &Path) -> Result<String, PerformError> {
    let bytes = std::fs::read(told).map_err(PerformError::Unreadable)?;
    let errand = serde_json::from_slice(&bytes).map_err(|error| PerformError::Unreadable(error.into()))?;
    match errand {
        Errand::Copy(errand) => copy::copy(&errand),
        Errand::RegisterModel {
            model_type,
            source,
            to,
        } => model::give_on(&model_type, &source, &to),
    }
}
