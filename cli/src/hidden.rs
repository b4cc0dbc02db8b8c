//! What people type or pipe in that nobody may see: read without being shown, never an argument and never a setting.

use crate::failure::{Context, Failure};
use crate::session::Session;
use crate::shutdown::Interrupts;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{BufRead, IsTerminal, Read};

/// Whether somebody sits there who can be asked.
pub(crate) fn can_ask() -> bool {
    std::io::stdin().is_terminal()
}

/// All of standard input, at most so many bytes and one more, so that too many can be told.
pub(crate) fn from_stdin(bytes_max: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Asks at the terminal for one line; what is typed does not show.
pub(crate) async fn ask(session: &mut Session, question: &str, bytes_max: u64) -> Result<String, Failure> {
    let interrupts = Interrupts::listen()?;
    session.printer.talk(format_args!("{question}: "));
    session.printer.flush();
    let silence = Silence::begin()?;
    let reading = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        std::io::stdin()
            .lock()
            .take(bytes_max.saturating_add(1))
            .read_line(&mut line)?;
        Ok::<_, std::io::Error>(line)
    });
    let line = interrupts.first().run_until_cancelled(reading).await;
    drop(silence);
    session.printer.talk(format_args!("\n"));
    let line = line.ok_or_else(|| Failure::new(interrupts.exit(), "interrupted"))?;
    line?.context(|| "cannot read what was typed")
}

/// A terminal that does not show what is typed, until this is dropped.
struct Silence(Termios);

impl Silence {
    fn begin() -> Result<Self, Failure> {
        let before = tcgetattr(std::io::stdin()).context(|| "cannot ask the terminal how it is set")?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &silent)
            .context(|| "cannot keep the terminal from showing what is typed")?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // Where even this fails there is nobody to tell.
        tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0).ok();
    }
}
