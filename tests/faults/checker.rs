//! The checker is shown evidence of a real run that went well, then the same evidence with one thing broken on purpose at a time: it must find each.

use crate::trial::{Trial, fast};
use std::collections::BTreeSet;
use std::fs;
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};
use testkit::{Evidence, Invariant, Overdue, Sandbox, Shelf, Told, Vitals, Workload, gather, judge};
use tidemill_artifacts::StoreConfig;
use tidemill_engine::{Event, Fact};
use tidemill_protocol::api::{AuditDecision, AuditEntry};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::{AttemptId, FencingToken, RunId};
use tidemill_protocol::status::{AttemptStatus, RunStatus, StepStatus};

pub(crate) const TRIALS: &[Trial] = &[fast(
    "the_checker_accepts_a_good_run_and_finds_each_invariant_that_is_broken_on_purpose",
    finds_what_is_broken,
)];

fn finds_what_is_broken() {
    let sandbox = Sandbox::new();
    let mut workload = Workload::new(&sandbox);
    let job = workload.job(0);
    let (file, parameters) = job.arguments.split_first().expect("the file comes first");
    let parameters: Vec<&str> = parameters.iter().map(String::as_str).collect();
    let run = sandbox.run(file, &parameters);
    let state = sandbox.state_dir();
    let store = StoreConfig::local(&state.join("store")).expect("the path is absolute");
    let promise = job.promise(run.summary.id);
    let told = Told {
        promises: vec![promise],
        runs: vec![run],
        stored: Some(swept(&sandbox)),
        ..Told::default()
    };
    let mut good = gather(&sandbox, &[state], &store, told);
    // A run in one process is not watched, and nothing is refused in it.
    good.vitals = vitals();
    refuse(&mut good);
    assert_eq!(judge(&good), []);
    for (invariant, harm) in HARMS {
        let mut bad = good.clone();
        harm(&mut bad);
        let found = judge(&bad);
        let is_found = found.iter().any(|breach| breach.invariant == *invariant);
        assert!(
            is_found,
            "{invariant} was broken, and what was found is {found:?}"
        );
    }
    let mut returned = good.clone();
    replace_and_take_up_again(&mut returned, false);
    let found = judge(&returned);
    let is_blamed = found
        .iter()
        .any(|breach| breach.invariant == Invariant::NewestCommits);
    assert!(!is_blamed, "nobody had claimed the replacement: {found:?}");
}

/// What a watch sees that sees nothing wrong: one answer of a hundred came late, and a process needed most of its grace.
fn vitals() -> Vitals {
    let mut answers = vec![Duration::from_millis(2); 100];
    answers[0] = Duration::from_secs(2);
    Vitals {
        answers,
        peak_bytes: 60 << 20,
        open_files: 40,
        disk_bytes: 9 << 20,
        queued: 12,
        overdue: vec![lives_on(Duration::from_secs(14))],
        there_still: Vec::new(),
    }
}

fn lives_on(after: Duration) -> Overdue {
    Overdue {
        what: "process 1 lives on".to_owned(),
        after,
    }
}

/// Everything in the store is made old and swept; the keys of what is left.
fn swept(sandbox: &Sandbox) -> BTreeSet<String> {
    let store = sandbox.state_dir().join("store");
    let files = || {
        let mut files = Vec::new();
        let mut waiting = vec![store.clone()];
        while let Some(path) = waiting.pop() {
            if path.is_dir() {
                let entries = fs::read_dir(&path).expect("it can be listed");
                waiting.extend(entries.map(|entry| entry.expect("it has a name").path()));
            } else {
                files.push(path);
            }
        }
        files
    };
    for file in files() {
        let file = fs::File::open(&file).expect("it can be opened");
        let long_ago = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        file.set_modified(long_ago).expect("times can be set");
    }
    sandbox.ok(["artifacts", "sweep", "--older-than", "1h", "--yes"]);
    let left = files();
    let keys = left
        .iter()
        .map(|file| file.strip_prefix(&store).expect("it is below"));
    keys.map(|key| key.to_string_lossy().into_owned()).collect()
}

/// A client asked for the end of a run that there is not, and it is in the audit log.
fn refuse(evidence: &mut Evidence) {
    let unknown = RunId::from_str("00000000-0000-7000-8000-000000000000").expect("is an id");
    let mut entry = evidence.audit[0].clone();
    entry.decision = AuditDecision::Refused;
    entry.route = Some("/api/v1/runs/{run}/cancel".to_owned());
    entry.ids.insert("run".to_owned(), unknown.to_string());
    evidence.audit.push(entry);
    evidence.refusals.push(unknown);
}

/// Before the first commit its attempt is given up and replaced, the replacement perhaps claimed, and then the attempt is taken up again.
fn replace_and_take_up_again(evidence: &mut Evidence, is_claimed: bool) {
    let commit = position(evidence, |fact| matches!(fact, Fact::AttemptSucceeded { .. }));
    let Fact::AttemptSucceeded {
        attempt,
        token,
        worker,
        ..
    } = evidence.events[commit].fact.clone()
    else {
        unreachable!("it was looked for");
    };
    let replacement = AttemptId {
        attempt: attempt.attempt + 1,
        ..attempt
    };
    let newer = FencingToken(token.0 + 1);
    let dispatch = position(
        evidence,
        |fact| matches!(fact, Fact::AttemptDispatched { attempt: of, .. } if *of == attempt),
    );
    let mut dispatched = evidence.events[dispatch].fact.clone();
    if let Fact::AttemptDispatched { attempt, token, .. } = &mut dispatched {
        (*attempt, *token) = (replacement, newer);
    }
    let claimed = Fact::AttemptClaimed {
        attempt: replacement,
        token: newer,
        worker: worker.clone(),
    };
    let resumed = Fact::AttemptResumed {
        attempt,
        token,
        worker,
        withdrawn: Some(replacement.attempt),
    };
    let facts = [Some(dispatched), is_claimed.then_some(claimed), Some(resumed)];
    let template = evidence.events[commit].clone();
    let events = facts.into_iter().flatten().map(|fact| Event {
        fact,
        ..template.clone()
    });
    evidence.events.splice(commit..commit, events);
}

type Harm = fn(&mut Evidence);

const HARMS: &[(Invariant, Harm)] = &[
    (Invariant::PromisedRunsEnd, |e| e.runs.clear()),
    (Invariant::PromisedRunsEnd, |e| {
        e.promises[0].status = RunStatus::Failed;
    }),
    (Invariant::OneResult, |e| {
        let commit = position(e, |fact| matches!(fact, Fact::AttemptSucceeded { .. }));
        e.events.insert(commit, e.events[commit].clone());
    }),
    (Invariant::OneResult, |e| {
        let step = &mut first_run(e).steps_list[0];
        let attempt = step.attempts[0].clone();
        step.attempts.push(attempt);
    }),
    (Invariant::OneResult, |e| {
        let outputs = &mut first_run(e).steps_list[0].outputs;
        let output = outputs.values_mut().next().expect("it has an output");
        output.digest = Digest::of(b"another result");
    }),
    (Invariant::OneResult, |e| {
        first_run(e).steps_list[0].attempts[0].status = AttemptStatus::Failed;
    }),
    (Invariant::OneResult, |e| {
        let first = e.manifests.values_mut().next().expect("something was committed");
        first.as_mut().expect("it can be read").1 = Digest::of(b"another manifest");
    }),
    (Invariant::OneResult, |e| {
        let first = e.manifests.values_mut().next().expect("something was committed");
        first.as_mut().expect("it can be read").0.clear();
    }),
    (Invariant::OneResult, |e| {
        e.manifests.pop_first();
    }),
    (Invariant::ResultsAreWhole, |e| {
        let first = e.artifacts.values_mut().next().expect("something was committed");
        *first = Err("its bytes are gone".into());
    }),
    (Invariant::ResultsAreWhole, |e| {
        e.artifacts.pop_first();
    }),
    (Invariant::InputsAreResults, |e| {
        let answer = e.promises[0].answer.as_mut().expect("the answer is known");
        answer.2 = "0".into();
    }),
    (Invariant::InputsAreResults, |e| {
        for step in &mut first_run(e).steps_list {
            step.outputs.clear();
        }
    }),
    (Invariant::InputsAreResults, |e| {
        // The last step is made out before anything has been committed.
        let last = e
            .events
            .iter()
            .rposition(|event| matches!(event.fact, Fact::AttemptDispatched { .. }));
        let early = e.events.remove(last.expect("it happened"));
        let first = position(e, |fact| matches!(fact, Fact::AttemptDispatched { .. }));
        e.events.insert(first, early);
    }),
    (Invariant::InputsAreResults, |e| {
        // Made out for other contents than were committed.
        let keys = e.events.iter().filter_map(|event| match &event.fact {
            Fact::AttemptDispatched { key, .. } => Some(*key),
            _ => None,
        });
        let first = keys.collect::<Vec<_>>()[0];
        let last = e.events.iter_mut().rev().find_map(|event| match &mut event.fact {
            Fact::AttemptDispatched { key, .. } => Some(key),
            _ => None,
        });
        *last.expect("it happened") = first;
    }),
    (Invariant::NewestCommits, |e| {
        let commit = position(e, |fact| matches!(fact, Fact::AttemptSucceeded { .. }));
        if let Fact::AttemptSucceeded { token, .. } = &mut e.events[commit].fact {
            *token = FencingToken(token.0 + 1_000);
        }
    }),
    (Invariant::NewestCommits, |e| {
        let dispatch = position(e, |fact| matches!(fact, Fact::AttemptDispatched { .. }));
        e.events.insert(dispatch, e.events[dispatch].clone());
    }),
    (Invariant::NewestCommits, |e| replace_and_take_up_again(e, true)),
    (Invariant::AnswersAreDurable, |e| {
        e.events
            .retain(|event| !matches!(event.fact, Fact::RunSubmitted { .. }));
    }),
    (Invariant::NothingIsLeft, |e| {
        e.left.push("process 1 is left: sleep".into());
    }),
    (Invariant::NothingIsLeft, |e| {
        e.vitals.overdue.push(lives_on(Duration::from_secs(16)));
    }),
    (Invariant::NothingUnnamed, |e| {
        shelf(e).objects.retain(|key| !key.starts_with("blobs/"));
    }),
    (Invariant::NothingUnnamed, |e| {
        let stranger = format!("blobs/00/{}", Digest::of(b"a stranger").to_hex());
        shelf(e).objects.insert(stranger);
    }),
    (Invariant::NothingUnnamed, |e| {
        let unknown = format!("attempts/{}/0/1/1", e.refusals[0]);
        shelf(e).objects.insert(unknown);
    }),
    (Invariant::NothingUnnamed, |e| {
        let half = shelf(e).objects.first().map(|key| format!("{key}#1"));
        shelf(e).objects.extend(half);
    }),
    (Invariant::NothingUnnamed, |e| {
        shelf(e).objects.insert("tmp/0".to_owned());
    }),
    (Invariant::NothingUnnamed, |e| {
        shelf(e).objects.insert("uploads/blobs/00/half".to_owned());
    }),
    (Invariant::SecretsStay, |e| {
        e.spilled.push("coordinator.log".into());
    }),
    (Invariant::Bounded, |e| {
        e.vitals.answers[..2].fill(Duration::from_secs(2));
    }),
    (Invariant::Bounded, |e| {
        // One of few is too many.
        e.vitals.answers.truncate(99);
    }),
    (Invariant::Bounded, |e| e.vitals.disk_bytes = 2 << 30),
    (Invariant::Bounded, |e| e.vitals.queued = 5_000),
    (Invariant::Bounded, |e| e.vitals.peak_bytes = 2 << 30),
    (Invariant::Bounded, |e| e.vitals.open_files = 2_000),
    (Invariant::ChangesAreAudited, |e| e.audit.clear()),
    (Invariant::ChangesAreAudited, |e| {
        e.audit.retain(|entry| entry.decision != AuditDecision::Accepted);
        for entry in &mut e.audit {
            entry.decision = AuditDecision::Failed;
        }
    }),
    (Invariant::ChangesAreAudited, |e| {
        // One that was never made.
        let mut entry = submission(e).clone();
        let unknown = e.refusals[0].to_string();
        entry.ids.insert("run".to_owned(), unknown);
        e.audit.push(entry);
    }),
    (Invariant::ChangesAreAudited, |e| {
        e.audit.retain(|entry| entry.decision != AuditDecision::Refused);
    }),
    (Invariant::ChangesAreAudited, |e| {
        // The same run, accepted twice.
        let entry = submission(e).clone();
        e.audit.push(entry);
    }),
    (Invariant::ReplayAgrees, |e| {
        first_run(e).steps_list.pop();
    }),
    (Invariant::ReplayAgrees, |e| {
        let steps = &mut first_run(e).steps_list;
        steps.extend(steps.last().cloned());
    }),
    (Invariant::ReplayAgrees, |e| {
        first_run(e).steps_list.swap(0, 3);
    }),
    (Invariant::ReplayAgrees, |e| {
        first_run(e).steps_list[0].attempts.clear();
    }),
    (Invariant::ReplayAgrees, |e| {
        let attempt = &mut first_run(e).steps_list[0].attempts[0];
        attempt.worker = Some("a-stranger".parse().expect("is a name"));
    }),
    (Invariant::ReplayAgrees, |e| {
        for step in &mut first_run(e).steps_list {
            step.outputs.clear();
        }
    }),
    (Invariant::ReplayAgrees, |e| {
        e.promises.clear();
        e.runs.clear();
    }),
    (Invariant::ReplayAgrees, |e| {
        first_run(e).steps_list[0].status = StepStatus::Failed;
    }),
    (Invariant::ReplayAgrees, |e| {
        let end = position(e, |fact| matches!(fact, Fact::RunFinished { .. }));
        e.events.truncate(end);
    }),
    (Invariant::ReplayAgrees, |e| {
        // The result of one step under the name of another.
        let commits: Vec<usize> = (0..e.events.len())
            .filter(|at| matches!(e.events[*at].fact, Fact::AttemptSucceeded { .. }))
            .collect();
        let (first, last) = (e.events[commits[0]].clone(), e.events[commits[3]].clone());
        e.events[commits[0]] = last;
        e.events[commits[3]] = first;
    }),
];

fn shelf(evidence: &mut Evidence) -> &mut Shelf {
    evidence.shelf.as_mut().expect("the store was swept")
}

/// The outcome of the one submission.
fn submission(evidence: &Evidence) -> &AuditEntry {
    let mut entries = evidence.audit.iter();
    let found =
        entries.find(|entry| entry.decision == AuditDecision::Accepted && entry.ids.contains_key("run"));
    found.expect("a submission is audited")
}

fn first_run(evidence: &mut Evidence) -> &mut tidemill_protocol::api::RunView {
    evidence.runs.values_mut().next().expect("there is a run")
}

fn position(evidence: &Evidence, wanted: impl Fn(&Fact) -> bool) -> usize {
    let is_wanted = |event: &Event| wanted(&event.fact);
    evidence.events.iter().position(is_wanted).expect("it happened")
}
