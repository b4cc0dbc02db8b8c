//! How problems are shown: as text with a window of the source (miette), and as the API's own record.

use super::code::{Code, Severity};
use super::source::Location;
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents,
};
use std::borrow::Cow;
use std::fmt;
use tidemill_protocol::api::Problem;

/// One problem.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) path: String,
    pub(crate) label: Option<String>,
    pub(crate) location: Option<Location>,
}

impl Diagnostic {
    /// What kind of problem it is.
    pub fn code(&self) -> Code {
        self.code
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// What is wrong: lower case, no full stop.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The file it is in, as it is shown.
    pub fn file(&self) -> Option<&str> {
        self.location.as_ref().map(|l| l.file.name.as_str())
    }

    /// Line and column in characters, both counted from 1.
    pub fn line_and_column(&self) -> Option<(u32, u32)> {
        let location = self.location.as_ref()?;
        let before = location.file.text.get(..location.start)?;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let column = before.get(line_start..)?.chars().count() + 1;
        Some((u32::try_from(line).ok()?, u32::try_from(column).ok()?))
    }

    /// The same as the API says it.
    pub fn to_problem(&self) -> Problem {
        let place = self.line_and_column();
        Problem {
            code: self.code.as_str().to_owned(),
            severity: self.severity().as_str().to_owned(),
            message: self.message.clone(),
            help: self.help.clone(),
            file: self.file().map(str::to_owned),
            line: place.map(|p| p.0),
            column: place.map(|p| p.1),
            path: self.path.clone(),
        }
    }

    /// As text with a window of the source. `colour` adds terminal colours; `width` is where lines are wrapped.
    pub fn render(&self, colour: bool, width: usize) -> String {
        let theme = if colour {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::unicode_nocolor()
        };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(width);
        let mut text = String::new();
        match handler.render_report(&mut text, &Shown::new(self)) {
            Ok(()) => text,
            Err(fmt::Error) => format!("{self}\n"),
        }
    }

    pub(crate) fn help_with(&mut self, help: impl Into<Option<String>>) -> &mut Self {
        self.help = help.into();
        self
    }

    pub(crate) fn help_text(&mut self, help: &str) -> &mut Self {
        self.help = Some(help.to_owned());
        self
    }

    pub(crate) fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = Some(label.into());
        self
    }

    pub(crate) fn order(&self) -> (Severity, bool, &str, usize) {
        let location = self.location.as_ref();
        (
            self.severity(),
            location.is_none(),
            location.map_or("", |l| l.file.name.as_str()),
            location.map_or(0, |l| l.start),
        )
    }

    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.code == other.code && self.message == other.message && self.order() == other.order()
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}[{}]: {}",
            self.severity().as_str(),
            self.code.as_str(),
            self.message
        )?;
        if let (Some(file), Some((line, column))) = (self.file(), self.line_and_column()) {
            write!(f, " ({file}:{line}:{column})")?;
        }
        Ok(())
    }
}

/// Every problem of a pipeline that cannot be used, errors first, each file's in order of their places.
#[derive(Debug, Clone)]
pub struct Problems(pub Vec<Diagnostic>);

impl Problems {
    /// As text with windows of the source.
    pub fn render(&self, colour: bool, width: usize) -> String {
        self.0
            .iter()
            .map(|problem| problem.render(colour, width))
            .collect()
    }

    /// The same as the API says it.
    pub fn to_problems(&self) -> Vec<Problem> {
        self.0.iter().map(Diagnostic::to_problem).collect()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Longest line that is shown in a window, in bytes. Longer ones are no help, and miette counts columns in 16 bits.
const WINDOW_LINE_BYTES_MAX: usize = 400;

/// The lines around a problem: all that is shown of the file.
#[derive(Debug)]
struct Window<'a> {
    name: &'a str,
    text: Cow<'a, str>,
    /// How many bytes of the file stand before the window.
    offset: usize,
    /// How many lines of the file stand before the window.
    lines_before: usize,
}

impl<'a> Window<'a> {
    /// The line of the problem with one before and one after it; none when one of them is too long.
    fn around(location: &'a Location) -> Option<Self> {
        let text: &str = &location.file.text;
        let before = text.get(..location.start)?;
        let line = before.rfind('\n').map_or(0, |at| at + 1);
        let start = match before.get(..line.saturating_sub(1)) {
            Some(earlier) if line > 0 => earlier.rfind('\n').map_or(0, |at| at + 1),
            _ => line,
        };
        let rest = text.get(location.start..)?;
        let end = rest
            .match_indices('\n')
            .nth(1)
            .map_or(text.len(), |(at, _)| location.start + at + 1);
        let shown = text.get(start..end)?;
        let readable = shown.lines().all(|line| line.len() <= WINDOW_LINE_BYTES_MAX);
        readable.then(|| Self {
            name: &location.file.name,
            text: harmless(shown),
            offset: start,
            lines_before: text.bytes().take(start).filter(|b| *b == b'\n').count(),
        })
    }
}

/// The text as a terminal may see it: what would steer it, or reorder what is read, is replaced by a stand-in of as many bytes, so that places in
/// the text stay what they are.
fn harmless(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let stand_in = |character: char| match character.len_utf8() {
        1 => '?',
        2 => '¿',
        _ => char::REPLACEMENT_CHARACTER,
    };
    let seen = text.chars().map(|character| {
        if is_harmful(character) {
            stand_in(character)
        } else {
            character
        }
    });
    Cow::Owned(seen.collect())
}

/// Control characters but for line ends and tabs, and the marks that change the direction of what follows.
fn is_harmful(character: char) -> bool {
    let is_line = matches!(character, '\n' | '\r' | '\t');
    let turns = matches!(
        character,
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    turns || (character.is_control() && !is_line)
}

impl SourceCode for Window<'_> {
    fn read_span<'b>(
        &'b self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'b> + 'b>, MietteError> {
        let inner = self.text.read_span(span, before, after)?;
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.to_owned(),
            inner.data(),
            *inner.span(),
            inner.line() + self.lines_before,
            inner.column(),
            inner.line_count(),
        )))
    }
}

/// A problem in miette's terms; kept apart so that miette's types stay out of the public face.
#[derive(Debug)]
struct Shown<'a> {
    problem: &'a Diagnostic,
    window: Option<Window<'a>>,
}

impl<'a> Shown<'a> {
    fn new(problem: &'a Diagnostic) -> Self {
        let window = problem.location.as_ref().and_then(Window::around);
        Self { problem, window }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)?;
        match (&self.window, self.problem.file(), self.problem.line_and_column()) {
            (None, Some(file), Some((line, column))) => write!(f, " ({file}:{line}:{column})"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn code<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        Some(Box::new(self.problem.code.as_str()))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.problem.severity() {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        self.problem
            .help
            .as_ref()
            .map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.window.as_ref().map(|window| window as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (location, window) = (self.problem.location.as_ref()?, self.window.as_ref()?);
        // A block that spans lines would be drawn as a tall bracket; its first line says as much.
        let shown = location
            .file
            .text
            .get(location.start..location.end)
            .unwrap_or_default();
        let length = shown.lines().next().unwrap_or_default().trim_end().len();
        let label = self.problem.label.clone();
        Some(Box::new(std::iter::once(LabeledSpan::new(
            label.or_else(|| Some("here".to_owned())),
            location.start - window.offset,
            length,
        ))))
    }
}
