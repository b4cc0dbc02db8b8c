//! What files may be called and how they begin.

use crate::assert_none;
use crate::house::{Source, sources};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Names that say nothing about what lives in the file.
const BANNED: &[&str] = &[
    "util",
    "utils",
    "common",
    "helper",
    "helpers",
    "misc",
    "shared",
    "stuff",
    "tools",
    "prelude",
    "functions",
];

fn banned_names(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        let parts = source.path.iter().map(|part| part.to_string_lossy());
        for part in parts {
            let stem = part.strip_suffix(".rs").unwrap_or(&part);
            if BANNED.contains(&stem) {
                complaints.push(format!("{}: `{stem}` says nothing", source.path.display()));
            }
        }
    }
    complaints
}

fn silent_files(sources: &[Source]) -> Vec<String> {
    let silent = sources.iter().filter(|source| {
        let text = source.text.trim_start();
        !text.starts_with("//!") || text.starts_with("//!\n")
    });
    silent
        .map(|source| format!("{} does not open with `//!`", source.path.display()))
        .collect()
}

/// Files that have a folder of the same name beside them: the door belongs in the room, as `mod.rs`.
fn doors_outside_their_room(sources: &[Source]) -> Vec<String> {
    let folders: BTreeSet<PathBuf> = sources
        .iter()
        .filter_map(|source| source.path.parent().map(PathBuf::from))
        .collect();
    let outside = sources
        .iter()
        .filter(|source| folders.contains(&source.path.with_extension("")));
    outside
        .map(|source| {
            format!(
                "{} should be {}",
                source.path.display(),
                source.path.with_extension("").join("mod.rs").display()
            )
        })
        .collect()
}

#[test]
fn every_file_name_says_what_is_inside() {
    assert_none("a file name says nothing", &banned_names(&sources()));
}

#[test]
fn every_file_says_first_what_lives_in_it() {
    assert_none("a file opens without a word", &silent_files(&sources()));
}

#[test]
fn the_door_of_a_module_is_in_its_room() {
    assert_none(
        "a module with a folder is a `mod.rs`",
        &doors_outside_their_room(&sources()),
    );
}

#[test]
fn a_name_that_says_nothing_is_noticed() {
    let file = Source::sample("worker/src/utils.rs", "//! x");
    let folder = Source::sample("worker/src/common/lease.rs", "//! x");
    let good = Source::sample("worker/src/lease.rs", "//! x");
    assert_eq!(banned_names(&[file, folder, good]).len(), 2);
}

#[test]
fn a_file_that_opens_without_a_word_is_noticed() {
    let silent = Source::sample("worker/src/lease.rs", "use std::fmt;\n");
    let empty = Source::sample("worker/src/slots.rs", "//!\nuse std::fmt;\n");
    let good = Source::sample("worker/src/stage.rs", "//! Inputs in, outputs out.\n");
    assert_eq!(silent_files(&[silent, empty, good]).len(), 2);
}

#[test]
fn a_door_outside_its_room_is_noticed() {
    let door = Source::sample("worker/src/stage.rs", "//! x");
    let room = Source::sample("worker/src/stage/inputs.rs", "//! x");
    let good = Source::sample("worker/src/logs/mod.rs", "//! x");
    let complaints = doors_outside_their_room(&[door, room, good]);
    assert_eq!(
        complaints,
        ["worker/src/stage.rs should be worker/src/stage/mod.rs"]
    );
}
