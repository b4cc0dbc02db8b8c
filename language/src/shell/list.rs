//! The scanner in a list of commands: words, separators, redirections, comments.

use super::frame::{Frame, Quotes};
use super::scan::Scanner;
use super::words::End;

impl Scanner<'_> {
    pub(super) fn in_commands(&mut self) {
        match self.rest().as_bytes().first() {
            Some(b'$') if self.sees("$'") => {
                self.mark_word();
                self.copy(1);
                self.single(Quotes::Ansi);
            }
            Some(b'$') if self.sees("$\"") => {
                self.mark_word();
                self.copy(2);
                self.push(Frame::Double);
            }
            Some(b'$') => self.dollar(Quotes::None),
            Some(b'\'') => {
                self.mark_word();
                self.single(Quotes::Single);
            }
            Some(b'"') => {
                self.mark_word();
                self.copy(1);
                self.push(Frame::Double);
            }
            Some(b'\\') => {
                if !self.sees("\\\n") {
                    self.mark_word();
                }
                self.copy(2);
            }
            Some(b'`') => self.backticks(),
            Some(b'#') if self.between_words() => self.comment(),
            Some(b' ' | b'\t' | b'\r') => {
                self.end_word();
                self.copy(1);
            }
            Some(b'\n') => {
                self.end_word();
                self.copy(1);
                self.next_command();
                self.bodies();
            }
            Some(b';' | b'&' | b'|') => self.separator(),
            Some(b'(') => self.open_paren(),
            Some(b')') => self.close_paren(),
            Some(b'<' | b'>') => self.redirection(),
            _ => {
                self.mark_word();
                self.copy(1);
            }
        }
    }

    fn between_words(&mut self) -> bool {
        self.commands().is_some_and(|commands| commands.word.is_none())
    }

    fn in_condition(&mut self) -> bool {
        self.commands()
            .is_some_and(|commands| commands.condition.is_some())
    }

    fn comment(&mut self) {
        let rest = self.rest();
        let end = rest.find('\n').unwrap_or(rest.len());
        self.out.push_str(rest.get(..end).unwrap_or_default());
        self.at += end;
    }

    fn separator(&mut self) {
        self.end_word();
        if self.sees("&>") {
            return self.copy(2);
        }
        self.copy(1);
        self.next_command();
    }

    fn open_paren(&mut self) {
        if self.in_condition() {
            self.end_word();
            return self.copy(1);
        }
        let arithmetic = self.sees("((")
            && self
                .commands()
                .is_some_and(|commands| commands.at_command && commands.word.is_none());
        if arithmetic {
            self.copy(2);
            return self.push(Frame::Arithmetic {
                parens: 0,
                bracket: false,
            });
        }
        self.copy(1);
        self.push_commands();
    }

    fn close_paren(&mut self) {
        self.end_word();
        let end = self.commands().map(|commands| commands.end);
        let condition = self.in_condition();
        self.copy(1);
        match end {
            _ if condition => {}
            Some(End::Paren) => self.pop(),
            Some(End::Esac) => self.next_command(),
            Some(End::Text) | None => {}
        }
    }

    fn redirection(&mut self) {
        if self.sees("<(") || self.sees(">(") {
            self.mark_word();
            self.copy(2);
            return self.push_commands();
        }
        self.end_word();
        if self.sees("<<<") {
            self.copy(3);
        } else if self.sees("<<") && !self.in_condition() {
            self.heredoc();
        } else if self.sees("<&") || self.sees(">&") || self.sees(">|") || self.sees(">>") || self.sees("<>")
        {
            self.copy(2);
        } else {
            self.copy(1);
        }
    }
}
