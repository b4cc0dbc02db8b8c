//! The two hidden verbs that other parts start as child processes: the parent of a worker's steps, and the probe of a journal. Both speak
//! through their exit code and standard error only.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Printer;
use rustix::process::{Signal, set_parent_process_death_signal};
use std::path::Path;
use tidemill_worker::Sandbox;

/// Owns the processes of a worker's steps until there are none and the worker is gone.
pub(super) fn supervise(dir: &Path, sandbox: Sandbox) -> Exit {
    finish(tidemill_worker::supervise(dir, sandbox))
}

/// Opens a journal's database and reads all of it. May panic or hang; that is what it is for.
pub(super) fn probe_journal(dir: &Path) -> Exit {
    // Left behind by a coordinator that was killed, it would keep the database from the next one.
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        tracing::debug!(%error, "this probe may outlive its coordinator");
    }
    finish(tidemill_coordinator::journal::probe(dir))
}

fn finish<E: std::error::Error + 'static>(outcome: Result<(), E>) -> Exit {
    match outcome {
        Ok(()) => Exit::Good,
        Err(error) => {
            Printer::early(true).failure(&Failure::from(error));
            Exit::Failure
        }
    }
}
