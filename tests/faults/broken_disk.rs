//! Rows 6 and 12 with the real coordinator on a real disk: one without a single byte of room under work that goes on, and one that fails to keep what it took.
//! A coordinator that cannot write must not speak: it ends, and the next one knows all that was answered.

use crate::campaign::{Campaign, cpu};
use crate::small_disk::SmallDisk;
use crate::trial::{Trial, slow};
use std::fs;
use std::time::Duration;
use testkit::{BrokerAccess, Cluster, Store, SyncFault, WorkerPlan, eventually};

pub(crate) const TRIALS: &[Trial] = &[
    slow(
        "a_coordinator_whose_disk_has_not_a_byte_left_ends_and_what_it_had_answered_comes_to_a_good_end",
        no_byte_left,
    ),
    slow(
        "a_coordinator_whose_disk_fails_a_sync_ends_and_what_it_had_answered_comes_to_a_good_end",
        sync_fails,
    ),
];

const WORKER: WorkerPlan = cpu("one", 2);
/// Their events need more room than the journal has in advance.
const RUNS: usize = 40;
/// How long a coordinator may take to meet its disk.
const END_DEADLINE: Duration = Duration::from_mins(3);

/// Waits until the coordinator has ended by itself, and has said why.
fn wait_for_its_end(campaign: &mut Campaign, reasons: &[&str]) {
    eventually(END_DEADLINE, "the coordinator ends by itself", || {
        campaign.harvest();
        (!campaign.cluster.has_coordinator()).then_some(())
    });
    let log = campaign.cluster.coordinator_log();
    for wrong in ["has a bug", "damaged"] {
        assert!(
            !log.contains(wrong),
            "its disk is to blame, not it or its journal: {log}"
        );
    }
    for reason in reasons {
        assert!(log.contains(reason), "it says what failed ({reason}): {log}");
    }
}

/// All that was to be submitted is taken by the next coordinator, and all that was answered ends well.
fn go_on(mut campaign: Campaign) {
    campaign.cluster.start_coordinator();
    campaign.harvest_all();
    let tally = campaign.end();
    assert_eq!(tally.given_up(), 0, "{tally}");
}

fn no_byte_left() {
    let settings = [("TIDEMILL_DISK_RESERVE", "0")];
    let cluster = Cluster::prepare(BrokerAccess::default(), Store::Folder, &settings);
    let small = SmallDisk::at(&cluster.sandbox.path().join("coordinator"), 64);
    let mut campaign = Campaign::start_in(cluster, &[]);
    for _ in 0..RUNS {
        campaign.submit_later(0);
    }
    campaign.harvest_all();
    let ballast = small.fill(0);
    // Now they begin, and the journal is to hold it.
    campaign.cluster.start_worker(WORKER);
    campaign.submit_later(0);
    wait_for_its_end(&mut campaign, &["the journal failed"]);
    // Another one on the same disk finds no room either, and takes nothing away.
    campaign.cluster.launch_coordinator();
    wait_for_its_end(&mut campaign, &["cannot start from"]);
    let repair = ["journal", "repair", "--accept-loss"];
    let refused = campaign.cluster.as_daemon(&repair, "coordinator");
    let set_aside = campaign
        .cluster
        .sandbox
        .path()
        .join("coordinator/journal/damaged-1");
    assert!(
        refused.code != Some(0) && !set_aside.exists(),
        "nothing is given up: {refused}"
    );
    fs::remove_file(ballast).expect("it is there");
    go_on(campaign);
}

#[expect(clippy::print_stdout, reason = "what was not tried must be seen")]
fn sync_fails() {
    let cluster = Cluster::prepare(BrokerAccess::default(), Store::Folder, &[]);
    let mut campaign = Campaign::start_in(cluster, &[WORKER]);
    for _ in 0..2 {
        campaign.submit(20);
        let before = campaign.workload.starts();
        campaign.wait_for_starts(before + 1);
        let Some(fault) = SyncFault::begin(campaign.cluster.coordinator().pid()) else {
            println!("NOT PROVED HERE, for want of strace or of the right to trace");
            break;
        };
        campaign.submit_later(0);
        wait_for_its_end(&mut campaign, &["the journal failed"]);
        drop(fault);
        campaign.cluster.start_coordinator();
        campaign.harvest_all();
    }
    campaign.wait_for_all();
    campaign.cluster.stop_coordinator();
    go_on(campaign);
}
