//! Steps as users of their own, through the binary, in every sandbox. Only root can have that.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use testkit::{Sandbox, Steps};

/// A usage error.
const USAGE: i32 = 2;

const PIPELINE: &str = "
type: pipeline
jobs:
  first:
    command: mkdir outputs/sub && id -u > ${{outputs.who}} && echo kept > outputs/sub/file
    outputs: {who: {type: uri_file}}
  second:
    command: cat ${{inputs.first}} > ${{outputs.both}} && id -u >> ${{outputs.both}} && cat ${{inputs.left}}/outputs/sub/file >> ${{outputs.both}}
    inputs:
      first: ${{parent.jobs.first.outputs.who}}
      left: ${{parent.jobs.first.outputs.artifacts}}
    outputs: {both: {type: uri_file}}
";

#[test]
fn each_step_is_a_user_of_its_own_in_every_sandbox_and_hands_its_outputs_on() {
    if !rustix::process::geteuid().is_root() {
        println!("NOT PROVED HERE, for want of root's rights");
        return;
    }
    for kind in ["off", "basic", "strict"] {
        let sandbox = Sandbox::new();
        fs::set_permissions(sandbox.path(), Permissions::from_mode(0o711)).expect("it is ours");
        sandbox.write("pipeline.yml", PIPELINE);
        sandbox.write(
            "tidemill.toml",
            &format!("step_user = \"auto\"\nsandbox = \"{kind}\"\n"),
        );
        let run = sandbox.run("pipeline.yml", &[]);
        let both = sandbox.ok(["artifacts", "cat", "last/second/both"]).stdout;
        let lines: Vec<&str> = both.lines().collect();
        let users = [lines[0], lines[1]].map(|line| line.parse::<u32>().expect("it is a number"));
        assert!(users.iter().all(|user| *user > 1_000), "{kind}: {both}");
        assert_ne!(users[0], users[1], "{kind}");
        assert_eq!(lines[2], "kept", "{kind}");
        let usage = run.step("second").attempts[0].usage.clone();
        let notes = usage.expect("it ended").notes;
        let said = format!("user {} in force", users[1]);
        assert!(notes.iter().any(|note| note.contains(&said)), "{kind}: {notes:?}");
        let mode = |path: &str| {
            let found = fs::metadata(sandbox.state_dir().join(path)).expect("it is there");
            found.permissions().mode() & 0o077
        };
        assert_eq!(mode("journal"), 0, "what is no step's business is closed");
        assert_eq!(mode("store"), 0);
        assert_eq!(mode(""), 0o011);
        // Without the setting the folder is the worker's alone again.
        sandbox.write("tidemill.toml", "");
        sandbox.run("pipeline.yml", &["--force-rerun"]);
        assert_eq!(mode(""), 0, "{kind}");
        assert_eq!(mode("worker"), 0, "{kind}");
    }
}

#[test]
fn as_whom_steps_run_is_a_word_or_a_range() {
    let sandbox = Sandbox::new();
    sandbox.write("pipeline.yml", PIPELINE);
    sandbox.write("tidemill.toml", "step_user = \"root\"\n");
    let refused = sandbox.tidemill(["run", "pipeline.yml"]).expect_code(USAGE);
    assert!(
        refused.stderr.contains("step_user") && refused.stderr.contains("auto"),
        "{refused}"
    );
}
