//! Texts with expressions that name literals, which are known when a run is planned.

use super::bind::{Inputs, literal_of};
use crate::expression::{Piece, Reference, pieces};

/// A text with the literals that its expressions name.
pub(super) fn expanded(value: &str, inputs: &Inputs, scope: &Inputs) -> Result<String, String> {
    if !value.contains("${{") {
        return Ok(value.to_owned());
    }
    let mut text = String::new();
    for piece in pieces(value).map_err(|bad| bad.message)? {
        match piece {
            Piece::Text(part) => text.push_str(part),
            Piece::Reference(reference, spelling) => {
                let found = match &reference {
                    Reference::Input(name) => literal_of(inputs, name),
                    Reference::ParentInput(name) => literal_of(scope, name),
                    _ => None,
                };
                let found = found.ok_or_else(|| {
                    format!("`{spelling}` names no literal, and a variable's value can hold nothing else")
                })?;
                text.push_str(&found);
            }
        }
    }
    Ok(text)
}
