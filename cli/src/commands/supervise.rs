//! The hidden verbs that other parts start as child processes: the parent of a worker's steps, what each step is before it is itself in a strict sandbox,
//! what tidemill does itself for a step, and the probe of a journal. They speak through their exit code and standard error only.

use crate::args::{ConfineArgs, SuperviseArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Printer;
use rustix::process::{Signal, set_parent_process_death_signal};
use std::path::Path;
use tidemill_worker::Reach;

/// Owns the processes of a worker's steps until there are none and the worker is gone.
pub(super) fn supervise(args: SuperviseArgs) -> Exit {
    let reach = args.reach.into();
    finish(tidemill_worker::supervise(
        &args.dir,
        args.sandbox,
        &reach,
        args.limits.into(),
    ))
}

/// Shuts this process in and becomes a step's program.
pub(super) fn confine(args: ConfineArgs) -> Exit {
    let reach: Reach = args.reach.into();
    let error = tidemill_worker::confine(&reach, &args.home, args.user, &args.command);
    let what = "this step's program was not started in the strict sandbox";
    let failure = Failure::because(Exit::Failure, what, &error)
        .help("the operator names what steps may use beside the system in `sandbox_readable` and `sandbox_writable`");
    Printer::early(true).failure(&failure);
    Exit::Failure
}

/// Does what tidemill does itself for a step.
pub(super) fn perform(told: &Path) -> Exit {
    let mut printer = Printer::early(true);
    match tidemill_worker::perform(told) {
        Ok(said) => {
            let printed = printer.line(said);
            printer.flush();
            printed.map_or_else(|failure| failure.exit, |()| Exit::Good)
        }
        Err(error) => {
            printer.failure(&Failure::from(error));
            Exit::Failure
        }
    }
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
