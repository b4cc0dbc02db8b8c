//! What heartbeats and log followers need to know about an attempt while it is made.

use super::folder::Folder;
use crate::secrets::Keep;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use tidemill_protocol::ids::{AttemptId, FencingToken};
use tidemill_protocol::wire::{LogStream, Phase, RunningAttempt, StepTask};

/// An attempt's place in its course, shared between the one that makes it and those who tell of it.
#[derive(Debug)]
pub(crate) struct Status {
    attempt: AttemptId,
    token: FencingToken,
    phase: AtomicU8,
    streams: [PathBuf; 2],
    was_followed: AtomicBool,
    /// The attempt's secrets, and what is to be covered in its streams.
    pub(crate) secrets: Keep,
}

impl Status {
    /// An attempt that is about to begin.
    pub(crate) fn new(task: &StepTask, folder: &Folder, secrets: Keep) -> Self {
        Self {
            attempt: task.attempt,
            token: task.token,
            phase: AtomicU8::new(code(Phase::Staging)),
            streams: [folder.stdout(), folder.stderr()],
            was_followed: AtomicBool::new(false),
            secrets,
        }
    }

    /// The attempt has reached this phase.
    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(code(phase), Ordering::Relaxed);
    }

    /// Somebody follows its log, and reads its folder.
    pub(crate) fn follow(&self) {
        self.was_followed.store(true, Ordering::Relaxed);
    }

    /// Whether somebody may still read its folder.
    pub(super) fn was_followed(&self) -> bool {
        self.was_followed.load(Ordering::Relaxed)
    }

    /// Which attempt.
    pub(crate) fn attempt(&self) -> AttemptId {
        self.attempt
    }

    /// Under which token.
    pub(crate) fn token(&self) -> FencingToken {
        self.token
    }

    /// The file of a stream.
    pub(crate) fn stream(&self, stream: LogStream) -> &PathBuf {
        match stream {
            LogStream::Stdout => &self.streams[0],
            LogStream::Stderr => &self.streams[1],
        }
    }

    /// As heartbeats list it.
    pub(crate) fn running(&self) -> RunningAttempt {
        let phase = match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Environment,
            1 => Phase::Staging,
            2 => Phase::Running,
            _ => Phase::Storing,
        };
        RunningAttempt {
            attempt: self.attempt,
            token: self.token,
            phase,
        }
    }
}

const fn code(phase: Phase) -> u8 {
    match phase {
        Phase::Environment => 0,
        Phase::Staging => 1,
        Phase::Running => 2,
        Phase::Storing => 3,
    }
}
