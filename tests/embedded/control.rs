//! Ending and losing the one process: Ctrl-C cancels, `kill -9` loses nothing, and steps run in the order that was asked for.

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use testkit::{BEGIN_DEADLINE, Daemon, END_DEADLINE, Gate, Sandbox, Steps, Up, eventually, is_alive};
use tidemill_protocol::api::RunView;
use tidemill_protocol::status::{RunStatus, StepStatus};

#[test]
fn ctrl_c_cancels_the_run_and_ends_its_processes() {
    let sandbox = Sandbox::new();
    let gate = Gate::new(&sandbox, "gate");
    let mut command = sandbox.command(["run", "gate.yml", "-p", &gate.parameter()]);
    let run = Daemon::start("run", &mut command, &sandbox.path().join("run.log"));
    let step = gate.wait_for_arrivals(1, BEGIN_DEADLINE)[0];
    let pid = i32::try_from(run.pid())
        .ok()
        .and_then(Pid::from_raw)
        .expect("is a pid");
    kill_process(pid, Signal::INT).expect("it runs");
    let status = run.wait(END_DEADLINE);
    assert!(matches!(status.code(), Some(3 | 130)), "{status}");
    eventually(END_DEADLINE, "the step's process is gone", || {
        (!is_alive(step)).then_some(())
    });
    let last: RunView = sandbox.ok(["runs", "show", "last", "-o", "json"]).json();
    assert_eq!(last.summary.status, RunStatus::Cancelled);
    assert_eq!(last.with(StepStatus::Cancelled), ["hold", "after"]);
}

#[test]
fn kill_minus_nine_loses_neither_the_run_nor_the_running_step() {
    let sandbox = Sandbox::new();
    let gate = Gate::new(&sandbox, "gate");
    let up = Up::start(&sandbox, "first.log");
    let id = up.submit("gate.yml", &["-p", &gate.parameter()]);
    let step = gate.wait_for_arrivals(1, BEGIN_DEADLINE)[0];
    up.kill();
    assert!(is_alive(step), "a step outlives what started it");
    let up = Up::start(&sandbox, "second.log");
    gate.open();
    let run = up.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    assert_eq!(run.executed(), ["hold", "after"]);
    assert_eq!(run.step("hold").attempts.len(), 1, "nothing was done twice");
}

#[test]
fn depends_on_orders_steps_that_share_no_data() {
    let sandbox = Sandbox::new();
    let step = |name: &str, after: &str| {
        format!(
            "  {name}:\n    command: echo {name} >> ${{{{inputs.log}}}}/log\n    depends_on: [{after}]\n    \
             cache: false\n    inputs:\n      log: ${{{{parent.inputs.log}}}}\n"
        )
    };
    let jobs = [
        step("third", "second"),
        step("first", ""),
        step("second", "first"),
    ]
    .concat();
    sandbox.write(
        "order.yml",
        &format!("type: pipeline\ninputs:\n  log: none\njobs:\n{jobs}"),
    );
    let folder = format!("log={}", sandbox.path().display());
    for rounds in 1..=2 {
        sandbox.run("order.yml", &["-p", &folder]);
        let log = fs::read_to_string(sandbox.path().join("log")).expect("the steps wrote it");
        assert_eq!(
            log,
            "first\nsecond\nthird\n".repeat(rounds),
            "`cache: false` runs every time"
        );
    }
}
