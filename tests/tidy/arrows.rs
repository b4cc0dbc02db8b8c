//! Which crate may import which, and which library belongs to whom. The compiler enforces what a manifest says; these tests enforce what
//! it may say.

use crate::assert_none;
use crate::house::{Member, Source, members, sources};
use syn::visit::{self, Visit};

/// Every arrow that is allowed inside the house.
const ARROWS: &[(&str, &[&str])] = &[
    (
        "tidemill",
        &[
            "coordinator",
            "worker",
            "transport",
            "artifacts",
            "language",
            "protocol",
        ],
    ),
    (
        "tidemill-coordinator",
        &["engine", "transport", "artifacts", "language", "protocol"],
    ),
    ("tidemill-worker", &["transport", "artifacts", "protocol"]),
    ("tidemill-engine", &["protocol"]),
    ("tidemill-transport", &["protocol"]),
    ("tidemill-artifacts", &["protocol"]),
    ("tidemill-language", &["protocol"]),
    ("tidemill-protocol", &[]),
];

/// Packages outside the house: they look at it from all sides.
const OUTSIDE: &[&str] = &["tidemill-tests", "tidemill-fuzzing", "tidemill-benches"];

/// Libraries that only these packages may name, so that the rest cannot come to depend on their ways.
const OWNED: &[(&str, &[&str])] = &[
    ("lapin", &["tidemill-transport", "tidemill-benches"]),
    ("object_store", &["tidemill-artifacts"]),
    ("sled", &["tidemill-coordinator", "tidemill-benches"]),
];

/// All that the engine may stand on. Whoever wants to lengthen this list wants another crate.
const ENGINE: &[&str] = &["tidemill-protocol", "serde", "thiserror"];

/// The journal, and the tests that damage one on purpose: nothing else names sled.
const SLED_FOLDERS: [&str; 2] = ["coordinator/src/journal", "coordinator/tests/journal"];

fn wrong_arrows(members: &[Member]) -> Vec<String> {
    let mut complaints = Vec::new();
    for member in members.iter().filter(|m| !OUTSIDE.contains(&m.name.as_str())) {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == member.name) else {
            complaints.push(format!("{} has no line in the list of arrows", member.name));
            continue;
        };
        let ours = member
            .dependencies
            .iter()
            .filter(|d| **d != member.name) // a crate's tests may ask it for a feature
            .filter_map(|d| d.strip_prefix("tidemill-"));
        for other in ours.filter(|other| !allowed.contains(other)) {
            complaints.push(format!("{} may not import tidemill-{other}", member.name));
        }
        if member.dependencies.iter().any(|d| d == "tidemill") {
            complaints.push(format!("{} may not import the binary", member.name));
        }
    }
    complaints
}

fn strangers(members: &[Member]) -> Vec<String> {
    let mut complaints = Vec::new();
    for member in members {
        for (library, owners) in OWNED {
            let names_it = member.dependencies.iter().any(|d| d == library);
            if names_it && !owners.contains(&member.name.as_str()) {
                complaints.push(format!(
                    "{} names {library}, which belongs to {owners:?}",
                    member.name
                ));
            }
        }
    }
    complaints
}

fn engine_extras(members: &[Member]) -> Vec<String> {
    let engine = members.iter().filter(|m| m.name == "tidemill-engine");
    let dependencies = engine.flat_map(|m| &m.dependencies);
    dependencies
        .filter(|d| !ENGINE.contains(&d.as_str()) && !dev_only(d))
        .map(|d| format!("the engine depends on {d}"))
        .collect()
}

/// What the engine's own tests may use: it never reaches the product.
fn dev_only(dependency: &str) -> bool {
    matches!(dependency, "proptest" | "insta" | "uuid" | "serde_json")
}

fn sled_outside_the_journal(sources: &[Source]) -> Vec<String> {
    let coordinator = sources
        .iter()
        .filter(|s| s.path.starts_with("coordinator") && !SLED_FOLDERS.iter().any(|f| s.path.starts_with(f)));
    coordinator
        .filter(|source| {
            let mut names = NamesCrate {
                name: "sled",
                found: false,
            };
            names.visit_file(&source.syntax);
            names.found
        })
        .map(|source| format!("{} names sled", source.path.display()))
        .collect()
}

/// Looks for paths and imports that begin with a crate's name.
struct NamesCrate {
    name: &'static str,
    found: bool,
}

impl<'ast> Visit<'ast> for NamesCrate {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let first = path.segments.first();
        self.found |= path.segments.len() > 1 && first.is_some_and(|s| s.ident == self.name);
        visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.found |= match &item.tree {
            syn::UseTree::Path(path) => path.ident == self.name,
            syn::UseTree::Name(name) => name.ident == self.name,
            syn::UseTree::Rename(rename) => rename.ident == self.name,
            syn::UseTree::Glob(_) | syn::UseTree::Group(_) => false,
        };
    }
}

#[test]
fn crates_import_only_what_lies_below_them() {
    assert_none("an arrow points the wrong way", &wrong_arrows(&members()));
}

#[test]
fn each_big_library_has_one_owner() {
    assert_none("a library is named outside its owner", &strangers(&members()));
}

#[test]
fn the_engine_stands_on_protocol_and_serde_alone() {
    assert_none(
        "the engine's list of dependencies is closed",
        &engine_extras(&members()),
    );
}

#[test]
fn only_the_journal_knows_sled() {
    assert_none(
        "sled belongs to the journal",
        &sled_outside_the_journal(&sources()),
    );
}

fn member(name: &str, dependencies: &[&str]) -> Member {
    Member {
        name: name.into(),
        folder: name.into(),
        dependencies: dependencies.iter().map(|d| (*d).to_owned()).collect(),
    }
}

#[test]
fn an_arrow_that_points_up_or_sideways_is_noticed() {
    let sideways = member("tidemill-worker", &["tidemill-coordinator"]);
    let up = member("tidemill-protocol", &["tidemill-engine"]);
    let unlisted = member("tidemill-extra", &[]);
    assert_eq!(wrong_arrows(&[sideways, up, unlisted]).len(), 3);
    let down = member("tidemill-worker", &["tidemill-protocol", "tokio"]);
    assert_eq!(wrong_arrows(&[down]), Vec::<String>::new());
}

#[test]
fn a_library_in_the_wrong_hands_is_noticed() {
    let wrong = member("tidemill-worker", &["object_store", "lapin", "sled"]);
    assert_eq!(strangers(&[wrong]).len(), 3);
    let right = member("tidemill-transport", &["lapin"]);
    assert_eq!(strangers(&[right]), Vec::<String>::new());
}

#[test]
fn an_engine_that_grows_a_dependency_is_noticed() {
    let engine = member("tidemill-engine", &["tidemill-protocol", "serde", "tokio"]);
    assert_eq!(engine_extras(&[engine]), ["the engine depends on tokio"]);
}

#[test]
fn sled_in_another_folder_is_noticed() {
    let text = "//! x\nfn f() { let _ = sled::open(\"x\"); }";
    let outside = Source::sample("coordinator/src/driver.rs", text);
    let import = Source::sample("coordinator/src/api/runs.rs", "use sled::Db;");
    let inside = Source::sample("coordinator/src/journal/sled.rs", text);
    assert_eq!(sled_outside_the_journal(&[outside, import, inside]).len(), 2);
}
