//! What the fuzz target `expression` checks; only with the feature `fuzzing`. Here, because the grammar of expressions is private.

use crate::diagnostic::Code;
use crate::expression::{Piece, Reference, pieces, single};
use crate::shell::{self, Fault, Slot, compile};
use tidemill_protocol::name::PortName;
use tidemill_protocol::plan::{Command, Fragment};

/// Reads bytes that are text as a text with expressions, and as a command with optional blocks.
///
/// # Panics
/// When the pieces are not the text, when what was read is not read again from how it is printed, or when a command depends on more than its text.
pub fn expression(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(found) = pieces(text) {
        let spelled: String = found.iter().map(spelling).collect();
        assert_eq!(spelled, text, "the pieces are not the text");
        for piece in &found {
            if let Piece::Reference(reference, spelling) = piece {
                let read = Some(Ok(reference.clone()));
                assert_eq!(single(spelling), read, "one expression alone is another one");
                let printed = printed(reference);
                assert_eq!(single(&printed), read, "{printed} is another expression");
            }
        }
    }
    for bound in [true, false] {
        command(text, bound);
    }
}

fn spelling<'t>(piece: &Piece<'t>) -> &'t str {
    match piece {
        Piece::Text(text) | Piece::Reference(_, text) => text,
    }
}

fn printed(reference: &Reference) -> String {
    let inner = match reference {
        Reference::Input(name) => format!("inputs.{name}"),
        Reference::Output(name) => format!("outputs.{name}"),
        Reference::ParentInput(name) => format!("parent.inputs.{name}"),
        Reference::ParentOutput(name) => format!("parent.outputs.{name}"),
        Reference::StepOutput { step, output } => format!("parent.jobs.{step}.outputs.{output}"),
        Reference::SearchSpace(name) => format!("search_space.{name}"),
        Reference::Macro(name) => (*name).to_owned(),
    };
    format!("${{{{ {inner} }}}}")
}

/// A command whose inputs are all bound, or none of them.
fn command(text: &str, bound: bool) {
    let Ok(resolved) = shell::optional::resolve(text, &|_| bound) else {
        return;
    };
    assert!(
        resolved.len() <= text.len(),
        "an optional block made the text longer"
    );
    let slots = |reference: &Reference, spelling: &str| slot(reference, spelling, bound);
    let compiled = compile(&resolved, &slots);
    assert_eq!(
        compiled,
        compile(&resolved, &slots),
        "two readings of one command differ"
    );
    let Ok(compiled) = compiled else { return };
    match compiled.command {
        Command::Argv { words } => {
            assert!(!words.is_empty(), "there is no program");
            for fragment in words.iter().flat_map(|word| &word.0) {
                let Fragment::Text(part) = fragment else { continue };
                let known = part.chars().all(|c| resolved.contains(c));
                assert!(known, "{part:?} is not of the author's text");
            }
        }
        Command::Shell { script } => {
            // Each expression, of seven bytes at least, becomes a variable's name with its quotes.
            assert!(script.len() <= 16 * text.len() + 64, "the script grew");
        }
    }
}

fn slot(reference: &Reference, spelling: &str, bound: bool) -> Result<Slot, Fault> {
    let port = |name: &str| name.parse::<PortName>().ok();
    let fragment = match reference {
        Reference::Input(_) if !bound => return Ok(Slot::Empty),
        Reference::Input(name) => port(name).map(Fragment::Input),
        Reference::Output(name) => port(name).map(Fragment::Output),
        _ => None,
    };
    let fragment = fragment.ok_or_else(|| Fault {
        code: Code::UnknownInput,
        message: "there is no such thing".to_owned(),
        help: String::new(),
        spelling: spelling.to_owned(),
    })?;
    Ok(Slot::Variable {
        numeric: spelling.contains('n') && matches!(fragment, Fragment::Input(_)),
        fragment,
    })
}
