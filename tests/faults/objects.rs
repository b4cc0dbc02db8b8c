//! Rows 51 to 59: what may happen to the object store, as far as it needs a whole cluster; the others are tests of the store itself.

use crate::campaign::{Campaign, cpu};
use crate::trial::{Trial, slow};
use std::time::Duration;
use testkit::{BrokerAccess, S3Server, Store};

pub(crate) const TRIALS: &[Trial] = &[
    slow(
        "outputs_wait_for_a_store_that_is_away_and_no_step_runs_again",
        store_away,
    ),
    slow("a_slow_store_only_takes_longer", store_slow),
];

/// How late each piece of data comes, either way: some hundred times later than usual.
const LATE_BY: Duration = Duration::from_millis(500);

fn store_away() {
    let mut server = S3Server::start();
    let wire = server.put_behind_a_wire();
    let mut campaign = Campaign::start_over(BrokerAccess::default(), Store::S3(server), &[cpu("one", 2)]);
    campaign.submit(20);
    campaign.wait_for_starts(1);
    wire.cut();
    // What runs now ends without a store, and waits.
    campaign.wait_for_ended_processes();
    wire.mend();
    campaign.submit(0);
    let tally = campaign.end();
    assert_eq!(tally.given_up(), 0, "{tally}");
}

fn store_slow() {
    let mut server = S3Server::start();
    let wire = server.put_behind_a_wire();
    let mut campaign = Campaign::start_over(BrokerAccess::default(), Store::S3(server), &[cpu("one", 2)]);
    wire.slow_down(LATE_BY);
    for _ in 0..3 {
        campaign.submit(5);
    }
    campaign.wait_for_all();
    wire.mend();
    let tally = campaign.end();
    assert_eq!(tally.given_up(), 0, "{tally}");
}
