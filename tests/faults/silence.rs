//! Rows 3, 4, 24 and 37 to 39 once more, by a network that is silent: nobody is refused, no connection ends, and who waits for an answer is not told that none
//! will come.

use crate::campaign::{Campaign, cpu, pass};
use crate::far::{Far, tell_proxies};
use crate::standby::{SUPERSEDED, TAKEOVER_MAX};
use crate::trial::{Trial, slow};
use std::time::{Duration, Instant};
use testkit::{
    BEGIN_DEADLINE, BrokerAccess, Cluster, Gate, RabbitTrio, S3Server, Steps, Store, WorkerPlan, eventually,
    is_alive,
};
use tidemill_protocol::name::Name;
use tidemill_protocol::status::{AttemptStatus, RunStatus, StepStatus};

pub(crate) const TRIALS: &[Trial] = &[
    slow(
        "a_worker_that_was_silent_and_is_back_before_its_step_was_taken_over_keeps_its_attempt",
        back_in_time,
    ),
    slow(
        "a_worker_that_was_silent_until_its_step_was_taken_over_is_fenced_and_one_result_counts",
        back_too_late,
    ),
    slow(
        "a_worker_to_which_the_network_brings_nothing_harms_no_result",
        deaf,
    ),
    slow(
        "a_coordinator_that_was_silent_for_three_leases_gives_no_step_away",
        silent_coordinator,
    ),
    slow(
        "a_standby_takes_over_from_a_silent_coordinator_and_that_one_changes_nothing_when_it_is_back",
        replaced,
    ),
    slow(
        "of_a_broker_parted_by_silence_the_larger_part_goes_on_and_the_smaller_one_comes_back",
        broker_parted,
    ),
];

const BROKER_PORT: u16 = 5672;
/// How long until a lease of ten seconds has certainly run out, and until a broker knows that a client is gone: three of its heartbeats.
const LEASE_DEADLINE: Duration = Duration::from_mins(4);
/// A lease that is longer than it takes to notice that the broker is silent: twice ten seconds.
const LEASE: [(&str, &str); 1] = [("TIDEMILL_LEASE", "30s")];
const THREE_LEASES: Duration = Duration::from_secs(90);
const DEADLINE: Duration = Duration::from_mins(3);

/// In this time worker and broker miss more than two heartbeats of each other.
const CONNECTIONS_LAST: Duration = Duration::from_secs(40);

/// A worker far away, whose one step waits at a gate.
struct Working {
    campaign: Campaign,
    gate: Gate,
    run: String,
    step: u32,
}

/// It has a slot more than it needs: what the broker hands to a silent client stays with that client for a while.
fn working(far: &Far, server: S3Server) -> Working {
    let mut campaign = Campaign::start_hasty(BrokerAccess::default(), Store::S3(server), &[]);
    far.start_worker(&mut campaign.cluster, cpu("far", 2));
    campaign.cluster.wait_for_workers(1);
    let gate = Gate::new(&campaign.cluster.sandbox, "gate");
    let run = campaign.cluster.submit("gate.yml", &["-p", &gate.parameter()]);
    let step = gate.wait_for_arrivals(1, BEGIN_DEADLINE)[0];
    eventually(BEGIN_DEADLINE, "the claim is known", || {
        (campaign.cluster.run(&run).step("hold").status == StepStatus::Running).then_some(())
    });
    Working {
        campaign,
        gate,
        run,
        step,
    }
}

fn back_in_time() {
    let server = S3Server::start();
    let far = Far::from(BROKER_PORT, server.port());
    let Working {
        mut campaign,
        gate,
        run,
        step,
    } = working(&far, server);
    far.silence();
    eventually(LEASE_DEADLINE, "the attempt is given up", || {
        let view = campaign.cluster.run(&run);
        (view.step("hold").attempts.len() == 2).then_some(())
    });
    // Until both ends have given their connections up, too.
    pass(CONNECTIONS_LAST);
    assert!(is_alive(step), "a worker does not stop what it cannot report");
    far.mend();
    eventually(LEASE_DEADLINE, "the attempt is taken up again", || {
        let view = campaign.cluster.run(&run);
        (view.step("hold").attempts[0].status == AttemptStatus::Running).then_some(())
    });
    gate.open();
    let view = campaign
        .cluster
        .wait_for_run(&run, RunStatus::Succeeded, DEADLINE);
    let attempts = &view.step("hold").attempts;
    assert_eq!(attempts[0].status, AttemptStatus::Succeeded);
    assert_eq!(attempts[1].status, AttemptStatus::Withdrawn);
    assert_eq!(gate.arrivals(), [step], "nothing was done twice");
    campaign.submit(0);
    campaign.end();
}

fn back_too_late() {
    let server = S3Server::start();
    let far = Far::from(BROKER_PORT, server.port());
    let Working {
        mut campaign,
        gate,
        run,
        step,
    } = working(&far, server);
    far.silence();
    campaign.cluster.start_worker(cpu("near", 2));
    gate.wait_for_arrivals(2, LEASE_DEADLINE);
    eventually(BEGIN_DEADLINE, "the second claim is known", || {
        let view = campaign.cluster.run(&run);
        (view.step("hold").status == StepStatus::Running).then_some(())
    });
    assert!(is_alive(step), "both run: only one of them counts");
    far.mend();
    eventually(LEASE_DEADLINE, "the first is stopped", || {
        (!is_alive(step)).then_some(())
    });
    gate.open();
    let view = campaign
        .cluster
        .wait_for_run(&run, RunStatus::Succeeded, DEADLINE);
    let attempts = &view.step("hold").attempts;
    assert_eq!(attempts[0].status, AttemptStatus::Lost);
    let last = attempts.last().expect("there is one");
    assert_eq!(last.status, AttemptStatus::Succeeded);
    assert_eq!(last.worker.as_ref().map(Name::as_str), Some("near"));
    campaign.submit(0);
    campaign.end();
}

fn deaf() {
    let server = S3Server::start();
    let far = Far::from(BROKER_PORT, server.port());
    let mut campaign = Campaign::start_over(BrokerAccess::default(), Store::S3(server), &[]);
    far.start_worker(&mut campaign.cluster, cpu("far", 2));
    campaign.cluster.wait_for_workers(1);
    for _ in 0..3 {
        campaign.submit(10);
    }
    campaign.wait_for_starts(1);
    far.deafen();
    campaign.submit(0);
    campaign.wait_for_ended_processes();
    far.mend();
    campaign.end();
}

/// A coordinator far away, with one worker beside everything else.
fn far_coordinator(far: &Far, server: S3Server, arguments: &[&str]) -> Campaign {
    let mut cluster = Cluster::prepare(BrokerAccess::default(), Store::S3(server), &LEASE);
    far.place_coordinator(&mut cluster, arguments);
    Campaign::start_in(cluster, &[cpu("one", 2)])
}

fn silent_coordinator() {
    let server = S3Server::start();
    let far = Far::from(BROKER_PORT, server.port());
    let mut campaign = far_coordinator(&far, server, &[]);
    for _ in 0..2 {
        campaign.submit(50);
    }
    campaign.wait_for_starts(1);
    far.silence();
    pass(THREE_LEASES);
    far.mend();
    campaign.submit(0);
    campaign.wait_for_all();
    let spare = campaign.spare_attempts();
    assert_eq!(spare, 0, "no lease ran out meanwhile");
    let tally = campaign.end();
    assert_eq!(tally.given_up(), 0, "{tally}");
}

#[expect(clippy::print_stdout, reason = "a figure of the campaign")]
fn replaced() {
    let server = S3Server::start();
    let far = Far::from(BROKER_PORT, server.port());
    let mut campaign = far_coordinator(&far, server, &["--archive", "sync"]);
    campaign.cluster.start_standby();
    for _ in 0..3 {
        campaign.submit(20);
    }
    campaign.wait_for_starts(1);
    let lost_at = Instant::now();
    far.silence();
    let late = campaign.begin_submission();
    let lost = campaign
        .cluster
        .wait_for_takeover(DEADLINE)
        .expect("it is only silent");
    let took = lost_at.elapsed();
    println!(
        "figures: a standby answered after a coordinator was silent: {:.1} s",
        took.as_secs_f64()
    );
    assert!(took < TAKEOVER_MAX, "a takeover took {took:?}");
    campaign.submit(0);
    far.mend();
    assert_eq!(lost.wait(DEADLINE).code(), Some(SUPERSEDED));
    assert!(
        !late.wait(DEADLINE).success(),
        "who could not keep it must not promise it"
    );
    let tally = campaign.end();
    assert_eq!(tally.given_up(), 0, "{tally}");
}

const ONE: WorkerPlan = cpu("one", 2);
const TWO: WorkerPlan = cpu("two", 2);

/// One worker is at the machine of the node that falls silent.
fn broker_parted() {
    let trio = match RabbitTrio::start_apart("cluster_partition_handling = pause_minority\n") {
        Ok(trio) => trio,
        Err(why) => {
            tell_proxies(&why);
            crate::nodes::parted();
            return;
        }
    };
    let access = BrokerAccess {
        url: trio.nodes[0].url(),
        authorities: None,
    };
    let plaintext = [("TIDEMILL_INSECURE_PLAINTEXT", "true")];
    let cluster = Cluster::prepare(access, Store::Folder, &plaintext);
    let mut campaign = Campaign::start_in(cluster, &[ONE]);
    let far = &trio.nodes[2];
    let way = [("TIDEMILL_QUEUE_URL", far.url())];
    campaign.cluster.start_worker_within(far.namespace(), TWO, &way);
    campaign.cluster.wait_for_workers(2);
    for _ in 0..4 {
        campaign.submit(20);
    }
    campaign.wait_for_starts(1);
    far.namespace().silence().expect("it was tried before");
    eventually(DEADLINE, "the smaller part is out of use", || {
        (!far.answers()).then_some(())
    });
    let meanwhile = campaign.submit(5);
    campaign
        .cluster
        .wait_for_run(&meanwhile.to_string(), RunStatus::Succeeded, DEADLINE);
    far.namespace().mend();
    eventually(DEADLINE, "the smaller part is back", || {
        far.answers().then_some(())
    });
    campaign.submit(0);
    campaign.end();
}
