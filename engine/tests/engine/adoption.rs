//! Results that a recovery finds in the store: which become their steps', and which must not.

use crate::bed::{Bed, success};
use crate::draft::Draft;
use tidemill_engine::{Attempt, Command, FoundResult, Rejection};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::{FencingToken, RunId};
use tidemill_protocol::key::StepKey;
use tidemill_protocol::status::{AttemptStatus, RunStatus, StepStatus};
use tidemill_protocol::wire::{ReportBody, StepTask};

/// What the attempt of this task would have committed.
fn found(task: &StepTask) -> FoundResult {
    let ReportBody::Succeeded(success) = success("bytes") else {
        panic!("it is a good end")
    };
    FoundResult {
        attempt: task.attempt,
        token: task.token,
        key: task.key,
        outputs: success.outputs,
        manifest: Digest::of(b"manifest"),
    }
}

fn adopt(bed: &mut Bed, found: FoundResult) -> Result<(), Rejection> {
    let answer = bed.try_command(&Command::AdoptResult(Box::new(found)));
    answer.map(|_| {
        bed.settle();
    })
}

fn statuses(bed: &Bed, run: RunId, step: &str) -> Vec<AttemptStatus> {
    bed.step(run, step)
        .attempts()
        .iter()
        .map(Attempt::status)
        .collect()
}

#[test]
fn what_an_attempt_in_flight_committed_is_its_steps_result() {
    let mut bed = Bed::new();
    let run = bed.submit(&Draft::new().with("a", &[], |_| {}));
    let task = bed.task();
    bed.claim(&task);
    let found = found(&task);
    adopt(&mut bed, found.clone()).unwrap();
    assert_eq!(bed.status(run), RunStatus::Succeeded);
    assert_eq!(statuses(&bed, run, "a"), [AttemptStatus::Succeeded]);
    assert_eq!(bed.engine, bed.replayed());
    assert!(adopt(&mut bed, found).is_err(), "a result is committed once");
}

#[test]
fn an_attempt_that_the_journal_does_not_know_is_known_by_its_result() {
    let mut bed = Bed::new();
    let run = bed.submit(&Draft::new().with("a", &[], |_| {}).with("b", &["a"], |_| {}));
    let task = bed.task();
    bed.claim(&task);
    let mut found = found(&task);
    found.attempt.attempt = 3;
    found.token = FencingToken(task.token.0 + 10);
    adopt(&mut bed, found.clone()).unwrap();
    assert_eq!(
        statuses(&bed, run, "a"),
        [AttemptStatus::Lost, AttemptStatus::Lost, AttemptStatus::Succeeded]
    );
    assert_eq!(bed.engine, bed.replayed());
    assert_eq!(bed.report(&task, success("late")), Err(Rejection::Stale));
    assert_eq!(
        bed.step_status(run, "b"),
        StepStatus::Dispatched,
        "what comes after goes on"
    );
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let mut bed = Bed::new();
    let run = bed.submit(&Draft::new().with("a", &[], |_| {}).with("b", &["a"], |_| {}));
    let task = bed.task();
    bed.claim(&task);
    let good = found(&task);
    let nobodys = bed.new_run_id();
    let before = bed.engine.clone();
    let with = |change: &dyn Fn(&mut FoundResult)| {
        let mut bent = good.clone();
        change(&mut bent);
        bent
    };
    let newer = FencingToken(task.token.0 + 1);
    let bad = [
        ("of another work", with(&|f| f.key = StepKey(Digest::of(b"x")))),
        ("under another token", with(&|f| f.token = newer)),
        ("number 0", with(&|f| f.attempt.attempt = 0)),
        (
            "of an older token",
            with(&|f| (f.attempt.attempt, f.token) = (2, FencingToken(task.token.0))),
        ),
        (
            "of an impossible number",
            with(&|f| (f.attempt.attempt, f.token) = (u32::MAX, FencingToken(u64::MAX - 1))),
        ),
        ("with no room for those before it", {
            with(&|f| (f.attempt.attempt, f.token) = (9, newer))
        }),
        ("without its output", with(&|f| f.outputs.clear())),
        (
            "of a step that waits for another",
            with(&|f| f.attempt.step = bed.index(run, "b")),
        ),
        ("of a run that nobody knows", with(&|f| f.attempt.run = nobodys)),
    ];
    for (what, bent) in bad {
        let refused = bed.try_command(&Command::AdoptResult(Box::new(bent)));
        assert!(
            matches!(refused, Err(Rejection::NotAdoptable(_))),
            "{what}: {refused:?}"
        );
        assert_eq!(bed.engine, before, "{what}");
    }
    bed.command(&Command::CancelRun {
        run,
        by: "ada".into(),
    });
    bed.settle();
    assert!(adopt(&mut bed, good).is_err(), "a person ended the run");
}
