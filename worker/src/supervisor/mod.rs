//! The supervisor: a small process that is the parent of all steps of one worker and outlives the worker daemon, so that a restarted (or killed, or
//! upgraded) daemon finds its steps still running and their exit records complete.
//!
//! [`supervise`] is its main function; [`client`] is the daemon's end of its socket. It starts processes, limits their time, memory and output, ends whole
//! process trees, and keeps exit records. It knows nothing of the bus, the store, or what a step is.

pub(crate) mod client;
mod confine;
mod cookie;
mod event;
#[cfg(test)]
mod golden;
mod group;
mod hierarchy;
mod host;
mod limits;
mod listener;
mod log_cap;
mod memory;
pub(crate) mod message;
mod nothing;
mod procfs;
mod record;
mod running;
mod sandbox;
mod score;
mod spawner;
mod user;

pub use confine::{ConfineError, Reach, confine};
pub use limits::StepLimits;
pub use sandbox::Sandbox;

use crate::error::SuperviseError;
use rustix::fs::{FlockOperation, flock};
use spawner::Walls;
use std::fs::{File, Permissions};
use std::os::fd::RawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const LOCK: &str = "supervisor.lock";

/// Runs a supervisor in this folder until it has nothing left to do, and shuts the steps in as far as the sandbox says; `reach` is what a strict one leaves
/// open beside the system and the attempt's own files, `limits` what each attempt may use. Returns at once when another one runs there.
///
/// The process becomes the leader of its own session and the adopter of orphans below it, so this is to be called from a process that does nothing else.
pub fn supervise(
    dir: &Path,
    sandbox: Sandbox,
    reach: &Reach,
    limits: StepLimits,
) -> Result<(), SuperviseError> {
    close_inherited();
    match occupy(dir)? {
        Some(_lock) => {
            let mut in_force = Vec::from_iter(sandbox.enter().map_err(SuperviseError::Sandbox)?);
            in_force.extend(limits.enter().map_err(SuperviseError::Sandbox)?);
            let walls = (sandbox == Sandbox::Strict).then(|| Walls::new(reach));
            host::run(in_force, walls, limits)
        }
        None => Ok(()),
    }
}

/// As [`supervise`], for measurements: no process is ever started, and every attempt counts as ended with code 0 at the moment at which it is to begin. A
/// worker whose configuration starts this process does all that belongs to a step except the step.
pub fn supervise_nothing(dir: &Path) -> Result<(), SuperviseError> {
    match occupy(dir)? {
        Some(_lock) => nothing::run(),
        None => Ok(()),
    }
}

/// Closes what whoever started the worker had left open, on purpose or not: steps would inherit it. To be called before this process opens anything.
fn close_inherited() {
    let entries = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers: Vec<RawFd> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|number| *number > 2)
        .collect();
    for number in numbers {
        // The listing itself was one of them, and is closed already.
        nix::unistd::close(number).ok();
    }
}

/// Makes this process the one supervisor of the folder; none when there is one. To be held while it runs.
fn occupy(dir: &Path) -> Result<Option<File>, SuperviseError> {
    // Fails only when the process leads a session or group already, which serves as well.
    rustix::process::setsid().ok();
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).ok();
    let state = |source| SuperviseError::State {
        path: dir.to_owned(),
        source,
    };
    std::fs::create_dir_all(dir).map_err(state)?;
    std::fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(state)?;
    // From here on by relative names: a socket's path may have 108 bytes only.
    std::env::set_current_dir(dir).map_err(state)?;
    let lock = File::create(LOCK).map_err(state)?;
    let ours = flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok();
    Ok(ours.then_some(lock))
}
