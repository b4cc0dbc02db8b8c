//! Heredocs: their delimiters, and their bodies once the line is over.

use super::Fault;
use super::frame::{Pending, Quotes};
use super::scan::{DEPTH_MAX, Scanner};
use crate::diagnostic::Code;
use crate::expression::{OPEN, has_expression};

/// Most heredocs that one line opens.
const HEREDOCS_MAX: usize = 32;

impl<'s> Scanner<'s> {
    /// At `<<`.
    pub(super) fn heredoc(&mut self) {
        self.copy(2);
        let strip_tabs = self.sees("-");
        if strip_tabs {
            self.copy(1);
        }
        while self.sees(" ") || self.sees("\t") {
            self.copy(1);
        }
        let start = self.out.len();
        let mut delimiter = String::new();
        let mut quoted = false;
        let mut quote = None;
        while let Some(c) = self.rest().chars().next() {
            if self.sees(OPEN) {
                self.faults.push(Fault {
                    code: Code::UnsafePlace,
                    message: "a reference stands in the delimiter of a heredoc".to_owned(),
                    help: "use a fixed word as delimiter".to_owned(),
                    spelling: String::new(),
                });
                return self.copy(OPEN.len());
            }
            match (quote, c) {
                (None, '\'' | '"') => {
                    quoted = true;
                    quote = Some(c);
                }
                (Some(open), c) if open == c => quote = None,
                (None, '\\') => {
                    quoted = true;
                    self.copy(1);
                    delimiter.extend(self.rest().chars().next());
                }
                (None, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')') => break,
                (_, c) => delimiter.push(c),
            }
            self.copy(1);
        }
        if self.pending.len() >= HEREDOCS_MAX {
            self.unclosed("too many heredocs of one line");
            self.at = self.text.len();
            return;
        }
        self.pending.push(Pending {
            delimiter,
            quoted,
            strip_tabs,
            written: start..self.out.len(),
        });
    }

    /// After the end of a line: the bodies of the heredocs that it opened.
    pub(super) fn bodies(&mut self) {
        let mut pending = std::mem::take(&mut self.pending);
        for index in 0..pending.len() {
            let (body, closing) = self.cut_body(&pending[index]);
            let end = self.at + body.len();
            if !has_expression(body) {
                self.out.push_str(body);
            } else if pending[index].quoted {
                let shift = self.unquote(&pending[index]);
                for later in &mut pending[index + 1..] {
                    later.written = later.written.start - shift..later.written.end - shift;
                }
                self.literal_body(end);
            } else if self.depth >= DEPTH_MAX {
                self.unclosed("heredocs within heredocs");
            } else {
                let mut scanner = Scanner::of_body(body, self.slots, self.depth + 1);
                scanner.run();
                self.absorb(scanner);
            }
            self.out.push_str(closing);
            self.at = end + closing.len();
        }
    }

    /// The body, and the line that closes it (empty at the end of the text).
    fn cut_body(&self, heredoc: &Pending) -> (&'s str, &'s str) {
        let rest = self.rest();
        let mut at = 0;
        for line in rest.split_inclusive('\n') {
            let content = line.strip_suffix('\n').unwrap_or(line);
            let content = if heredoc.strip_tabs {
                content.trim_start_matches('\t')
            } else {
                content
            };
            if content == heredoc.delimiter {
                return (rest.get(..at).unwrap_or_default(), line);
            }
            at += line.len();
        }
        (rest, "")
    }

    /// Makes the delimiter a bare one; returns by how much the output became shorter.
    fn unquote(&mut self, heredoc: &Pending) -> usize {
        let safe = !heredoc.delimiter.is_empty()
            && heredoc
                .delimiter
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        if !safe {
            self.faults.push(Fault {
                code: Code::UnsafePlace,
                message: "a reference stands in a heredoc whose delimiter needs its quotes".to_owned(),
                help: "use a delimiter of letters and digits, e.g. `EOF`".to_owned(),
                spelling: String::new(),
            });
            return 0;
        }
        let before = self.out.len();
        self.out
            .replace_range(heredoc.written.clone(), &heredoc.delimiter);
        before - self.out.len()
    }

    /// A body that was to be taken as it is, up to `end`, now in a heredoc that is expanded.
    fn literal_body(&mut self, end: usize) {
        while self.at < end {
            let rest = self.text.get(self.at..end).unwrap_or_default();
            let before = rest
                .find(OPEN)
                .map_or(rest, |at| rest.get(..at).unwrap_or_default());
            self.escaped(before);
            self.at += before.len();
            if self.at < end {
                self.reference(Quotes::Double);
            }
        }
    }

    fn escaped(&mut self, text: &str) {
        for c in text.chars() {
            if matches!(c, '\\' | '$' | '`') {
                self.out.push('\\');
            }
            self.out.push(c);
        }
    }
}
