//! Projects: how they share a compute target, and what their quotas hold back.

use crate::bed::{Bed, heartbeat, worker};
use crate::draft::Draft;
use tidemill_engine::{Command, Fact, Reason, Rejection};
use tidemill_protocol::ids::RunId;
use tidemill_protocol::name::Name;
use tidemill_protocol::project::Quota;
use tidemill_protocol::time::{Millis, Timestamp};

const NAMES: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

/// Ten steps that depend on nothing, in a project.
fn wide(project: &'static str) -> Draft {
    let mut draft = Draft::new();
    draft.project = project;
    NAMES.iter().fold(draft, |draft, name| {
        draft.with(name, &[], |step| step.cache = false)
    })
}

fn name(text: &str) -> Name {
    text.parse().expect("is a name")
}

fn set(bed: &mut Bed, project: &str, quota: Quota) -> Vec<Fact> {
    let project = name(project);
    let facts = bed.command(&Command::SetQuota { project, quota });
    bed.settle();
    facts
}

fn running(limit: u32) -> Quota {
    Quota {
        running_steps: Some(limit),
        ..Quota::default()
    }
}

fn first_reason(bed: &Bed, run: RunId, step: &str) -> Reason {
    let explained = bed
        .engine
        .explain(bed.step_ref(run, step), &bed.fleet)
        .expect("the step is there");
    explained.reasons[0].clone()
}

#[test]
fn no_more_steps_of_a_project_are_in_flight_than_its_quota_allows() {
    let mut bed = Bed::new();
    set(&mut bed, "vision", running(3));
    let run = bed.submit(&wide("vision"));
    let tasks = bed.tasks();
    assert_eq!(tasks.len(), 3, "there is room for a hundred");
    bed.nothing_else();
    let full = Reason::QuotaFull {
        project: name("vision"),
        target: None,
        limit: 3,
    };
    assert_eq!(first_reason(&bed, run, "j"), full);
    bed.claim(&tasks[0]);
    bed.nothing_else();
    bed.succeed(&tasks[0], "done");
    assert_eq!(bed.tasks().len(), 1, "one ended, one more goes out");
    let usage = bed.engine.usage(&name("vision"));
    assert_eq!((usage.running_steps, usage.targets[&name("cpu")]), (3, 3));
}

#[test]
fn a_project_that_is_held_back_holds_nobody_else_up() {
    let mut bed = Bed::with_slots(4);
    set(&mut bed, "vision", running(1));
    let held = bed.submit(&wide("vision"));
    let free = bed.submit(&wide("speech"));
    let tasks = bed.tasks();
    let of = |run| tasks.iter().filter(|task| task.attempt.run == run).count();
    assert_eq!((of(held), of(free)), (1, 7), "four slots and as many ahead");
}

#[test]
fn a_quota_may_bound_one_compute_target_alone() {
    let mut bed = Bed::new();
    bed.fleet
        .hear(Millis(0), Timestamp(0), &heartbeat(&worker(2), 9, &["gpu"]));
    let quota = Quota {
        targets: [(name("gpu"), 1)].into(),
        ..Quota::default()
    };
    set(&mut bed, "vision", quota);
    let draft = wide("vision")
        .edit("a", |a| a.target = "gpu")
        .edit("b", |b| b.target = "gpu");
    let run = bed.submit(&draft);
    assert_eq!(bed.tasks().len(), 9, "eight on cpu, one on gpu");
    let full = Reason::QuotaFull {
        project: name("vision"),
        target: Some(name("gpu")),
        limit: 1,
    };
    assert_eq!(first_reason(&bed, run, "b"), full);
}

#[test]
fn a_quota_acts_at_once_when_it_is_raised_and_ends_nothing_when_it_is_lowered() {
    let mut bed = Bed::new();
    set(&mut bed, "vision", running(0));
    bed.submit(&wide("vision"));
    assert!(bed.tasks().is_empty(), "nothing may run");
    set(&mut bed, "vision", running(4));
    let tasks = bed.tasks();
    assert_eq!(tasks.len(), 4);
    set(&mut bed, "vision", running(2));
    bed.nothing_else();
    for task in &tasks[..2] {
        bed.succeed(task, "done");
        bed.nothing_else();
    }
    bed.succeed(&tasks[2], "done");
    assert_eq!(bed.tasks().len(), 1, "below the new bound");
    assert_eq!(set(&mut bed, "vision", Quota::default()).len(), 1);
    assert_eq!(bed.tasks().len(), 5, "without a quota all the rest");
}

#[test]
fn the_same_quota_again_and_none_where_there_is_none_change_nothing() {
    let mut bed = Bed::new();
    assert_eq!(set(&mut bed, "vision", Quota::default()), []);
    assert_eq!(set(&mut bed, "vision", running(1)).len(), 1);
    assert_eq!(set(&mut bed, "vision", running(1)), []);
    let project = name("vision");
    let targets = (0..101).map(|number| (name(&format!("t{number}")), 1));
    let quota = Quota {
        targets: targets.collect(),
        ..Quota::default()
    };
    let refused = bed.try_command(&Command::SetQuota { project, quota });
    assert_eq!(refused, Err(Rejection::QuotaTooLong(100)));
}

#[test]
fn submissions_beyond_the_queued_runs_of_a_project_are_refused_until_one_begins() {
    let mut bed = Bed::with_slots(0);
    let quota = Quota {
        queued_runs: Some(1),
        running_steps: Some(0),
        ..Quota::default()
    };
    set(&mut bed, "vision", quota);
    let first = bed.submit(&wide("vision"));
    let (_, second) = bed.submission(wide("vision").plan());
    let full = Rejection::QueueFull {
        project: name("vision"),
        limit: 1,
    };
    assert_eq!(bed.try_command(&second), Err(full.clone()));
    bed.submit(&wide("speech"));
    assert_eq!(bed.engine.usage(&name("vision")).queued_runs, 1);
    let cancel = Command::CancelRun {
        run: first,
        by: "ada".into(),
    };
    bed.command(&cancel);
    bed.settle();
    assert_eq!(bed.engine.usage(&name("vision")).queued_runs, 0);
    bed.command(&second);
    bed.settle();
    let (_, third) = bed.submission(wide("vision").plan());
    assert_eq!(bed.try_command(&third), Err(full));
    bed.command(&Command::RetryRun {
        run: first,
        by: "ada".into(),
    });
    bed.settle();
    assert_eq!(
        bed.engine.usage(&name("vision")).queued_runs,
        2,
        "a retry is not refused, and counts"
    );
}

#[test]
fn projects_share_a_target_whatever_their_priorities_and_however_many_people() {
    let mut bed = Bed::with_slots(0);
    let loud = NAMES.iter().fold(wide("vision"), |draft, name| {
        draft.edit(name, |step| step.priority = 50)
    });
    let vision = [bed.submit(&loud), bed.submit(&loud)];
    let speech = bed.submit(&wide("speech"));
    bed.fleet
        .hear(Millis(0), Timestamp(0), &heartbeat(&worker(1), 8, &["cpu"]));
    bed.settle();
    let tasks = bed.tasks();
    let of = |run: RunId| tasks.iter().filter(|task| task.attempt.run == run).count();
    assert_eq!(tasks.len(), 12);
    assert_eq!((of(vision[0]) + of(vision[1]), of(speech)), (6, 6));
}

#[test]
fn work_that_another_project_does_now_is_not_done_twice_and_counts_for_it_alone() {
    let mut bed = Bed::new();
    set(&mut bed, "speech", running(1));
    let shared = |project| {
        let mut draft = Draft::new().step("a", &[]);
        draft.project = project;
        draft
    };
    let first = bed.submit(&shared("vision"));
    let second = bed.submit(&shared("speech"));
    let task = bed.task();
    assert_eq!(task.attempt.run, first);
    assert_eq!(bed.engine.usage(&name("speech")).running_steps, 0);
    bed.succeed(&task, "a");
    assert_eq!(bed.status(second).as_str(), "succeeded");
    bed.nothing_else();
}
