//! `tidemill version`.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

/// The version of this build.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Prints it.
pub(super) fn run(session: &mut Session) -> Result<Exit, Failure> {
    let view = serde_json::json!({"version": VERSION, "os": std::env::consts::OS, "architecture": std::env::consts::ARCH});
    session.printer.one(
        &view,
        |_| VERSION.to_owned(),
        |printer, _| printer.line(format_args!("tidemill {VERSION}")),
    )?;
    Ok(Exit::Good)
}
