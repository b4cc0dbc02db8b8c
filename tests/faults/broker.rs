//! Rows 16 to 31: what may happen to RabbitMQ. Each trial has a node of its own.

use crate::campaign::{Campaign, cpu, pass};
use crate::trial::{Trial, fast, slow};
use std::time::{Duration, Instant};
use testkit::{BEGIN_DEADLINE, BrokerAccess, END_DEADLINE, Gate, Rabbit, Steps, Store, eventually, is_alive};
use tidemill_protocol::status::{RunStatus, StepStatus};

pub(crate) const TRIALS: &[Trial] = &[
    fast(
        "a_killed_broker_comes_back_and_every_running_step_keeps_its_attempt",
        killed,
    ),
    fast("a_broker_that_lost_everything_is_given_everything_again", wiped),
    slow("a_queue_that_serves_nobody_any_more_is_replaced", mute_queue),
    slow(
        "a_broker_that_closes_every_connection_costs_no_attempt",
        disconnected,
    ),
    slow(
        "a_broker_out_of_memory_takes_messages_later_and_costs_no_attempt",
        || {
            alarmed(
                &["set_vm_memory_high_watermark", "0.0000001"],
                &["set_vm_memory_high_watermark", "0.4"],
            );
        },
    ),
    slow(
        "a_broker_out_of_disk_takes_messages_later_and_costs_no_attempt",
        || {
            alarmed(
                &["set_disk_free_limit", "100000GB"],
                &["set_disk_free_limit", "50MB"],
            );
        },
    ),
    slow(
        "a_step_that_broker_and_coordinator_never_saw_running_has_one_attempt_and_its_result",
        alone,
    ),
    slow("a_deleted_queue_is_declared_and_filled_again", queue_deleted),
    slow("revoked_credentials_stop_dispatch_and_no_step", revoked),
    slow(
        "a_step_of_five_minutes_is_not_noticed_by_a_broker_that_waits_one_for_acknowledgements",
        long_step,
    ),
];

/// From the broker's first answer after a restart until coordinator and workers have made everything anew.
pub(crate) const REJOIN_MAX: Duration = Duration::from_secs(15);
/// How long they are waited for.
const REJOIN_DEADLINE: Duration = Duration::from_mins(1);
/// How long until an alarm, or a password that is no good any more, has been noticed.
const NOTICE_DEADLINE: Duration = Duration::from_mins(2);
/// How long what must not happen is given to happen.
const HELD: Duration = Duration::from_secs(5);

/// How long until a claimed task has certainly been acknowledged.
const SETTLED: Duration = Duration::from_secs(10);
/// How often what workers hold is looked at after each cut.
const LOOKS: usize = 5;
/// The slots of both workers, whose claims may be on their way, and what they let come beside: while steps are long, as much as they have slots free.
const HELD_MAX: u64 = 8;
/// What a broker writes that waited too long for an acknowledgement, and whoever hears of it.
const TIMED_OUT: [&str; 3] = [
    "precondition_failed",
    "delivery acknowledgement",
    "consumer_timeout",
];

/// What a daemon writes whom the broker does not let in.
const REFUSED: &str = "ACCESS_REFUSED";

/// How long a worker has neither broker nor coordinator after its step has ended.
const ALONE: Duration = Duration::from_secs(10);

const TWO: [testkit::WorkerPlan; 2] = [cpu("one", 2), cpu("two", 2)];

fn on(rabbit: &Rabbit) -> Campaign {
    let broker = BrokerAccess {
        url: rabbit.url(),
        authorities: None,
    };
    Campaign::start_over(broker, Store::Folder, &TWO)
}

/// Four runs whose steps take a while, one of which certainly runs.
fn busy(rabbit: &Rabbit) -> Campaign {
    let mut campaign = on(rabbit);
    for _ in 0..4 {
        campaign.submit(20);
    }
    campaign.wait_for_starts(1);
    campaign
}

/// Nothing of what ran may have been given up.
fn end_without_loss(campaign: Campaign) {
    let tally = campaign.end();
    assert_eq!(tally.given_up(), 0, "{tally}");
}

fn killed() {
    let mut rabbit = Rabbit::start("");
    let access = BrokerAccess {
        url: rabbit.url(),
        authorities: None,
    };
    let mut campaign = Campaign::start_spilling(access, &[rabbit.folder()], &TWO);
    settle(&mut campaign);
    for _ in 0..4 {
        campaign.submit(20);
    }
    campaign.wait_for_starts(campaign.workload.starts() + 1);
    rabbit.kill();
    rabbit.restart();
    let since = Instant::now();
    wait_until_all_are_back(&rabbit, campaign.cluster.prefix());
    let took = since.elapsed();
    assert!(took <= REJOIN_MAX, "all were back at the broker after {took:?}");
    campaign.submit(0);
    end_without_loss(campaign);
}

/// Lets a first run end. A queue whose node is killed within seconds of the queue's making may come back and serve nobody, for which there is another trial.
pub(crate) fn settle(campaign: &mut Campaign) {
    campaign.submit(10);
    campaign.wait_for_all();
}

/// Waits until the coordinator listens for reports again and the workers `one` and `two` for instructions.
pub(crate) fn wait_until_all_are_back(rabbit: &Rabbit, prefix: &str) {
    let queues = ["reports", "control.one", "control.two"].map(|queue| format!("{prefix}.{queue}"));
    eventually(REJOIN_DEADLINE, "all are back at the broker", || {
        let is_heard = |queue: &String| rabbit.consumers(queue).is_some_and(|count| count > 0);
        queues.iter().all(is_heard).then_some(())
    });
}

fn wiped() {
    let rabbit = Rabbit::start("");
    let mut campaign = busy(&rabbit);
    rabbit.ctl(["stop_app"]);
    rabbit.ctl(["reset"]);
    rabbit.ctl(["start_app"]);
    campaign.submit(0);
    end_without_loss(campaign);
}

fn disconnected() {
    let rabbit = Rabbit::start("");
    let mut campaign = busy(&rabbit);
    let queue = tasks_of(&campaign);
    for _ in 0..3 {
        rabbit.ctl(["close_all_connections", "by a test"]);
        campaign.submit(5);
        wait_until_all_are_back(&rabbit, campaign.cluster.prefix());
        // More wait than there are slots: whoever held what they cannot begin would hold it now.
        for _ in 0..LOOKS {
            let held = rabbit.unacknowledged(&queue).expect("the queue is there");
            assert!(
                held <= HELD_MAX,
                "{held} tasks are held by workers with four slots"
            );
        }
    }
    end_without_loss(campaign);
}

fn tasks_of(campaign: &Campaign) -> String {
    format!("{}.tasks.cpu-cluster", campaign.cluster.prefix())
}

fn alarmed(alarm: &[&str], all_clear: &[&str]) {
    let rabbit = Rabbit::start("");
    let mut campaign = busy(&rabbit);
    rabbit.ctl(alarm);
    // The API needs no broker: what it accepts now is run later.
    let late = campaign.submit(0);
    let is_blocked = || {
        rabbit
            .ctl(["list_connections", "state"])
            .lines()
            .any(|state| state == "blocked")
    };
    eventually(NOTICE_DEADLINE, "the broker blocks who publishes", || {
        is_blocked().then_some(())
    });
    eventually(NOTICE_DEADLINE, "people are told", || {
        let explained = campaign.cluster.cli(["explain", &format!("{late}/first")]).stdout;
        explained.contains("the broker takes no messages").then_some(())
    });
    pass(HELD);
    assert_eq!(campaign.claims(late), 0, "no worker can be told of it");
    assert!(is_blocked(), "all of this was in the alarm");
    rabbit.ctl(all_clear);
    end_without_loss(campaign);
}

fn queue_deleted() {
    let rabbit = Rabbit::start("");
    let mut campaign = busy(&rabbit);
    rabbit.ctl(["delete_queue", &tasks_of(&campaign)]);
    campaign.submit(0);
    let tally = campaign.end();
    assert_eq!(tally.runs, 5);
}

/// What a quorum queue is like that lost its leader: listed, and silent.
fn mute_queue() {
    let rabbit = Rabbit::start("");
    let mut campaign = busy(&rabbit);
    let process = format!("%2F_{}.tasks.cpu-cluster", campaign.cluster.prefix());
    rabbit.ctl(["eval", &format!("sys:suspend('{process}').")]);
    campaign.submit(0);
    end_without_loss(campaign);
}

fn revoked() {
    let rabbit = Rabbit::start("");
    let mut campaign = busy(&rabbit);
    rabbit.ctl(["change_password", "guest", "another"]);
    rabbit.ctl(["close_all_connections", "by a test"]);
    for worker in TWO {
        eventually(NOTICE_DEADLINE, "the broker refuses the worker", || {
            let log = campaign.cluster.worker(worker.name).log();
            log.contains(REFUSED).then_some(())
        });
    }
    let late = campaign.submit(0);
    pass(HELD);
    assert_eq!(campaign.claims(late), 0, "no worker can be told of it");
    rabbit.ctl(["change_password", "guest", "guest"]);
    end_without_loss(campaign);
}

/// Broker and coordinator go as soon as the step has begun, and come back when its process is long gone.
fn alone() {
    let mut rabbit = Rabbit::start("");
    let mut campaign = on(&rabbit);
    let gate = Gate::new(&campaign.cluster.sandbox, "gate");
    let id = campaign.cluster.submit("gate.yml", &["-p", &gate.parameter()]);
    let step = gate.wait_for_arrivals(1, BEGIN_DEADLINE)[0];
    campaign.cluster.kill_coordinator();
    rabbit.kill();
    gate.open();
    eventually(BEGIN_DEADLINE, "the step has ended", || {
        (!is_alive(step)).then_some(())
    });
    pass(ALONE);
    rabbit.restart();
    campaign.cluster.start_coordinator();
    let run = campaign
        .cluster
        .wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    assert_eq!(run.step("hold").attempts.len(), 1, "{run:#?}");
    assert_eq!(gate.arrivals(), [step], "nothing was done twice");
    campaign.submit(0);
    end_without_loss(campaign);
}

fn long_step() {
    let rabbit = Rabbit::start("consumer_timeout = 60000\n");
    let campaign = on(&rabbit);
    let gate = Gate::new(&campaign.cluster.sandbox, "gate");
    let id = campaign.cluster.submit("gate.yml", &["-p", &gate.parameter()]);
    let step = gate.wait_for_arrivals(1, BEGIN_DEADLINE)[0];
    let begun = Instant::now();
    eventually(BEGIN_DEADLINE, "the claim is known", || {
        let run = campaign.cluster.run(&id);
        (run.step("hold").status == StepStatus::Running).then_some(())
    });
    let queue = tasks_of(&campaign);
    eventually(SETTLED, "nobody holds a message any more", || {
        (rabbit.unacknowledged(&queue) == Some(0)).then_some(())
    });
    eventually(Duration::from_mins(7), "five minutes pass", || {
        assert!(is_alive(step), "the step runs");
        (begun.elapsed() > Duration::from_mins(5)).then_some(())
    });
    assert_eq!(rabbit.unacknowledged(&queue), Some(0), "nor later");
    gate.open();
    let run = campaign
        .cluster
        .wait_for_run(&id, RunStatus::Succeeded, Duration::from_mins(1));
    assert_eq!(run.step("hold").status, StepStatus::Succeeded);
    assert_eq!(run.step("hold").attempts.len(), 1);
    let workers = TWO.map(|worker| (worker.name, campaign.cluster.worker(worker.name).log()));
    let logs = [
        ("the coordinator", campaign.cluster.coordinator_log()),
        ("the broker", rabbit.log()),
    ];
    for (who, log) in logs.into_iter().chain(workers) {
        let log = log.to_lowercase();
        for sign in TIMED_OUT {
            assert!(!log.contains(sign), "{who} speaks of {sign:?}");
        }
    }
    campaign.end();
}
