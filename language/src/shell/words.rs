//! What the scanner knows about the words of the command list it is in: enough to tell keywords from arguments.

use super::Fault;
use crate::diagnostic::Code;

/// What ends a list of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The end of the text.
    Text,
    /// A closing parenthesis.
    Paren,
    /// The word `esac`; parentheses in between belong to patterns.
    Esac,
}

/// A list of commands.
#[derive(Debug, Clone)]
pub(super) struct Commands {
    pub(super) end: End,
    /// Whether the next word is in the place of a command.
    pub(super) at_command: bool,
    /// Where the current word starts.
    pub(super) word: Option<usize>,
    /// Where the current simple command starts.
    pub(super) head: usize,
    /// Inside `[[ … ]]`: what was met so far.
    pub(super) condition: Option<Condition>,
}

/// A `[[ … ]]` that is being read.
#[derive(Debug, Clone, Default)]
pub(super) struct Condition {
    evaluates: bool,
    pub(super) references: Vec<String>,
}

/// What the end of a word means for the scanner.
pub(super) enum WordEnd {
    Nothing,
    /// A `case` starts.
    Case,
    /// The innermost `case` ends.
    Esac,
    /// A `[[ … ]]` ended with values that bash would evaluate.
    Unsafe(Vec<Fault>),
}

/// How far into a command its script flag is looked for.
const READ_AGAIN_WORDS_MAX: usize = 16;
const OPENERS: [&str; 10] = [
    "if", "then", "else", "elif", "do", "while", "until", "!", "time", "{",
];
const EVALUATING: [&str; 7] = ["-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-v"];
const SHELLS: [&str; 5] = ["bash", "sh", "zsh", "dash", "ksh"];
const INTERPRETERS: [&str; 7] = ["python", "python3", "perl", "ruby", "node", "Rscript", "awk"];

impl Commands {
    pub(super) fn new(end: End, head: usize) -> Self {
        Self {
            end,
            at_command: end != End::Esac,
            word: None,
            head,
            condition: None,
        }
    }

    /// The text between two words was met at `at`.
    pub(super) fn end_word(&mut self, text: &str, at: usize) -> WordEnd {
        let Some(start) = self.word.take() else {
            return WordEnd::Nothing;
        };
        let word = text.get(start..at).unwrap_or_default();
        if let Some(condition) = &mut self.condition {
            if word == "]]" {
                let condition = std::mem::take(condition);
                self.condition = None;
                return condition.finish();
            }
            condition.evaluates |= EVALUATING.contains(&word);
            return WordEnd::Nothing;
        }
        if !self.at_command {
            // `case WORD in` is followed by patterns, where `esac` may stand at once.
            self.at_command = self.end == End::Esac && word == "in";
            return WordEnd::Nothing;
        }
        match word {
            "case" => {
                self.at_command = false;
                return WordEnd::Case;
            }
            "esac" if self.end == End::Esac => return WordEnd::Esac,
            "[[" => {
                self.condition = Some(Condition::default());
                self.at_command = false;
            }
            word if OPENERS.contains(&word) => self.head = at,
            // An assignment before a command leaves the place of the command open.
            word if is_assignment(word) => self.head = at,
            _ => self.at_command = false,
        }
        WordEnd::Nothing
    }

    /// A separator between commands was met; the next command starts at `at`.
    pub(super) fn next_command(&mut self, at: usize) {
        if self.condition.is_none() {
            self.at_command = true;
            self.head = at;
        }
    }

    /// The program that would read a value standing at `at` as a script, if there is one.
    pub(super) fn reads_again<'t>(&self, text: &'t str, at: usize) -> Option<&'t str> {
        let words = text.get(self.head..at)?.split_whitespace();
        let mut words = words.take(READ_AGAIN_WORDS_MAX);
        let program = words.next()?;
        let name = program.rsplit('/').next().unwrap_or(program);
        let flagged = |flags: &[&str]| words.clone().any(|word| flags.contains(&word));
        let reads = match name {
            "eval" | "let" => true,
            name if SHELLS.contains(&name) => flagged(&["-c", "-ec", "-lc", "-xc"]),
            name if INTERPRETERS.contains(&name) => flagged(&["-c", "-e"]),
            _ => false,
        };
        reads.then_some(name)
    }
}

impl Condition {
    fn finish(self) -> WordEnd {
        if !self.evaluates || self.references.is_empty() {
            return WordEnd::Nothing;
        }
        WordEnd::Unsafe(self.references.into_iter().map(evaluated).collect())
    }
}

/// A value in a place where bash evaluates.
pub(super) fn evaluated(spelling: String) -> Fault {
    Fault {
        code: Code::UnsafePlace,
        message: format!("`{spelling}` stands where bash evaluates its value as arithmetic"),
        help: "declare the input with `type: integer` or `type: number`, or compare texts with `=`"
            .to_owned(),
        spelling,
    }
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        let name = name.strip_suffix('+').unwrap_or(name);
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    })
}
