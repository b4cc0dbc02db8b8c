//! Questions to whoever sits at the terminal. Where nobody can be asked, or nobody wants to be (`--no-input`), what was typed is what is meant.

use crate::exit::Exit;
use crate::failure::{Context, Failure};
use crate::output::Printer;
use std::io::{BufRead, Read};

/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 1024;

/// Lets go on only who wants to. `is_given` says that the command line holds the answer already.
pub(crate) async fn confirm(
    printer: &mut Printer,
    is_given: bool,
    question: impl std::fmt::Display,
) -> Result<(), Failure> {
    if is_given || !printer.can_ask() || is_wanted(printer, question).await? {
        return Ok(());
    }
    Err(Failure::new(Exit::Failure, "nothing was changed").help("--yes goes on without asking"))
}

/// Asks; anything but a yes is a no.
pub(crate) async fn is_wanted(
    printer: &mut Printer,
    question: impl std::fmt::Display,
) -> Result<bool, Failure> {
    printer.talk(format_args!("{question} [y/N] "));
    printer.flush();
    let answer = typed_line().await?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// The next line that is typed.
pub(crate) async fn typed_line() -> Result<String, Failure> {
    let reading = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin()
            .lock()
            .take(ANSWER_BYTES_MAX)
            .read_line(&mut line)?;
        Ok::<_, std::io::Error>(line)
    });
    reading.await?.context(|| "cannot read what was typed")
}
