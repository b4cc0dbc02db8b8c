//! Rows 33 to 50: what may happen to workers and their steps, as far as it needs a whole cluster; the others are tests of the worker itself.

use crate::campaign::{Campaign, cpu};
use crate::small_disk::SmallDisk;
use crate::trial::{Trial, fast, slow};
use std::fs;
use std::time::Duration;
use testkit::{BEGIN_DEADLINE, BrokerAccess, Gate, Steps, Store, Wire, eventually, is_alive};
use tidemill_protocol::failure::FailureReason;
use tidemill_protocol::status::{AttemptStatus, RunStatus};

pub(crate) const TRIALS: &[Trial] = &[
    fast(
        "a_killed_supervisor_takes_its_steps_along_and_they_are_tried_again",
        supervisor_killed,
    ),
    fast("an_upgraded_daemon_takes_running_steps_up_again", upgraded),
    fast("a_worker_that_is_heard_and_hears_nothing_harms_no_result", deaf),
    slow(
        "a_frozen_daemon_loses_its_lease_and_its_steps_go_elsewhere",
        frozen,
    ),
    slow(
        "a_worker_whose_disk_is_full_fails_the_attempt_and_another_takes_it",
        disk_full,
    ),
];

/// How long until a lease of ten seconds has certainly run out.
const LEASE_DEADLINE: Duration = Duration::from_mins(2);

fn supervisor_killed() {
    let mut campaign = Campaign::start(&[cpu("one", 1)]);
    let gate = Gate::new(&campaign.cluster.sandbox, "gate");
    let id = campaign.cluster.submit("gate.yml", &["-p", &gate.parameter()]);
    let first = gate.wait_for_arrivals(1, BEGIN_DEADLINE)[0];
    campaign.cluster.wait_for_a_written_start("one");
    assert!(
        campaign.cluster.kill_supervisor("one"),
        "a worker has a supervisor"
    );
    gate.wait_for_arrivals(2, LEASE_DEADLINE);
    eventually(BEGIN_DEADLINE, "the process went with its supervisor", || {
        (!is_alive(first)).then_some(())
    });
    gate.open();
    let run = campaign
        .cluster
        .wait_for_run(&id, RunStatus::Succeeded, LEASE_DEADLINE);
    let attempts = &run.step("hold").attempts;
    assert_eq!(attempts.len(), 2, "the attempt that was lost is counted");
    assert_eq!(attempts[0].status, AttemptStatus::Lost);
    campaign.submit(0);
    campaign.end();
}

fn upgraded() {
    let mut campaign = Campaign::start(&[cpu("one", 1)]);
    let gate = Gate::new(&campaign.cluster.sandbox, "gate");
    let id = campaign.cluster.submit("gate.yml", &["-p", &gate.parameter()]);
    let step = gate.wait_for_arrivals(1, BEGIN_DEADLINE)[0];
    // A new file under the same name, as a package manager leaves it; the supervisor still runs the old one.
    let daemon = campaign.cluster.take_worker("one").expect("the worker runs");
    daemon.kill();
    campaign.cluster.start_worker_from(cpu("one", 1), |folder| {
        let copy = folder.join("tidemill-of-tomorrow");
        fs::copy(testkit::tidemill(), &copy).expect("the binary can be copied");
        copy
    });
    gate.open();
    let run = campaign
        .cluster
        .wait_for_run(&id, RunStatus::Succeeded, LEASE_DEADLINE);
    assert_eq!(run.step("hold").attempts.len(), 1, "nothing was done twice");
    assert_eq!(gate.arrivals(), [step]);
    campaign.submit(0);
    campaign.end();
}

/// The two ways between a worker and its broker, of which one fails.
fn deaf() {
    let wire = Wire::to(5672);
    let mut campaign = Campaign::start(&[]);
    let url = format!("amqp://guest:guest@{}", wire.address());
    campaign
        .cluster
        .start_worker_with(cpu("one", 2), &[("TIDEMILL_QUEUE_URL", url)]);
    campaign.cluster.wait_for_workers(1);
    for _ in 0..3 {
        campaign.submit(10);
    }
    campaign.wait_for_starts(1);
    wire.hold_answers();
    campaign.submit(0);
    // Its connection is given up by its own heartbeats; what it did meanwhile is told when it is back.
    campaign.wait_for_ended_processes();
    wire.mend();
    campaign.end();
}

fn frozen() {
    let mut campaign = Campaign::start_hasty(BrokerAccess::default(), Store::Folder, &[cpu("one", 1)]);
    let gate = Gate::new(&campaign.cluster.sandbox, "gate");
    let id = campaign.cluster.submit("gate.yml", &["-p", &gate.parameter()]);
    let first = gate.wait_for_arrivals(1, BEGIN_DEADLINE)[0];
    campaign.cluster.worker("one").freeze();
    campaign.cluster.start_worker(cpu("two", 1));
    gate.wait_for_arrivals(2, LEASE_DEADLINE);
    // Until the claim is read, the one that comes back would keep its attempt.
    eventually(LEASE_DEADLINE, "the replacement is known to run", || {
        let run = campaign.cluster.run(&id);
        let attempts = &run.step("hold").attempts;
        let is_replaced = attempts.len() > 1 && attempts.last()?.status == AttemptStatus::Running;
        is_replaced.then_some(())
    });
    campaign.cluster.worker("one").thaw();
    eventually(LEASE_DEADLINE, "the step that was given away is ended", || {
        (!is_alive(first)).then_some(())
    });
    gate.open();
    let run = campaign
        .cluster
        .wait_for_run(&id, RunStatus::Succeeded, LEASE_DEADLINE);
    let attempts = &run.step("hold").attempts;
    assert_eq!(attempts[0].status, AttemptStatus::Lost);
    assert_eq!(attempts.last().map(|a| a.status), Some(AttemptStatus::Succeeded));
    campaign.end();
}

fn disk_full() {
    let mut campaign = Campaign::start_over(BrokerAccess::default(), Store::Folder, &[]);
    let _small = SmallDisk::at(&campaign.cluster.sandbox.path().join("one"), 8);
    let reserve = [("TIDEMILL_DISK_RESERVE", "1MiB".to_owned())];
    campaign.cluster.start_worker_with(cpu("one", 1), &reserve);
    campaign.cluster.wait_for_workers(1);
    campaign.cluster.sandbox.write("large.yml", LARGE);
    let id = campaign.cluster.submit("large.yml", &[]);
    eventually(LEASE_DEADLINE, "the first attempt has failed", || {
        let run = campaign.cluster.run(&id);
        let first = run.steps_list[0].attempts.first()?;
        let failure = first.failure.as_ref()?;
        assert_eq!(failure.reason, FailureReason::DiskFull, "{failure:?}");
        Some(())
    });
    campaign.cluster.start_worker(cpu("two", 1));
    campaign
        .cluster
        .wait_for_run(&id, RunStatus::Succeeded, LEASE_DEADLINE);
    campaign.submit(0);
    campaign.end();
}

/// A step that writes 32 MiB.
const LARGE: &str = "
type: pipeline
settings: {default_compute: azureml:cpu-cluster}
jobs:
  large:
    command: head -c 33554432 /dev/zero > ${{outputs.zeros}}
    outputs: {zeros: {type: uri_file}}
    retry: {max: 50, backoff: 1s}
";
