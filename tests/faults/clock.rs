//! Row 13: the wall clock steps. libfaketime stands between the daemons and the kernel's wall clock, and leaves the monotonic one alone, as a step of a real clock does.

use crate::campaign::{Campaign, cpu};
use crate::trial::{Trial, slow};
use std::fs;
use std::path::{Path, PathBuf};
use testkit::{BrokerAccess, Cluster, SHORTEST_LEASE, Store, WorkerPlan};

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

/// A clock of daemons' own.
struct Clock {
    file: PathBuf,
}

impl Clock {
    fn new(folder: &Path) -> Self {
        let clock = Self {
            file: folder.join("clock"),
        };
        clock.step("+0");
        clock
    }

    /// Now it is so much more, or less, than it really is.
    fn step(&self, by: &str) {
        fs::write(&self.file, by).expect("a file can be written");
    }

    /// What makes a daemon look at this clock.
    fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", library().display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
        ]
    }
}

/// Where Debian puts it, below the folder of the machine's kind.
fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").expect("there are libraries").flatten();
    let mut places = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    let found = places.find(|place| place.exists());
    found.expect("libfaketime is installed (Debian: libfaketime)")
}

fn stepping(mut campaign: Campaign, clock: &Clock) {
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
    let clock = Clock::new(cluster.sandbox.path());
    cluster.set_up_coordinator(&[], clock.variables());
    stepping(Campaign::start_in(cluster, &[WORKER]), &clock);
}

fn of_a_worker() {
    let cluster = Cluster::prepare(BrokerAccess::default(), Store::Folder, &SHORTEST_LEASE);
    let clock = Clock::new(cluster.sandbox.path());
    let mut campaign = Campaign::start_in(cluster, &[]);
    campaign.cluster.start_worker_with(WORKER, &clock.variables());
    campaign.cluster.wait_for_workers(1);
    stepping(campaign, &clock);
}
