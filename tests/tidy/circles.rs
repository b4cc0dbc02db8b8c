//! No circle joins two files of a crate: what a file uses can be read and changed without knowing who uses it.

use crate::assert_none;
use crate::house::{Member, Source, members, sources};
use crate::modules::{Uses, uses};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

/// One complaint for each set of files that form a circle.
fn circles(uses: &Uses) -> Vec<String> {
    let mut known: BTreeSet<BTreeSet<&Path>> = BTreeSet::new();
    let mut complaints = Vec::new();
    for file in uses.keys() {
        if let Some(circle) = shortest_circle(uses, file)
            && known.insert(circle.iter().copied().collect())
        {
            let names: Vec<String> = circle.iter().map(|path| path.display().to_string()).collect();
            complaints.push(format!("{} → {}", names.join(" → "), file.display()));
        }
    }
    complaints
}

/// The shortest way from `file` back to itself, breadth first.
fn shortest_circle<'a>(uses: &'a Uses, file: &'a PathBuf) -> Option<Vec<&'a Path>> {
    let mut came_from: BTreeMap<&PathBuf, &PathBuf> = BTreeMap::new();
    let mut queue = VecDeque::from([file]);
    while let Some(here) = queue.pop_front() {
        for next in uses.get(here).into_iter().flatten() {
            if next == file {
                return Some(way_back(&came_from, file, here));
            }
            if !came_from.contains_key(next) {
                came_from.insert(next, here);
                queue.push_back(next);
            }
        }
    }
    None
}

fn way_back<'a>(
    came_from: &BTreeMap<&'a PathBuf, &'a PathBuf>,
    start: &'a PathBuf,
    end: &'a PathBuf,
) -> Vec<&'a Path> {
    let mut way = vec![end.as_path()];
    let mut here = end;
    while here != start {
        here = came_from[here];
        way.push(here);
    }
    way.reverse();
    way
}

#[test]
fn no_circle_joins_the_files_of_a_crate() {
    let sources = sources();
    let found = members()
        .iter()
        .flat_map(|m| circles(&uses(m, &sources)))
        .collect::<Vec<_>>();
    assert_none("files use each other in a circle", &found);
}

fn engine() -> Member {
    Member {
        name: "tidemill-engine".into(),
        folder: "engine".into(),
        dependencies: Vec::new(),
    }
}

#[test]
fn a_circle_through_imports_and_paths_is_noticed_once() {
    let sources = [
        Source::sample("engine/src/lib.rs", "//! x\nmod a; mod b; mod c; mod d;"),
        Source::sample("engine/src/a.rs", "//! x\nuse crate::b::B;\npub struct A(B);"),
        Source::sample(
            "engine/src/b.rs",
            "//! x\npub struct B(Option<Box<super::c::C>>);",
        ),
        Source::sample("engine/src/c.rs", "//! x\nuse super::a;\npub struct C(a::A);"),
        Source::sample(
            "engine/src/d.rs",
            "//! x\nuse crate::{a::A, c::C};\npub struct D(A, C);",
        ),
    ];
    let found = circles(&uses(&engine(), &sources));
    assert_eq!(
        found,
        ["engine/src/a.rs → engine/src/b.rs → engine/src/c.rs → engine/src/a.rs"]
    );
}

#[test]
fn a_door_that_hands_on_names_makes_no_circle() {
    let sources = [
        Source::sample(
            "engine/src/lib.rs",
            "//! x\nmod a; mod b;\npub use a::A;\npub use b::B;",
        ),
        Source::sample("engine/src/a.rs", "//! x\nuse crate::B;\npub struct A(B);"),
        Source::sample("engine/src/b.rs", "//! x\npub struct B;"),
    ];
    assert_eq!(circles(&uses(&engine(), &sources)), Vec::<String>::new());
}

#[test]
fn a_room_may_use_its_door_but_rooms_may_not_use_each_other() {
    let sources = [
        Source::sample("engine/src/lib.rs", "//! x\nmod a; mod b;"),
        Source::sample(
            "engine/src/a/mod.rs",
            "//! x\nmod part;\npub struct A(part::Part);\npub struct Word;",
        ),
        Source::sample(
            "engine/src/a/part.rs",
            "//! x\nuse super::Word;\nuse crate::b::B;\npub struct Part(Word, B);",
        ),
        Source::sample("engine/src/b.rs", "//! x\npub struct B;"),
    ];
    assert_eq!(circles(&uses(&engine(), &sources)), Vec::<String>::new());
    let mut sources = Vec::from(sources);
    sources[3] = Source::sample(
        "engine/src/b.rs",
        "//! x\npub struct B(Option<Box<crate::a::A>>);",
    );
    let found = circles(&uses(&engine(), &sources));
    let expected = "engine/src/a/mod.rs → engine/src/a/part.rs → engine/src/b.rs → engine/src/a/mod.rs";
    assert_eq!(found, [expected]);
}
