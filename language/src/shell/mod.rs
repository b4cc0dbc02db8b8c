//! Commands: from the text that an author wrote to something that can be started without any value ever becoming shell syntax.
//!
//! # The rule
//! A command is a bash script. A reference `${{inputs.x}}` or `${{outputs.y}}` becomes a reference to the environment variable
//! `TIDEMILL_INPUT_x` or `TIDEMILL_OUTPUT_y`, quoted to suit the place where it stands; the value itself is never part of the script.
//!
//! | place | becomes |
//! | --- | --- |
//! | bare | `"${TIDEMILL_INPUT_x}"`: always exactly one word, never split, no file names expanded; an empty value is an empty word |
//! | inside double quotes, or a heredoc | `${TIDEMILL_INPUT_x}` |
//! | inside single quotes | `'"${TIDEMILL_INPUT_x}"'` (the quotes are closed, and opened again) |
//! | inside `$'…'` | `'"${TIDEMILL_INPUT_x}"$'` |
//! | heredoc with a quoted delimiter | the heredoc becomes one with a bare delimiter, the rest of its text escaped |
//! | a comment | the text as written |
//! | arithmetic, `[[ … -eq … ]]` | only inputs of type `integer` or `number`: bash evaluates other values |
//! | inside `${…}`, in a heredoc's delimiter, in backticks that hold a backslash | refused, with a way out |
//!
//! An author who wants a value split into words writes `$TIDEMILL_INPUT_x` bare. A backslash before `${{` keeps it as text, wherever the
//! shell reads a backslash as such. Programs that read an argument as a script (`eval`, `bash -c`, `python -c`) read values as script too;
//! such places give a warning.
//!
//! A command without any shell syntax is not given to a shell at all: it becomes an argument vector.
//!
//! Before all this, optional blocks `$[[ … ]]` are kept or dropped ([`optional`]).

mod argv;
mod frame;
mod heredoc;
mod list;
pub(crate) mod optional;
mod scan;
mod slots;
mod words;

pub(crate) use slots::Interface;

use crate::diagnostic::Code;
use crate::expression::{Reference, has_expression};
use tidemill_protocol::plan::{Command, Fragment};

/// What stands behind a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Slot {
    /// A variable of the process.
    Variable {
        /// Which.
        fragment: Fragment,
        /// Whether its value is known to be a number, which is safe where bash evaluates.
        numeric: bool,
    },
    /// Nothing: an optional input that is not bound. Reads as the empty text.
    Empty,
}

/// Something wrong with a command, or worth knowing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) help: String,
    /// The text that it is about, as written: where to point.
    pub(crate) spelling: String,
}

/// A command that can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compiled {
    pub(crate) command: Command,
    pub(crate) warnings: Vec<Fault>,
}

/// Gives each reference its slot, or a fault when there is no such input or output.
pub(crate) type Slots<'a> = dyn Fn(&Reference, &str) -> Result<Slot, Fault> + 'a;

/// Compiles a command whose optional blocks are resolved already.
pub(crate) fn compile(text: &str, slots: &Slots<'_>) -> Result<Compiled, Vec<Fault>> {
    let text = text.trim_matches(['\n', '\r']);
    // A fault ends the reading of words; the scanner finds it again, and all others.
    if let Ok(Some(words)) = argv::split(text, slots) {
        return Ok(Compiled {
            command: Command::Argv { words },
            warnings: Vec::new(),
        });
    }
    if !has_expression(text) {
        return Ok(Compiled {
            command: Command::Shell {
                script: text.to_owned(),
            },
            warnings: Vec::new(),
        });
    }
    let mut scanner = scan::Scanner::new(text, slots, 0);
    scanner.run();
    let (script, faults, warnings) = scanner.finish();
    if faults.is_empty() {
        Ok(Compiled {
            command: Command::Shell { script },
            warnings,
        })
    } else {
        Err(faults)
    }
}

#[cfg(test)]
mod tests;
