//! What is killed comes back, and what was begun is finished: each part in turn while a step certainly runs.

use std::time::{Duration, Instant};
use testkit::{BEGIN_DEADLINE, Cluster, END_DEADLINE, Gate, Steps, Store, WorkerPlan, eventually, is_alive};
use tidemill_protocol::name::Name;
use tidemill_protocol::status::{AttemptStatus, RunStatus, StepStatus};
use tidemill_transport::{AmqpBroker, AmqpConfig, Broker, Queue};

/// A worker that is gone is noticed when its lease has run out, and what a busy machine adds.
const LEASE_DEADLINE: Duration = Duration::from_mins(3);

/// From the start of the daemon's process until it goes on with what its predecessor began.
const ADOPTED_WITHIN: Duration = Duration::from_secs(2);

const fn cpu(name: &'static str) -> WorkerPlan {
    WorkerPlan {
        name,
        compute: &["cpu-cluster:cpu"],
        slots: 1,
    }
}

#[test]
fn a_step_of_a_destroyed_worker_is_tried_again_elsewhere() {
    let mut cluster = Cluster::start_hasty(Store::Folder, &[cpu("one")]);
    let gate = Gate::new(&cluster.sandbox, "gate");
    let id = cluster.submit("gate.yml", &["-p", &gate.parameter()]);
    let first = gate.wait_for_arrivals(1, BEGIN_DEADLINE);
    cluster.start_worker(cpu("two"));
    cluster.wait_for_workers(2);
    cluster.destroy_worker("one");
    eventually(BEGIN_DEADLINE, "the step goes with its machine", || {
        (!is_alive(first[0])).then_some(())
    });

    gate.wait_for_arrivals(2, LEASE_DEADLINE);
    gate.open();
    let run = cluster.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    let attempts = &run.step("hold").attempts;
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0].status, AttemptStatus::Lost);
    assert_eq!(attempts[1].status, AttemptStatus::Succeeded);
    assert_eq!(attempts[1].worker.as_ref().map(Name::as_str), Some("two"));
}

#[test]
fn a_killed_daemon_takes_its_running_steps_up_again() {
    let mut cluster = Cluster::start(Store::Folder, &[cpu("one")]);
    let gate = Gate::new(&cluster.sandbox, "gate");
    let id = cluster.submit("gate.yml", &["-p", &gate.parameter()]);
    let step = gate.wait_for_arrivals(1, BEGIN_DEADLINE)[0];
    cluster.kill_worker("one");
    assert!(is_alive(step), "a step outlives its daemon");
    let began = Instant::now();
    cluster.start_worker(cpu("one"));
    let log = cluster.sandbox.path().join("one.log");
    let took = eventually(BEGIN_DEADLINE, "the step is adopted", || {
        let said = std::fs::read_to_string(&log).ok()?;
        said.contains("going on with an attempt").then(|| began.elapsed())
    });
    println!("a running step was adopted {took:?} after the start of the daemon");
    assert!(took < ADOPTED_WITHIN, "adopted only after {took:?}");
    gate.open();
    let run = cluster.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    assert_eq!(run.step("hold").attempts.len(), 1, "nothing was done twice");
    assert_eq!(gate.arrivals(), [step]);
}

#[test]
fn a_step_that_ended_while_its_daemon_was_away_is_reported_when_it_is_back() {
    let mut cluster = Cluster::start(Store::Folder, &[cpu("one")]);
    let gate = Gate::new(&cluster.sandbox, "gate");
    let id = cluster.submit("gate.yml", &["-p", &gate.parameter()]);
    let step = gate.wait_for_arrivals(1, BEGIN_DEADLINE)[0];
    cluster.kill_worker("one");
    gate.open();
    eventually(BEGIN_DEADLINE, "the step ends without its daemon", || {
        (!is_alive(step)).then_some(())
    });
    cluster.start_worker(cpu("one"));
    let run = cluster.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    assert_eq!(run.step("hold").attempts.len(), 1, "nothing was done twice");
}

#[test]
fn a_killed_coordinator_comes_back_and_the_run_completes() {
    let mut cluster = Cluster::start(Store::Folder, &[cpu("one")]);
    let gate = Gate::new(&cluster.sandbox, "gate");
    let id = cluster.submit("gate.yml", &["-p", &gate.parameter()]);
    let step = gate.wait_for_arrivals(1, BEGIN_DEADLINE)[0];
    cluster.kill_coordinator();
    assert!(is_alive(step), "a step needs no coordinator");
    gate.open();
    eventually(BEGIN_DEADLINE, "the step ends meanwhile", || {
        (!is_alive(step)).then_some(())
    });
    cluster.start_coordinator();
    let run = cluster.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    assert_eq!(run.step("hold").attempts.len(), 1, "nothing was done twice");
    assert_eq!(run.executed(), ["hold", "after"]);
}

#[test]
fn a_purged_queue_is_filled_again() {
    // The one slot is taken, so the second run's task lies in the queue.
    let cluster = Cluster::start(Store::Folder, &[cpu("one")]);
    let gate = Gate::new(&cluster.sandbox, "gate");
    let second_gate = Gate::new(&cluster.sandbox, "second");
    let first = cluster.submit("gate.yml", &["-p", &gate.parameter()]);
    gate.wait_for_arrivals(1, BEGIN_DEADLINE);
    second_gate.open();
    let second = cluster.submit("gate.yml", &["-p", &second_gate.parameter()]);
    eventually(BEGIN_DEADLINE, "the second task is published", || {
        let run = cluster.run(&second);
        (run.step("hold").status == StepStatus::Dispatched).then_some(())
    });
    let purged = eventually(BEGIN_DEADLINE, "the queue holds the task", || {
        Some(purge(&cluster)).filter(|purged| *purged > 0)
    });
    assert_eq!(purged, 1);
    gate.open();
    cluster.wait_for_run(&first, RunStatus::Succeeded, END_DEADLINE);
    let run = cluster.wait_for_run(&second, RunStatus::Succeeded, END_DEADLINE);
    assert_eq!(
        run.step("hold").attempts.len(),
        1,
        "the same attempt was published again"
    );
}

fn purge(cluster: &Cluster) -> u64 {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    runtime.block_on(async {
        let mut config = AmqpConfig::new(cluster.broker_url(), "test");
        cluster.prefix().clone_into(&mut config.prefix);
        let broker = AmqpBroker::start(config).expect("the address is sound");
        broker.wait_up(BEGIN_DEADLINE).await.expect("the broker is there");
        let target = "cpu-cluster".parse().expect("is a name");
        let purged = broker
            .purge(&Queue::Tasks(target))
            .await
            .expect("the queue is there");
        broker.close().await;
        purged
    })
}
