//! The living picture on a terminal: what has ended scrolls up, what runs stands below it, and one line sums up. Everything but the
//! ended steps disappears when the run ends.

use super::board::{Board, Change};
use super::lines::detail;
use crate::output::humane;
use crate::output::tone::{self, Tone};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt::Write;
use tidemill_protocol::status::StepStatus;

/// Most running steps that are shown at once.
const RUNNING_SHOWN_MAX: usize = 12;
/// Up to so many steps, each reused one has its line.
const REUSED_LINES_MAX: usize = 40;
/// Up to so many steps, each ended one has its line; beyond, only those that went wrong.
const ENDED_LINES_MAX: usize = 200;
/// Width of the bar in columns.
const BAR_COLUMNS: usize = 24;
/// The same on a screen of fewer columns than this: what the bar sums up is worth more than the bar.
const BAR_COLUMNS_NARROW: usize = 8;
const NARROW_BELOW: u16 = 80;
/// How often the terminal is drawn at most, per second.
const DRAWS_PER_SECOND: u8 = 15;
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// A living picture of one run.
pub(super) struct Live {
    screen: MultiProgress,
    running: Vec<ProgressBar>,
    summary: ProgressBar,
    turns: usize,
    colours: bool,
}

impl Live {
    /// A picture on standard error.
    pub(super) fn new(colours: bool) -> Self {
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND));
        let summary = screen.add(line());
        Self {
            screen,
            running: Vec::new(),
            summary,
            turns: 0,
            colours,
        }
    }

    /// Shows a change: an ended step leaves a line behind.
    pub(super) fn show(&mut self, board: &Board, change: &Change) {
        let (Some((path, _)), Some(status)) = (&change.step, change.event.step_status) else {
            return;
        };
        let wanted = match status {
            StepStatus::Failed | StepStatus::Waiting => true,
            StepStatus::Reused | StepStatus::Skipped => board.total() <= REUSED_LINES_MAX,
            _ => status.is_terminal() && board.total() <= ENDED_LINES_MAX,
        };
        if wanted {
            let tone = tone::of_step(status);
            let text = format!(
                "{} {:<28} {} {}",
                tone.paint(tone::sign(status)),
                path.as_str(),
                tone.paint(format_args!("{:<9}", status.as_str())),
                Tone::Dim.paint(detail(change)),
            );
            // A line that cannot be written is a terminal that is gone; the run matters more.
            drop(self.screen.println(self.plain_or(text)));
        }
    }

    /// Says something beside the picture.
    pub(super) fn tell(&self, text: &str) {
        drop(self.screen.println(self.plain_or(text.to_owned())));
    }

    /// Draws what runs, and the sum.
    pub(super) fn draw(&mut self, board: &Board) {
        self.turns += 1;
        let spinner = SPINNER[self.turns % SPINNER.len()];
        let running: Vec<_> = board.running().collect();
        let shown = running.len().min(RUNNING_SHOWN_MAX);
        while self.running.len() < shown {
            self.running
                .push(self.screen.insert_before(&self.summary, line()));
        }
        while self.running.len() > shown {
            if let Some(bar) = self.running.pop() {
                bar.finish_and_clear();
                self.screen.remove(&bar);
            }
        }
        for (bar, (path, length)) in self.running.iter().zip(&running) {
            let text = format!(
                "{} {:<28} {} {}",
                Tone::Busy.paint(spinner),
                path.as_str(),
                Tone::Busy.paint("running  "),
                Tone::Dim.paint(humane::duration(*length)),
            );
            bar.set_message(self.plain_or(text));
        }
        let hidden = running.len() - shown;
        self.summary.set_message(self.plain_or(sum(board, hidden)));
    }

    /// Removes everything that lives.
    pub(super) fn clear(&mut self) {
        drop(self.screen.clear());
        self.screen.set_draw_target(ProgressDrawTarget::hidden());
    }

    fn plain_or(&self, text: String) -> String {
        if self.colours {
            text
        } else {
            anstream::adapter::strip_str(&text).to_string()
        }
    }
}

fn line() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_msg}").expect("the template is sound");
    ProgressBar::new_spinner().with_style(style)
}

/// How wide the bar is on the screen as it is now: it may be pulled at while we draw.
fn bar_columns() -> usize {
    match rustix::termios::tcgetwinsize(std::io::stderr()) {
        Ok(size) if size.ws_col < NARROW_BELOW => BAR_COLUMNS_NARROW,
        _ => BAR_COLUMNS,
    }
}

fn sum(board: &Board, hidden: usize) -> String {
    let total = board.total().max(1);
    let columns = bar_columns();
    let share = |count: usize| count * columns / total;
    let good = board.count(StepStatus::Succeeded);
    let reused = board.count(StepStatus::Reused);
    let bad = board.count(StepStatus::Failed);
    let bars = [(good, Tone::Good), (reused, Tone::Reused), (bad, Tone::Bad)];
    let mut text = String::new();
    let mut drawn = 0;
    for (count, tone) in bars {
        let width = share(count);
        drawn += width;
        put(&mut text, format_args!("{}", tone.paint("━".repeat(width))));
    }
    put(
        &mut text,
        format_args!("{}", Tone::Dim.paint("─".repeat(columns.saturating_sub(drawn)))),
    );
    put(
        &mut text,
        format_args!("  {}/{} steps", board.done(), board.total()),
    );
    let facts = [
        (board.count(StepStatus::Running), "running", Tone::Busy),
        (board.count(StepStatus::Dispatched), "queued", Tone::Plain),
        (board.count(StepStatus::Waiting), "waiting", Tone::Warn),
        (reused, "reused", Tone::Reused),
        (bad, "failed", Tone::Bad),
        (hidden, "more running", Tone::Dim),
    ];
    for (count, word, tone) in facts {
        if count > 0 {
            put(
                &mut text,
                format_args!(" · {}", tone.paint(format_args!("{count} {word}"))),
            );
        }
    }
    let elapsed = humane::duration(board.elapsed());
    let status = tone::of_run(board.status()).paint(board.status());
    put(&mut text, format_args!("  {elapsed}  {} {status}", board.name()));
    text
}

fn put(text: &mut String, piece: std::fmt::Arguments<'_>) {
    text.write_fmt(piece).expect("writing to a string cannot fail");
}
