//! The coordinator's machine is lost, or only stopped for a while: a standby goes on from the archive, and nothing that was answered is lost or done twice.

use std::fs;
use std::time::Duration;
use testkit::{BEGIN_DEADLINE, Cluster, END_DEADLINE, Gate, Steps, Store, WorkerPlan, is_alive};
use tidemill_protocol::status::RunStatus;

/// A takeover takes some 20 s; a busy machine adds to it.
const TAKEOVER_DEADLINE: Duration = Duration::from_mins(2);
/// What a coordinator ends with that another one has replaced.
const SUPERSEDED: i32 = 9;

const ONE: WorkerPlan = WorkerPlan {
    name: "one",
    compute: &["cpu-cluster:cpu"],
    slots: 2,
};

fn guarded() -> Cluster {
    let mut cluster = Cluster::start(Store::Folder, &[ONE]);
    cluster.restart_coordinator_with(&["--archive", "sync"]);
    cluster.start_standby();
    cluster
}

#[test]
fn a_standby_takes_over_from_a_killed_coordinator() {
    let mut cluster = guarded();
    let gate = Gate::new(&cluster.sandbox, "gate");
    let first = cluster.submit("gate.yml", &["-p", &gate.parameter()]);
    let step = gate.wait_for_arrivals(1, BEGIN_DEADLINE)[0];
    let second_gate = Gate::new(&cluster.sandbox, "second");
    let second = cluster.submit("gate.yml", &["-p", &second_gate.parameter()]);
    cluster.kill_coordinator();
    fs::remove_dir_all(cluster.sandbox.path().join("coordinator/journal")).expect("its disk is lost, too");
    assert!(cluster.wait_for_takeover(TAKEOVER_DEADLINE).is_none());
    assert!(is_alive(step), "workers notice a pause only");
    gate.open();
    second_gate.open();
    for id in [first, second] {
        let run = cluster.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
        assert_eq!(run.step("hold").attempts.len(), 1, "nothing was done twice");
        assert!(
            run.step("after").attempts.len() <= 1,
            "the second run may reuse it"
        );
    }
}

#[test]
fn a_coordinator_that_was_frozen_meanwhile_ends_by_itself() {
    let mut cluster = guarded();
    let gate = Gate::new(&cluster.sandbox, "gate");
    let id = cluster.submit("gate.yml", &["-p", &gate.parameter()]);
    gate.wait_for_arrivals(1, BEGIN_DEADLINE);
    cluster.coordinator().freeze();
    let frozen = cluster
        .wait_for_takeover(TAKEOVER_DEADLINE)
        .expect("it is only frozen");
    gate.open();
    frozen.thaw();
    let log = cluster.sandbox.path().join("coordinator.log");
    let ended = frozen.wait(END_DEADLINE);
    assert_eq!(ended.code(), Some(SUPERSEDED));
    let log = fs::read_to_string(log).expect("it wrote a log");
    assert!(log.contains("another coordinator has taken over"), "{log}");
    let run = cluster.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    assert_eq!(run.step("hold").attempts.len(), 1, "nothing was done twice");
    assert_eq!(run.step("after").attempts.len(), 1);

    // Started again on its own disk it refuses, because the archive knows more; as a standby it may come back.
    let again = cluster.as_daemon(&["serve", "--listen", "127.0.0.1:0"], "coordinator");
    assert_eq!(again.code, Some(SUPERSEDED), "{}", again.stderr);
    assert!(again.stderr.contains("--standby"), "{}", again.stderr);
}

#[test]
fn a_standby_refuses_to_stand_in_for_a_coordinator_that_could_lose_answers() {
    let cluster = Cluster::start(Store::Folder, &[]);
    let key = cluster.sandbox.path().join("coordinator/coordinator.key");
    let key = key.to_str().expect("the path is text");
    let refused = cluster.as_daemon(
        &[
            "serve",
            "--standby",
            "--listen",
            "127.0.0.1:0",
            "--signing-key",
            key,
        ],
        "standby",
    );
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("--archive sync"), "{}", refused.stderr);
    let keyless = cluster.as_daemon(&["serve", "--standby", "--listen", "127.0.0.1:0"], "standby");
    assert!(keyless.stderr.contains("--signing-key"), "{}", keyless.stderr);
}

#[test]
fn a_coordinator_that_lost_its_disk_is_recovered_from_the_store() {
    let mut cluster = Cluster::start(Store::Folder, &[ONE]);
    let gate = Gate::new(&cluster.sandbox, "gate");
    let id = cluster.submit("gate.yml", &["-p", &gate.parameter()]);
    gate.wait_for_arrivals(1, BEGIN_DEADLINE);
    let unnamed = cluster.as_daemon(&["journal", "recover"], "elsewhere");
    assert_eq!(unnamed.code, Some(2), "{}", unnamed.stderr);
    assert!(unnamed.stderr.contains("--coordinator"), "{}", unnamed.stderr);
    let key = cluster.key();
    let recover = ["journal", "recover", "--signing-key", &key, "-o", "json"];
    let alive = cluster.as_daemon(&recover, "elsewhere");
    assert_eq!(alive.code, Some(7), "{}", alive.stderr);
    assert!(alive.stderr.contains("\"alive\""), "{}", alive.stderr);

    // SIGTERM seals what is left, so the archive is whole.
    cluster.stop_coordinator();
    let refused = cluster.as_daemon(&["journal", "recover"], "coordinator");
    assert_eq!(
        refused.code,
        Some(7),
        "it has its journal still: {}",
        refused.stderr
    );
    fs::remove_dir_all(cluster.sandbox.path().join("coordinator/journal")).expect("its disk is lost");
    let recovered = cluster.as_daemon(&["journal", "recover", "-o", "json"], "coordinator");
    let recovered: serde_json::Value = recovered.expect_code(0).json();
    assert_eq!(recovered["runs_going_on"], 1, "{recovered}");
    cluster.start_coordinator();
    gate.open();
    let run = cluster.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    assert_eq!(run.step("hold").attempts.len(), 1, "nothing was done twice");
}
