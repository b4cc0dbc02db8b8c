//! Release: how much goes to a queue, and in which order.

use crate::bed::{Bed, heartbeat, worker};
use crate::draft::Draft;
use tidemill_engine::{Command, Effect, Fleet, FleetSettings, Reason};
use tidemill_protocol::plan::Plan;
use tidemill_protocol::time::{Millis, Timestamp};
use tidemill_protocol::wire::RunningAttempt;

const NAMES: [&str; 40] = [
    "s00", "s01", "s02", "s03", "s04", "s05", "s06", "s07", "s08", "s09", "s10", "s11", "s12", "s13", "s14",
    "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", "s28", "s29",
    "s30", "s31", "s32", "s33", "s34", "s35", "s36", "s37", "s38", "s39",
];

fn wide(steps: usize) -> Draft {
    NAMES[..steps].iter().fold(Draft::new(), |draft, name| {
        draft.with(name, &[], |step| step.cache = false)
    })
}

fn submit_as(bed: &mut Bed, person: &str, plan: Plan) -> tidemill_protocol::ids::RunId {
    let run = bed.new_run_id();
    let plan = std::sync::Arc::new(plan);
    bed.command(&Command::SubmitRun {
        run,
        plan,
        submitted_by: person.into(),
        idempotency_key: None,
    });
    bed.settle();
    run
}

#[test]
fn a_queue_holds_the_live_slots_and_a_little_more() {
    let mut bed = Bed::with_slots(10);
    bed.submit(&wide(40));
    let tasks = bed.tasks();
    assert_eq!(tasks.len(), 15, "ten slots and half as many ahead");
    bed.nothing_else();
    bed.claim(&tasks[0]);
    bed.nothing_else();
    bed.succeed(&tasks[0], "done");
    assert_eq!(bed.tasks().len(), 1, "one ended, one more goes out");
    let backlog = bed.engine.backlog(&"cpu".parse().unwrap());
    assert_eq!((backlog.queued, backlog.dispatched, backlog.running), (24, 15, 0));
}

#[test]
fn a_target_without_workers_gets_a_task_or_two_and_says_why_no_more() {
    let mut bed = Bed::with_slots(0);
    let run = bed.submit(&wide(5));
    assert_eq!(bed.tasks().len(), 2);
    let target: tidemill_protocol::name::Name = "cpu".parse().unwrap();
    let explained = bed.engine.explain(bed.step_ref(run, "s03"), &bed.fleet).unwrap();
    assert_eq!(
        explained.reasons[0],
        Reason::NoWorker {
            target: target.clone()
        }
    );
    let Reason::InBacklog {
        ahead,
        queued,
        or_more,
        ..
    } = &explained.reasons[1]
    else {
        panic!("{explained:?}")
    };
    assert_eq!((*ahead, *queued, *or_more), (1, 3, false));
    bed.nothing_else();
}

#[test]
fn a_full_target_does_not_hold_up_another() {
    let mut bed = Bed::with_slots(1);
    bed.fleet
        .hear(Millis(0), Timestamp(0), &heartbeat(&worker(2), 1, &["gpu"]));
    bed.submit(&wide(30));
    bed.tasks();
    bed.submit(&Draft::new().with("g", &[], |g| g.target = "gpu"));
    assert_eq!(bed.task().path.as_str(), "g");
}

#[test]
fn higher_priority_goes_first_whenever_it_comes() {
    let mut bed = Bed::with_slots(0);
    bed.submit(&wide(5));
    bed.tasks();
    let urgent = bed.submit(&Draft::new().with("now", &[], |now| now.priority = 1));
    bed.fleet
        .hear(Millis(0), Timestamp(0), &heartbeat(&worker(1), 1, &["cpu"]));
    bed.settle();
    assert_eq!(bed.tasks()[0].attempt.run, urgent);
}

#[test]
fn groups_share_a_target_whoever_came_first() {
    let mut bed = Bed::with_slots(0);
    let ada = submit_as(&mut bed, "ada", wide(30).plan());
    assert_eq!(bed.tasks().len(), 2);
    let grace = submit_as(&mut bed, "grace", wide(30).plan());
    bed.fleet
        .hear(Millis(0), Timestamp(0), &heartbeat(&worker(1), 12, &["cpu"]));
    bed.settle();
    let tasks = bed.tasks();
    let of = |run| tasks.iter().filter(|task| task.attempt.run == run).count();
    assert_eq!(tasks.len(), 16);
    assert_eq!(of(ada) + 2, of(grace), "both have as many in flight");
}

#[test]
fn within_a_group_the_oldest_goes_first() {
    let mut bed = Bed::with_slots(0);
    bed.submit(&wide(3));
    bed.tasks();
    bed.now = Timestamp(9_000);
    bed.submit(&wide(3));
    bed.fleet
        .hear(Millis(0), Timestamp(0), &heartbeat(&worker(1), 1, &["cpu"]));
    bed.settle();
    assert_eq!(bed.tasks()[0].path.as_str(), "s02", "the last of the older run");
    assert_eq!(
        bed.engine.backlog(&"cpu".parse().unwrap()).oldest,
        Some(Timestamp(1_000))
    );
}

#[test]
fn leases_run_out_a_full_term_after_the_last_sign_of_life() {
    let mut bed = Bed::new();
    bed.submit(&wide(1));
    let task = bed.task();
    bed.claim(&task);
    let lease = bed.fleet.settings().lease;
    assert_eq!(bed.fleet.expired(Millis(lease.0 - 1)), []);
    let mut alive = heartbeat(&worker(1), 1, &["cpu"]);
    bed.fleet.hear(Millis(lease.0 - 1), bed.now, &alive);
    assert_eq!(
        bed.fleet.expired(lease),
        [(task.attempt, task.token)],
        "a worker that does not list it does not renew it"
    );
    alive.running.push(RunningAttempt {
        attempt: task.attempt,
        token: task.token,
        phase: tidemill_protocol::wire::Phase::Running,
    });
    bed.fleet.hear(lease, bed.now, &alive);
    assert_eq!(bed.fleet.expired(Millis(lease.0 * 2 - 1)), []);
    assert_eq!(
        bed.fleet.expired(Millis(lease.0 * 2)),
        [(task.attempt, task.token)]
    );
    assert!(bed.fleet.worker(&worker(1)).unwrap().is_silent());
}

#[test]
fn no_lease_runs_out_while_the_coordinator_itself_is_deaf() {
    let mut bed = Bed::new();
    bed.submit(&wide(1));
    let task = bed.task();
    bed.claim(&task);
    let lease = bed.fleet.settings().lease;
    bed.fleet.pause();
    assert_eq!(bed.fleet.expired(Millis(lease.0 * 9)), []);
    bed.fleet.resume(Millis(lease.0 * 9));
    assert_eq!(
        bed.fleet.expired(Millis(lease.0 * 10 - 1)),
        [],
        "and then each has a full term"
    );
    assert_eq!(bed.fleet.expired(Millis(lease.0 * 10)).len(), 1);
}

#[test]
fn a_restarted_coordinator_grants_every_running_attempt_a_full_lease() {
    let mut bed = Bed::new();
    bed.submit(&wide(2));
    let tasks = bed.tasks();
    bed.claim(&tasks[0]);
    let settings = FleetSettings::default();
    let mut fleet = Fleet::new(settings, Millis(5), &bed.replayed());
    assert_eq!(fleet.expired(Millis(settings.lease.0 + 4)), []);
    let over = fleet.expired(Millis(settings.lease.0 + 5));
    assert_eq!(
        over,
        [(tasks[0].attempt, tasks[0].token)],
        "what nobody claimed has no lease"
    );
}

#[test]
fn draining_and_silent_workers_do_not_count() {
    let mut bed = Bed::with_slots(4);
    let target = "cpu".parse().unwrap();
    assert_eq!(bed.fleet.capacity(&target).slots, 4);
    let mut drains = heartbeat(&worker(1), 4, &["cpu"]);
    drains.offer.draining = true;
    bed.fleet.hear(Millis(0), bed.now, &drains);
    assert_eq!(
        (
            bed.fleet.capacity(&target).workers,
            bed.fleet.capacity(&target).slots
        ),
        (1, 0)
    );
    bed.fleet
        .hear(Millis(0), bed.now, &heartbeat(&worker(2), 3, &["cpu", "gpu"]));
    assert_eq!(bed.fleet.capacity(&target).slots, 3);
    let lease = bed.fleet.settings().lease;
    bed.fleet.expired(lease);
    assert_eq!(bed.fleet.capacity(&target).workers, 0);
    bed.fleet
        .hear(lease, bed.now, &heartbeat(&worker(2), 3, &["cpu"]));
    assert_eq!(bed.fleet.capacity(&target).slots, 3, "it is back");
    bed.fleet.forget(&worker(2));
    assert_eq!(bed.fleet.capacity(&target).slots, 0);
}

#[test]
fn short_steps_widen_the_window() {
    let mut bed = Bed::with_slots(2);
    let target = "cpu".parse().unwrap();
    let narrow = bed.fleet.window(&target);
    for _ in 0..3 {
        bed.submit(&wide(40));
        bed.run_out();
    }
    assert_eq!(bed.fleet.ended_last_minute(Millis(0), &target), 120);
    assert_eq!((narrow, bed.fleet.window(&target)), (6, 2 + 120 / 4));
}

#[test]
fn what_is_outstanding_after_a_restart_is_what_was_not_done() {
    let mut bed = Bed::new();
    let run = bed.submit(
        &Draft::new()
            .step("a", &[])
            .step("b", &[])
            .with("c", &[], |c| c.retries = 1)
            .step("d", &[]),
    );
    let tasks = bed.tasks();
    bed.claim(&tasks[0]);
    bed.fail(&tasks[2]);
    bed.succeed(&tasks[3], "d");
    let alarm = bed.effects();
    assert_eq!(alarm.len(), 1);
    let restarted = bed.replayed();
    let outstanding = restarted.outstanding();
    assert_eq!(
        outstanding,
        [Effect::PublishTask(tasks[1].clone()), alarm[0].clone()],
        "the same attempt and token"
    );
    bed.command(&Command::CancelRun {
        run,
        by: "ada".into(),
    });
    bed.settle();
    assert_eq!(bed.engine.outstanding(), bed.effects(), "the stop alone");
}

#[test]
fn a_worker_that_lists_what_is_not_its_own_is_told_to_stop_it() {
    let mut bed = Bed::new();
    bed.submit(&wide(2));
    let tasks = bed.tasks();
    bed.claim(&tasks[0]);
    let listed = |worker_number, task: &tidemill_protocol::wire::StepTask| {
        let mut alive = heartbeat(&worker(worker_number), 1, &["cpu"]);
        alive.running.push(RunningAttempt {
            attempt: task.attempt,
            token: task.token,
            phase: tidemill_protocol::wire::Phase::Running,
        });
        alive
    };
    assert_eq!(bed.engine.review(&listed(1, &tasks[0])), []);
    assert_eq!(
        bed.engine.review(&listed(2, &tasks[1])),
        [],
        "its claim may be under way"
    );
    assert!(matches!(
        bed.engine.review(&listed(2, &tasks[0])).as_slice(),
        [Effect::StopAttempt { .. }]
    ));
    bed.succeed(&tasks[0], "done");
    assert!(matches!(
        bed.engine.review(&listed(1, &tasks[0])).as_slice(),
        [Effect::StopAttempt { .. }]
    ));
}
