//! `tidemill queue …`: the coordinator's backlog beside the broker's own figures, once or again and again.

use crate::args::QueueCommand;
use crate::client::Client;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;
use crate::shutdown::Interrupts;
use crate::views;
use std::time::Duration;
use tidemill_protocol::api::QueueView;
use tokio::time::MissedTickBehavior;

/// Moves the cursor home and clears what is below.
const CLEAR: &str = "\x1b[H\x1b[J";

/// Does what was asked.
pub(super) async fn run(session: &mut Session, command: QueueCommand) -> Result<Exit, Failure> {
    let connection = Connection::open(session).await?;
    let outcome = match command {
        QueueCommand::List => list(session, &connection.client).await,
        QueueCommand::Watch(args) => watch(session, &connection, Duration::from_secs(args.every)).await,
    };
    connection.close().await?;
    outcome
}

async fn list(session: &mut Session, client: &Client) -> Result<Exit, Failure> {
    let queues = client.queues().await?;
    show(session, &queues)?;
    explain(session, &queues);
    Ok(Exit::Good)
}

fn show(session: &mut Session, queues: &[QueueView]) -> Result<(), Failure> {
    if queues.is_empty() && session.printer.is_for_people() {
        session
            .printer
            .note("no queues: no step has asked for a compute target, and no worker serves one");
        return Ok(());
    }
    session.printer.list(queues, &views::queues::columns(), |queue| {
        queue.target.to_string()
    })
}

/// Says below a table how to get the figures that it lacks.
fn explain(session: &mut Session, queues: &[QueueView]) {
    if let Some(note) = views::queues::footnote(queues).filter(|_| session.printer.is_for_people()) {
        session.printer.help(note);
    }
}

/// Shows the queues again and again. A coordinator that is away for a while is waited for; that it never answered is a failure.
async fn watch(session: &mut Session, connection: &Connection, every: Duration) -> Result<Exit, Failure> {
    if !connection.is_served() {
        return Err(Failure::new(
            Exit::Unreachable,
            "no coordinator runs on this machine, so no queue will change",
        )
        .code("unreachable")
        .help("start one with `tidemill up`, or name another with --url or $TIDEMILL_URL"));
    }
    let interrupts = Interrupts::listen()?;
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut has_answered, mut is_away) = (false, false);
    loop {
        tokio::select! {
            () = interrupts.first().cancelled() => return Ok(Exit::Good),
            _ = ticks.tick() => {}
        }
        let queues = tokio::select! {
            () = interrupts.first().cancelled() => return Ok(Exit::Good),
            queues = connection.client.queues() => queues,
        };
        match queues {
            Ok(queues) => {
                let is_screen = session.printer.is_for_people() && session.printer.shows_progress();
                let is_first = !has_answered;
                (has_answered, is_away) = (true, false);
                if is_screen {
                    session.printer.line(CLEAR)?;
                }
                show(session, &queues)?;
                session.printer.flush();
                if is_screen || is_first {
                    explain(session, &queues);
                }
            }
            Err(failure) if has_answered && failure.exit == Exit::Unreachable => {
                if !is_away {
                    session
                        .printer
                        .note(format_args!("{}; asking again", failure.what));
                }
                is_away = true;
            }
            Err(failure) => return Err(failure),
        }
    }
}
