//! The journal leaves through `export` and comes back through `import`, whole or not at all.

use std::fs;
use testkit::{Output, Sandbox};

fn journal(sandbox: &Sandbox, folder: &str, arguments: &[&str]) -> Output {
    let folder = sandbox.path().join(folder);
    let folder = folder.to_str().expect("the path is text");
    let mut all = vec!["journal"];
    all.extend(arguments);
    all.extend(["--state-dir", folder]);
    sandbox.tidemill(all)
}

#[test]
fn what_was_exported_is_imported_and_nothing_else() {
    let sandbox = Sandbox::new();
    sandbox.copy_example("hello");
    let run = sandbox.run("hello/pipeline.yml", &[]);
    let export = sandbox.ok(["journal", "export"]).stdout;
    let file = sandbox.write("events.jsonl", &export);
    let file = file.to_str().expect("the path is text");
    let imported = journal(&sandbox, "second", &["import", file, "-o", "json"]);
    let imported: serde_json::Value = imported.expect_code(0).json();
    assert_eq!(imported["events"], export.lines().count() - 1, "{imported}");
    assert_eq!(imported["runs"], 1, "{imported}");
    assert_eq!(
        journal(&sandbox, "second", &["export"]).expect_code(0).stdout,
        export
    );
    let folder = sandbox.path().join("second");
    let folder = folder.to_str().expect("the path is text");
    let id = run.summary.id.to_string();
    sandbox.ok(["runs", "show", &id, "--state-dir", folder]);

    let again = journal(&sandbox, "second", &["import", file]);
    assert_eq!(
        again.code,
        Some(7),
        "it would replace a journal: {}",
        again.stderr
    );
    assert_eq!(
        journal(&sandbox, "second", &["verify"]).code,
        Some(0),
        "and has not"
    );
}

#[test]
fn a_damaged_export_is_refused_and_leaves_no_journal() {
    let sandbox = Sandbox::new();
    sandbox.copy_example("hello");
    sandbox.run("hello/pipeline.yml", &[]);
    let whole = sandbox.ok(["journal", "export"]).stdout;
    let lines: Vec<&str> = whole.lines().collect();
    let without = |line: usize| {
        let kept = lines.iter().enumerate().filter(|(number, _)| *number != line);
        kept.flat_map(|(_, text)| [*text, "\n"]).collect::<String>()
    };
    let half = whole
        .get(..whole.len() / 2)
        .expect("an export is ASCII")
        .to_owned();
    let damaged = [
        ("cut", half),
        ("without its seal", without(lines.len() - 1)),
        ("without its first event", without(0)),
        ("without an event", without(3)),
        ("changed", whole.replacen("\"epoch\":1", "\"epoch\":2", 1)),
        ("empty", String::new()),
        ("no export", "{}\n".to_owned()),
    ];
    for (what, text) in damaged {
        assert_ne!(text, whole, "{what}");
        let file = sandbox.write("damaged.jsonl", &text);
        let refused = journal(&sandbox, "third", &["import", file.to_str().expect("text")]);
        assert_eq!(refused.code, Some(1), "{what}: {}", refused.stderr);
        assert!(refused.stderr.contains("help"), "{what}: {}", refused.stderr);
        assert!(
            !sandbox.path().join("third/journal").exists(),
            "{what} left a journal"
        );
    }
    let missing = journal(&sandbox, "third", &["import", "nowhere.jsonl"]);
    assert_eq!(missing.code, Some(6), "{}", missing.stderr);
    fs::remove_dir_all(sandbox.path().join("third")).ok();
}
