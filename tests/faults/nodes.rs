//! Rows 22 to 24: what may happen to a RabbitMQ of three nodes. Clients reach it through a balancer, or know the addresses of all nodes.

use crate::campaign::{Campaign, cpu};
use crate::trial::{Trial, slow};
use std::time::Duration;
use testkit::{BrokerAccess, RabbitTrio, Store, Wire, WorkerPlan, eventually};
use tidemill_protocol::status::RunStatus;

pub(crate) const TRIALS: &[Trial] = &[
    slow(
        "a_broker_that_lost_its_quorum_and_has_it_again_costs_no_attempt",
        quorum_lost,
    ),
    slow(
        "a_broker_that_loses_a_node_for_ever_goes_on_with_the_others",
        node_forgotten,
    ),
    slow(
        "of_a_parted_broker_the_larger_part_goes_on_and_the_smaller_one_comes_back",
        parted,
    ),
    slow(
        "clients_that_know_every_node_of_a_broker_go_on_when_theirs_is_lost",
        node_lost,
    ),
];

const ONE: WorkerPlan = cpu("one", 2);
const TWO: WorkerPlan = cpu("two", 2);
/// What is submitted while a part is away ends meanwhile.
const MEANWHILE: Duration = Duration::from_mins(2);

fn through(wire: &Wire) -> BrokerAccess {
    BrokerAccess {
        url: format!("amqp://guest:guest@{}", wire.address()),
        authorities: None,
    }
}

/// Four runs whose steps take a while, some of which certainly run.
fn work(campaign: &mut Campaign) {
    for _ in 0..4 {
        campaign.submit(20);
    }
    campaign.wait_for_starts(1);
}

fn end_without_loss(campaign: Campaign) {
    let tally = campaign.end();
    assert_eq!(tally.given_up(), 0, "{tally}");
}

fn quorum_lost() {
    let mut trio = RabbitTrio::start("");
    let wire = Wire::to(trio.nodes[0].port());
    let mut campaign = Campaign::start_over(through(&wire), Store::Folder, &[ONE, TWO]);
    work(&mut campaign);
    let [_, second, third] = &mut trio.nodes;
    second.kill();
    third.kill();
    // The API needs no broker: what it accepts now is run later. What runs now ends, and its reports wait.
    let late = campaign.submit(0);
    campaign.wait_for_ended_processes();
    let view = campaign.cluster.run(&late.to_string());
    let attempts = view.steps_list.iter().flat_map(|step| &step.attempts);
    let claimed = attempts.filter(|attempt| attempt.claimed_at.is_some()).count();
    assert_eq!(claimed, 0, "no worker can be told of it");
    second.restart();
    third.restart();
    campaign.submit(0);
    end_without_loss(campaign);
}

/// The node that leads every queue, because they were declared through it.
fn node_forgotten() {
    let trio = RabbitTrio::start("");
    let [first, second, _] = &trio.nodes;
    let wire = Wire::to(first.port());
    let mut campaign = Campaign::start_over(through(&wire), Store::Folder, &[ONE, TWO]);
    work(&mut campaign);
    first.ctl(["stop_app"]);
    wire.lead_to(second.port());
    campaign.submit(5);
    second.ctl(["forget_cluster_node", &first.node()]);
    let late = campaign.submit(0);
    campaign
        .cluster
        .wait_for_run(&late.to_string(), RunStatus::Succeeded, MEANWHILE);
    end_without_loss(campaign);
}

/// One worker is a client of the node that is parted from the others.
pub(crate) fn parted() {
    let trio = RabbitTrio::start("cluster_partition_handling = pause_minority\n");
    let wire = Wire::to(trio.nodes[0].port());
    let mut campaign = Campaign::start_over(through(&wire), Store::Folder, &[ONE]);
    let far = trio.nodes[2].url();
    campaign
        .cluster
        .start_worker_with(TWO, &[("TIDEMILL_QUEUE_URL", far)]);
    campaign.cluster.wait_for_workers(2);
    work(&mut campaign);
    trio.part(2);
    eventually(MEANWHILE, "the smaller part is out of use", || {
        (!trio.nodes[2].answers()).then_some(())
    });
    let meanwhile = campaign.submit(5);
    campaign
        .cluster
        .wait_for_run(&meanwhile.to_string(), RunStatus::Succeeded, MEANWHILE);
    trio.heal(2);
    campaign.submit(0);
    campaign.end();
}

/// No balancer: whoever loses its node tries the next one.
fn node_lost() {
    let mut trio = RabbitTrio::start("");
    let access = BrokerAccess {
        url: trio.nodes.each_ref().map(testkit::Rabbit::url).join(","),
        authorities: None,
    };
    let mut campaign = Campaign::start_over(access, Store::Folder, &[ONE, TWO]);
    for lost in 0..2 {
        work(&mut campaign);
        trio.nodes[lost].kill();
        let meanwhile = campaign.submit(0);
        campaign
            .cluster
            .wait_for_run(&meanwhile.to_string(), RunStatus::Succeeded, MEANWHILE);
        trio.nodes[lost].restart();
    }
    end_without_loss(campaign);
}
