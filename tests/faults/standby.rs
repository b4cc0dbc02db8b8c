//! Row 4 with a standby: the active coordinator is gone, or cannot be reached any more by store and broker, and how long it takes until another one answers.

use crate::campaign::{Campaign, cpu};
use crate::trial::{Trial, slow};
use std::time::{Duration, Instant};
use testkit::{BrokerAccess, Cluster, S3Server, Store, Wire, WorkerPlan};

pub(crate) const TRIALS: &[Trial] = &[
    slow("a_standby_answers_within_thirty_seconds_of_a_kill", killed),
    slow(
        "a_standby_answers_within_thirty_seconds_of_a_partition_and_the_parted_coordinator_changes_nothing",
        parted,
    ),
];

/// From the loss of the active coordinator to the first answer of the other one.
pub(crate) const TAKEOVER_MAX: Duration = Duration::from_secs(30);
/// How long is waited for it.
pub(crate) const TAKEOVER_DEADLINE: Duration = Duration::from_mins(2);
/// What a coordinator ends with that another one has replaced.
pub(crate) const SUPERSEDED: i32 = 9;
const BROKER_PORT: u16 = 5672;
const WORKER: WorkerPlan = cpu("one", 2);
/// What a client ends with whose token is no good.
const DENIED: i32 = 4;
/// A takeover is measured so often.
const ROUNDS: usize = 3;

/// A coordinator with its own ways to store and broker, and a standby that follows it.
struct Guarded {
    campaign: Campaign,
    store: Wire,
    broker: Wire,
}

fn guarded() -> Guarded {
    let server = S3Server::start();
    let store = server.wire();
    let broker = Wire::to(BROKER_PORT);
    let mut cluster = Cluster::prepare(BrokerAccess::default(), Store::S3(server), &[]);
    let variables = vec![
        ("AWS_ENDPOINT", format!("http://{}", store.address())),
        (
            "TIDEMILL_QUEUE_URL",
            format!("amqp://guest:guest@{}", broker.address()),
        ),
    ];
    cluster.set_up_coordinator(&["--archive", "sync"], variables);
    let mut campaign = Campaign::start_in(cluster, &[]);
    campaign.cluster.start_standby();
    Guarded {
        campaign,
        store,
        broker,
    }
}

/// Work under way when the coordinator is lost.
fn work(campaign: &mut Campaign) {
    for _ in 0..3 {
        campaign.submit(20);
    }
    campaign.wait_for_starts(1);
}

#[expect(clippy::print_stdout, reason = "the figures of the campaign")]
fn tell(how: &str, took: &[Duration]) {
    let seconds: Vec<String> = took
        .iter()
        .map(|took| format!("{:.1} s", took.as_secs_f64()))
        .collect();
    println!(
        "figures: a standby answered after a coordinator was {how}: {}",
        seconds.join(", ")
    );
    for took in took {
        assert!(*took < TAKEOVER_MAX, "a takeover took {took:?}");
    }
}

fn killed() {
    let took = [(); ROUNDS].map(|()| {
        let mut guarded = guarded();
        guarded.campaign.cluster.start_worker(WORKER);
        work(&mut guarded.campaign);
        let lost_at = Instant::now();
        guarded.campaign.cluster.kill_coordinator();
        assert!(
            guarded
                .campaign
                .cluster
                .wait_for_takeover(TAKEOVER_DEADLINE)
                .is_none()
        );
        let took = lost_at.elapsed();
        end(guarded.campaign);
        took
    });
    tell("killed", &took);
}

fn parted() {
    let took = [(); ROUNDS].map(|()| parted_once());
    tell("parted from store and broker", &took);
}

fn parted_once() -> Duration {
    let Guarded {
        mut campaign,
        store,
        broker,
    } = guarded();
    let revoked = use_tokens(&mut campaign.cluster);
    start_joined_worker(&mut campaign.cluster);
    work(&mut campaign);
    let lost_at = Instant::now();
    store.hold();
    broker.hold();
    let late = campaign.begin_submission();
    let lost = campaign
        .cluster
        .wait_for_takeover(TAKEOVER_DEADLINE)
        .expect("it is only parted");
    let took = lost_at.elapsed();
    // What was allowed and what was not is so still.
    let mut with_revoked = campaign.cluster.client(["runs", "list"]);
    let refused = campaign
        .cluster
        .sandbox
        .finish(with_revoked.env("TIDEMILL_TOKEN", revoked));
    assert_eq!(refused.code, Some(DENIED), "{refused}");
    campaign.submit(0);
    store.mend();
    broker.mend();
    assert_eq!(lost.wait(TAKEOVER_DEADLINE).code(), Some(SUPERSEDED));
    assert!(
        !late.wait(TAKEOVER_DEADLINE).success(),
        "who could not keep it must not promise it"
    );
    end(campaign);
    took
}

/// Makes a token for everybody here, and another one that is taken back. Answers the latter.
fn use_tokens(cluster: &mut Cluster) -> String {
    let create = |cluster: &Cluster, scope, subject| {
        let arguments = [
            "token",
            "create",
            "--scope",
            scope,
            "--subject",
            subject,
            "--quiet",
        ];
        cluster.ok(arguments).stdout.trim().to_owned()
    };
    let token = create(cluster, "admin", "ada");
    cluster.show_token(token);
    let revoked = create(cluster, "reader", "rob");
    let id = revoked.split('_').nth(1).expect("a token holds its name");
    cluster.ok(["token", "revoke", id]);
    revoked
}

/// Starts the worker with a token to join by: where tokens are needed, nobody believes one without a key of its own, and the standby has to know that key.
fn start_joined_worker(cluster: &mut Cluster) {
    let created = cluster.ok(["worker", "token", "create", "--quiet"]);
    let token = ("TIDEMILL_JOIN_TOKEN", created.stdout.trim().to_owned());
    cluster.start_worker_with(WORKER, &[token]);
}

fn end(campaign: Campaign) {
    let tally = campaign.end();
    assert_eq!(tally.given_up(), 0, "{tally}");
}
