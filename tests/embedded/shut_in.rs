//! What the processes of a step are denied, as they themselves see it, and that the attempt says so.

use testkit::{Sandbox, Steps};
use tidemill_protocol::api::RunView;

/// Writes what the kernel says of the process, and of a child that it has started.
const PIPELINE: &str = "
type: pipeline
jobs:
  look:
    command: (grep NoNewPrivs /proc/self/status; sh -c 'grep NoNewPrivs /proc/self/status; ulimit -c; ulimit -H -c') > ${{outputs.seen}}
    outputs: {seen: {type: uri_file}}
";

fn tell_without_landlock() {
    println!("NOT PROVED HERE, for want of Landlock in the kernel");
}

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

/// What notes say of anything but the limit of processes, which is there or not as the machine has it.
fn but_for_processes(notes: Vec<String>) -> Vec<String> {
    let (of_processes, rest): (Vec<_>, Vec<_>) = notes
        .into_iter()
        .partition(|note| note.contains("limit of 4096 processes"));
    assert_eq!(of_processes.len(), 1, "{of_processes:?}");
    rest
}

#[test]
fn a_step_gains_no_privileges_and_leaves_no_core_file() {
    let (seen, notes) = look("");
    assert_eq!(seen, "NoNewPrivs:\t1\nNoNewPrivs:\t1\n0\n0\n");
    assert_eq!(
        but_for_processes(notes),
        ["sandbox basic: no new privileges, no core files"]
    );
}

#[test]
fn a_step_has_the_limits_that_the_operator_sets_and_says_so() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "pipeline.yml",
        "type: pipeline\njobs:\n  look:\n    command: tr -s ' ' < /proc/self/limits > ${{outputs.seen}}\n    outputs: {seen: {type: uri_file}}\n",
    );
    sandbox.write(
        "tidemill.toml",
        "step_open_files = 200\nstep_file_size = \"1GiB\"\n",
    );
    let run = sandbox.run("pipeline.yml", &[]);
    let seen = sandbox.ok(["artifacts", "cat", "last/look/seen"]).stdout;
    for wanted in ["Max open files 200 200", "Max file size 1073741824 1073741824"] {
        assert!(seen.contains(wanted), "{seen}");
    }
    let usage = run.step("look").attempts[0].usage.clone();
    let notes = usage.expect("it ended").notes.join("\n");
    for wanted in [
        "limit of 200 open files in force",
        "limit of 1073741824 bytes for each file in force",
    ] {
        assert!(notes.contains(wanted), "{notes}");
    }
    sandbox.write("tidemill.toml", "step_processes = 3\n");
    let refused = sandbox.tidemill(["run", "pipeline.yml"]).expect_code(2);
    assert!(refused.stderr.contains("16 and more"), "{refused}");
}

#[test]
fn a_step_that_needs_it_can_be_left_alone() {
    let (seen, notes) = look("sandbox = \"off\"\n");
    assert!(seen.starts_with("NoNewPrivs:\t0\nNoNewPrivs:\t0\n"), "{seen}");
    assert_eq!(but_for_processes(notes), Vec::<String>::new());
}

/// Tries what a step must be able to do, and what it must not, and writes down what went well.
const TRIES: &str = r#"
type: pipeline
inputs: {private: "", state: ""}
jobs:
  make:
    command: echo good > ${{outputs.given}}
    outputs: {given: {type: uri_file}}
  look:
    inputs:
      given: {type: uri_file, path: "${{parent.jobs.make.outputs.given}}"}
      private: ${{parent.inputs.private}}
      state: ${{parent.inputs.state}}
    command: |
      try() { name=$1; shift; if "$@" > /dev/null 2>&1; then echo "$name yes"; else echo "$name no"; fi; }
      {
        try read-input grep good ${{inputs.given}}
        try write-work sh -c 'echo x > file'
        try write-temporary sh -c 'echo x > "$TMPDIR/file"'
        try write-home sh -c 'echo x > "$HOME/file"'
        try read-others cat ${{inputs.private}}
        try write-others sh -c 'echo x > "$0"' ${{inputs.private}}
        try make-beside-others sh -c 'echo x > "$0.new"' ${{inputs.private}}
        try list-state ls ${{inputs.state}}
        try read-own-record cat ../attempt
        try read-workers-variables cat /proc/$PPID/environ
        try signal-worker kill -0 $PPID
      } > ${{outputs.seen}}
      echo spoken > /dev/stdout
    outputs: {seen: {type: uri_file}}
"#;

/// Since when the kernel can keep signals in.
const SIGNALS_KEPT_IN: (u32, u32) = (6, 12);

fn kernel() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("Linux says what it is");
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[test]
fn in_the_strict_sandbox_a_step_reaches_its_own_files_and_nobody_elses() {
    let sandbox = Sandbox::new();
    sandbox.write("tries.yml", TRIES);
    sandbox.write("tidemill.toml", "sandbox = \"strict\"\n");
    let private = sandbox.write("private.txt", "private\n");
    let arguments = [
        "run".to_owned(),
        "tries.yml".to_owned(),
        format!("-pprivate={}", private.display()),
        format!("-pstate={}", sandbox.state_dir().display()),
    ];
    let ran = sandbox.tidemill(&arguments);
    if ran.stderr.contains("this system has no Landlock") {
        // Then nothing may run that was to be shut in.
        assert_eq!(ran.expect_code(2).stdout, "");
        tell_without_landlock();
        return;
    }
    let _ran = ran.expect_code(0);
    let seen = sandbox.ok(["artifacts", "cat", "last/look/seen"]).stdout;
    let (signals, seen): (Vec<_>, Vec<_>) = seen.lines().partition(|line| line.starts_with("signal"));
    let wanted = [
        "read-input yes",
        "write-work yes",
        "write-temporary yes",
        "write-home yes",
        "read-others no",
        "write-others no",
        "make-beside-others no",
        "list-state no",
        "read-own-record no",
        "read-workers-variables no",
    ];
    assert_eq!(seen, wanted);
    if kernel() >= SIGNALS_KEPT_IN {
        assert_eq!(signals, ["signal-worker no"]);
    }
    let said = sandbox.ok(["logs", "last/look", "--stream", "stdout"]).stdout;
    assert_eq!(said, "spoken\n", "a step may speak by the name of its output");
    assert_eq!(
        std::fs::read_to_string(private).expect("it is there"),
        "private\n"
    );
    let shown: RunView = sandbox.ok(["runs", "show", "last", "-o", "json"]).json();
    let usage = shown.step("look").attempts[0].usage.clone();
    let notes = usage.expect("it ended").notes.join("\n");
    assert!(notes.contains("sandbox strict"), "{notes}");
}

#[test]
fn the_strict_sandbox_leaves_open_what_the_operator_names_and_never_the_workers_state() {
    let sandbox = Sandbox::new();
    sandbox.write("tries.yml", TRIES);
    let private = sandbox.write("site/private.txt", "private\n");
    let site = sandbox.path().join("site");
    sandbox.write(
        "tidemill.toml",
        &format!("sandbox = \"strict\"\nsandbox_writable = [{site:?}]\n"),
    );
    let arguments = ["run", "tries.yml", "-p", "state=/nowhere", "-p"];
    let given = format!("private={}", private.display());
    let ran = sandbox.tidemill(arguments.into_iter().chain([given.as_str()]));
    if ran.stderr.contains("this system has no Landlock") {
        assert_eq!(ran.expect_code(2).stdout, "");
        tell_without_landlock();
        return;
    }
    let _ran = ran.expect_code(0);
    let seen = sandbox.ok(["artifacts", "cat", "last/look/seen"]).stdout;
    for allowed in ["read-others", "write-others", "make-beside-others"] {
        assert!(seen.contains(&format!("{allowed} yes")), "{seen}");
    }

    let above = sandbox.path().to_owned();
    sandbox.write(
        "tidemill.toml",
        &format!("sandbox = \"strict\"\nsandbox_readable = [{above:?}]\n"),
    );
    let refused = sandbox.tidemill(["run", "tries.yml"]).expect_code(2);
    assert!(refused.stderr.contains("put `state_dir` elsewhere"), "{refused}");
}
