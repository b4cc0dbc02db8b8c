//! Rows 1 to 15: what may happen to the coordinator, as far as it needs a whole cluster. Its disk is treated in the tests of the journal and in the simulation.

use crate::campaign::{Campaign, cpu};
use crate::small_disk::SmallDisk;
use crate::trial::{Trial, fast, slow};
use std::fs;
use std::net::TcpStream;
use std::time::{Duration, Instant};
use testkit::{BEGIN_DEADLINE, BrokerAccess, Cluster, END_DEADLINE, Gate, Store, eventually};
use tidemill_protocol::status::RunStatus;

pub(crate) const TRIALS: &[Trial] = &[
    fast(
        "a_second_coordinator_on_the_same_state_is_refused_and_the_first_goes_on",
        second_coordinator,
    ),
    slow("a_frozen_coordinator_gives_no_step_away_when_it_goes_on", frozen),
    slow(
        "a_coordinator_without_file_descriptors_recovers_when_there_are_some",
        no_descriptors,
    ),
    slow(
        "a_coordinator_short_of_room_ends_the_runs_it_has_and_takes_new_ones_when_there_is_room",
        short_of_room,
    ),
];

fn second_coordinator() {
    let mut campaign = Campaign::start(&[cpu("one", 2)]);
    campaign.submit(5);
    let mut command = campaign.cluster.coordinator_command("127.0.0.1:0");
    let second = campaign.cluster.sandbox.finish(&mut command);
    assert_ne!(second.code, Some(0), "{second}");
    assert!(second.stderr.contains("help:"), "{second}");
    campaign.submit(0);
    let tally = campaign.end();
    assert_eq!(tally.given_up(), 0, "{tally}");
}

fn frozen() {
    let mut campaign = Campaign::start_hasty(BrokerAccess::default(), Store::Folder, &[cpu("one", 2)]);
    for _ in 0..2 {
        campaign.submit(50);
    }
    campaign.wait_for_starts(1);
    campaign.cluster.coordinator().freeze();
    let since = Instant::now();
    // Three leases: to a coordinator that trusted its own pause, every worker would be long gone.
    eventually(Duration::from_mins(1), "half a minute passes", || {
        (since.elapsed() > Duration::from_secs(30)).then_some(())
    });
    campaign.cluster.coordinator().thaw();
    let tally = campaign.end();
    assert_eq!(tally.given_up(), 0, "{tally}");
}

fn no_descriptors() {
    let mut campaign = Campaign::start(&[cpu("one", 2)]);
    campaign.cluster.kill_coordinator();
    campaign.cluster.start_coordinator_limited(160);
    campaign.submit(10);
    let address = campaign.cluster.url().replace("http://", "");
    let address = address.parse().expect("an address with a port");
    // It has no file left to answer with: whether it lives is asked again when it has some.
    campaign.cluster.starve_coordinator(true);
    // Until even the queue of those that wait to be accepted is full; on a busy machine it may be so for a moment only.
    let connections: Vec<TcpStream> = (0..400)
        .map_while(|_| TcpStream::connect_timeout(&address, Duration::from_secs(4)).ok())
        .collect();
    assert!(
        connections.len() > 160,
        "more connections than there may be files"
    );
    drop(connections);
    campaign.submit(0);
    campaign.cluster.starve_coordinator(false);
    let tally = campaign.end();
    assert_eq!(tally.given_up(), 0, "{tally}");
}

fn short_of_room() {
    let settings = [("TIDEMILL_DISK_RESERVE", "24MiB")];
    let cluster = Cluster::prepare(BrokerAccess::default(), Store::Folder, &settings);
    let small = SmallDisk::at(&cluster.sandbox.path().join("coordinator"), 64);
    let mut campaign = Campaign::start_in(cluster, &[cpu("one", 2)]);
    let gate = Gate::new(&campaign.cluster.sandbox, "gate");
    let id = campaign.cluster.submit("gate.yml", &["-p", &gate.parameter()]);
    gate.wait_for_arrivals(1, BEGIN_DEADLINE);
    let ballast = small.fill(12);
    let refused = campaign
        .cluster
        .cli(["submit", "gate.yml", "-p", &gate.parameter()]);
    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(
        refused.stderr.contains("nearly full") && refused.stderr.contains("help:"),
        "{refused}"
    );
    gate.open();
    campaign
        .cluster
        .wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    fs::remove_file(ballast).expect("it is there");
    campaign.submit(0);
    campaign.end();
}
