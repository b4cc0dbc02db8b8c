//! The only place that prints. Data goes to standard output, in the form that was asked for; everything else (notes, progress, errors) goes to
//! standard error. Whether a stream takes colours is decided here once, from the settings, `NO_COLOR`, `CLICOLOR_FORCE` and the terminal.

mod forms;
pub(crate) mod humane;
mod panic;
pub(crate) mod progress;
pub(crate) mod table;
pub(crate) mod tone;
mod yaml;

pub(crate) use panic::report_panics;

use crate::args::{Color, Format};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings::Settings;
use anstream::{AutoStream, ColorChoice};
use progress::Progress;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use table::{Column, Layout};
use tone::Tone;

/// Prints what commands have to say.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing about who reads, or what they want"
)]
pub(crate) struct Printer {
    stdout: AutoStream<io::Stdout>,
    stderr: AutoStream<io::Stderr>,
    format: Format,
    quiet: bool,
    verbose: bool,
    shows_progress: bool,
    has_headers: bool,
    can_ask: bool,
    width: Option<u16>,
}

impl std::fmt::Debug for Printer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Printer({:?})", self.format)
    }
}

impl Printer {
    /// A printer as the settings want it.
    pub(crate) fn new(settings: &Settings) -> Self {
        let choice = match settings.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        // The table crate asks the terminal itself; only its answer for standard output counts.
        let width = io::stdout()
            .is_terminal()
            .then(|| comfy_table::Table::new().width())
            .flatten();
        if settings.utc {
            humane::show_utc();
        }
        let on_terminal = io::stderr().is_terminal() && !settings.environment.is_automated();
        Self {
            stdout: AutoStream::new(io::stdout(), choice),
            stderr: AutoStream::new(io::stderr(), choice),
            format: settings.output,
            quiet: settings.quiet,
            verbose: settings.verbose > 0,
            shows_progress: on_terminal && !settings.quiet,
            has_headers: settings.has_headers,
            can_ask: !settings.no_input && io::stdin().is_terminal() && io::stderr().is_terminal(),
            width,
        }
    }

    /// A printer for failures that come before there are settings.
    pub(crate) fn early(verbose: bool) -> Self {
        Self {
            stdout: AutoStream::auto(io::stdout()),
            stderr: AutoStream::auto(io::stderr()),
            format: Format::Table,
            quiet: false,
            verbose,
            shows_progress: false,
            has_headers: true,
            can_ask: false,
            width: None,
        }
    }

    /// The form that was asked for.
    pub(crate) fn format(&self) -> Format {
        if self.quiet { Format::Name } else { self.format }
    }

    /// Whether data is wanted for people.
    pub(crate) fn is_for_people(&self) -> bool {
        matches!(self.format(), Format::Table | Format::Wide)
    }

    /// Whether somebody looks at a terminal and wants to see progress.
    pub(crate) const fn shows_progress(&self) -> bool {
        self.shows_progress
    }

    /// Whether somebody sits there who can be asked.
    pub(crate) const fn can_ask(&self) -> bool {
        self.can_ask
    }

    /// Whether notes are unwanted.
    pub(crate) const fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether standard error takes colours.
    pub(crate) fn colors_stderr(&self) -> bool {
        self.stderr.current_choice() != ColorChoice::Never
    }

    /// A line of progress that counts bytes.
    pub(crate) fn progress(&self, what: &str) -> Progress {
        Progress::bytes(self.shows_progress, what)
    }

    /// Prints a list: as a table, as JSON, YAML or rows, or as ids.
    pub(crate) fn list<T: Serialize>(
        &mut self,
        items: &[T],
        columns: &[Column<T>],
        id: impl Fn(&T) -> String,
    ) -> Result<(), Failure> {
        match self.format() {
            Format::Table | Format::Wide => self.table(items, columns),
            Format::Json => self.json(&forms::list(items)),
            Format::Yaml => self.line(forms::to_yaml(&forms::list(items))?),
            Format::Csv => self.csv(items),
            Format::Jsonl => items.iter().try_for_each(|item| self.json_line(item)),
            Format::Name => items.iter().try_for_each(|item| self.line(id(item))),
            Format::Dot | Format::Mermaid | Format::Svg => Err(not_a_drawing()),
        }
    }

    /// Prints a list below something else that was printed for people.
    pub(crate) fn table<T>(&mut self, items: &[T], columns: &[Column<T>]) -> Result<(), Failure> {
        let layout = Layout {
            is_wide: self.format == Format::Wide,
            has_headers: self.has_headers,
            width: self.width,
        };
        let text = table::render(items, columns, layout);
        if text.is_empty() {
            return Ok(());
        }
        self.line(text)
    }

    fn csv<T: Serialize>(&mut self, items: &[T]) -> Result<(), Failure> {
        let text = forms::to_csv(items, self.has_headers)?;
        Ok(write!(self.stdout, "{text}")?)
    }

    /// Prints one thing: as JSON, YAML or a row, as its id, or as `people` writes it.
    pub(crate) fn one<T: Serialize>(
        &mut self,
        item: &T,
        id: impl FnOnce(&T) -> String,
        people: impl FnOnce(&mut Self, &T) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match self.format() {
            Format::Table | Format::Wide => people(self, item),
            Format::Json => self.json(&forms::one(item)),
            Format::Yaml => self.line(forms::to_yaml(&forms::one(item))?),
            Format::Csv => self.csv(std::slice::from_ref(item)),
            Format::Jsonl => self.json_line(item),
            Format::Name => self.line(id(item)),
            Format::Dot | Format::Mermaid | Format::Svg => Err(not_a_drawing()),
        }
    }

    /// Prints a value as JSON, indented; what is not one of our own shapes, and so has no mark.
    pub(crate) fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value)?;
        self.line(text)
    }

    /// Prints a value as JSON in one line.
    pub(crate) fn json_line<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        let text = serde_json::to_string(value)?;
        self.line(text)
    }

    /// Prints a line of data.
    pub(crate) fn line(&mut self, text: impl std::fmt::Display) -> Result<(), Failure> {
        Ok(writeln!(self.stdout, "{text}")?)
    }

    /// Prints bytes as they are: a file of an artifact, or what may be shown of a step's own output.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let mut raw = self.stdout.as_inner().lock();
        raw.write_all(bytes)?;
        Ok(raw.flush()?)
    }

    /// Prints bytes of a step's standard error on ours.
    pub(crate) fn error_bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.stderr.as_inner().lock().write_all(bytes)?)
    }

    /// Says something beside the data; silent when ids only are wanted.
    pub(crate) fn note(&mut self, text: impl std::fmt::Display) {
        if !self.quiet {
            self.talk(format_args!("{text}\n"));
        }
    }

    /// Warns; never silent.
    pub(crate) fn warn(&mut self, text: impl std::fmt::Display) {
        self.talk(format_args!("{}: {text}\n", Tone::Warn.paint("warning")));
    }

    /// Suggests what to type next.
    pub(crate) fn help(&mut self, text: impl std::fmt::Display) {
        if !self.quiet {
            self.talk(format_args!("{}: {text}\n", Tone::Reused.paint("help")));
        }
    }

    /// Prints a failure: what, why, and what to type next.
    pub(crate) fn failure(&mut self, failure: &Failure) {
        if matches!(self.format, Format::Json | Format::Jsonl) {
            let body = serde_json::json!({"error": {
                "code": failure.code, "message": failure.what, "causes": failure.causes,
                "help": failure.help, "problems": failure.problems, "exit_code": failure.exit.code(),
            }});
            self.talk(format_args!("{body}\n"));
            return;
        }
        let code = if failure.code.is_empty() {
            String::new()
        } else {
            format!("[{}]", failure.code)
        };
        self.talk(format_args!(
            "{}: {}\n",
            Tone::Bad.paint(format_args!("error{code}")),
            failure.what
        ));
        // What is wrong with a pipeline is told at once and whole.
        let is_told_whole = self.verbose || !failure.problems.is_empty();
        let shown = if is_told_whole { failure.causes.len() } else { 2 };
        for cause in failure.causes.iter().take(shown) {
            self.talk(format_args!("  {} {cause}\n", Tone::Dim.paint("because")));
        }
        for help in &failure.help {
            self.talk(format_args!(" {}: {help}\n", Tone::Reused.paint("help")));
        }
    }

    /// Writes to standard error. A closed one is no reason to fail.
    pub(crate) fn talk(&mut self, text: std::fmt::Arguments<'_>) {
        drop(self.stderr.write_fmt(text));
    }

    /// Makes sure that all was written.
    pub(crate) fn flush(&mut self) {
        drop(self.stdout.flush());
    }
}

fn not_a_drawing() -> Failure {
    Failure::new(Exit::Usage, "this cannot be drawn")
        .help("`dot`, `mermaid` and `svg` are forms of `tidemill graph` only")
}
