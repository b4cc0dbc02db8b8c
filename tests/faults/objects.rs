//! Rows 51 to 59: what may happen to the object store, as far as it needs a whole cluster; the others are tests of the store itself.

use crate::campaign::{Campaign, cpu, pass};
use crate::trial::{Trial, slow};
use std::time::Duration;
use testkit::{
    BEGIN_DEADLINE, BrokerAccess, END_DEADLINE, Overloaded, S3Server, Steps, Store, Wire, eventually,
};
use tidemill_protocol::status::{AttemptStatus, RunStatus};
use tidemill_protocol::wire::Phase;

pub(crate) const TRIALS: &[Trial] = &[
    slow(
        "outputs_wait_for_a_store_that_is_away_and_no_step_runs_again",
        store_away,
    ),
    slow(
        "outputs_wait_for_longer_than_any_request_is_tried_and_the_phase_says_so",
        store_away_for_long,
    ),
    slow(
        "a_store_that_answers_503_for_a_while_costs_no_attempt",
        overloaded,
    ),
    slow("a_slow_store_only_takes_longer", store_slow),
    slow(
        "an_output_of_several_parts_passes_a_link_that_is_slow_for_minutes",
        large_and_slow,
    ),
    slow(
        "a_worker_killed_in_the_middle_of_an_upload_leaves_nothing_half_and_nothing_for_ever",
        killed_in_mid_upload,
    ),
];

/// How late each piece of data comes, either way: some hundred times later than usual.
const LATE_BY: Duration = Duration::from_millis(500);
/// Longer than the store's client tries a request that is refused.
const LONG: Duration = Duration::from_secs(100);
/// Requests that are refused before the store is itself again: more than one request is tried.
const REFUSED: u64 = 20;
/// Bytes a second at which 64 MiB take two minutes.
const LEISURELY: u64 = 512 * 1024;
/// Bytes a second at which 16 MiB take three minutes, of which most are under way at once.
const NARROW: u64 = 96_000;
/// What passes such a link may take so long, twice.
const NARROW_DEADLINE: Duration = Duration::from_mins(12);
/// How long until a lease of ten seconds has certainly run out and the step has been made again.
const LEASE_DEADLINE: Duration = Duration::from_mins(3);

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
    end_without_loss(campaign);
}

fn store_away_for_long() {
    let server = S3Server::start();
    let wire = server.wire();
    let mut campaign = Campaign::start_over(BrokerAccess::default(), Store::S3(server), &[]);
    start_worker_behind(&mut campaign, &wire);
    let run = campaign.submit(20).to_string();
    campaign.wait_for_starts(1);
    wire.cut();
    campaign.wait_for_ended_processes();
    pass(LONG);
    let view = campaign.cluster.run(&run);
    let [attempt] = view.step("first").attempts.as_slice() else {
        panic!("there is one attempt: {view:#?}");
    };
    assert_eq!(attempt.status, AttemptStatus::Running);
    assert_eq!(attempt.phase, Some(Phase::Storing));
    let shown = campaign.cluster.ok(["runs", "show", &run]);
    assert!(shown.stdout.contains("storing its outputs"), "{shown}");
    wire.mend();
    end_without_loss(campaign);
}

fn overloaded() {
    let server = S3Server::start();
    let (wire, port, busy) = (server.wire(), server.port(), Overloaded::start());
    let mut campaign = Campaign::start_over(BrokerAccess::default(), Store::S3(server), &[]);
    start_worker_behind(&mut campaign, &wire);
    campaign.submit(20);
    campaign.wait_for_starts(1);
    wire.lead_to(busy.port());
    campaign.wait_for_ended_processes();
    eventually(END_DEADLINE, "requests are refused", || {
        (busy.refused() >= REFUSED).then_some(())
    });
    wire.lead_to(port);
    campaign.submit(0);
    end_without_loss(campaign);
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
    end_without_loss(campaign);
}

/// There and back: the second step reads what the first one wrote, unless the worker has it in its cache.
fn large_and_slow() {
    let server = S3Server::start();
    let wire = server.wire();
    let mut campaign = Campaign::start_over(BrokerAccess::default(), Store::S3(server), &[]);
    start_worker_behind(&mut campaign, &wire);
    wire.throttle(NARROW);
    campaign.cluster.sandbox.write("large.yml", &large(16));
    let id = campaign.cluster.submit("large.yml", &[]);
    let run = campaign
        .cluster
        .wait_for_run(&id, RunStatus::Succeeded, NARROW_DEADLINE);
    for step in &run.steps_list {
        assert_eq!(step.attempts.len(), 1, "{step:#?}");
    }
    wire.mend();
    campaign.submit(0);
    end_without_loss(campaign);
}

fn killed_in_mid_upload() {
    let server = S3Server::start();
    let wire = server.wire();
    let mut campaign = Campaign::start_hasty(BrokerAccess::default(), Store::S3(server), &[]);
    start_worker_behind(&mut campaign, &wire);
    wire.throttle(LEISURELY);
    campaign.cluster.sandbox.write("large.yml", &large(64));
    let id = campaign.cluster.submit("large.yml", &[]);
    let begun = eventually(BEGIN_DEADLINE, "an upload has begun", || begun_upload(&campaign));
    campaign.cluster.destroy_worker("one");
    let stored = campaign.cluster.stored();
    assert!(
        !stored.contains(&begun),
        "nothing is there under its name: {stored:?}"
    );
    campaign.cluster.start_worker(cpu("two", 1));
    let run = campaign
        .cluster
        .wait_for_run(&id, RunStatus::Succeeded, LEASE_DEADLINE);
    let attempts = &run.step("large").attempts;
    let statuses: Vec<AttemptStatus> = attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [AttemptStatus::Lost, AttemptStatus::Succeeded]);
    assert!(campaign.cluster.stored().contains(&begun), "it is there now");
    assert_eq!(
        begun_upload(&campaign).as_ref(),
        Some(&begun),
        "what the killed worker sent is still there until the store is swept, which the checker does"
    );
    campaign.submit(0);
    campaign.end();
}

/// The key of a content whose upload was begun and not ended.
fn begun_upload(campaign: &Campaign) -> Option<String> {
    let stored = campaign.cluster.stored();
    let mut uploads = stored
        .iter()
        .filter_map(|key| key.strip_prefix("uploads/artifacts/"));
    uploads.next().map(str::to_owned)
}

/// The one worker, whose way to the store is this.
fn start_worker_behind(campaign: &mut Campaign, wire: &Wire) {
    let endpoint = ("AWS_ENDPOINT", format!("http://{}", wire.address()));
    campaign.cluster.start_worker_with(cpu("one", 2), &[endpoint]);
    campaign.cluster.wait_for_workers(1);
}

fn end_without_loss(campaign: Campaign) {
    let tally = campaign.end();
    assert_eq!(tally.given_up(), 0, "{tally}");
}

/// A step that writes so many MiB, and one that reads them.
fn large(mib: u64) -> String {
    let bytes = mib << 20;
    format!(
        "
type: pipeline
settings: {{default_compute: azureml:cpu-cluster}}
jobs:
  large:
    command: head -c {bytes} /dev/zero | tr '\\0' x > ${{{{outputs.letters}}}}
    outputs: {{letters: {{type: uri_file}}}}
    retry: {{max: 20, backoff: 1s}}
  counted:
    command: test $(wc -c < ${{{{inputs.letters}}}}) = {bytes}
    inputs: {{letters: \"${{{{parent.jobs.large.outputs.letters}}}}\"}}
    retry: {{max: 20, backoff: 1s}}
"
    )
}
