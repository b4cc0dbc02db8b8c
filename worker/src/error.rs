//! What can keep a worker from starting, and a supervisor from going on. A step that fails is none of these: it is data.

use std::io;
use std::path::PathBuf;
use tidemill_transport::BrokerError;

/// Why a worker did not start, or had to end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A value of the configuration cannot work.
    #[error("worker configuration: {0}")]
    Config(String),
    /// The state folder or a file in it cannot be used.
    #[error("cannot use {path}")]
    State {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another daemon uses the state folder.
    #[error("another worker uses {0}")]
    InUse(PathBuf),
    /// The cache of inputs cannot be opened.
    #[error("cannot open the cache of inputs at {path}")]
    Cache {
        /// Its folder.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The supervisor process cannot be started or reached.
    #[error("cannot start or reach the supervisor of this worker's steps")]
    Supervisor(#[source] io::Error),
    /// The broker refuses for a reason that time does not mend.
    #[error("cannot subscribe to the broker")]
    Broker(#[from] BrokerError),
}

impl StartError {
    /// Wraps an I/O error with the path that it is about.
    pub(crate) fn state(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::State { path, source }
    }
}

/// Why a supervisor ended other than by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SuperviseError {
    /// The folder or a file in it cannot be used.
    #[error("cannot use {path}")]
    State {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A thread cannot be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// The steps cannot be shut in.
    #[error("cannot enter the sandbox")]
    Sandbox(#[source] io::Error),
}

/// An error and its causes in one line, for messages that travel.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
