//! A worker that loses its broker for longer than its lease, and comes back: what it does goes on, and who keeps the attempt depends on whether another
//! worker has claimed a replacement meanwhile.

use std::path::PathBuf;
use std::time::Duration;
use testkit::{
    BEGIN_DEADLINE, Cluster, END_DEADLINE, Gate, Steps, Store, Wire, WorkerPlan, eventually, is_alive,
};
use tidemill_protocol::name::Name;
use tidemill_protocol::status::{AttemptStatus, RunStatus, StepStatus};

/// A lease runs out after ten seconds; a busy machine adds to it.
const LEASE_DEADLINE: Duration = Duration::from_mins(3);
const BROKER_PORT: u16 = 5672;

const fn cpu(name: &'static str) -> WorkerPlan {
    WorkerPlan {
        name,
        compute: &["cpu-cluster:cpu"],
        slots: 2,
    }
}

/// A cluster whose one worker reaches its broker by a path that can be cut, with a step that waits at the gate.
fn partitionable() -> (Cluster, Wire, Gate, String, u32) {
    let mut cluster = Cluster::start_hasty(Store::Folder, &[]);
    let wire = Wire::to(BROKER_PORT);
    let url = format!("amqp://guest:guest@{}", wire.address());
    cluster.start_worker_with(cpu("far"), &[("TIDEMILL_QUEUE_URL", url)]);
    cluster.wait_for_workers(1);
    let gate = Gate::new(&cluster.sandbox, "gate");
    let id = cluster.submit("gate.yml", &["-p", &gate.parameter()]);
    let step = gate.wait_for_arrivals(1, BEGIN_DEADLINE)[0];
    eventually(BEGIN_DEADLINE, "the claim is known", || {
        (cluster.run(&id).step("hold").status == StepStatus::Running).then_some(())
    });
    (cluster, wire, gate, id, step)
}

fn fenced(cluster: &Cluster, worker: &str) -> Vec<PathBuf> {
    let folder = cluster.sandbox.path().join(worker).join("worker/fenced");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

#[test]
fn a_worker_that_comes_back_before_anybody_took_its_step_over_keeps_its_attempt() {
    let (cluster, wire, gate, id, step) = partitionable();
    wire.cut();
    eventually(
        LEASE_DEADLINE,
        "the attempt is given up and its replacement is out",
        || {
            let run = cluster.run(&id);
            let hold = run.step("hold");
            (hold.attempts.len() == 2 && hold.status == StepStatus::Dispatched).then_some(())
        },
    );
    assert!(is_alive(step), "a worker does not stop what it cannot report");
    wire.mend();
    eventually(LEASE_DEADLINE, "the attempt is taken up again", || {
        let run = cluster.run(&id);
        (run.step("hold").attempts[0].status == AttemptStatus::Running).then_some(())
    });
    gate.open();
    let run = cluster.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    let attempts = &run.step("hold").attempts;
    assert_eq!(attempts[0].status, AttemptStatus::Succeeded);
    assert_eq!(attempts[1].status, AttemptStatus::Withdrawn);
    assert_eq!(gate.arrivals(), [step], "nothing was done twice");
    assert_eq!(fenced(&cluster, "far"), [] as [PathBuf; 0]);
}

#[test]
fn a_worker_that_comes_back_after_its_step_was_taken_over_is_fenced_and_what_it_wrote_is_kept() {
    let (mut cluster, wire, gate, id, step) = partitionable();
    wire.cut();
    cluster.start_worker(cpu("near"));
    let arrivals = gate.wait_for_arrivals(2, LEASE_DEADLINE);
    eventually(BEGIN_DEADLINE, "the second claim is known", || {
        let run = cluster.run(&id);
        (run.step("hold").status == StepStatus::Running).then_some(())
    });
    assert!(is_alive(step), "both run: only one of them counts");
    wire.mend();
    eventually(LEASE_DEADLINE, "the first is stopped", || {
        (!is_alive(step)).then_some(())
    });
    let second = arrivals
        .into_iter()
        .find(|pid| *pid != step)
        .expect("there are two");
    assert!(is_alive(second), "the second is left alone");
    let kept = eventually(BEGIN_DEADLINE, "what it wrote is kept", || {
        fenced(&cluster, "far").pop()
    });
    assert!(kept.join("outputs").is_dir(), "{}", kept.display());
    gate.open();
    let run = cluster.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    let attempts = &run.step("hold").attempts;
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0].status, AttemptStatus::Lost);
    assert_eq!(attempts[1].worker.as_ref().map(Name::as_str), Some("near"));
}
