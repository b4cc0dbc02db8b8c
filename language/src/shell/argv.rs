//! Commands without shell syntax: their words, read as a shell would read them. Anything that a shell would treat specially makes this
//! give up, and the command goes to the shell.

use super::{Fault, Slot, Slots};
use crate::expression::{OPEN, leading};
use tidemill_protocol::plan::{Fragment, Word};

/// Words that a shell executes itself: as a program they do not exist or mean something else. `true` and `false` are left out, because
/// the programs of that name do the same.
const SHELL_WORDS: &[&str] = &[
    ".",
    ":",
    "[",
    "[[",
    "alias",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "case",
    "cd",
    "command",
    "compgen",
    "complete",
    "compopt",
    "continue",
    "coproc",
    "declare",
    "dirs",
    "disown",
    "do",
    "done",
    "echo",
    "elif",
    "else",
    "enable",
    "esac",
    "eval",
    "exec",
    "exit",
    "export",
    "fc",
    "fg",
    "fi",
    "for",
    "function",
    "getopts",
    "hash",
    "help",
    "history",
    "if",
    "in",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "select",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
    "test",
    "then",
    "time",
    "times",
    "trap",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "until",
    "wait",
    "while",
];

/// The words of a command, or none when it needs a shell.
pub(super) fn split(text: &str, slots: &Slots<'_>) -> Result<Option<Vec<Word>>, Fault> {
    let mut reader = Reader {
        text,
        at: 0,
        words: Vec::new(),
        word: None,
    };
    match reader.run(slots) {
        Ok(()) => {}
        Err(Stop::NeedsShell) => return Ok(None),
        Err(Stop::Fault(fault)) => return Err(fault),
    }
    // Kept for as long as the plan is, by the hundred thousand.
    reader.words.shrink_to_fit();
    Ok(suits(&reader.words).then_some(reader.words))
}

/// Whether the first word names a program.
fn suits(words: &[Word]) -> bool {
    match words.first().map(|word| word.0.as_slice()) {
        Some([Fragment::Text(program)]) => {
            !program.is_empty() && !program.contains('=') && !SHELL_WORDS.contains(&program.as_str())
        }
        _ => false,
    }
}

enum Stop {
    NeedsShell,
    Fault(Fault),
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    words: Vec<Word>,
    /// The fragments of the word being read; `Some` with nothing in it is an empty quoted word.
    word: Option<Vec<Fragment>>,
}

impl Reader<'_> {
    fn run(&mut self, slots: &Slots<'_>) -> Result<(), Stop> {
        while let Some(c) = self.next() {
            match c {
                ' ' | '\t' => self.end_word(),
                '\'' => self.single()?,
                '"' => self.double(slots)?,
                '\\' => match self.next() {
                    Some('\n') => {}
                    Some(c) => self.push(c),
                    None => return Err(Stop::NeedsShell),
                },
                '$' => self.reference(slots)?,
                '#' if self.word.is_none() => return Err(Stop::NeedsShell),
                c if is_plain(c) => self.push(c),
                _ => return Err(Stop::NeedsShell),
            }
        }
        self.end_word();
        Ok(())
    }

    fn next(&mut self) -> Option<char> {
        let c = self.text.get(self.at..)?.chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn push(&mut self, c: char) {
        let word = self.word.get_or_insert_default();
        if let Some(Fragment::Text(text)) = word.last_mut() {
            text.push(c);
        } else {
            word.push(Fragment::Text(c.into()));
        }
    }

    fn single(&mut self) -> Result<(), Stop> {
        self.word.get_or_insert_default();
        loop {
            match self.next() {
                Some('\'') => return Ok(()),
                // A reference in single quotes is the scanner's business, and rare.
                Some('$') | None => return Err(Stop::NeedsShell),
                Some(c) => self.push(c),
            }
        }
    }

    fn double(&mut self, slots: &Slots<'_>) -> Result<(), Stop> {
        self.word.get_or_insert_default();
        loop {
            match self.next() {
                Some('"') => return Ok(()),
                Some('$') => self.reference(slots)?,
                Some('`') | None => return Err(Stop::NeedsShell),
                Some('\\') => match self.next() {
                    Some('\n') => {}
                    Some(c @ ('$' | '`' | '"' | '\\')) => self.push(c),
                    Some(c) => {
                        self.push('\\');
                        self.push(c);
                    }
                    None => return Err(Stop::NeedsShell),
                },
                Some(c) => self.push(c),
            }
        }
    }

    /// After a `$`.
    fn reference(&mut self, slots: &Slots<'_>) -> Result<(), Stop> {
        let from = self.text.get(self.at - 1..).unwrap_or_default();
        if !from.starts_with(OPEN) {
            return Err(Stop::NeedsShell);
        }
        let (reference, spelling) = leading(from).map_err(|bad| Stop::Fault(bad.into()))?;
        self.at += spelling.len() - 1;
        let slot = slots(&reference, spelling).map_err(Stop::Fault)?;
        let word = self.word.get_or_insert_default();
        if let Slot::Variable { fragment, .. } = slot {
            word.push(fragment);
        }
        Ok(())
    }

    fn end_word(&mut self) {
        if let Some(mut word) = self.word.take() {
            if word.is_empty() {
                word.push(Fragment::Text(String::new()));
            }
            for fragment in &mut word {
                if let Fragment::Text(text) = fragment {
                    text.shrink_to_fit();
                }
            }
            word.shrink_to_fit();
            self.words.push(Word(word));
        }
    }
}

/// Whether a character means itself wherever it stands in a bare word.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(
            c,
            '_' | '-' | '.' | '/' | ':' | ',' | '@' | '%' | '+' | '=' | '#' | '^'
        )
        || (!c.is_ascii() && !c.is_whitespace())
}
