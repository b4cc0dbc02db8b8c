//! What an operator does to a running cluster: cancel, drain, resume.

use testkit::{BEGIN_DEADLINE, Cluster, END_DEADLINE, Gate, Steps, Store, WorkerPlan, eventually, is_alive};
use tidemill_protocol::status::{RunStatus, StepStatus};

const ONE: WorkerPlan = WorkerPlan {
    name: "one",
    compute: &["cpu-cluster:cpu"],
    slots: 1,
};

#[test]
fn a_cancelled_run_ends_its_processes_and_frees_the_slot() {
    let cluster = Cluster::start(Store::Folder, &[ONE]);
    let gate = Gate::new(&cluster.sandbox, "gate");
    let id = cluster.submit("gate.yml", &["-p", &gate.parameter()]);
    let step = gate.wait_for_arrivals(1, BEGIN_DEADLINE)[0];
    cluster.ok(["runs", "cancel", &id]);
    let run = cluster.wait_for_run(&id, RunStatus::Cancelled, END_DEADLINE);
    assert_eq!(run.with(StepStatus::Cancelled), ["hold", "after"]);
    assert!(!is_alive(step), "the process is gone");

    let open = Gate::new(&cluster.sandbox, "open");
    open.open();
    let next = cluster.submit("gate.yml", &["-p", &open.parameter()]);
    cluster.wait_for_run(&next, RunStatus::Succeeded, END_DEADLINE);
}

#[test]
fn a_draining_worker_takes_nothing_new_until_it_is_resumed() {
    let two_slots = WorkerPlan { slots: 2, ..ONE };
    let cluster = Cluster::start(Store::Folder, &[two_slots]);
    let gate = Gate::new(&cluster.sandbox, "gate");
    let first = cluster.submit("gate.yml", &["-p", &gate.parameter()]);
    gate.wait_for_arrivals(1, BEGIN_DEADLINE);
    cluster.ok(["worker", "drain", "one"]);
    eventually(BEGIN_DEADLINE, "the worker says that it drains", || {
        let workers = cluster.ok(["worker", "list", "-o", "json"]);
        workers.stdout.contains("draining").then_some(())
    });
    let open = Gate::new(&cluster.sandbox, "open");
    open.open();
    let second = cluster.submit("gate.yml", &["-p", &open.parameter()]);
    assert_eq!(
        open.arrivals(),
        [0_u32; 0],
        "a slot is free, and nothing is taken"
    );

    // What runs keeps the daemon alive; with nothing left to do it would have ended.
    cluster.ok(["worker", "resume", "one"]);
    cluster.wait_for_run(&second, RunStatus::Succeeded, END_DEADLINE);
    assert_eq!(cluster.run(&first).step("hold").status, StepStatus::Running);
    gate.open();
    cluster.wait_for_run(&first, RunStatus::Succeeded, END_DEADLINE);
}

#[test]
fn a_terminated_worker_finishes_its_step_and_ends_well() {
    let mut cluster = Cluster::start(Store::Folder, &[ONE]);
    let gate = Gate::new(&cluster.sandbox, "gate");
    let id = cluster.submit("gate.yml", &["-p", &gate.parameter()]);
    let step = gate.wait_for_arrivals(1, BEGIN_DEADLINE)[0];
    let mut worker = cluster.take_worker("one").expect("it was started");
    worker.terminate();
    assert!(worker.is_running() && is_alive(step), "it waits for its step");
    gate.open();
    let status = worker.wait(END_DEADLINE);
    assert!(status.success(), "{status}");
    eventually(END_DEADLINE, "the step's result is known", || {
        (cluster.run(&id).step("hold").status == StepStatus::Succeeded).then_some(())
    });
    cluster.start_worker(ONE);
    cluster.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
}

#[test]
fn a_failed_run_is_retried_over_the_broker_and_its_lines_are_followed() {
    let mut cluster = Cluster::start(Store::Folder, &[ONE]);
    let pipeline = "
type: pipeline
settings: {default_compute: azureml:cpu-cluster}
inputs: {folder: none}
jobs:
  good:
    command: echo good was here; echo fine > ${{outputs.o}}
    outputs: {o: {type: uri_file}}
  bad:
    command: echo bad tries; cat ${{inputs.i}} ${{inputs.folder}}/cure
    inputs: {folder: '${{parent.inputs.folder}}', i: '${{parent.jobs.good.outputs.o}}'}
";
    cluster.sandbox.write("pipeline.yml", pipeline);
    let folder = format!("folder={}", cluster.sandbox.path().display());
    let id = cluster.submit("pipeline.yml", &["-p", &folder]);
    let failed = cluster.wait_for_run(&id, RunStatus::Failed, END_DEADLINE);
    assert_eq!(failed.with(StepStatus::Failed), ["bad"]);

    // What was retried is known to the coordinator that comes after it, too.
    cluster.sandbox.write("cure", "cured\n");
    cluster.ok(["runs", "retry", &id]);
    cluster.kill_coordinator();
    cluster.start_coordinator();
    let run = cluster.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    assert_eq!(run.step("good").attempts.len(), 1, "it had succeeded");
    assert_eq!(run.step("bad").attempts.len(), 2);

    let followed = cluster.ok(["logs", "-f", &id]);
    let lines: Vec<&str> = followed
        .stdout
        .lines()
        .filter_map(|line| line.split("\u{2502} ").nth(1))
        .collect();
    for (wanted, times) in [("good was here", 1), ("bad tries", 2), ("cured", 1)] {
        let found = lines.iter().filter(|line| **line == wanted);
        assert_eq!(found.count(), times, "{wanted:?} in {followed}");
    }
}
