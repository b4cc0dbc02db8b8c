//! Optional blocks: `$[[ --flag ${{inputs.x}} ]]` stands only when every input that it names is bound. A block that names none always
//! stands. Blocks are resolved before anything looks at shell syntax, so one may stand anywhere, quotes included.

use super::Fault;
use crate::diagnostic::Code;
use crate::expression::{Piece, Reference, pieces};

const OPEN: &str = "$[[";
const CLOSE: &str = "]]";

/// A part of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part<'t> {
    /// Its text, without the brackets.
    pub(crate) text: &'t str,
    /// Whether it stood in brackets.
    pub(crate) optional: bool,
}

/// Splits a command into what always stands and what is optional.
pub(crate) fn parts(text: &str) -> Result<Vec<Part<'_>>, Fault> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once(OPEN) {
        let Some((inner, after)) = from.split_once(CLOSE) else {
            return Err(fault("the optional block is not closed", "close it with `]]`"));
        };
        if inner.contains(OPEN) {
            return Err(fault(
                "an optional block stands inside another one",
                "write two blocks side by side",
            ));
        }
        parts.push(Part {
            text: before,
            optional: false,
        });
        parts.push(Part {
            text: inner,
            optional: true,
        });
        rest = after;
    }
    parts.push(Part {
        text: rest,
        optional: false,
    });
    parts.retain(|part| !part.text.is_empty());
    Ok(parts)
}

fn fault(message: &str, help: &str) -> Fault {
    Fault {
        code: Code::BadExpression,
        message: message.to_owned(),
        help: help.to_owned(),
        spelling: OPEN.to_owned(),
    }
}

/// The inputs that a text names.
pub(crate) fn inputs(text: &str) -> Vec<String> {
    let pieces = pieces(text).unwrap_or_default();
    let names = pieces.into_iter().filter_map(|piece| match piece {
        Piece::Reference(Reference::Input(name), _) => Some(name),
        Piece::Reference(..) | Piece::Text(_) => None,
    });
    names.collect()
}

/// The command with the blocks whose inputs are all bound, and without the others.
pub(crate) fn resolve(text: &str, bound: &dyn Fn(&str) -> bool) -> Result<String, Fault> {
    if !text.contains(OPEN) {
        return Ok(text.to_owned());
    }
    let kept = parts(text)?
        .into_iter()
        .filter(|part| !part.optional || inputs(part.text).iter().all(|name| bound(name)));
    Ok(kept.map(|part| part.text).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_stands_when_all_its_inputs_are_bound() {
        let text = "run $[[--a ${{inputs.a}}]] $[[--b ${{inputs.b}} ${{inputs.a}}]] end";
        assert_eq!(resolve(text, &|_| false).unwrap(), "run   end");
        assert_eq!(
            resolve(text, &|name| name == "a").unwrap(),
            "run --a ${{inputs.a}}  end"
        );
        assert_eq!(
            resolve(text, &|_| true).unwrap(),
            "run --a ${{inputs.a}} --b ${{inputs.b}} ${{inputs.a}} end"
        );
    }

    #[test]
    fn a_block_without_inputs_always_stands() {
        assert_eq!(resolve("a $[[inputs.x]]", &|_| false).unwrap(), "a inputs.x");
    }

    #[test]
    fn open_and_nested_blocks_are_refused() {
        assert!(resolve("a $[[b", &|_| true).is_err());
        assert!(resolve("a $[[b $[[c]] ]]", &|_| true).is_err());
    }
}
