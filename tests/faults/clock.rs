//! Row 13: the wall clock steps, of the coordinator and of a worker, or runs ten times as fast as it should.

use crate::campaign::{Campaign, cpu};
use crate::trial::{Trial, slow};
use testkit::{BrokerAccess, Cluster, SHORTEST_LEASE, Store, WallClock, WorkerPlan};

pub(crate) const TRIALS: &[Trial] = &[
    slow(
        "a_step_of_the_coordinators_clock_takes_no_attempt_away",
        of_the_coordinator,
    ),
    slow("a_step_of_a_workers_clock_takes_no_attempt_away", of_a_worker),
    slow(
        "a_coordinators_clock_that_runs_ten_times_too_fast_takes_no_attempt_away",
        fast_coordinator,
    ),
    slow(
        "a_workers_clock_that_runs_ten_times_too_fast_takes_no_attempt_away",
        fast_worker,
    ),
];

/// Forward, back behind where it was, and right again.
const STEPS: [&str; 3] = ["+1d", "-2h", "+0"];
/// Right when the daemon starts, and ten seconds on with every second.
const FAST: &str = "+0 x10";
/// Longer than the shortest lease, on any clock.
const LONG_TENTHS: u64 = 150;
const WORKER: WorkerPlan = cpu("one", 2);

fn stepping(mut campaign: Campaign, clock: &WallClock) {
    for by in STEPS {
        campaign.submit(30);
        campaign.submit(5);
        let before = campaign.workload.starts();
        campaign.wait_for_starts(before + 1);
        clock.step(by);
        campaign.submit(0);
        campaign.wait_for_all();
    }
    let tally = campaign.end();
    assert_eq!(tally.given_up(), 0, "{tally}");
}

/// A cluster with the shortest lease in which nobody looks at this clock yet.
fn with_clock() -> (Cluster, WallClock) {
    let cluster = Cluster::prepare(BrokerAccess::default(), Store::Folder, &SHORTEST_LEASE);
    let clock = WallClock::new(cluster.sandbox.path());
    (cluster, clock)
}

/// One whose coordinator looks at it.
fn coordinator_by(mut cluster: Cluster, clock: &WallClock) -> Campaign {
    cluster.set_up_coordinator(&[], clock.variables());
    Campaign::start_in(cluster, &[WORKER])
}

/// One whose worker does.
fn worker_by(cluster: Cluster, clock: &WallClock) -> Campaign {
    let mut campaign = Campaign::start_in(cluster, &[]);
    campaign.cluster.start_worker_with(WORKER, &clock.variables());
    campaign.cluster.wait_for_workers(1);
    campaign
}

fn of_the_coordinator() {
    let (cluster, clock) = with_clock();
    stepping(coordinator_by(cluster, &clock), &clock);
}

fn of_a_worker() {
    let (cluster, clock) = with_clock();
    stepping(worker_by(cluster, &clock), &clock);
}

/// Steps that are longer than a lease, and short ones between them.
fn at_any_pace(mut campaign: Campaign) {
    for _ in 0..2 {
        campaign.submit(LONG_TENTHS);
        campaign.submit(5);
        campaign.submit(0);
    }
    campaign.wait_for_all();
    let tally = campaign.end();
    assert_eq!(tally.given_up(), 0, "{tally}");
}

fn fast_coordinator() {
    let (cluster, clock) = with_clock();
    clock.step(FAST);
    at_any_pace(coordinator_by(cluster, &clock));
}

fn fast_worker() {
    let (cluster, clock) = with_clock();
    clock.step(FAST);
    at_any_pace(worker_by(cluster, &clock));
}
