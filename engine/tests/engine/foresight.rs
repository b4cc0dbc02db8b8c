//! What a plan would do, and why a step stands as it does.

use crate::bed::{Bed, artifact, worker};
use crate::draft::Draft;
use std::sync::Arc;
use tidemill_engine::{Decision, Prediction, Reason, predict};
use tidemill_protocol::ids::StepIndex;
use tidemill_protocol::plan::When;
use tidemill_protocol::status::StepStatus;

fn three() -> Draft {
    Draft::new().step("a", &[]).step("b", &["a"]).step("other", &[])
}

fn predicted(bed: &Bed, draft: &Draft) -> Vec<Prediction> {
    predict(&bed.engine, &Arc::new(draft.plan()))
}

fn decisions(predictions: &[Prediction]) -> Vec<Decision> {
    predictions.iter().map(|prediction| prediction.decision).collect()
}

#[test]
fn an_unknown_pipeline_would_run_and_what_depends_on_it_is_undecided() {
    let bed = Bed::new();
    let predictions = predicted(&bed, &three());
    assert_eq!(
        decisions(&predictions),
        [Decision::Run, Decision::Undecided, Decision::Run]
    );
    assert_eq!(predictions[1].waits_for, [StepIndex(0)]);
    assert!(
        predictions
            .iter()
            .all(|prediction| prediction.earlier.is_none() && prediction.changes.is_empty())
    );
}

#[test]
fn a_prediction_is_what_a_submission_then_does() {
    let mut bed = Bed::new();
    bed.submit(&three());
    bed.run_out();
    let before = bed.engine.clone();
    assert_eq!(decisions(&predicted(&bed, &three())), [Decision::Reuse; 3]);
    assert!(bed.engine == before, "nothing was submitted");
    bed.submit(&three());
    bed.nothing_else();
}

#[test]
fn a_changed_step_says_which_part_of_its_key_changed() {
    let mut bed = Bed::new();
    let run = bed.submit(&three());
    bed.run_out();
    let predictions = predicted(
        &bed,
        &three()
            .edit("a", |a| a.literal = "2")
            .edit("other", |o| o.work = "new"),
    );
    assert_eq!(
        decisions(&predictions),
        [Decision::Run, Decision::Undecided, Decision::Run]
    );
    let parts = |prediction: &Prediction| {
        prediction
            .changes
            .iter()
            .map(|c| c.part.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(parts(&predictions[0]), ["input literal"]);
    assert_eq!(
        parts(&predictions[1]),
        Vec::<String>::new(),
        "what comes out of a is not known yet"
    );
    assert_eq!(parts(&predictions[2]), ["command"]);
    assert_eq!(predictions[0].earlier, Some(bed.step_ref(run, "a")));
}

#[test]
fn keys_of_two_runs_can_be_compared_part_by_part() {
    let mut bed = Bed::new();
    let first = bed.submit(&three());
    for task in bed.tasks() {
        bed.succeed(&task, "old");
    }
    let second = bed.submit(&three().edit("a", |a| a.literal = "2"));
    for task in bed.tasks() {
        bed.succeed(&task, "new");
    }
    let (before, now) = (bed.step_ref(first, "b"), bed.step_ref(second, "b"));
    let changes = bed.engine.compare(before, now).unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].part, "input x0");
    let content = |part: &Option<tidemill_engine::PartValue>| part.and_then(|part| part.artifact);
    assert_eq!(content(&changes[0].before), Some(artifact("old")));
    assert_eq!(content(&changes[0].now), Some(artifact("new")));
    assert_eq!(bed.engine.earlier(now), Some(before));
    assert_eq!(bed.engine.earlier(before), None);
}

#[test]
fn switched_off_reuse_and_conditions_are_foreseen() {
    let mut bed = Bed::new();
    let draft = three().with("mourn", &["b"], |mourn| mourn.when = When::OnFailure);
    bed.submit(&draft);
    bed.run_out();
    let mut forced = draft.clone();
    forced.force_rerun = true;
    let predictions = predicted(&bed, &forced);
    assert_eq!(
        decisions(&predictions),
        [Decision::Run, Decision::Run, Decision::Run, Decision::Undecided]
    );
    assert!(predictions.iter().all(|prediction| prediction.reuse_off));
    let predictions = predicted(&bed, &draft.edit("other", |other| other.cache = false));
    assert_eq!(predictions[2].decision, Decision::Run);
    assert!(predictions[2].reuse_off && predictions[2].changes.is_empty());
}

#[test]
fn work_that_is_under_way_is_foreseen() {
    let mut bed = Bed::new();
    let run = bed.submit(&three());
    let predictions = predicted(&bed, &three());
    assert_eq!(predictions[0].under_way, Some(bed.step_ref(run, "a")));
}

#[test]
fn every_state_of_a_step_is_explained() {
    let mut bed = Bed::new();
    let run = bed.submit(&three().edit("other", |other| other.retries = 1));
    let follower = bed.submit(&Draft::new().step("a", &[]));
    let tasks = bed.tasks();
    let reasons = |bed: &Bed, run, step| {
        bed.engine
            .explain(bed.step_ref(run, step), &bed.fleet)
            .unwrap()
            .reasons
    };
    assert!(matches!(
        reasons(&bed, run, "a").as_slice(),
        [Reason::InQueue { attempt: 1, .. }]
    ));
    assert_eq!(
        reasons(&bed, run, "b"),
        [Reason::WaitsFor {
            steps: vec![StepIndex(0)],
            more: 0
        }]
    );
    let leader = bed.step_ref(run, "a");
    assert_eq!(
        reasons(&bed, follower, "a"),
        [Reason::EqualWorkUnderWay { leader }]
    );
    bed.claim(&tasks[0]);
    let made = reasons(&bed, run, "a");
    assert!(
        matches!(made.as_slice(), [Reason::MadeBy { worker: by, silent: false, .. }] if *by == worker(1))
    );
    bed.fail(&tasks[1]);
    assert!(matches!(
        reasons(&bed, run, "other").as_slice(),
        [Reason::PausesUntil { failure: Some(_), .. }]
    ));
    bed.fail(&tasks[0]);
    assert!(matches!(
        reasons(&bed, run, "a").as_slice(),
        [Reason::FailedWith { attempts: 1, .. }]
    ));
    let cause = StepIndex(0);
    assert_eq!(
        reasons(&bed, run, "b"),
        [Reason::SkippedBecauseOf {
            cause,
            by_condition: false
        }]
    );
    let again = bed.effects();
    assert_eq!(
        again.len(),
        2,
        "the alarm of one and the task of the follower that took over"
    );
    assert_eq!(bed.step_status(follower, "a"), StepStatus::Dispatched);
}
