//! `tidemill bench`: what it prints, and that nothing of it stays behind.

use serde_json::Value;
use std::fs;
use testkit::{BEGIN_DEADLINE, Daemon, END_DEADLINE, Sandbox, eventually};

/// The exit code after Ctrl-C.
const INTERRUPTED: i32 = 130;

/// A sandbox with a folder for temporary files of its own.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path().join("tmp")).expect("a folder can be made");
    sandbox
}

fn bench(sandbox: &Sandbox, more: &[&str]) -> std::process::Command {
    let mut command = sandbox.command(["bench"].iter().chain(more));
    command.env("TMPDIR", sandbox.path().join("tmp"));
    command
}

/// Nothing in the folder for temporary files, no state, and no process.
#[track_caller]
fn assert_clean(sandbox: &Sandbox) {
    let left: Vec<_> = fs::read_dir(sandbox.path().join("tmp"))
        .expect("the folder is there")
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert!(left.is_empty(), "{left:?} stayed behind");
    assert!(
        !sandbox.state_dir().exists(),
        "it measures beside the state of its user"
    );
    eventually(END_DEADLINE, "its processes are gone", || {
        sandbox.processes().is_empty().then_some(())
    });
}

#[test]
fn each_figure_is_a_number_beside_a_limit_and_nothing_stays_behind() {
    let sandbox = sandbox();
    let output = sandbox
        .finish(&mut bench(&sandbox, &["--steps", "50", "-o", "json"]))
        .expect_code(0);
    let figures: Vec<Value> = output.items();
    let value = |what: &str| {
        let figure = figures.iter().find(|figure| figure["what"] == what);
        let figure = figure.unwrap_or_else(|| panic!("no figure {what:?} in {output}"));
        figure["value"].as_f64().expect("a figure is a number")
    };
    for what in [
        "steps, each one process",
        "the same again, all reused",
        "from start to first step's end",
        "bare process starts",
        "durable writes of 4 KiB",
        "BLAKE3",
    ] {
        assert!(value(what) > 0.0, "{what} in {output}");
    }
    let steps = figures
        .iter()
        .find(|figure| figure["what"] == "steps, each one process");
    let limit = &steps.expect("it was found above")["of"];
    assert_eq!(
        limit[0], "bare process starts",
        "ours stands beside the limit: {output}"
    );
    assert_clean(&sandbox);
}

#[test]
fn ctrl_c_ends_it_and_leaves_nothing_behind_either() {
    let sandbox = sandbox();
    let log = sandbox.path().join("figures");
    let bench = Daemon::start("bench", &mut bench(&sandbox, &["--steps", "10000"]), &log);
    eventually(BEGIN_DEADLINE, "it measures", || {
        bench.log().contains("running").then_some(())
    });
    bench.interrupt();
    let status = bench.wait(END_DEADLINE);
    assert_eq!(status.code(), Some(INTERRUPTED), "{status}");
    assert_clean(&sandbox);
}
