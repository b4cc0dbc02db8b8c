//! `tidemill schema`: the JSON Schema of pipeline files, for editors.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

/// Prints it.
pub(super) fn run(session: &mut Session) -> Result<Exit, Failure> {
    session.printer.json(&tidemill_language::schema())?;
    Ok(Exit::Good)
}
