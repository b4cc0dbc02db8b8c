//! A bed for the engine: it keeps the journal, collects the effects, and checks after every fact that the state agrees with itself.

use crate::draft::Draft;
use std::sync::Arc;
use tidemill_engine::{
    Command, Effect, Engine, Event, Fact, Fleet, FleetSettings, Rejection, Run, Step, audit,
};
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef};
use tidemill_protocol::codec;
use tidemill_protocol::compute::ComputeTarget;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::failure::{Failure, FailureReason};
use tidemill_protocol::ids::{RunId, StepIndex, StepRef, WorkerId};
use tidemill_protocol::name::Name;
use tidemill_protocol::plan::Plan;
use tidemill_protocol::status::{RunStatus, StepStatus};
use tidemill_protocol::time::{Millis, Timestamp};
use tidemill_protocol::wire::{AttemptUsage, Heartbeat, Offer, Report, ReportBody, StepTask, Success};

pub(crate) struct Bed {
    pub(crate) engine: Engine,
    pub(crate) fleet: Fleet,
    pub(crate) now: Timestamp,
    journal: Vec<Event>,
    effects: Vec<Effect>,
    runs: u32,
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

pub(crate) fn worker(number: u32) -> WorkerId {
    name(&format!("worker-{number}"))
}

pub(crate) fn heartbeat(worker: &WorkerId, slots: u32, targets: &[&str]) -> Heartbeat {
    let target = |text: &&str| ComputeTarget {
        name: name(text),
        compute_type: name("cpu"),
    };
    Heartbeat {
        worker: worker.clone(),
        incarnation: 1,
        offer: Offer {
            targets: targets.iter().map(target).collect(),
            slots,
            cpus: 1,
            memory_bytes: 1,
            gpus: Vec::new(),
            host: "host".into(),
            version: "0".into(),
            draining: false,
            disk_full: false,
        },
        running: Vec::new(),
    }
}

/// An artifact of this content.
pub(crate) fn artifact(content: &str) -> ArtifactRef {
    let size_bytes = content.len() as u64;
    ArtifactRef {
        kind: ArtifactKind::Blob,
        digest: Digest::of(content.as_bytes()),
        size_bytes,
        files: 1,
    }
}

impl Bed {
    /// One worker with a hundred slots on the compute target `cpu`.
    pub(crate) fn new() -> Self {
        Self::with_slots(100)
    }

    pub(crate) fn with_slots(slots: u32) -> Self {
        let engine = Engine::new();
        let mut fleet = Fleet::new(FleetSettings::default(), Millis(0), &engine);
        if slots > 0 {
            fleet.hear(Millis(0), Timestamp(0), &heartbeat(&worker(1), slots, &["cpu"]));
        }
        Self {
            engine,
            fleet,
            now: Timestamp(1_000),
            journal: Vec::new(),
            effects: Vec::new(),
            runs: 0,
        }
    }

    pub(crate) fn try_command(&mut self, command: &Command) -> Result<Vec<Fact>, Rejection> {
        let before = self.engine.clone();
        let events = match self.engine.decide(self.now, command) {
            Ok(events) => events,
            Err(rejection) => {
                assert!(self.engine == before, "a refused command changes nothing");
                return Err(rejection);
            }
        };
        self.apply(&events);
        Ok(events.into_iter().map(|event| event.fact).collect())
    }

    pub(crate) fn command(&mut self, command: &Command) -> Vec<Fact> {
        self.try_command(command).expect("the command is accepted")
    }

    fn apply(&mut self, events: &[Event]) {
        for event in events {
            self.engine.apply(event, &mut self.effects);
            self.fleet.witness(Millis(0), &self.engine, event);
            audit(&self.engine).unwrap_or_else(|violation| panic!("after {:?}: {violation}", event.fact));
            self.journal.push(event.clone());
        }
    }

    /// Applies whatever the state itself calls for, and checks that journal and snapshot give the same state.
    pub(crate) fn settle(&mut self) -> Vec<Fact> {
        let mut facts = Vec::new();
        loop {
            let events = self.engine.next(self.now, &self.fleet, 16);
            if events.is_empty() {
                break;
            }
            self.apply(&events);
            facts.extend(events.into_iter().map(|event| event.fact));
        }
        assert!(self.replayed() == self.engine, "the journal gives another state");
        let snapshot = codec::encode(&self.engine);
        assert!(codec::decode::<Engine>(&snapshot).expect("a snapshot can be read") == self.engine);
        facts
    }

    pub(crate) fn replayed(&self) -> Engine {
        let mut engine = Engine::new();
        for event in &self.journal {
            let event: Event = codec::decode(&codec::encode(event)).expect("an event can be read");
            engine.apply(&event, &mut Vec::new());
        }
        engine
    }

    pub(crate) fn new_run_id(&mut self) -> RunId {
        self.runs += 1;
        format!("{:08x}-0000-7000-8000-000000000000", self.runs)
            .parse()
            .expect("an id")
    }

    pub(crate) fn submission(&mut self, plan: Plan) -> (RunId, Command) {
        let run = self.new_run_id();
        let submitted_by = "ada".into();
        (
            run,
            Command::SubmitRun {
                run,
                plan: Arc::new(plan),
                submitted_by,
                idempotency_key: None,
            },
        )
    }

    pub(crate) fn submit(&mut self, draft: &Draft) -> RunId {
        let (run, command) = self.submission(draft.plan());
        self.command(&command);
        self.settle();
        run
    }

    /// The tasks published since the last look; anything else that was to be done is an error.
    pub(crate) fn tasks(&mut self) -> Vec<Arc<StepTask>> {
        let effects = self.effects();
        effects
            .into_iter()
            .map(|effect| match effect {
                Effect::PublishTask(task) => task,
                other => panic!("not a task: {other:?}"),
            })
            .collect()
    }

    pub(crate) fn task(&mut self) -> Arc<StepTask> {
        let mut tasks = self.tasks();
        assert_eq!(tasks.len(), 1, "one task was expected: {tasks:?}");
        tasks.remove(0)
    }

    pub(crate) fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// And nothing else happened.
    pub(crate) fn nothing_else(&mut self) {
        assert_eq!(self.effects(), [], "something else was to be done");
        assert_eq!(self.settle(), [], "something else happened");
    }

    pub(crate) fn report_by(
        &mut self,
        worker: &WorkerId,
        task: &StepTask,
        body: ReportBody,
    ) -> Result<Vec<Fact>, Rejection> {
        let report = Report {
            attempt: task.attempt,
            token: task.token,
            at: Timestamp(0),
            body,
        };
        let facts = self.try_command(&Command::Report {
            worker: worker.clone(),
            report,
        })?;
        self.settle();
        Ok(facts)
    }

    pub(crate) fn report(&mut self, task: &StepTask, body: ReportBody) -> Result<Vec<Fact>, Rejection> {
        self.report_by(&worker(1), task, body)
    }

    pub(crate) fn claim(&mut self, task: &StepTask) {
        self.report(task, ReportBody::Claimed)
            .expect("the claim is accepted");
    }

    /// The attempt ends well and has written `content` to its output.
    pub(crate) fn succeed(&mut self, task: &StepTask, content: &str) {
        self.report(task, success(content))
            .expect("the success is accepted");
    }

    pub(crate) fn fail(&mut self, task: &StepTask) {
        self.fail_for(task, FailureReason::ExitCode { code: 1 });
    }

    pub(crate) fn fail_for(&mut self, task: &StepTask, reason: FailureReason) {
        let failed = ReportBody::Failed {
            failure: Failure::new(reason),
            usage: AttemptUsage::default(),
        };
        self.report(task, failed).expect("the failure is accepted");
    }

    /// Lets every published task succeed with its step's name as content, until there are none; answers with the names in order.
    pub(crate) fn run_out(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        loop {
            let tasks = self.tasks();
            if tasks.is_empty() {
                return names;
            }
            for task in tasks {
                names.push(task.path.to_string());
                self.succeed(&task, task.path.as_str());
            }
        }
    }

    pub(crate) fn run(&self, run: RunId) -> &Run {
        self.engine.run(run).expect("the run is known")
    }

    pub(crate) fn status(&self, run: RunId) -> RunStatus {
        self.run(run).status()
    }

    pub(crate) fn index(&self, run: RunId, step: &str) -> StepIndex {
        self.run(run)
            .find(&step.parse().expect("a path"))
            .expect("the step is known")
    }

    pub(crate) fn step_ref(&self, run: RunId, step: &str) -> StepRef {
        StepRef {
            run,
            step: self.index(run, step),
        }
    }

    pub(crate) fn step(&self, run: RunId, step: &str) -> &Step {
        self.run(run)
            .step(self.index(run, step))
            .expect("the step is known")
    }

    pub(crate) fn step_status(&self, run: RunId, step: &str) -> StepStatus {
        self.step(run, step).status()
    }
}

pub(crate) fn success(content: &str) -> ReportBody {
    let outputs = [("out".parse().expect("a port name"), artifact(content))].into();
    ReportBody::Succeeded(Success {
        outputs,
        ..Success::default()
    })
}
