//! Following a run until it ends: events in, a picture out. On a terminal the picture lives; elsewhere each change is one line.

mod board;
mod lines;
mod live;

use crate::args::Format;
use crate::client::{Client, RunEvents, Seen};
use crate::failure::Failure;
use crate::output::Printer;
use board::{Board, Change};
use live::Live;
use std::time::Duration;
use tidemill_protocol::api::{EventView, RunView};
use tidemill_protocol::ids::RunId;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// How often a live picture is drawn anew.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// How watching ended.
#[derive(Debug)]
pub(crate) enum Watched {
    /// The run ended; this is how it stands.
    Ended(Box<RunView>),
    /// Somebody asked to stop watching; this was the last event that was shown.
    Stopped(u64),
}

/// What is shown of a run that is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Every change, as a picture or in lines.
    Changes,
    /// Nothing until its end.
    Nothing,
}

/// How changes are shown.
enum View {
    Live(Box<Live>),
    Lines,
    JsonLines,
    Silent,
}

impl View {
    fn of(printer: &Printer, shown: Shown) -> Self {
        match printer.format() {
            _ if shown == Shown::Nothing => Self::Silent,
            Format::Jsonl => Self::JsonLines,
            _ if printer.is_quiet() => Self::Silent,
            _ if printer.shows_progress() => Self::Live(Box::new(Live::new(printer.colors_stderr()))),
            _ => Self::Lines,
        }
    }

    fn show(&mut self, board: &Board, change: &Change, printer: &mut Printer) -> Result<(), Failure> {
        match self {
            Self::Live(live) => live.show(board, change),
            Self::Lines => lines::show(board, change, printer),
            Self::JsonLines => printer.json_line(&change.event)?,
            Self::Silent => {}
        }
        Ok(())
    }

    fn draw(&mut self, board: &Board) {
        if let Self::Live(live) = self {
            live.draw(board);
        }
    }

    fn tell(&mut self, text: &str, printer: &mut Printer) {
        match self {
            Self::Live(live) => live.tell(text),
            Self::Lines => printer.note(text),
            Self::JsonLines | Self::Silent => {}
        }
    }

    fn clear(&mut self) {
        if let Self::Live(live) = self {
            live.clear();
        }
    }
}

/// Follows a run until it ends or `stop` is cancelled. Events up to `shown` are taken in silently: somebody has seen them.
pub(crate) async fn watch(
    client: &Client,
    (run, shown): (RunId, u64),
    printer: &mut Printer,
    (what, stop): (Shown, &CancellationToken),
) -> Result<Watched, Failure> {
    let id = run.to_string();
    let mut board = Board::new(&client.run(&id).await?);
    let mut screen = Screen {
        view: View::of(printer, what),
        ticks: tokio::time::interval(DRAW_EVERY),
        shown,
    };
    screen.ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut events = client.run_events(&id, 0);
    let outcome = follow(&mut events, &mut board, &mut screen, (printer, stop)).await;
    screen.view.clear();
    match outcome? {
        Followed::Stopped => Ok(Watched::Stopped(board.sequence())),
        Followed::Ended => Ok(Watched::Ended(Box::new(client.run(&id).await?))),
    }
}

/// A view, and what was seen before it.
struct Screen {
    view: View,
    ticks: Interval,
    shown: u64,
}

enum Followed {
    Ended,
    Stopped,
}

async fn follow(
    events: &mut RunEvents,
    board: &mut Board,
    screen: &mut Screen,
    (printer, stop): (&mut Printer, &CancellationToken),
) -> Result<Followed, Failure> {
    loop {
        // Kept across ticks: what is under way (a connection, say) must not begin anew with each of them.
        let next = events.next();
        tokio::pin!(next);
        let seen = loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(Followed::Stopped),
                _ = screen.ticks.tick() => screen.view.draw(board),
                seen = &mut next => break seen?,
            }
        };
        match seen {
            None => return Ok(Followed::Ended),
            Some(Seen::Event(event)) => happened(*event, board, screen, printer)?,
            Some(Seen::Lost(failure)) => screen
                .view
                .tell(&format!("{}; asking again", failure.what), printer),
        }
    }
}

fn happened(
    event: EventView,
    board: &mut Board,
    screen: &mut Screen,
    printer: &mut Printer,
) -> Result<(), Failure> {
    if let Some(change) = board.apply(event)
        && change.event.sequence > screen.shown
    {
        screen.view.show(board, &change, printer)?;
    }
    Ok(())
}
