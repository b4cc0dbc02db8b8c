//! `tidemill completions`: a script that teaches a shell the command line.

use crate::args::{Cli, CompletionsArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;
use clap::CommandFactory;

/// Prints it.
pub(super) fn run(session: &mut Session, args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tidemill", &mut script);
    session.printer.bytes(&script)?;
    Ok(Exit::Good)
}
