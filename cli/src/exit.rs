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
    /// SIGTERM.
    Terminated,
}

impl Exit {
    /// All of them, by number.
    pub(crate) const ALL: [Self; 12] = [
        Self::Good,
        Self::Failure,
        Self::Usage,
        Self::Cancelled,
        Self::Denied,
        Self::RunFailed,
        Self::NotFound,
        Self::Conflict,
        Self::Unreachable,
        Self::Superseded,
        Self::Interrupted,
        Self::Terminated,
    ];

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
            Self::Terminated => 143,
        }
    }

    /// What it means, for people.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Good => "what was asked was done",
            Self::Failure => "it could not be done",
            Self::Usage => "the command line, a setting or a pipeline is wrong",
            Self::Cancelled => "the run was cancelled, or --timeout was hit",
            Self::Denied => "no token, or one that does not allow it",
            Self::RunFailed => "the run ended and did not succeed",
            Self::NotFound => "no such run, step, file or worker",
            Self::Conflict => "its state does not allow it, or a name fits several",
            Self::Unreachable => "coordinator, RabbitMQ or store cannot be reached",
            Self::Superseded => "another coordinator has taken over",
            Self::Interrupted => "Ctrl-C (SIGINT)",
            Self::Terminated => "SIGTERM; a daemon that stops well because of it: 0",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
