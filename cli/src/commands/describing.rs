//! What every `describe` changes: a description and tags.

use crate::args::DescriptionArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use std::collections::BTreeMap;

/// A description, if it is another one, and tags with their values; those without are removed.
pub(in crate::commands) type Changes = (Option<String>, BTreeMap<String, Option<String>>);

/// What is to be changed.
///
/// # Errors
/// When that is nothing.
pub(in crate::commands) fn changes(said: DescriptionArgs) -> Result<Changes, Failure> {
    let set = said.tags.into_iter().map(|tag| (tag.name, Some(tag.value)));
    let removed = said.untag.into_iter().map(|name| (name, None));
    let tags: BTreeMap<_, _> = set.chain(removed).collect();
    if said.description.is_none() && tags.is_empty() {
        return Err(Failure::new(Exit::Usage, "nothing is to be changed")
            .help("give --description, --tag NAME=VALUE or --untag NAME"));
    }
    Ok((said.description, tags))
}
