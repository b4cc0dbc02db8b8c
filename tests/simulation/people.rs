//! People: they submit, cancel, retry, add and forget, and ask again until they are answered.

use crate::coverage::{Coverage, Sight};
use crate::oracle::Oracle;
use crate::plans;
use crate::scenario::{Action, RunScript, TROUBLE_TICKS};
use testkit::Random;
use tidemill_engine::{Command, Rejection};
use tidemill_protocol::ids::RunId;

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
    /// The place of the run's script.
    run: usize,
    /// None for the submission.
    action: Option<Action>,
    ask_at: u64,
    answered: bool,
}

impl People {
    pub(crate) fn new(runs: &[RunScript]) -> Self {
        let requests = runs.iter().enumerate().flat_map(|(run, script)| {
            let submission = Request {
                run,
                action: None,
                ask_at: script.submit_at,
                answered: false,
            };
            let actions = script.actions.iter().map(move |(at, action)| Request {
                run,
                action: Some(action.clone()),
                ask_at: *at,
                answered: false,
            });
            std::iter::once(submission).chain(actions)
        });
        Self {
            runs: runs.to_vec(),
            ids: vec![None; runs.len()],
            requests: requests.collect(),
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
            let script = &self.runs[request.run];
            let command = match (&request.action, self.ids[request.run]) {
                (None, _) => {
                    let id = run_id(random);
                    Some(Command::SubmitRun {
                        run: id,
                        plan: plans::plan(script),
                        submitted_by: format!("person-{}", script.submitter),
                        idempotency_key: Some(format!("submission-{}", request.run)),
                    })
                }
                (Some(_), None) => None,
                (Some(action), Some(run)) => Some(command(script, action, run)),
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
        match (&request.action, answer) {
            (None, Ok(())) => self.ids[request.run] = proposed,
            (None, Err(Rejection::AlreadySubmitted(run))) => {
                seen.see(Sight::SubmissionRepeated);
                self.ids[request.run] = Some(*run);
            }
            (None, Err(other)) => panic!("a sound submission was refused: {other}"),
            (Some(_), _) => {}
        }
        match (&request.action, self.ids[request.run]) {
            (None, Some(id)) => oracle.answered(id),
            _ => Ok(()),
        }
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

fn run_id(random: &mut Random) -> RunId {
    let (high, low) = (random.below(1 << 32), random.below(1 << 48));
    format!("{high:08x}-0000-7000-8000-{low:012x}")
        .parse()
        .expect("a well-formed id")
}
