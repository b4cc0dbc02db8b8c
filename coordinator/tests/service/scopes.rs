//! What the page about security says of scopes and open routes is what the routes declare: each thing that a scope opens is named in its row.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use tidemill_coordinator::openapi;

const PAGE: &str = include_str!("../../../docs/security.md");

/// What the rows call what paths call otherwise; everything else is called as in its path, in the plural or not.
const CALLED: [(&str, &str); 16] = [
    ("azureml", "azure ml"),
    ("audit", "audit log"),
    ("experiments", "experiments"),
    ("join-tokens", "join"),
    ("logged-models", "mlflow"),
    ("metrics", "metrics"),
    ("mlflow-artifacts", "mlflow"),
    ("model-versions", "mlflow"),
    ("pipelines", "pipelines"),
    ("plan", "plan"),
    ("registered-models", "models"),
    ("whoami", "ask who it is"),
    ("compute-targets", "compute targets"),
    ("artifacts", "artifacts"),
    ("v1", "look at"),
    ("server-info", "mlflow"),
];

/// The row of a scope, in small letters.
fn row(scope: &str) -> String {
    let start = format!("| `{scope}` |");
    let row = PAGE.lines().find(|line| line.starts_with(&start));
    row.unwrap_or_else(|| panic!("the page has no row for {scope}"))
        .to_lowercase()
}

/// The thing that a path is about.
fn thing(path: &str) -> &str {
    let mut parts = path
        .trim_start_matches('/')
        .split('/')
        .skip_while(|part| *part == "api");
    match (parts.next(), parts.next(), parts.next()) {
        (Some("azureml"), ..) => "azureml",
        (Some("v1"), Some(thing), _) | (Some("2.0" | "3.0"), Some("mlflow"), Some(thing)) => thing,
        (Some("2.0" | "3.0"), Some(thing), _) => thing,
        (first, ..) => first.unwrap_or_default(),
    }
}

/// Every operation with its path and what it declares.
fn operations() -> Vec<(String, Value)> {
    let description = serde_json::to_value(openapi()).unwrap();
    let paths = description["paths"].as_object().unwrap();
    let each = paths.iter().flat_map(|(path, item)| {
        let operations = item.as_object().unwrap().values();
        operations.map(move |operation| (path.clone(), operation["security"].clone()))
    });
    each.collect()
}

#[test]
fn each_thing_that_a_scope_opens_is_named_in_its_row() {
    let mut missing = BTreeSet::new();
    for (path, security) in operations() {
        let Some(scope) = security[0]["token"][0].as_str() else {
            continue;
        };
        let thing = thing(&path);
        let called = CALLED.iter().find(|(word, _)| *word == thing);
        let word = called.map_or(thing, |(_, called)| called);
        if !row(scope).contains(word) {
            missing.insert(format!("{scope}: {word} ({path})"));
        }
    }
    assert!(
        missing.is_empty(),
        "docs/security.md does not say:\n{}",
        Vec::from_iter(missing).join("\n")
    );
}

#[test]
fn each_route_that_answers_without_a_token_is_on_the_page_and_no_other_is_said_to() {
    let open = operations()
        .into_iter()
        .filter(|(_, security)| *security == json!([{}]));
    let open: BTreeSet<String> = open.map(|(path, _)| path).collect();
    let sentence = PAGE.lines().find(|line| line.contains("Without one only"));
    let said = sentence.unwrap().split_once("Without one only").unwrap().1;
    let said = said.split('`').filter(|part| part.starts_with('/'));
    let said: BTreeSet<String> = said.map(ToOwned::to_owned).collect();
    assert_eq!(said, open);
}
