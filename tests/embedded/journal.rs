//! The journal leaves through `export` and comes back through `import`, whole or not at all; damage is found by `verify`, and `repair` gives nothing up unasked.

use std::fs;
use std::path::Path;
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

/// Every file of a folder, by its path, with its bytes.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("it can be listed") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((
                path.display().to_string(),
                fs::read(&path).expect("it can be read"),
            ));
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for (path, bytes) in files(from) {
        let inner = Path::new(&path).strip_prefix(from).expect("it lies there");
        let target = to.join(inner);
        fs::create_dir_all(target.parent().expect("a file lies in a folder")).expect("a folder can be made");
        fs::write(target, bytes).expect("it can be written");
    }
}

#[test]
fn a_journal_with_an_older_database_is_found_out_and_repaired_to_what_that_held_when_told_to() {
    let sandbox = Sandbox::new();
    sandbox.copy_example("hello");
    let first = sandbox.run("hello/pipeline.yml", &[]).summary.id.to_string();
    let journal_folder = sandbox.state_dir().join("journal");
    let (records, older) = (journal_folder.join("records"), sandbox.path().join("older"));
    copy(&records, &older);
    let second = sandbox
        .run("hello/pipeline.yml", &["--force-rerun"])
        .summary
        .id
        .to_string();
    sandbox.ok(["journal", "verify"]);
    let untouched = sandbox
        .tidemill(["journal", "repair", "--accept-loss"])
        .expect_code(0);
    assert!(untouched.stdout.contains("nothing was changed"), "{untouched}");
    fs::remove_dir_all(&records).expect("it is there");
    copy(&older, &records);

    let damaged = sandbox.tidemill(["journal", "verify"]).expect_code(1);
    assert!(damaged.stderr.contains("damaged"), "{damaged}");
    let refused = sandbox.tidemill(["runs", "list"]);
    assert_ne!(refused.code, Some(0), "nothing is built on it: {refused}");
    let before = files(&records);
    let refused = sandbox.tidemill(["journal", "repair"]).expect_code(2);
    assert!(refused.stderr.contains("--accept-loss"), "{refused}");
    assert_eq!(files(&records), before, "nothing was changed");

    let repaired = sandbox.ok(["journal", "repair", "--accept-loss"]).stdout;
    assert!(
        repaired.contains("given up") && !repaired.contains("kept 0"),
        "{repaired}"
    );
    let aside = repaired
        .rsplit_once(" are in ")
        .expect("it says where the damaged files are")
        .1;
    assert!(Path::new(aside.trim()).join("records").is_dir(), "{repaired}");
    sandbox.ok(["journal", "verify"]);
    sandbox.ok(["runs", "show", &first]);
    drop(sandbox.tidemill(["runs", "show", &second]).expect_code(6));
    sandbox.run("hello/pipeline.yml", &["--force-rerun"]);
    sandbox.ok(["journal", "verify"]);
}

#[test]
fn a_journal_without_its_records_is_found_out_and_a_repair_says_that_all_is_given_up() {
    let sandbox = Sandbox::new();
    sandbox.copy_example("hello");
    let run = sandbox.run("hello/pipeline.yml", &[]).summary.id.to_string();
    let records = sandbox.state_dir().join("journal/records");
    fs::remove_dir_all(&records).expect("it is there");
    let damaged = sandbox.tidemill(["journal", "verify"]).expect_code(1);
    assert!(damaged.stderr.contains("journal"), "{damaged}");
    drop(sandbox.tidemill(["journal", "export"]).expect_code(1));
    drop(sandbox.tidemill(["journal", "repair"]).expect_code(2));
    assert!(!records.exists(), "nothing was made in its place");
    let repaired = sandbox.ok(["journal", "repair", "--accept-loss"]).stdout;
    assert!(repaired.contains("kept 0 events"), "{repaired}");
    drop(sandbox.tidemill(["runs", "show", &run]).expect_code(6));
    let again = sandbox.run("hello/pipeline.yml", &[]);
    assert_ne!(again.summary.id.to_string(), run);
}
