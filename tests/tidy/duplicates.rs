//! No crate comes into the build in a second version unnoticed: every one that does is in `docs/dependencies.md` with what keeps it.

use crate::assert_none;
use crate::house::root;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// The crates that a lock file holds more than once.
fn duplicated(lock: &str) -> BTreeSet<&str> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for package in lock.split("[[package]]").skip(1) {
        let name = package.lines().find_map(|line| line.strip_prefix("name = "));
        *counts
            .entry(name.unwrap_or_default().trim_matches('"'))
            .or_default() += 1;
    }
    counts
        .into_iter()
        .filter(|(_, count)| *count > 1)
        .map(|(name, _)| name)
        .collect()
}

/// The crates in the first column of the page's table that have a reason in the second.
fn listed(page: &str) -> BTreeSet<&str> {
    page.lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .filter(|(_, reason)| reason.trim_end_matches('|').trim().len() > 10)
        .map(|(name, _)| name)
        .collect()
}

fn complaints(lock: &str, page: &str) -> Vec<String> {
    let (found, listed) = (duplicated(lock), listed(page));
    let new = found.difference(&listed).map(|name| {
        format!("{name} is in Cargo.lock twice: `cargo tree -i {name}@VERSION` says who needs which; unify them, or list it")
    });
    let gone = listed
        .difference(&found)
        .map(|name| format!("{name} is listed and in Cargo.lock once"));
    new.chain(gone).collect()
}

#[test]
fn crates_in_two_versions_are_listed_with_their_reason() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect("the file is there");
    assert_none(
        "docs/dependencies.md lists the crates that are there twice",
        &complaints(&read("Cargo.lock"), &read("docs/dependencies.md")),
    );
}

#[test]
fn an_unlisted_pair_and_a_stale_line_are_found() {
    let lock = "[[package]]\nname = \"a\"\n[[package]]\nname = \"a\"\n[[package]]\nname = \"b\"\n";
    let page = "| `b` | the two of something |\n| `a` | |\n";
    let found = complaints(lock, page);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("a is in Cargo.lock twice"), "{found:?}");
}
