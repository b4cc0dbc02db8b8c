//! What the processes of an attempt may use: how many there may be, and what each may open and write. The supervisor sets what the kernel counts for each
//! process on itself, and all processes below it inherit it; what is counted for all of an attempt together is its control group's business.

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, getuid, setrlimit, umask};
use std::io;

/// What each attempt may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepLimits {
    /// Processes and threads of an attempt together. 0: no limit. Default: 4,096.
    pub processes: u64,
    /// Files that one process has open. 0: what the worker itself may have. Default: 0.
    pub open_files: u64,
    /// Bytes of the largest file that a process may write. 0: no limit. Default: 0.
    pub file_bytes: u64,
}

impl StepLimits {
    /// Least limit of processes: a shell, what it starts, and the runtime of that.
    pub const PROCESSES_MIN: u64 = 16;
    /// Least limit of open files.
    pub const OPEN_FILES_MIN: u64 = 64;
    /// Least limit of a file's length: a log may be that long in any case.
    pub const FILE_BYTES_MIN: u64 = 1 << 20;

    /// Sets what every process inherits. Answers what is in force, for the notes of attempts.
    pub(super) fn enter(self) -> io::Result<Vec<String>> {
        // Whatever the daemon was started with: a step's files are kept from others by the folder that they lie in.
        umask(Mode::WGRP | Mode::WOTH);
        let mut in_force = Vec::new();
        if self.processes > 0 && getuid().is_root() {
            // Counted for each user, and never for root: it holds steps that have a user of their own.
            lower(Resource::Nproc, self.processes)?;
        }
        if self.open_files > 0 {
            let files = lower(Resource::Nofile, self.open_files)?;
            in_force.push(format!("limit of {files} open files in force for each process"));
        }
        if self.file_bytes > 0 {
            let bytes = lower(Resource::Fsize, self.file_bytes)?;
            in_force.push(format!("limit of {bytes} bytes for each file in force"));
        }
        Ok(in_force)
    }
}

impl Default for StepLimits {
    fn default() -> Self {
        Self {
            processes: 4096,
            open_files: 0,
            file_bytes: 0,
        }
    }
}

/// Limits a resource, to less where less was allowed before; answers what the system then says.
fn lower(resource: Resource, to: u64) -> io::Result<u64> {
    let most = getrlimit(resource).maximum.unwrap_or(u64::MAX).min(to);
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    setrlimit(resource, limit)?;
    getrlimit(resource)
        .current
        .ok_or_else(|| io::Error::other("the system did not keep what was set"))
}
