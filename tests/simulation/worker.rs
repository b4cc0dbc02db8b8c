//! A simulated worker: takes tasks, claims, executes, spools reports until they are stored, says that it lives, and stops what it is told to.

use crate::bus::{Bus, ToCoordinator, ToWorker};
use crate::coverage::{Coverage, Sight};
use crate::oracle::Oracle;
use crate::plans;
use crate::scenario::WorkerScript;
use crate::store::Store;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use testkit::Random;
use tidemill_protocol::artifact::AttemptManifest;
use tidemill_protocol::compute::ComputeTarget;
use tidemill_protocol::failure::{Failure, FailureReason};
use tidemill_protocol::ids::{AttemptId, FencingToken, WorkerId};
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;
use tidemill_protocol::wire::{
    AttemptUsage, Heartbeat, Offer, Phase, Report, ReportBody, RunningAttempt, StepTask, StopReason, Success,
};

const HEARTBEAT_TICKS: u64 = 5;
const RESEND_TICKS: u64 = 12;
const EXECUTION_TICKS_MAX: u64 = 60;
/// Ticks from the first stored byte to the commit, when nothing is in the way.
const UPLOAD_TICKS_MAX: u64 = 8;
/// Ticks after which a worker does not go on with an upload: less than a sweep takes for young.
const PATIENCE_TICKS: u64 = 80;

/// One worker.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) place: usize,
    pub(crate) id: WorkerId,
    targets: Vec<Name>,
    slots: u32,
    incarnation: u64,
    pub(crate) down_until: u64,
    pub(crate) partitioned_until: u64,
    pub(crate) silent_until: u64,
    pub(crate) deaf_until: u64,
    pub(crate) drains_until: u64,
    /// Reports on its disk that are not known to be stored, with the tick at which each is sent again.
    spool: BTreeMap<u64, (Report, u64)>,
    next_sequence: u64,
    /// Attempts that it took once, on its disk: a repeated task is dropped.
    taken: BTreeSet<(AttemptId, FencingToken)>,
    executing: Vec<Execution>,
}

#[derive(Debug)]
struct Execution {
    task: Arc<StepTask>,
    number: u64,
    /// When its process ends, or its upload once that has begun.
    ends_at: u64,
    /// When what it wrote was stored.
    stored_at: Option<u64>,
}

/// What a worker reaches in a tick.
pub(crate) struct Surroundings<'a> {
    pub(crate) now: u64,
    pub(crate) bus: &'a mut Bus,
    pub(crate) store: &'a mut Store,
    pub(crate) random: &'a mut Random,
    pub(crate) seen: &'a mut Coverage,
    pub(crate) oracle: &'a mut Oracle,
}

impl Worker {
    pub(crate) fn new(place: usize, script: &WorkerScript) -> Self {
        Self {
            place,
            id: format!("worker-{place}").parse().expect("a name"),
            targets: script
                .targets
                .iter()
                .map(|target| target.parse().expect("a name"))
                .collect(),
            slots: script.slots,
            incarnation: 1,
            down_until: 0,
            partitioned_until: 0,
            silent_until: 0,
            deaf_until: 0,
            drains_until: 0,
            spool: BTreeMap::new(),
            next_sequence: 0,
            taken: BTreeSet::new(),
            executing: Vec::new(),
        }
    }

    /// The host dies: what it executes is gone, its disk stays.
    pub(crate) fn die(&mut self, until: u64) {
        self.executing.clear();
        self.down_until = until;
        self.incarnation += 1;
    }

    /// The machine is about to be taken away: what it executes is to be made elsewhere.
    pub(crate) fn preempt(&mut self, until: u64) {
        for execution in std::mem::take(&mut self.executing) {
            let usage = AttemptUsage::default();
            self.report(&execution.task, ReportBody::Preempted { usage });
        }
        self.drains_until = until;
    }

    /// The supervisor dies, and what it started with it; the daemon lives and says so.
    pub(crate) fn lose_supervisor(&mut self) {
        for execution in std::mem::take(&mut self.executing) {
            let failure = Failure::with_message(FailureReason::Lost, "the supervisor was killed");
            let usage = AttemptUsage::default();
            self.report(&execution.task, ReportBody::Failed { failure, usage });
        }
    }

    /// The daemon restarts: what it executes goes on.
    pub(crate) fn restart_daemon(&mut self) {
        self.incarnation += 1;
    }

    /// Whether nothing of it is left to do.
    pub(crate) fn is_idle(&self) -> bool {
        self.executing.is_empty()
    }

    pub(crate) fn tick(&mut self, with: &mut Surroundings<'_>) -> Result<(), String> {
        if with.now < self.down_until {
            return Ok(());
        }
        if !with.store.is_away(with.now) {
            self.finish_due(with);
            self.save_checkpoints(with);
        }
        if with.now < self.partitioned_until || with.bus.is_away(with.now) {
            return Ok(());
        }
        let heard = with.bus.for_worker(with.now, self.place);
        if with.now < self.deaf_until {
            if !heard.is_empty() {
                with.seen.see(Sight::HeardNothing);
            }
        } else {
            for message in &heard {
                self.obey(message);
            }
            self.take_tasks(with)?;
        }
        self.send_reports(with);
        if with.now.is_multiple_of(HEARTBEAT_TICKS) && with.now >= self.silent_until {
            let heartbeat = ToCoordinator::Heartbeat(self.heartbeat(with.now));
            with.bus
                .tell_coordinator(with.now, &heartbeat, with.random, with.seen);
        }
        Ok(())
    }

    fn finish_due(&mut self, with: &mut Surroundings<'_>) {
        while let Some(place) = self
            .executing
            .iter()
            .position(|execution| execution.ends_at <= with.now)
        {
            let fails = plans::fails(&self.executing[place].task);
            if !fails && self.executing[place].stored_at.is_none() {
                self.upload(place, with);
                continue;
            }
            let execution = self.executing.swap_remove(place);
            let Execution {
                task,
                number,
                stored_at,
                ..
            } = execution;
            let body = if fails {
                let failure = Failure::new(FailureReason::ExitCode { code: 1 });
                ReportBody::Failed {
                    failure,
                    usage: AttemptUsage::default(),
                }
            } else if stored_at.is_some_and(|at| with.now - at > PATIENCE_TICKS) {
                // Not taken for good any more: it may have been swept meanwhile.
                ReportBody::Failed {
                    failure: Failure::new(FailureReason::StoreFailed),
                    usage: AttemptUsage::default(),
                }
            } else {
                self.commit(&task, number, with)
            };
            self.report(&task, body);
        }
    }

    /// Stores what a process wrote. It takes a while until all of it is there and can be committed; nothing names it so long.
    fn upload(&mut self, place: usize, with: &mut Surroundings<'_>) {
        let execution = &mut self.executing[place];
        let written = plans::written(&execution.task, execution.number);
        with.store.put(with.now, &written);
        execution.stored_at = Some(with.now);
        execution.ends_at = with.now + with.random.below(UPLOAD_TICKS_MAX);
        if execution.ends_at > with.now {
            with.seen.see(Sight::UploadTookAWhile);
        }
    }

    /// Commits what was stored unless another worker did under the same token.
    fn commit(&self, task: &StepTask, number: u64, with: &mut Surroundings<'_>) -> ReportBody {
        let written = plans::written(task, number);
        let outputs = BTreeMap::from([(plans::output(), written)]);
        let manifest = AttemptManifest {
            version: 1,
            attempt: task.attempt,
            token: task.token,
            key: task.key,
            outputs: outputs.clone(),
        };
        if !with.store.commit(with.now, &manifest) {
            with.seen.see(Sight::CommittedByAnother);
            return ReportBody::Failed {
                failure: Failure::new(FailureReason::StoreFailed),
                usage: AttemptUsage::default(),
            };
        }
        with.oracle.stored(task, &self.id, written);
        ReportBody::Succeeded(Success {
            outputs,
            ..Success::default()
        })
    }

    fn save_checkpoints(&mut self, with: &mut Surroundings<'_>) {
        let mut saved = Vec::new();
        for execution in &self.executing {
            if execution.task.template.rules.checkpoint.is_some() && with.random.chance(60) {
                saved.push((Arc::clone(&execution.task), execution.number));
            }
        }
        for (task, number) in saved {
            let content = format!("checkpoint of execution {number} at {}", with.now);
            let checkpoint = plans::artifact(&content);
            with.store.put_checkpoint(with.now, &checkpoint);
            self.report(&task, ReportBody::Checkpointed { checkpoint });
        }
    }

    fn take_tasks(&mut self, with: &mut Surroundings<'_>) -> Result<(), String> {
        while self.executing.len() < self.slots as usize {
            let Some(task) = with.bus.take_task(with.now, &self.targets, with.random) else {
                break;
            };
            if with.now < self.drains_until {
                self.report(&task, ReportBody::Returned);
                break;
            }
            if !self.taken.insert((task.attempt, task.token)) {
                self.disown(&task, with.seen);
                continue;
            }
            // It makes an earlier attempt at the step: its next heartbeat decides which of the two counts.
            if self.makes_an_earlier(&task) {
                self.taken.remove(&(task.attempt, task.token));
                with.seen.see(Sight::ReplacementLeft);
                continue;
            }
            self.report(&task, ReportBody::Claimed);
            if task.checkpoint.is_some() {
                with.seen.see(Sight::ContinuedFromACheckpoint);
            }
            let number = with.oracle.execution_started(&task, with.store)?;
            let ends_at = with.now + 1 + with.random.below(EXECUTION_TICKS_MAX);
            self.executing.push(Execution {
                task,
                number,
                ends_at,
                stored_at: None,
            });
        }
        Ok(())
    }

    /// A coordinator that lost its last events may believe that an attempt is open whose end it has acknowledged.
    fn disown(&mut self, task: &StepTask, seen: &mut Coverage) {
        let same = |attempt: AttemptId, token| (attempt, token) == (task.attempt, task.token);
        let executes = self
            .executing
            .iter()
            .any(|execution| same(execution.task.attempt, execution.task.token));
        let reports = self
            .spool
            .values()
            .any(|(report, _)| same(report.attempt, report.token));
        if !executes && !reports {
            seen.see(Sight::Disowned);
            self.report(task, ReportBody::Returned);
        }
    }

    fn makes_an_earlier(&self, task: &StepTask) -> bool {
        self.executing.iter().any(|execution| {
            execution.task.attempt.step_ref() == task.attempt.step_ref() && execution.task.token < task.token
        })
    }

    fn obey(&mut self, message: &ToWorker) {
        match message {
            ToWorker::Stored { sequence } => {
                self.spool.remove(sequence);
            }
            ToWorker::Stop {
                attempt,
                token,
                reason,
            } => {
                let held = |execution: &Execution| {
                    execution.task.attempt == *attempt && execution.task.token == *token
                };
                let Some(place) = self.executing.iter().position(held) else {
                    return;
                };
                let execution = self.executing.swap_remove(place);
                if *reason != StopReason::Fenced {
                    self.report(
                        &execution.task,
                        ReportBody::Stopped {
                            usage: AttemptUsage::default(),
                        },
                    );
                }
            }
        }
    }

    fn report(&mut self, task: &StepTask, body: ReportBody) {
        let report = Report {
            attempt: task.attempt,
            token: task.token,
            at: Timestamp(0),
            body,
        };
        self.spool.insert(self.next_sequence, (report, 0));
        self.next_sequence += 1;
    }

    fn send_reports(&mut self, with: &mut Surroundings<'_>) {
        for (sequence, (report, due)) in &mut self.spool {
            if *due > with.now {
                continue;
            }
            *due = with.now + RESEND_TICKS;
            let message = ToCoordinator::Report {
                worker: self.place,
                sequence: *sequence,
                report: report.clone(),
            };
            with.bus
                .tell_coordinator(with.now, &message, with.random, with.seen);
        }
    }

    fn heartbeat(&self, now: u64) -> Heartbeat {
        let running = self.executing.iter().map(|execution| RunningAttempt {
            attempt: execution.task.attempt,
            token: execution.task.token,
            phase: Phase::Running,
        });
        let target = |name: &Name| ComputeTarget {
            name: name.clone(),
            compute_type: name.clone(),
        };
        Heartbeat {
            worker: self.id.clone(),
            incarnation: self.incarnation,
            offer: Offer {
                targets: self.targets.iter().map(target).collect(),
                slots: self.slots,
                cpus: 1,
                memory_bytes: 1,
                gpus: Vec::new(),
                host: self.id.to_string(),
                version: String::new(),
                draining: now < self.drains_until,
                disk_full: false,
            },
            running: running.collect(),
        }
    }

    /// Lets every misfortune of its own end.
    pub(crate) fn heal(&mut self, now: u64) {
        self.down_until = self.down_until.min(now);
        self.partitioned_until = self.partitioned_until.min(now);
        self.silent_until = self.silent_until.min(now);
        self.deaf_until = self.deaf_until.min(now);
        self.drains_until = self.drains_until.min(now);
    }
}
