//! YAML as a tree in which every value knows its place. Built from parser events and not through serde, because serde forgets places inside
//! flattened and untagged values and because scalars must keep their spelling (`1e-3`, `01`, `True`).
//!
//! Hostile files end here: size, depth, number of values, alias expansion, duplicate keys and forbidden characters are all checked before
//! anything reads the tree.

mod build;
mod node;
mod text;

use crate::diagnostic::{Findings, Problems};

pub(crate) use build::parse;
pub(crate) use node::{Entry, Node, Scalar, ScalarKind, Value, is_number};
pub(crate) use text::read_text;

/// YAML text as JSON, read as pipeline files are: what to validate against [`crate::schema`].
pub fn yaml_to_json(text: &str) -> Result<serde_json::Value, Problems> {
    let mut findings = Findings::default();
    let file = findings.add_file("text".to_owned(), text.into());
    let node = parse(file, text, &mut findings);
    findings.finish()?;
    Ok(node.map_or(serde_json::Value::Null, |node| node.to_json()))
}
