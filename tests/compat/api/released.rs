//! The description of the API as it was released last, without what is only read by people; and the breaks since then that are meant.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use testkit::repository;

/// What only people read.
const PROSE: [&str; 6] = [
    "description",
    "summary",
    "tags",
    "operationId",
    "example",
    "examples",
];

/// The folder of both files.
pub(super) fn folder() -> PathBuf {
    repository().join("tests/compat/api")
}

/// The committed description of the API.
pub(super) fn current() -> Value {
    let path = repository().join("docs/reference/openapi.json");
    let text = fs::read_to_string(path).expect("the API is described");
    serde_json::from_str(&text).expect("the description is JSON")
}

/// The released description. Where there is none, the current one becomes it, and the test fails once, so that somebody looks at it before it is committed.
pub(super) fn released() -> Value {
    let path = folder().join("released.json");
    let Ok(text) = fs::read_to_string(&path) else {
        fs::write(&path, written(&current())).expect("the file can be written");
        panic!(
            "{} was missing, and is now what the API is; look at it and commit it",
            path.display()
        );
    };
    serde_json::from_str(&text).expect("the released description is JSON")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    #[serde(default)]
    accepted: Vec<Break>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Break {
    #[serde(rename = "break")]
    sentence: String,
    why: String,
}

/// The breaks that are meant, each with its reason.
pub(super) fn accepted() -> BTreeSet<String> {
    let text =
        fs::read_to_string(folder().join("accepted.toml")).expect("there is a list of breaks that are meant");
    let list: Accepted = toml::from_str(&text).expect("the list is TOML");
    let reasoned = list.accepted.into_iter().map(|one| {
        assert!(!one.why.trim().is_empty(), "{} has no reason", one.sentence);
        one.sentence
    });
    reasoned.collect()
}

/// A description as it is kept: one line for each path and each schema, so that a change shows as one.
pub(super) fn written(description: &Value) -> String {
    let parts = [
        ("paths", &description["paths"]),
        ("schemas", &description["components"]["schemas"]),
    ];
    let mut text = format!("{{\n\"version\": {}", description["info"]["version"]);
    for (name, part) in parts {
        let opening = if name == "schemas" {
            "\"components\": {\"schemas\""
        } else {
            "\"paths\""
        };
        write!(text, ",\n{opening}: {{").expect("a text takes everything");
        let members: BTreeMap<&String, &Value> = part.as_object().into_iter().flatten().collect();
        for (number, (key, value)) in members.into_iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(text, "{comma}\n{}: {}", json!(key), bare(value, false)).expect("a text takes everything");
        }
        text.push_str("\n}");
    }
    text.push_str("}\n}\n");
    text
}

/// The same without prose. Fields that are called like it stay.
fn bare(value: &Value, names_fields: bool) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members
                .iter()
                .filter(|(key, _)| names_fields || !PROSE.contains(&key.as_str()));
            let kept =
                kept.map(|(key, value)| (key.clone(), bare(value, key == "properties" && !names_fields)));
            Value::Object(kept.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(|item| bare(item, false)).collect(),
        other => other.clone(),
    }
}
