//! What the processes of a step are denied, as they themselves see it, and that the attempt says so.

use testkit::{Sandbox, Steps};

/// Writes what the kernel says of the process, and of a child that it has started.
const PIPELINE: &str = "
type: pipeline
jobs:
  look:
    command: (grep NoNewPrivs /proc/self/status; sh -c 'grep NoNewPrivs /proc/self/status; ulimit -c; ulimit -H -c') > ${{outputs.seen}}
    outputs: {seen: {type: uri_file}}
";

/// What the step saw, and the notes of its attempt.
fn look(setting: &str) -> (String, Vec<String>) {
    let sandbox = Sandbox::new();
    sandbox.write("pipeline.yml", PIPELINE);
    sandbox.write("tidemill.toml", setting);
    let run = sandbox.run("pipeline.yml", &[]);
    let seen = sandbox.ok(["artifacts", "cat", "last/look/seen"]).stdout;
    let usage = run.step("look").attempts[0].usage.clone();
    (seen, usage.expect("it ended").notes)
}

#[test]
fn a_step_gains_no_privileges_and_leaves_no_core_file() {
    let (seen, notes) = look("");
    assert_eq!(seen, "NoNewPrivs:\t1\nNoNewPrivs:\t1\n0\n0\n");
    assert_eq!(notes, ["sandbox basic: no new privileges, no core files"]);
}

#[test]
fn a_step_that_needs_it_can_be_left_alone() {
    let (seen, notes) = look("sandbox = \"off\"\n");
    assert!(seen.starts_with("NoNewPrivs:\t0\nNoNewPrivs:\t0\n"), "{seen}");
    assert_eq!(notes, Vec::<String>::new());
}
