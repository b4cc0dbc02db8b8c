//! Colours by what they mean. Sixteen ANSI colours only, and a word always stands beside a colour: whoever sees none loses nothing.

use anstyle::{AnsiColor, Style};
use std::fmt;
use tidemill_protocol::status::{RunStatus, StepStatus};

/// What a colour means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It went well.
    Good,
    /// It went well without any work.
    Reused,
    /// It went wrong.
    Bad,
    /// Worth a look.
    Warn,
    /// It goes on now.
    Busy,
    /// Of lesser interest.
    Dim,
    /// A heading or a name.
    Strong,
    /// Nothing special.
    Plain,
}

impl Tone {
    /// The style of the terminal.
    pub(crate) const fn style(self) -> Style {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Reused => AnsiColor::Cyan.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Warn => AnsiColor::Yellow.on_default(),
            Self::Busy => AnsiColor::Blue.on_default(),
            Self::Dim => Style::new().dimmed(),
            Self::Strong => Style::new().bold(),
            Self::Plain => Style::new(),
        }
    }

    /// This text in this tone.
    pub(crate) const fn paint<T: fmt::Display>(self, text: T) -> Painted<T> {
        Painted { tone: self, text }
    }
}

/// A text with its tone; streams without colour drop the tone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Painted<T> {
    tone: Tone,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let style = self.tone.style();
        write!(f, "{style}")?;
        self.text.fmt(f)?;
        write!(f, "{style:#}")
    }
}

/// The tone of a run's status.
pub(crate) const fn of_run(status: RunStatus) -> Tone {
    match status {
        RunStatus::Queued => Tone::Plain,
        RunStatus::Running => Tone::Busy,
        RunStatus::Cancelling | RunStatus::Cancelled => Tone::Warn,
        RunStatus::Succeeded => Tone::Good,
        RunStatus::Failed | RunStatus::Aborted => Tone::Bad,
    }
}

/// The tone of a step's status.
pub(crate) const fn of_step(status: StepStatus) -> Tone {
    match status {
        StepStatus::Blocked | StepStatus::Skipped => Tone::Dim,
        StepStatus::Ready | StepStatus::Dispatched => Tone::Plain,
        StepStatus::Running => Tone::Busy,
        StepStatus::Waiting | StepStatus::Cancelled | StepStatus::Aborted => Tone::Warn,
        StepStatus::Succeeded => Tone::Good,
        StepStatus::Reused => Tone::Reused,
        StepStatus::Failed => Tone::Bad,
    }
}

/// A sign of one column for a step's status.
pub(crate) const fn sign(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Blocked | StepStatus::Ready => "·",
        StepStatus::Dispatched => "›",
        StepStatus::Running => "▸",
        StepStatus::Waiting => "↻",
        StepStatus::Succeeded => "✓",
        StepStatus::Reused => "=",
        StepStatus::Skipped => "-",
        StepStatus::Failed => "✗",
        StepStatus::Cancelled | StepStatus::Aborted => "■",
    }
}
