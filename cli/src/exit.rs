//! How the program ends: the exit codes, which scripts rely on and which never change their meaning.

use std::process::ExitCode;

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What was asked was done.
    Good,
    /// It could not be done.
    Failure,
    /// The command line or a pipeline is wrong.
    Usage,
    /// The run was cancelled, or a time limit was hit.
    Cancelled,
    /// The caller lacks a right.
    Denied,
    /// The run ended and did not succeed.
    RunFailed,
    /// No such thing.
    NotFound,
    /// The state of the thing does not allow it.
    Conflict,
    /// Coordinator, broker or store cannot be reached.
    Unreachable,
    /// Another coordinator has taken over.
    Superseded,
    /// Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Cancelled => 3,
            Self::Denied => 4,
            Self::RunFailed => 5,
            Self::NotFound => 6,
            Self::Conflict => 7,
            Self::Unreachable => 8,
            Self::Superseded => 9,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
