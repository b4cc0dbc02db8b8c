//! Nobody waits for ever: neither for a state folder that a run holds, nor for a coordinator that was killed, nor for a broker that is silent; and
//! Ctrl-C ends whatever waits.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::Path;
use testkit::{BEGIN_DEADLINE, Daemon, END_DEADLINE, Gate, Sandbox, Steps, Up, eventually};

/// The exit codes of a state that forbids, of something that cannot be reached, and of Ctrl-C.
const CONFLICT: i32 = 7;
const UNREACHABLE: i32 = 8;
const INTERRUPTED: i32 = 130;

fn start(sandbox: &Sandbox, name: &str, arguments: &[&str]) -> Daemon {
    let log = sandbox.path().join(format!("{name}.log"));
    Daemon::start(name, &mut sandbox.command(arguments), &log)
}

#[track_caller]
fn wait_for(daemon: &Daemon, text: &str) {
    eventually(BEGIN_DEADLINE, &format!("{text:?} is said"), || {
        daemon.log().contains(text).then_some(())
    });
}

#[test]
fn who_looks_while_a_run_holds_the_folder_is_told_and_not_kept() {
    let sandbox = Sandbox::new();
    let gate = Gate::new(&sandbox, "gate");
    let run = start(&sandbox, "run", &["run", "gate.yml", "-p", &gate.parameter()]);
    gate.wait_for_arrivals(1, BEGIN_DEADLINE);
    let refused = sandbox.tidemill(["runs", "list"]).expect_code(CONFLICT);
    assert!(refused.stderr.contains("in use by `tidemill run`"), "{refused}");
    assert!(refused.stderr.contains("tidemill up"), "{refused}");

    // Another run waits its turn, and Ctrl-C ends its waiting.
    let second = start(&sandbox, "second", &["run", "gate.yml", "-p", &gate.parameter()]);
    wait_for(&second, "waiting for it to end");
    second.interrupt();
    assert_eq!(second.wait(END_DEADLINE).code(), Some(INTERRUPTED));

    gate.open();
    assert!(run.wait(END_DEADLINE).success());
    let runs = sandbox.ok(["runs", "list", "-q"]);
    assert_eq!(runs.stdout.lines().count(), 1, "{runs}");
}

#[test]
fn a_killed_coordinator_keeps_nobody() {
    let sandbox = Sandbox::new();
    let gate = Gate::new(&sandbox, "gate");
    let up = Up::start(&sandbox, "up.log");
    let id = up.submit("gate.yml", &["-p", &gate.parameter()]);
    gate.wait_for_arrivals(1, BEGIN_DEADLINE);
    up.kill();
    let refused = sandbox.tidemill(["submit", "gate.yml", "-p", &gate.parameter()]);
    let refused = refused.expect_code(UNREACHABLE);
    assert!(
        refused.stderr.contains("no coordinator runs on this machine"),
        "{refused}"
    );
    let shown = sandbox.ok(["runs", "show", &id]);
    assert!(shown.stdout.contains("running"), "{shown}");
    for waits in [["runs", "watch", &id], ["logs", "-f", &id]] {
        let refused = sandbox.tidemill(waits).expect_code(UNREACHABLE);
        assert!(refused.stderr.contains("takes the run up again"), "{refused}");
    }
    let step = sandbox
        .tidemill(["logs", "-f", &format!("{id}/hold")])
        .expect_code(UNREACHABLE);
    assert!(step.stderr.contains("tidemill up"), "{step}");
}

#[test]
fn who_asks_while_a_coordinator_comes_up_is_answered_by_it() {
    let sandbox = Sandbox::new();
    let gate = Gate::new(&sandbox, "gate");
    let up = start(&sandbox, "up", &["up", "--port", "0"]);
    let lock = sandbox.state_dir().join("lock");
    eventually(BEGIN_DEADLINE, "it holds the state folder", || {
        let note = fs::read_to_string(&lock).unwrap_or_default();
        note.contains("\"up\"").then_some(())
    });
    // Most likely before it answers; the rest must hold in any case.
    up.freeze();
    let parameter = gate.parameter();
    let asking = [
        start(&sandbox, "list", &["runs", "list"]),
        start(&sandbox, "submit", &["submit", "gate.yml", "-p", &parameter]),
        start(&sandbox, "run", &["run", "gate.yml", "-p", &parameter]),
    ];
    let is_up = || fs::read_to_string(&lock).unwrap_or_default().contains("http");
    eventually(BEGIN_DEADLINE, "somebody waits for it to answer", || {
        (is_up() || asking[0].log().contains("waiting for it to answer")).then_some(())
    });
    up.thaw();
    gate.open();
    for daemon in asking {
        daemon.wait_for_success(END_DEADLINE);
    }
    let runs = sandbox.ok(["runs", "list", "-q"]);
    assert_eq!(
        runs.stdout.lines().count(),
        2,
        "submitted and handed over: {runs}"
    );
}

#[test]
fn daemons_of_a_silent_broker_come_up_and_end_when_told_to() {
    // It takes connections, because the system does so, and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = silent.local_addr().expect("a bound socket has an address").port();
    for scheme in ["amqp", "amqps"] {
        let sandbox = Sandbox::new();
        let url = format!("{scheme}://guest:guest@127.0.0.1:{port}");
        let serve = ["serve", "--listen", "127.0.0.1:0", "--queue-url", &url];
        let coordinator = start(&sandbox, "serve", &serve);
        wait_for(&coordinator, "coordinator at http");
        coordinator.terminate();
        let status = coordinator.wait(END_DEADLINE);
        assert!(status.success(), "{status}");
    }
}

#[test]
fn ctrl_c_ends_a_run_that_still_reads_its_data() {
    let sandbox = Sandbox::new();
    let pipeline = "
type: pipeline
jobs:
  read:
    command: wc -c ${{inputs.data}}
    inputs:
      data: {type: uri_file, path: ./data}
";
    sandbox.write("pipeline.yml", pipeline);
    // Sparse: no bytes on the disk, but hours to hash.
    let data = File::create(sandbox.path().join("data")).expect("a file can be made");
    data.set_len(1 << 42).expect("a file may have holes");
    let run = start(&sandbox, "run", &["run", "pipeline.yml"]);
    eventually(BEGIN_DEADLINE, "it has begun", || {
        sandbox.state_dir().join("journal").is_dir().then_some(())
    });
    run.interrupt();
    assert_eq!(run.wait(END_DEADLINE).code(), Some(INTERRUPTED));
}

#[test]
fn a_process_that_a_step_leaves_behind_is_no_zombie_when_it_has_ended() {
    let sandbox = Sandbox::new();
    let pipeline = "
type: pipeline
inputs: {folder: none}
jobs:
  parent:
    command: >-
      (sh -c 'echo $$ > ${{inputs.folder}}/orphan; exec sleep 0.1' &);
      until [ -e ${{inputs.folder}}/open ]; do sleep 0.05; done
    inputs: {folder: '${{parent.inputs.folder}}'}
";
    sandbox.write("pipeline.yml", pipeline);
    let folder = format!("folder={}", sandbox.path().display());
    let run = start(&sandbox, "run", &["run", "pipeline.yml", "-p", &folder]);
    let orphan = eventually(BEGIN_DEADLINE, "the orphan has begun", || {
        let text = fs::read_to_string(sandbox.path().join("orphan")).ok()?;
        text.trim().parse::<u32>().ok()
    });
    // A zombie would have the supervisor ask for it without end, and a step that is being stopped would wait for it until its grace is over.
    let process = Path::new("/proc").join(orphan.to_string());
    eventually(BEGIN_DEADLINE, "the orphan has ended and was reaped", || {
        (!process.exists()).then_some(())
    });
    sandbox.write("open", "");
    assert!(run.wait(END_DEADLINE).success());
}

#[test]
fn a_run_goes_on_when_the_command_that_waits_for_it_is_killed_and_another_one_may_wait() {
    let sandbox = Sandbox::new();
    let gate = Gate::new(&sandbox, "gate");
    let up = Up::start(&sandbox, "up.log");
    let arguments = ["submit", "gate.yml", "--watch", "-p", &gate.parameter()];
    let waiting = start(&sandbox, "waiting", &arguments);
    gate.wait_for_arrivals(1, BEGIN_DEADLINE);
    waiting.kill();
    let again = start(&sandbox, "again", &["runs", "watch", "last"]);
    gate.open();
    assert!(again.wait(END_DEADLINE).success());
    let runs = sandbox.ok(["runs", "list", "-q"]);
    assert_eq!(
        runs.stdout.lines().count(),
        1,
        "nothing was submitted again: {runs}"
    );
    let run = up.run("last");
    assert_eq!(run.executed(), ["hold", "after"]);
    assert_eq!(run.step("hold").attempts.len(), 1);
}
