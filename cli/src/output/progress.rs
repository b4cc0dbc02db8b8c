//! Progress on a terminal: one line on standard error that disappears when the work is done. Work of less than a moment shows nothing.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// How often a line is drawn at most, per second.
const DRAWS_PER_SECOND: u8 = 12;
/// Work shorter than this shows nothing: a flash is worse than silence.
const SHOWN_AFTER: Duration = Duration::from_millis(300);

/// A line of progress, or nothing where nobody looks.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    bar: ProgressBar,
    started: std::time::Instant,
    target_is_terminal: bool,
}

impl Progress {
    /// A line that counts bytes, e.g. `hashing data 1.2 GiB`.
    pub(crate) fn bytes(shown: bool, what: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let style =
            ProgressStyle::with_template("{spinner:.blue} {msg} {binary_bytes} ({binary_bytes_per_sec})");
        bar.set_style(style.expect("the template is sound"));
        bar.set_message(what.to_owned());
        Self {
            bar,
            started: std::time::Instant::now(),
            target_is_terminal: shown,
        }
    }

    /// So much more there is to do; from now on the line says of how much.
    pub(crate) fn expect(&self, amount: u64) {
        self.bar.set_length(self.bar.length().unwrap_or(0) + amount);
        let style = ProgressStyle::with_template(
            "{spinner:.blue} {msg} {binary_bytes} of {binary_total_bytes} ({binary_bytes_per_sec})",
        );
        self.bar.set_style(style.expect("the template is sound"));
    }

    /// So much more is done.
    pub(crate) fn add(&self, amount: u64) {
        if self.target_is_terminal && self.bar.is_hidden() && self.started.elapsed() >= SHOWN_AFTER {
            self.bar
                .set_draw_target(ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND));
        }
        self.bar.inc(amount);
    }

    /// Removes the line.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl tidemill_artifacts::Progress for Progress {
    fn planned(&self, _files: u64, bytes: u64) {
        self.expect(bytes);
    }

    fn moved(&self, _files: u64, bytes: u64) {
        self.add(bytes);
    }
}
