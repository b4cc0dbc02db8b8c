//! Rows 5 and 59: power cuts, under the coordinator's state and under a folder of artifacts.

use crate::campaign::{Campaign, cpu, pass};
use crate::disk::Disk;
use crate::settings::Settings;
use crate::trial::{Trial, slow};
use std::time::Duration;
use testkit::{BrokerAccess, Cluster, Random, Store};

pub(crate) const TRIALS: &[Trial] = &[
    slow(
        "a_power_cut_under_the_journal_loses_nothing_that_was_answered",
        power_cuts,
    ),
    slow(
        "a_power_cut_under_a_folder_of_artifacts_leaves_every_committed_result_whole",
        store_cuts,
    ),
];

const CUTS: u32 = 3;
const WORKER: testkit::WorkerPlan = cpu("one", 2);

fn power_cuts() {
    let mut random = Random::new(Settings::read().seed);
    let cluster = Cluster::prepare(BrokerAccess::default(), Store::Folder, &[]);
    let folder = cluster.sandbox.path();
    let mut disk = Disk::make(folder, &folder.join("coordinator"));
    let mut campaign = Campaign::start_in(cluster, &[WORKER]);
    for _ in 0..CUTS {
        for _ in 0..5 {
            campaign.submit(random.below(10));
        }
        pass(Duration::from_millis(random.below(3_000)));
        campaign.cluster.coordinator().freeze();
        disk.cut(|| campaign.cluster.kill_coordinator());
        campaign.cluster.start_coordinator();
    }
    campaign.end();
    drop(disk);
}

/// The machine whose disk holds the artifacts goes, and everything on it with it.
fn store_cuts() {
    let mut random = Random::new(Settings::read().seed);
    let cluster = Cluster::prepare(BrokerAccess::default(), Store::Folder, &[]);
    let folder = cluster.sandbox.path();
    let mut disk = Disk::make(folder, &folder.join("store"));
    let mut campaign = Campaign::start_in(cluster, &[WORKER]);
    for _ in 0..CUTS {
        for _ in 0..5 {
            campaign.submit(random.below(10));
        }
        campaign.wait_for_starts(campaign.workload.starts() + 2);
        pass(Duration::from_millis(random.below(2_000)));
        let cluster = &mut campaign.cluster;
        cluster.coordinator().freeze();
        cluster.worker(WORKER.name).freeze();
        disk.cut(|| {
            cluster.kill_coordinator();
            cluster.destroy_worker(WORKER.name);
        });
        campaign.cluster.start_coordinator();
        campaign.cluster.start_worker(WORKER);
    }
    campaign.end();
    drop(disk);
}
