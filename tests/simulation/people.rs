//! People: they submit, cancel, retry, add and forget, set quotas, and ask again until they are answered.

use crate::coverage::{Coverage, Sight};
use crate::oracle::Oracle;
use crate::plans;
use crate::scenario::{Action, QuotaScript, RunScript, TARGETS, TROUBLE_TICKS};
use testkit::Random;
use tidemill_engine::{Command, Rejection};
use tidemill_protocol::ids::RunId;
use tidemill_protocol::project::Quota;

/// Ticks after which an unanswered request is made again.
const PATIENCE_TICKS: u64 = 6;

/// Everybody who asks for something.
#[derive(Debug)]
pub(crate) struct People {
    runs: Vec<RunScript>,
    /// The run of each script, once its submission was answered.
    ids: Vec<Option<RunId>>,
    requests: Vec<Request>,
}

#[derive(Debug)]
struct Request {
    wish: Wish,
    ask_at: u64,
    answered: bool,
}

/// What is asked for; a run by the place of its script.
#[derive(Debug)]
enum Wish {
    Submit(usize),
    Act(usize, Action),
    Bound(QuotaScript),
}

impl People {
    pub(crate) fn new(runs: &[RunScript], quotas: &[QuotaScript]) -> Self {
        let request = |ask_at, wish| Request {
            wish,
            ask_at,
            answered: false,
        };
        let mut requests = Vec::new();
        for (run, script) in runs.iter().enumerate() {
            requests.push(request(script.submit_at, Wish::Submit(run)));
            let actions = script.actions.iter();
            requests.extend(actions.map(|(at, action)| request(*at, Wish::Act(run, action.clone()))));
        }
        let quotas = quotas.iter();
        requests.extend(quotas.map(|quota| request(quota.set_at, Wish::Bound(quota.clone()))));
        Self {
            runs: runs.to_vec(),
            ids: vec![None; runs.len()],
            requests,
        }
    }

    /// What is asked now, by the place of the request.
    pub(crate) fn ask(&mut self, tick: u64, random: &mut Random) -> Vec<(usize, Command)> {
        let mut commands = Vec::new();
        for (place, request) in self.requests.iter_mut().enumerate() {
            if request.answered || request.ask_at > tick {
                continue;
            }
            request.ask_at = tick + PATIENCE_TICKS;
            let command = match &request.wish {
                Wish::Submit(run) => {
                    let (id, script) = (run_id(random), &self.runs[*run]);
                    Some(Command::SubmitRun {
                        run: id,
                        plan: plans::plan(script),
                        submitted_by: format!("person-{}", script.submitter),
                        idempotency_key: Some(format!("submission-{run}")),
                    })
                }
                Wish::Act(run, action) => self.ids[*run].map(|id| command(&self.runs[*run], action, id)),
                Wish::Bound(quota) => Some(bound(quota)),
            };
            commands.extend(command.map(|command| (place, command)));
        }
        commands
    }

    /// An answer, durable.
    pub(crate) fn hear(
        &mut self,
        tick: u64,
        (request, proposed): (usize, Option<RunId>),
        answer: &Result<(), Rejection>,
        oracle: &mut Oracle,
        seen: &mut Coverage,
    ) -> Result<(), String> {
        let request = &mut self.requests[request];
        let waits = matches!(answer, Err(Rejection::RunNotEnded)) && tick < TROUBLE_TICKS;
        request.answered = !waits;
        let Wish::Submit(run) = &request.wish else {
            return Ok(());
        };
        match answer {
            Ok(()) => self.ids[*run] = proposed,
            Err(Rejection::AlreadySubmitted(known)) => {
                seen.see(Sight::SubmissionRepeated);
                self.ids[*run] = Some(*known);
            }
            Err(other) => panic!("a sound submission was refused: {other}"),
        }
        self.ids[*run].map_or(Ok(()), |id| oracle.answered(id))
    }

    /// Whether nobody wants anything more.
    pub(crate) fn are_done(&self) -> bool {
        self.requests.iter().all(|request| request.answered)
    }

    /// The answered runs that met no misfortune of their own.
    pub(crate) fn healthy_runs(&self) -> impl Iterator<Item = RunId> + '_ {
        let pairs = self.runs.iter().zip(&self.ids);
        pairs
            .filter(|(script, _)| is_healthy(script))
            .filter_map(|(_, id)| *id)
    }
}

fn is_healthy(script: &RunScript) -> bool {
    let added = script.actions.iter().filter_map(|(_, action)| match action {
        Action::AddSteps(steps) => Some(steps),
        Action::Cancel | Action::Retry | Action::Forget => None,
    });
    let gentle = script
        .actions
        .iter()
        .all(|(_, action)| matches!(action, Action::AddSteps(_)));
    let mut steps = script.steps.iter().chain(added.flatten());
    gentle && steps.all(|step| !step.foreign && step.fails <= step.retries)
}

fn command(script: &RunScript, action: &Action, run: RunId) -> Command {
    let by = format!("person-{}", script.submitter);
    match action {
        Action::Cancel => Command::CancelRun { run, by },
        Action::Retry => Command::RetryRun { run, by },
        Action::Forget => Command::ForgetRun { run },
        Action::AddSteps(steps) => {
            let (templates, steps) = plans::parts(steps, script.steps.len(), script.steps.len());
            Command::AddSteps {
                run,
                templates,
                steps,
            }
        }
    }
}

fn bound(script: &QuotaScript) -> Command {
    let name = |text: &str| text.parse().expect("a name");
    let on_target = script.on_first_target.map(|limit| (name(TARGETS[0]), limit));
    Command::SetQuota {
        project: name(script.project),
        quota: Quota {
            running_steps: script.running_steps,
            targets: on_target.into_iter().collect(),
            queued_runs: None,
        },
    }
}

fn run_id(random: &mut Random) -> RunId {
    let (high, low) = (random.below(1 << 32), random.below(1 << 48));
    format!("{high:08x}-0000-7000-8000-{low:012x}")
        .parse()
        .expect("a well-formed id")
}
