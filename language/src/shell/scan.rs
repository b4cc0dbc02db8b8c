//! The scanner: walks through a script as bash would, knows at each reference what kind of place it is, and writes the script anew with
//! quoted variables in place of the references. It never judges syntax; a script that bash refuses, bash refuses.

use super::frame::{Frame, Pending, Quotes};
use super::words::{Commands, End, WordEnd, evaluated};
use super::{Fault, Slot, Slots};
use crate::diagnostic::Code;
use crate::expression::{BadExpression, OPEN, has_expression, leading};

/// Deepest nesting of backticks and heredocs in each other.
pub(super) const DEPTH_MAX: usize = 8;
/// Most faults, and most warnings, that are gathered from one command.
const FAULTS_MAX: usize = 50;
/// Deepest nesting of quotes, parentheses and the like.
const STACK_MAX: usize = 100;

pub(super) struct Scanner<'s> {
    pub(super) text: &'s str,
    pub(super) at: usize,
    pub(super) out: String,
    pub(super) pending: Vec<Pending>,
    pub(super) slots: &'s Slots<'s>,
    pub(super) depth: usize,
    pub(super) faults: Vec<Fault>,
    warnings: Vec<Fault>,
    stack: Vec<Frame>,
}

impl<'s> Scanner<'s> {
    /// A scanner over a list of commands.
    pub(super) fn new(text: &'s str, slots: &'s Slots<'s>, depth: usize) -> Self {
        Self {
            text,
            at: 0,
            out: String::with_capacity(text.len() + 64),
            pending: Vec::new(),
            slots,
            depth,
            faults: Vec::new(),
            warnings: Vec::new(),
            stack: vec![Frame::Commands(Commands::new(End::Text, 0))],
        }
    }

    /// A scanner over the body of a heredoc.
    pub(super) fn of_body(text: &'s str, slots: &'s Slots<'s>, depth: usize) -> Self {
        let mut scanner = Self::new(text, slots, depth);
        scanner.stack = vec![Frame::Body];
        scanner
    }

    pub(super) fn run(&mut self) {
        while self.at < self.text.len() {
            match self.stack.last() {
                Some(Frame::Commands(_)) => self.in_commands(),
                Some(Frame::Arithmetic { .. }) => self.in_arithmetic(),
                Some(Frame::Parameter) => self.in_parameter(),
                Some(Frame::Double | Frame::Body) | None => self.in_quotes(),
            }
        }
        self.end_word();
        if self.stack.len() != 1 {
            let place = match self.stack.last() {
                Some(Frame::Double) => "double quotes",
                Some(Frame::Parameter) => "`${…}`",
                Some(Frame::Arithmetic { .. }) => "an arithmetic expression",
                Some(Frame::Commands(Commands { end: End::Esac, .. })) => "a `case`",
                Some(Frame::Commands(_) | Frame::Body) | None => "parentheses",
            };
            self.unclosed(place);
        }
    }

    /// The script, what is wrong with it, and what is worth knowing.
    pub(super) fn finish(self) -> (String, Vec<Fault>, Vec<Fault>) {
        (self.out, self.faults, self.warnings)
    }

    pub(super) fn unclosed(&mut self, place: &str) {
        self.faults.push(Fault {
            code: Code::UnsafePlace,
            message: format!("the command ends inside {place}"),
            help: "close it; otherwise it cannot be told which places are quoted".to_owned(),
            spelling: String::new(),
        });
    }

    pub(super) fn rest(&self) -> &'s str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn sees(&self, text: &str) -> bool {
        self.rest().starts_with(text)
    }

    /// Copies so many characters.
    pub(super) fn copy(&mut self, characters: usize) {
        let rest = self.rest();
        let end = rest
            .char_indices()
            .nth(characters)
            .map_or(rest.len(), |(at, _)| at);
        self.out.push_str(rest.get(..end).unwrap_or_default());
        self.at += end;
    }

    pub(super) fn commands(&mut self) -> Option<&mut Commands> {
        match self.stack.last_mut() {
            Some(Frame::Commands(commands)) => Some(commands),
            _ => None,
        }
    }

    /// Notes that a word is being read here.
    pub(super) fn mark_word(&mut self) {
        let at = self.at;
        if let Some(commands) = self.commands() {
            commands.word.get_or_insert(at);
        }
    }

    pub(super) fn end_word(&mut self) {
        let (text, at) = (self.text, self.at);
        let Some(commands) = self.commands() else { return };
        match commands.end_word(text, at) {
            WordEnd::Nothing => {}
            WordEnd::Case => self.push(Frame::Commands(Commands::new(End::Esac, at))),
            WordEnd::Esac => {
                self.stack.pop();
            }
            WordEnd::Unsafe(faults) => self.faults.extend(faults),
        }
    }

    pub(super) fn next_command(&mut self) {
        let at = self.at;
        if let Some(commands) = self.commands() {
            commands.next_command(at);
        }
    }

    pub(super) fn push(&mut self, frame: Frame) {
        if self.stack.len() >= STACK_MAX {
            self.unclosed("quotes and parentheses that are nested too deeply");
            self.at = self.text.len();
        } else {
            self.stack.push(frame);
        }
    }

    pub(super) fn pop(&mut self) {
        if self.stack.len() > 1 {
            self.stack.pop();
        }
    }

    pub(super) fn push_commands(&mut self) {
        self.stack
            .push(Frame::Commands(Commands::new(End::Paren, self.at)));
    }

    /// In double quotes or a heredoc's body.
    fn in_quotes(&mut self) {
        let body = matches!(self.stack.last(), Some(Frame::Body));
        match self.rest().as_bytes().first() {
            Some(b'"') if !body => {
                self.copy(1);
                self.pop();
            }
            Some(b'\\') => self.copy(2),
            Some(b'$') => self.dollar(Quotes::Double),
            Some(b'`') => self.backticks(),
            _ => self.copy(1),
        }
    }

    fn in_arithmetic(&mut self) {
        let Some(Frame::Arithmetic { parens, bracket }) = self.stack.last_mut() else {
            return;
        };
        match self.text.as_bytes().get(self.at) {
            Some(b'(') => *parens += 1,
            Some(b')') if *parens > 0 => *parens -= 1,
            Some(b')') if !*bracket => {
                let closed = self.sees("))");
                self.copy(if closed { 2 } else { 1 });
                self.pop();
                if !closed {
                    self.faults.push(Fault {
                        code: Code::UnsafePlace,
                        message: "`((` starts arithmetic, but no `))` ends it".to_owned(),
                        help: "put a space between the parentheses if a subshell is meant".to_owned(),
                        spelling: String::new(),
                    });
                }
                return;
            }
            Some(b']') if *bracket => {
                self.copy(1);
                return self.pop();
            }
            Some(b'\\') => return self.copy(2),
            Some(b'$') => return self.dollar(Quotes::Double),
            Some(b'`') => return self.backticks(),
            Some(b'"') => self.push(Frame::Double),
            _ => {}
        }
        self.copy(1);
    }

    fn in_parameter(&mut self) {
        match self.rest().as_bytes().first() {
            Some(b'}') => {
                self.copy(1);
                self.pop();
            }
            Some(b'\\') => self.copy(2),
            Some(b'"') => {
                self.copy(1);
                self.push(Frame::Double);
            }
            // Inside double quotes an apostrophe in `${…}` is mostly just that.
            Some(b'\'')
                if !self
                    .stack
                    .iter()
                    .any(|f| matches!(f, Frame::Double | Frame::Body)) =>
            {
                self.single(Quotes::Single);
            }
            Some(b'$') => self.dollar(Quotes::Double),
            Some(b'`') => self.backticks(),
            _ => self.copy(1),
        }
    }

    /// At a `$`, whatever follows it. `quotes` are those around this place.
    pub(super) fn dollar(&mut self, quotes: Quotes) {
        self.mark_word();
        if self.sees(OPEN) {
            self.reference(quotes);
        } else if self.sees("$((") {
            self.copy(3);
            self.push(Frame::Arithmetic {
                parens: 0,
                bracket: false,
            });
        } else if self.sees("$(") {
            self.copy(2);
            self.push_commands();
        } else if self.sees("${") {
            self.copy(2);
            self.push(Frame::Parameter);
        } else if self.sees("$[") {
            self.copy(2);
            self.push(Frame::Arithmetic {
                parens: 0,
                bracket: true,
            });
        } else {
            self.copy(1);
        }
    }

    /// From one apostrophe to the next.
    pub(super) fn single(&mut self, quotes: Quotes) {
        self.copy(1);
        while self.at < self.text.len() {
            match self.rest().as_bytes().first() {
                Some(b'\'') => return self.copy(1),
                Some(b'\\') if quotes == Quotes::Ansi => self.copy(2),
                Some(b'$') if self.sees(OPEN) => self.reference(quotes),
                _ => self.copy(1),
            }
        }
        self.unclosed("single quotes");
    }

    /// Bash cuts out what stands between backticks before it looks at quotes, so that is done here too.
    pub(super) fn backticks(&mut self) {
        self.mark_word();
        let rest = self.rest();
        let mut escaped = false;
        let end = rest.bytes().enumerate().skip(1).find_map(|(at, byte)| {
            let ends = byte == b'`' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends.then_some(at)
        });
        let Some(end) = end else {
            self.unclosed("backticks");
            self.at = self.text.len();
            return;
        };
        let inner = rest.get(1..end).unwrap_or_default();
        if !has_expression(inner) {
            self.out.push_str(rest.get(..=end).unwrap_or_default());
        } else if inner.contains('\\') || self.depth >= DEPTH_MAX {
            self.faults.push(Fault {
                code: Code::UnsafePlace,
                message: "a reference stands in backticks together with a backslash".to_owned(),
                help: "write `$(…)` in place of the backticks".to_owned(),
                spelling: format!("`{inner}`"),
            });
        } else {
            let mut scanner = Scanner::new(inner, self.slots, self.depth + 1);
            scanner.run();
            self.out.push('`');
            self.absorb(scanner);
            self.out.push('`');
        }
        self.at += end + 1;
    }

    /// Takes over what a scanner of a part has written and found.
    pub(super) fn absorb(&mut self, part: Scanner<'_>) {
        let (script, faults, warnings) = part.finish();
        self.out.push_str(&script);
        self.faults.extend(faults);
        self.warnings.extend(warnings);
    }

    /// A reference: judged by the place where it stands, then written.
    pub(super) fn reference(&mut self, quotes: Quotes) {
        if self.faults.len() >= FAULTS_MAX {
            self.at = self.text.len();
            return;
        }
        let (reference, spelling) = match leading(self.rest()) {
            Ok(found) => found,
            Err(bad) => {
                self.faults.push(bad.into());
                return self.copy(OPEN.len());
            }
        };
        self.at += spelling.len();
        match (self.slots)(&reference, spelling) {
            Ok(slot) => {
                self.judge(&slot, spelling);
                self.write(&slot, quotes);
            }
            Err(fault) => self.faults.push(fault),
        }
    }

    fn judge(&mut self, slot: &Slot, spelling: &str) {
        let numeric = matches!(slot, Slot::Variable { numeric: true, .. });
        let (text, at) = (self.text, self.at - spelling.len());
        for frame in self.stack.iter_mut().rev() {
            match frame {
                Frame::Double | Frame::Body => {}
                Frame::Arithmetic { .. } => {
                    if !numeric {
                        self.faults.push(evaluated(spelling.to_owned()));
                    }
                    return;
                }
                Frame::Parameter => {
                    self.faults.push(Fault {
                        code: Code::UnsafePlace,
                        message: format!("`{spelling}` stands inside `${{…}}`"),
                        help: format!("put it in a variable first: `value={spelling}`, then use `$value`"),
                        spelling: spelling.to_owned(),
                    });
                    return;
                }
                Frame::Commands(commands) => {
                    if let Some(condition) = &mut commands.condition
                        && !numeric
                    {
                        condition.references.push(spelling.to_owned());
                    }
                    if self.warnings.len() < FAULTS_MAX
                        && let Some(program) = commands.reads_again(text, at)
                    {
                        self.warnings.push(Fault {
                            code: Code::ReadAgain,
                            message: format!("`{program}` reads the value of `{spelling}` as a script"),
                            help: "let the inner script read the variable itself, in single quotes: `'… \"$TIDEMILL_INPUT_NAME\" …'`"
                                .to_owned(),
                            spelling: spelling.to_owned(),
                        });
                    }
                    return;
                }
            }
        }
    }

    fn write(&mut self, slot: &Slot, quotes: Quotes) {
        let variable = match slot {
            Slot::Variable { fragment, .. } => fragment.variable(),
            Slot::Empty => None,
        };
        let value = variable.map(|name| format!("${{{name}}}")).unwrap_or_default();
        let (before, after) = match quotes {
            Quotes::None => ("\"", "\""),
            Quotes::Double => ("", ""),
            Quotes::Single => ("'\"", "\"'"),
            Quotes::Ansi => ("'\"", "\"$'"),
        };
        self.out.push_str(before);
        self.out.push_str(&value);
        self.out.push_str(after);
    }
}

impl From<BadExpression> for Fault {
    fn from(bad: BadExpression) -> Self {
        Self {
            code: Code::BadExpression,
            message: bad.message,
            help: bad.help.unwrap_or_default(),
            spelling: bad.spelling,
        }
    }
}
