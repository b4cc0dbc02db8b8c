//! A step key is the name under which a result is found again: were it computed otherwise, everything that anybody ever ran would run again.

use crate::samples as s;
use std::collections::BTreeMap;
use tidemill_protocol::artifact::Tree;
use tidemill_protocol::key::{InputValue, step_key};

#[test]
fn equal_work_has_the_key_that_it_always_had() {
    let inputs = BTreeMap::from([
        (s::port("data"), InputValue::Artifact(s::folder())),
        (s::port("file"), InputValue::Artifact(s::file(b"1"))),
        (s::port("rate"), InputValue::Literal(s::literal())),
        (s::port("raw"), InputValue::Uri("s3://bucket/raw".into())),
    ]);
    let templates = s::templates();
    let keys: Vec<String> = templates
        .iter()
        .map(|template| step_key(&template.fixed, inputs.iter()).to_string())
        .collect();
    assert_eq!(
        keys,
        [
            "c25d36b098cba21f2253b875494c735aa4bb445693714e104f92ed28ab67556e",
            "5401ec68aa24945c3580810082f733cf63e06a00a258eb2729804ccc84e6a0d5",
            "bd6d31cb170017f9ad7711172e116018cdb68c42ef6d25d767dfe804a0a6848a",
        ]
    );
}

#[test]
fn a_step_that_names_secrets_has_the_key_that_it_always_had() {
    let key = step_key(&s::template_with_secrets().fixed, BTreeMap::new().iter()).to_string();
    assert_eq!(
        key,
        "d42adf1c549d44b9b5d2d5130a6c655003b9f4e4e93b8170a7ce49a50f87fb9d"
    );
}

#[test]
fn an_equal_folder_has_the_name_that_it_always_had() {
    let entry = |path: &str, executable| tidemill_protocol::artifact::TreeEntry {
        path: path.parse().expect("is a path"),
        digest: s::file(path.as_bytes()).digest,
        size_bytes: path.len() as u64,
        executable,
    };
    let tree = Tree::new(
        vec![
            entry("src/train.py", false),
            entry("größe.txt", false),
            entry("run", true),
        ],
        vec!["empty".parse().expect("is a path")],
    );
    let name = tree.reference(&tree.canonical_bytes()).digest.to_string();
    assert_eq!(
        name,
        "9cf64b1357d115da743ecd3ea250eb146ef86cf8ba6cdee50002e02d3311d2a4"
    );
}
