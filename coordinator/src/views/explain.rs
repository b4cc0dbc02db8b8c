//! Why a step stands as it does, in sentences for people, with what to do next.

use super::step::step_name;
use tidemill_engine::{Engine, Explanation, Reason, RunEnding};
use tidemill_protocol::failure::Failure;
use tidemill_protocol::ids::StepIndex;
use tidemill_protocol::name::Name;
use tidemill_protocol::status::StepStatus;
use tidemill_protocol::time::Timestamp;
use tidemill_transport::Link;

/// Sentences and hints, the most important first.
pub(crate) fn sentences(
    engine: &Engine,
    explanation: &Explanation,
    link: &Link,
    now: Timestamp,
) -> (Vec<String>, Vec<String>) {
    let mut writer = Writer {
        engine,
        explanation,
        now,
        reasons: Vec::new(),
        hints: Vec::new(),
    };
    if !explanation.status.is_terminal() {
        writer.link(link);
    }
    let own_end = matches!(
        explanation.status,
        StepStatus::Succeeded | StepStatus::Reused | StepStatus::Failed
    );
    let mut said = Vec::new();
    for reason in &explanation.reasons {
        // How the run ends says nothing about a step that ended by itself.
        let beside = own_end && matches!(reason, Reason::RunEnding(_));
        if !beside && !said.contains(&reason) {
            writer.reason(reason);
            said.push(reason);
        }
    }
    (writer.reasons, writer.hints)
}

struct Writer<'a> {
    engine: &'a Engine,
    explanation: &'a Explanation,
    now: Timestamp,
    reasons: Vec<String>,
    hints: Vec<String>,
}

impl Writer<'_> {
    fn link(&mut self, link: &Link) {
        match link {
            Link::Up => {}
            Link::Down(why) => {
                self.say(format!("the coordinator has no connection to the broker: {why}"));
                self.hint("check the broker, or the address with which the coordinator was started");
            }
            Link::Blocked(why) => {
                self.say(format!("the broker takes no messages: {why}"));
                self.hint("free memory or disk on the broker's machine");
            }
        }
    }

    fn reason(&mut self, reason: &Reason) {
        match reason {
            Reason::WaitsFor { steps, more } => self.waits_for(steps, *more),
            Reason::RunEnding(ending) => self.ending(ending),
            Reason::NoWorker { target } => {
                self.say(format!("no live worker serves the compute target {target}"));
                self.hint(format!("start one: tidemill worker start --compute {target}"));
            }
            Reason::WindowFull {
                target,
                in_flight,
                slots,
            } => {
                self.say(format!(
                    "{target} is busy: {in_flight} attempts are in flight on {slots} slots"
                ));
                self.hint("tidemill queue list shows every queue");
            }
            Reason::QuotaFull {
                project,
                target,
                limit,
            } => self.quota_full(project, target.as_ref(), *limit),
            Reason::InBacklog {
                target,
                ahead,
                or_more,
                queued,
                since,
            } => {
                let at_least = if *or_more { "at least " } else { "" };
                let age = self.age(*since);
                self.say(format!("it has waited in the backlog of {target} for {age}; {at_least}{ahead} of {queued} steps go first"));
            }
            Reason::NotExecutable => self.say("no executor for its kind is built in"),
            Reason::InQueue {
                target,
                attempt,
                since,
            } => {
                let age = self.age(*since);
                self.say(format!("the task of attempt {attempt} has been in the queue of {target} for {age}; no worker has claimed it"));
            }
            Reason::MadeBy {
                worker,
                attempt,
                since,
                silent,
            } => {
                let age = self.age(*since);
                self.say(format!(
                    "worker {worker} has been making attempt {attempt} for {age}"
                ));
                if *silent {
                    self.say(format!("worker {worker} has not been heard of lately; when its lease ends, another attempt is made"));
                }
            }
            Reason::PausesUntil { until, failure } => {
                let left = until.since(self.now).0.div_ceil(1000);
                self.say(format!(
                    "the last attempt failed{}; the next is due in {left} s",
                    because(failure.as_ref())
                ));
            }
            _ => self.result_or_end(reason),
        }
    }

    fn quota_full(&mut self, project: &Name, target: Option<&Name>, limit: u32) {
        let place = target.map_or_else(String::new, |target| format!(" on {target}"));
        self.say(format!(
            "the project's quota of {limit} running steps{place} is full (project {project})"
        ));
        self.hint(format!("tidemill project show {project}"));
    }

    fn result_or_end(&mut self, reason: &Reason) {
        match reason {
            Reason::ResultKnown { source } => {
                self.say(format!(
                    "its result is known from {} and will be taken over",
                    step_name(self.engine, *source)
                ));
            }
            Reason::EqualWorkUnderWay { leader } => {
                self.say(format!(
                    "{} does the same work now; its result will be taken over",
                    step_name(self.engine, *leader)
                ));
            }
            Reason::Executed => self.say("it ran, and its result was committed"),
            Reason::ReusedFrom { source } => {
                self.say(format!(
                    "equal work was done before: it took over the result of {}",
                    step_name(self.engine, *source)
                ));
            }
            Reason::SkippedBecauseOf { cause, by_condition } => self.skipped(*cause, *by_condition),
            Reason::FailedWith { failure, attempts } => self.failed(failure.as_ref(), *attempts),
            _ => {}
        }
    }

    fn waits_for(&mut self, steps: &[StepIndex], more: usize) {
        let names: Vec<String> = steps.iter().map(|step| self.name(*step)).collect();
        let rest = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        self.say(format!("it waits for {}{rest}", names.join(", ")));
        if let Some(first) = names.first() {
            self.hint(format!("tidemill explain {}/{first}", self.explanation.step.run));
        }
    }

    fn ending(&mut self, ending: &RunEnding) {
        match ending {
            RunEnding::Stopped { cause } => {
                let name = self.name(*cause);
                self.say(format!("the run stops at the first failure, and {name} failed"));
                self.hint(format!("tidemill logs {}/{name}", self.explanation.step.run));
            }
            RunEnding::Cancelled { by } | RunEnding::CancelledForGood { by } => {
                self.say(format!("the run was cancelled by {by}"));
            }
        }
    }

    fn skipped(&mut self, cause: StepIndex, by_condition: bool) {
        let name = self.name(cause);
        if by_condition {
            self.say(format!("its condition did not hold, given how {name} ended"));
        } else {
            self.say(format!("it was not run because {name} did not end well"));
            self.hint(format!("tidemill explain {}/{name}", self.explanation.step.run));
        }
    }

    fn failed(&mut self, failure: Option<&Failure>, attempts: usize) {
        let tries = match attempts {
            0 => String::new(),
            1 => " after 1 attempt".to_owned(),
            many => format!(" after {many} attempts"),
        };
        self.say(format!("it failed{tries}{}", because(failure)));
        if let Some(failure) = failure.filter(|failure| !failure.message.is_empty()) {
            self.say(failure.message.clone());
        }
        if attempts > 0 {
            let run = self.explanation.step.run;
            let name = self.name(self.explanation.step.step);
            self.hint(format!("tidemill logs {run}/{name}"));
            self.hint(format!("tidemill runs retry {run}"));
        }
    }

    fn name(&self, step: StepIndex) -> String {
        let run = self.engine.run(self.explanation.step.run);
        let planned = run.and_then(|run| run.planned(step));
        planned.map_or_else(|| step.to_string(), |planned| planned.path.to_string())
    }

    fn age(&self, since: Timestamp) -> String {
        match self.now.since(since).0 / 1000 {
            seconds @ 0..=119 => format!("{seconds} s"),
            seconds @ 120..=7199 => format!("{} min", seconds / 60),
            seconds => format!("{} h", seconds / 3600),
        }
    }

    fn say(&mut self, sentence: impl Into<String>) {
        self.reasons.push(sentence.into());
    }

    fn hint(&mut self, hint: impl Into<String>) {
        self.hints.push(hint.into());
    }
}

fn because(failure: Option<&Failure>) -> String {
    failure.map_or_else(String::new, |failure| format!(": {}", failure.reason.describe()))
}
