//! `tidemill up`: everything on one machine, as a service that others use until Ctrl-C.

mod listen;

pub(super) use listen::{Listener, check_address};

use crate::embedded::{Embedded, lock_now};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::tone::Tone;
use crate::session::Session;
use crate::shutdown::Interrupts;

/// Runs until told to stop.
pub(super) async fn run(session: &mut Session) -> Result<Exit, Failure> {
    check_address(&session.settings)?;
    let interrupts = Interrupts::listen()?;
    let lock = lock_now(&session.settings, "up").await?;
    // Reading a long journal may take a while, and nothing is lost by leaving in the middle of it.
    let starting = Embedded::start_to_stay(&session.settings, session.clock, lock);
    let started = interrupts.first().run_until_cancelled(Box::pin(starting)).await;
    let Some(mut embedded) = started.transpose()? else {
        return Ok(interrupts.exit());
    };
    let outcome = serve(session, &mut embedded, &interrupts).await;
    embedded.stop().await?;
    outcome
}

async fn serve(
    session: &mut Session,
    embedded: &mut Embedded,
    interrupts: &Interrupts,
) -> Result<Exit, Failure> {
    let listener = Listener::bind(&session.settings, embedded.api()).await?;
    let url = listener.url();
    embedded.announce(&listener.url_nearby())?;
    session
        .printer
        .line(format_args!("{} tidemill is up at {url}", Tone::Good.paint("✓")))?;
    session.printer.note(format_args!(
        "  {} slots, state in {}\n  tidemill submit pipeline.yml --watch",
        session.settings.slots,
        session.settings.state_dir.display()
    ));
    session.printer.flush();
    listener.serve(interrupts.first(), embedded.token()).await?;
    session
        .printer
        .note("stopping: steps that run go on, and the next start takes them up again");
    Ok(Exit::Good)
}
