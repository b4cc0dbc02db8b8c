//! The invariants as questions about evidence. No process, file or clock is touched here.

use super::{agree, conduct, kept, order};
use crate::Vitals;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use tidemill_engine::{Event, Fact};
use tidemill_protocol::api::{AuditEntry, RunView};
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::{AttemptId, FencingToken, RunId, StepRef};
use tidemill_protocol::name::PortName;
use tidemill_protocol::status::RunStatus;

/// What must hold whatever happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// A run whose submission was answered exists and ends as it should.
    PromisedRunsEnd,
    /// A step has at most one committed result, and everybody names the same one.
    OneResult,
    /// What was committed can be read, and is what was committed.
    ResultsAreWhole,
    /// A step begins after the steps before it, and reads exactly what they committed.
    InputsAreResults,
    /// Attempts and tokens only grow, and only the newest attempt commits.
    NewestCommits,
    /// What was answered is in the journal.
    AnswersAreDurable,
    /// No process of an attempt lives on after its end, or after its worker was told to stop it, for longer than it may; no process waits for ever to be buried.
    NothingIsLeft,
    /// After a sweep the store holds what is named, all of it and nothing else.
    NothingUnnamed,
    /// The journal, replayed, is what the API shows: every run, step, attempt and result.
    ReplayAgrees,
    /// A secret that a step was given sticks nowhere.
    SecretsStay,
    /// Memory, open files and disk of the daemons and their supervisors have a bound, so have the queues, and the coordinator says soon that it lives, whatever is done to it.
    Bounded,
    /// Every change that a client asked for is in the audit log, and came to what the client saw; nothing is there that was not done.
    ChangesAreAudited,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PromisedRunsEnd => "I1",
            Self::OneResult => "I2",
            Self::ResultsAreWhole => "I3",
            Self::InputsAreResults => "I4",
            Self::NewestCommits => "I5",
            Self::AnswersAreDurable => "I6",
            Self::NothingIsLeft => "I7",
            Self::NothingUnnamed => "I8",
            Self::ReplayAgrees => "I9",
            Self::SecretsStay => "I10",
            Self::Bounded => "I11",
            Self::ChangesAreAudited => "I12",
        })
    }
}

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Which.
    pub invariant: Invariant,
    /// Where, and how.
    pub what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

/// A run whose submission was answered, and how it should end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// The run.
    pub run: RunId,
    /// How it should end.
    pub status: RunStatus,
    /// What its last step should have written, and where: step and output. None when nothing is known of it.
    pub answer: Option<(String, PortName, String)>,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// What clients were answered.
    pub promises: Vec<Promise>,
    /// What the API shows.
    pub runs: BTreeMap<RunId, RunView>,
    /// What the journal holds, in order.
    pub events: Vec<Event>,
    /// For each committed artifact, its bytes when it is small, or why it cannot be read.
    pub artifacts: BTreeMap<Digest, Result<Vec<u8>, String>>,
    /// What manifests in the store name, and their digests, or why they cannot be read: of each attempt that committed one.
    pub manifests: BTreeMap<(AttemptId, FencingToken), ManifestRead>,
    /// Processes that are left, in words.
    pub left: Vec<String>,
    /// The audit logs of all coordinators that there were, each in order.
    pub audit: Vec<AuditEntry>,
    /// Runs whose end a client asked for in vain: there are none of these names.
    pub refusals: Vec<RunId>,
    /// What was seen of the daemons meanwhile.
    pub vitals: Vitals,
    /// What is left in the store after a sweep; none when nobody swept.
    pub shelf: Option<Shelf>,
    /// Places where a secret was found that a step had been given.
    pub spilled: Vec<String>,
}

/// What a manifest names, and its own digest; or why it cannot be read.
pub type ManifestRead = Result<(BTreeMap<PortName, ArtifactRef>, Digest), String>;

/// A store after everything in it was old and it was swept.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    /// The keys of everything there, uploads that were begun and not ended too.
    pub objects: BTreeSet<String>,
    /// The files of every folder there.
    pub trees: BTreeMap<Digest, Vec<Digest>>,
    /// Everything of the form of a digest that the ledgers ever held: it may be there.
    pub mentioned: BTreeSet<Digest>,
}

/// Everything that does not hold, worst first.
pub fn judge(evidence: &Evidence) -> Vec<Breach> {
    let mut found = Found::default();
    promises(evidence, &mut found);
    commits(evidence, &mut found);
    results(evidence, &mut found);
    for what in agree::parted(evidence) {
        found.add(Invariant::ReplayAgrees, what);
    }
    for what in agree::named_differently(evidence) {
        found.add(Invariant::OneResult, what);
    }
    for what in order::too_early(evidence) {
        found.add(Invariant::InputsAreResults, what);
    }
    for what in conduct::unbounded(&evidence.vitals) {
        found.add(Invariant::Bounded, what);
    }
    for what in conduct::unaudited(evidence) {
        found.add(Invariant::ChangesAreAudited, what);
    }
    for what in evidence
        .shelf
        .iter()
        .flat_map(|shelf| kept::misplaced(evidence, shelf))
    {
        found.add(Invariant::NothingUnnamed, what);
    }
    for place in &evidence.spilled {
        found.add(Invariant::SecretsStay, format!("the secret stands in {place}"));
    }
    for what in evidence
        .left
        .iter()
        .cloned()
        .chain(conduct::overdue(&evidence.vitals))
    {
        found.add(Invariant::NothingIsLeft, what);
    }
    found.0.sort_by_key(|breach| breach.invariant);
    found.0
}

#[derive(Default)]
struct Found(Vec<Breach>);

impl Found {
    fn add(&mut self, invariant: Invariant, what: String) {
        self.0.push(Breach { invariant, what });
    }
}

fn promises(evidence: &Evidence, found: &mut Found) {
    let journaled: BTreeSet<RunId> = evidence
        .events
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::RunSubmitted { run, .. } => Some(*run),
            _ => None,
        })
        .collect();
    for promise in &evidence.promises {
        let run = promise.run;
        if !journaled.contains(&run) {
            let what = format!("run {run} was answered and is not in the journal");
            found.add(Invariant::AnswersAreDurable, what);
        }
        let Some(view) = evidence.runs.get(&run) else {
            found.add(Invariant::PromisedRunsEnd, format!("run {run} is not known"));
            continue;
        };
        if view.summary.status != promise.status {
            let what = format!("run {run} is {} and not {}", view.summary.status, promise.status);
            found.add(Invariant::PromisedRunsEnd, what);
        }
        if let Some((step, output, wanted)) = &promise.answer {
            answer(evidence, view, (step, output, wanted), found);
        }
    }
}

/// The last step's result follows from what every step before it read: if it is right, all of them read the right bytes.
fn answer(
    evidence: &Evidence,
    run: &RunView,
    (step, output, wanted): (&str, &PortName, &str),
    found: &mut Found,
) {
    let id = run.summary.id;
    let view = run.steps_list.iter().find(|view| view.path.as_str() == step);
    let Some(artifact) = view.and_then(|view| view.outputs.get(output)) else {
        let what = format!("{id}/{step} has no output `{output}`");
        found.add(Invariant::InputsAreResults, what);
        return;
    };
    if let Some(Ok(bytes)) = evidence.artifacts.get(&artifact.digest) {
        let text = String::from_utf8_lossy(bytes);
        if text.trim() != wanted {
            let what = format!("{id}/{step} wrote {text:?} and not {wanted:?}");
            found.add(Invariant::InputsAreResults, what);
        }
    }
}

/// What the journal tells of one step.
#[derive(Default)]
struct Tale {
    newest: Option<(AttemptId, FencingToken)>,
    /// Who may commit: the newest, or one that was taken up again before anybody had claimed its replacement.
    holder: Option<(AttemptId, FencingToken)>,
    /// Somebody has claimed the newest.
    claimed: bool,
    commits: u32,
}

fn commits(evidence: &Evidence, found: &mut Found) {
    let mut tales: BTreeMap<StepRef, Tale> = BTreeMap::new();
    for event in &evidence.events {
        match &event.fact {
            Fact::AttemptDispatched { attempt, token, .. } => {
                let tale = tales.entry(attempt.step_ref()).or_default();
                let grows = tale
                    .newest
                    .is_none_or(|(before, fence)| before.attempt < attempt.attempt && fence < *token);
                if !grows {
                    let what = format!("attempt {attempt} with token {token} follows a newer one");
                    found.add(Invariant::NewestCommits, what);
                }
                tale.newest = Some((*attempt, *token));
                tale.holder = tale.newest;
                tale.claimed = false;
            }
            Fact::AttemptClaimed { attempt, token, .. } => {
                let tale = tales.entry(attempt.step_ref()).or_default();
                tale.claimed |= tale.newest == Some((*attempt, *token));
            }
            Fact::AttemptResumed { attempt, token, .. } => {
                let tale = tales.entry(attempt.step_ref()).or_default();
                let is_replaced = tale.claimed && tale.newest != Some((*attempt, *token));
                if is_replaced {
                    let what =
                        format!("attempt {attempt} was taken up again after its replacement was claimed");
                    found.add(Invariant::NewestCommits, what);
                }
                tale.holder = Some((*attempt, *token));
            }
            Fact::AttemptSucceeded { attempt, token, .. } => {
                let tale = tales.entry(attempt.step_ref()).or_default();
                tale.commits += 1;
                if tale.holder != Some((*attempt, *token)) {
                    let what =
                        format!("attempt {attempt} committed with token {token}, which is not the newest");
                    found.add(Invariant::NewestCommits, what);
                }
                if tale.commits > 1 {
                    let what = format!("attempt {attempt} committed a second result");
                    found.add(Invariant::OneResult, what);
                }
            }
            _ => {}
        }
    }
}

fn results(evidence: &Evidence, found: &mut Found) {
    for (digest, content) in &evidence.artifacts {
        if let Err(why) = content {
            found.add(
                Invariant::ResultsAreWhole,
                format!("{digest} cannot be read: {why}"),
            );
        }
    }
    for event in &evidence.events {
        if let Fact::AttemptSucceeded { attempt, success, .. } = &event.fact {
            for (port, artifact) in &success.outputs {
                if !evidence.artifacts.contains_key(&artifact.digest) {
                    let what = format!("nobody looked at output `{port}` of {attempt}");
                    found.add(Invariant::ResultsAreWhole, what);
                }
            }
        }
    }
}
