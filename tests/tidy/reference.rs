//! What is generated stays what it was generated from: the files under `docs/reference` are what the binary says now, and the guide for operators
//! names every verb with which a damaged journal is met.

use crate::assert_none;
use crate::house::root;
use serde_json::Value;
use std::fs;
use std::path::Path;
use testkit::{Sandbox, Up};
use tokio_rustls::rustls::crypto::ring;

/// Each generated document, and how the binary is asked for it.
const GENERATED: [(&str, Asked); 1] = [("openapi.json", Asked::Api("/api/v1/openapi.json"))];

/// How the binary is asked.
#[derive(Clone, Copy)]
enum Asked {
    /// Over the API.
    Api(&'static str),
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("there are references").flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// Files that nobody knows how to generate, and generated ones that are missing.
fn unknown(found: &[String]) -> Vec<String> {
    let known = |name: &String| GENERATED.iter().any(|(generated, _)| generated == name);
    let strange = found.iter().filter(|name| !known(name));
    let strange = strange.map(|name| format!("{name}: who generates it?"));
    let missing = GENERATED
        .iter()
        .filter(|(name, _)| !found.iter().any(|found| found == name));
    strange
        .chain(missing.map(|(name, _)| format!("{name} is missing")))
        .collect()
}

fn fetch(url: &str) -> String {
    // The client wants to know whose cryptography it would use, even where it uses none.
    ring::default_provider().install_default().ok();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    runtime.block_on(async {
        let answer = reqwest::get(url).await.expect("it answers");
        let answer = answer.error_for_status().expect("it has this page");
        answer.text().await.expect("it is text")
    })
}

#[test]
fn the_reference_is_what_the_binary_says_now() {
    let folder = root().join("docs/reference");
    assert_none("docs/reference", &unknown(&names(&folder)));
    let sandbox = Sandbox::new();
    let up = Up::start(&sandbox, "up.log");
    let behind = GENERATED.iter().filter_map(|(name, asked)| {
        let Asked::Api(path) = asked;
        let now: Value = serde_json::from_str(&fetch(&format!("{}{path}", up.url()))).expect("it is JSON");
        let committed = fs::read_to_string(folder.join(name)).expect("it is text");
        let committed: Value = serde_json::from_str(&committed).expect("it is JSON");
        (committed != now).then(|| format!("{name} is not what {path} answers"))
    });
    assert_none("docs/reference is behind", &behind.collect::<Vec<_>>());
}

#[test]
fn a_reference_that_nobody_generates_is_noticed() {
    assert_eq!(
        unknown(&["cli.md".to_owned(), "openapi.json".to_owned()]),
        ["cli.md: who generates it?"]
    );
    assert_eq!(unknown(&[]), ["openapi.json is missing"]);
}

/// The verbs that a help page lists.
fn verbs(help: &str) -> Vec<&str> {
    let listed = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1);
    let lines = listed.take_while(|line| line.starts_with("  "));
    lines.filter_map(|line| line.split_whitespace().next()).collect()
}

#[test]
fn the_guide_for_operators_names_every_verb_around_the_journal() {
    let sandbox = Sandbox::new();
    let help = sandbox.ok(["journal", "--help"]).stdout;
    let verbs = verbs(&help);
    assert!(verbs.contains(&"repair"), "{help}");
    let guide = fs::read_to_string(root().join("docs/operating.md")).expect("there is a guide");
    let missing = verbs
        .iter()
        .filter(|verb| !guide.contains(&format!("tidemill journal {verb}")));
    let missing = missing.map(|verb| format!("tidemill journal {verb}"));
    assert_none("docs/operating.md does not name", &missing.collect::<Vec<_>>());
}

#[test]
fn verbs_are_read_from_a_help_page() {
    let help = "About\n\nUsage: x\n\nCommands:\n  verify  Read\n  repair  Keep\n\nOptions:\n  -h  Help\n";
    assert_eq!(verbs(help), ["verify", "repair"]);
}
