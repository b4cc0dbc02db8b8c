//! Making room on one machine: runs are forgotten, a sweep frees what only they named, and what is left is as good as before.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};
use testkit::{Sandbox, Steps};
use tidemill_protocol::api::SweepView;

/// A usage error.
const USAGE: i32 = 2;

const PIPELINE: &str = "
type: pipeline
inputs: {word: one}
jobs:
  say:
    command: echo ${{inputs.word}} > ${{outputs.said}}
    inputs: {word: '${{parent.inputs.word}}'}
    outputs: {said: {type: uri_file}}
";

/// Everything in the store is as old as can be.
fn age(sandbox: &Sandbox) {
    let mut waiting: Vec<PathBuf> = vec![sandbox.state_dir().join("store")];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("it can be listed");
            waiting.extend(entries.map(|entry| entry.expect("it has a name").path()));
        } else {
            let file = File::open(&path).expect("it can be opened");
            file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000))
                .expect("times can be set");
        }
    }
}

fn sweep(sandbox: &Sandbox, caution: &str) -> SweepView {
    age(sandbox);
    sandbox.ok(["artifacts", "sweep", caution, "-o", "json"]).json()
}

#[test]
fn a_sweep_frees_what_deleted_runs_alone_named_and_leaves_the_rest_usable() {
    let sandbox = Sandbox::new();
    sandbox.write("pipeline.yml", PIPELINE);
    sandbox.run("pipeline.yml", &[]);
    let idle = sweep(&sandbox, "--dry-run");
    assert_eq!(idle.deleted, 0, "everything is named: {idle:?}");
    assert!(idle.kept > 0 && idle.dry_run, "{idle:?}");

    sandbox.run("pipeline.yml", &["-p", "word=two"]);
    let rehearsed = sandbox.ok(["runs", "delete", "last", "--dry-run"]);
    assert!(rehearsed.stdout.contains("would delete"), "{rehearsed}");
    sandbox.ok(["runs", "delete", "last", "--yes"]);
    let counted = sweep(&sandbox, "--dry-run");
    assert!(counted.deleted > 0, "{counted:?}");
    let swept = sweep(&sandbox, "--yes");
    assert_eq!(
        (swept.deleted, swept.deleted_bytes),
        (counted.deleted, counted.deleted_bytes)
    );

    assert_eq!(sandbox.ok(["artifacts", "cat", "last/say/said"]).stdout, "one\n");
    let kept = sandbox.run("pipeline.yml", &[]);
    assert_eq!(kept.reused(), ["say"]);
    let gone = sandbox.run("pipeline.yml", &["-p", "word=two"]);
    assert_eq!(gone.executed(), ["say"], "a result that is gone is made again");
    let said = sandbox.ok(["artifacts", "cat", "last/say/said"]);
    assert_eq!(said.stdout, "two\n");
}

#[test]
fn what_is_called_old_is_at_least_an_hour_old() {
    let sandbox = Sandbox::new();
    sandbox.write("pipeline.yml", PIPELINE);
    sandbox.run("pipeline.yml", &[]);
    let refused = sandbox.tidemill(["artifacts", "sweep", "--older-than", "5m", "--yes"]);
    let refused = refused.expect_code(USAGE);
    assert!(refused.stderr.contains("one hour"), "{refused}");
    let said = sandbox.ok(["artifacts", "sweep", "--dry-run"]).stdout;
    assert!(said.contains("would delete 0 objects"), "{said}");
}
