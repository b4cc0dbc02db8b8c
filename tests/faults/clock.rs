//! Row 13: the wall clock steps, of the coordinator and of a worker.

use crate::campaign::{Campaign, cpu};
use crate::trial::{Trial, slow};
use testkit::{BrokerAccess, Cluster, SHORTEST_LEASE, Store, WallClock, WorkerPlan};

pub(crate) const TRIALS: &[Trial] = &[
    slow(
        "a_step_of_the_coordinators_clock_takes_no_attempt_away",
        of_the_coordinator,
    ),
    slow("a_step_of_a_workers_clock_takes_no_attempt_away", of_a_worker),
];

/// Forward, back behind where it was, and right again.
const STEPS: [&str; 3] = ["+1d", "-2h", "+0"];
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

fn of_the_coordinator() {
    let mut cluster = Cluster::prepare(BrokerAccess::default(), Store::Folder, &SHORTEST_LEASE);
    let clock = WallClock::new(cluster.sandbox.path());
    cluster.set_up_coordinator(&[], clock.variables());
    stepping(Campaign::start_in(cluster, &[WORKER]), &clock);
}

fn of_a_worker() {
    let cluster = Cluster::prepare(BrokerAccess::default(), Store::Folder, &SHORTEST_LEASE);
    let clock = WallClock::new(cluster.sandbox.path());
    let mut campaign = Campaign::start_in(cluster, &[]);
    campaign.cluster.start_worker_with(WORKER, &clock.variables());
    campaign.cluster.wait_for_workers(1);
    stepping(campaign, &clock);
}
