//! The coordinator around the engine, as the real driver works: a batch of commands, facts applied, the batch made durable, and only then replies and
//! effects. It may die between any two of its small steps.

use crate::bus::ToCoordinator;
use crate::coverage::{Coverage, Sight};
use crate::disk::{Disk, DiskError};
use crate::oracle::Oracle;
use std::collections::BTreeSet;
use tidemill_engine::{Alarm, Command, Effect, Engine, Event, Fleet, FleetSettings, Rejection, audit};
use tidemill_protocol::ids::{AttemptId, RunId, WorkerId};
use tidemill_protocol::status::AttemptStatus;
use tidemill_protocol::time::{Millis, Timestamp};
use tidemill_protocol::wire::ReportBody;

/// Facts that one answer of `next` may hold: small, so that batches break in many places.
const NEXT_LIMIT: usize = 7;
/// Ticks between two repetitions of everything that is outstanding.
const OUTSTANDING_TICKS: u64 = 40;

/// Why a turn did not end.
#[derive(Debug)]
pub(crate) enum Halt {
    /// It died, as a fault wanted it.
    Died,
    /// It is stopped for so many ticks, as a fault wanted it, and goes on where it was.
    Frozen { ticks: u64 },
    /// It found that another coordinator went on, and ends.
    Superseded,
    /// A law is broken.
    Broken(String),
}

impl From<String> for Halt {
    fn from(why: String) -> Self {
        Self::Broken(why)
    }
}

/// What a turn works on.
pub(crate) struct Turn<'a> {
    pub(crate) tick: u64,
    pub(crate) now: Timestamp,
    pub(crate) messages: Vec<ToCoordinator>,
    /// Commands of people, by the place of their request.
    pub(crate) requests: Vec<(usize, Command)>,
    pub(crate) worker_ids: &'a [WorkerId],
    /// Whether what is durable on the disk is thereby durable for the world.
    pub(crate) counts_when_local: bool,
    pub(crate) disk: &'a mut Disk,
    pub(crate) oracle: &'a mut Oracle,
    pub(crate) seen: &'a mut Coverage,
}

/// What is to be done once a turn's facts are durable.
#[derive(Debug)]
pub(crate) enum Output {
    Effect(Effect),
    Stored {
        worker: usize,
        sequence: u64,
    },
    Reply {
        request: usize,
        /// The run that a submission proposed.
        proposed: Option<RunId>,
        answer: Result<(), Rejection>,
    },
}

/// The coordinator while it lives.
#[derive(Debug)]
pub(crate) struct Coordinator {
    pub(crate) engine: Engine,
    epoch: u64,
    fleet: Fleet,
    /// By the clock that never steps.
    alarms: BTreeSet<(Millis, Alarm)>,
    /// Small steps until it dies, once that is decided.
    pub(crate) dies_after: Option<u64>,
    fresh: bool,
    paused: bool,
    repeat_at: u64,
}

impl Coordinator {
    /// Starts from what the disk holds.
    pub(crate) fn start(disk: &Disk, epoch: u64, tick: u64, seen: &mut Coverage) -> Result<Self, String> {
        let engine = disk.restore();
        if disk.has_snapshot() {
            seen.see(Sight::StartedFromSnapshot);
            if engine != disk.replay() {
                return Err("the snapshot with the journal's tail differs from the whole journal".into());
            }
        }
        let settings = FleetSettings {
            lease: Millis(3_000),
            ..FleetSettings::default()
        };
        let fleet = Fleet::new(settings, monotonic(tick), &engine);
        Ok(Self {
            engine,
            epoch,
            fleet,
            alarms: BTreeSet::new(),
            dies_after: None,
            fresh: true,
            paused: false,
            repeat_at: tick + OUTSTANDING_TICKS,
        })
    }

    /// One small step of its life, which may be the last.
    pub(crate) fn step(&mut self) -> Result<(), Halt> {
        match &mut self.dies_after {
            Some(0) => Err(Halt::Died),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    pub(crate) fn broker_is(&mut self, away: bool, tick: u64) {
        if away && !self.paused {
            self.fleet.pause();
        } else if !away && self.paused {
            self.fleet.resume(monotonic(tick));
            self.repeat_at = tick;
        }
        self.paused = away;
    }

    pub(crate) fn set_alarm(&mut self, at: Millis, alarm: Alarm) {
        self.alarms.insert((at, alarm));
    }

    /// One round of the driver.
    pub(crate) fn turn(&mut self, turn: &mut Turn<'_>) -> Result<Vec<Output>, Halt> {
        let mut outputs = Vec::new();
        if std::mem::take(&mut self.fresh) {
            let epoch = self.epoch;
            self.command(turn, &Command::StartEpoch { epoch }, &mut outputs)?
                .map_err(|r| r.to_string())?;
            outputs.extend(self.engine.outstanding().into_iter().map(Output::Effect));
        }
        // People and workers are heard in either order.
        let people_first = turn.tick.is_multiple_of(2);
        if people_first {
            self.answer_people(turn, &mut outputs)?;
        }
        for message in std::mem::take(&mut turn.messages) {
            self.hear(turn, &message, &mut outputs)?;
        }
        if !people_first {
            self.answer_people(turn, &mut outputs)?;
        }
        self.judge_time(turn, &mut outputs)?;
        loop {
            let events = self.engine.next(turn.now, &self.fleet, NEXT_LIMIT);
            if events.is_empty() {
                break;
            }
            self.apply(turn, &events, &mut outputs)?;
        }
        let is_new = !turn.seen.has(Sight::HeldBackByAQuota);
        if is_new && crate::sights::is_held_back(&self.engine, &self.fleet) {
            turn.seen.see(Sight::HeldBackByAQuota);
        }
        let fresh = turn.disk.flush(turn.tick).map_err(|error| {
            turn.seen.see(match error {
                DiskError::Full => Sight::DiskFull,
                DiskError::SyncFailed => Sight::SyncFailed,
            });
            Halt::Died
        })?;
        if turn.counts_when_local {
            for event in &fresh {
                turn.oracle.durable(event)?;
            }
        }
        self.step()?;
        if turn.tick >= self.repeat_at {
            self.repeat_at = turn.tick + OUTSTANDING_TICKS;
            let effects = self.engine.outstanding();
            if !effects.is_empty() {
                turn.seen.see(Sight::OutstandingRepeated);
            }
            outputs.extend(effects.into_iter().map(Output::Effect));
        }
        Ok(outputs)
    }

    fn answer_people(&mut self, turn: &mut Turn<'_>, outputs: &mut Vec<Output>) -> Result<(), Halt> {
        for (request, command) in std::mem::take(&mut turn.requests) {
            let proposed = match &command {
                Command::SubmitRun { run, .. } => Some(*run),
                _ => None,
            };
            if proposed.is_some() && turn.tick < turn.disk.short_until {
                turn.seen.see(Sight::RefusedForWantOfRoom);
                continue;
            }
            let answer = self.command(turn, &command, outputs)?;
            outputs.push(Output::Reply {
                request,
                proposed,
                answer,
            });
        }
        Ok(())
    }

    fn hear(
        &mut self,
        turn: &mut Turn<'_>,
        message: &ToCoordinator,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Halt> {
        match message {
            ToCoordinator::Heartbeat(heartbeat) => {
                self.fleet.hear(monotonic(turn.tick), turn.now, heartbeat);
                for command in self.engine.returning(heartbeat) {
                    // Of two attempts at the same work only one can be taken up again.
                    let _refused = self.command(turn, &command, outputs)?.is_err();
                }
                let stops = self.engine.review(heartbeat);
                for stop in &stops {
                    Oracle::fenced(&self.engine, stop)?;
                }
                if !stops.is_empty() {
                    turn.seen.see(Sight::StopByReview);
                }
                outputs.extend(stops.into_iter().map(Output::Effect));
            }
            ToCoordinator::DeadLetter { attempt, token } => {
                let command = Command::DeadLetter {
                    attempt: *attempt,
                    token: *token,
                };
                // A refusal says that the task was a repetition.
                let _refused = self.command(turn, &command, outputs)?.is_err();
            }
            ToCoordinator::Report {
                worker,
                sequence,
                report,
            } => {
                let id = turn.worker_ids[*worker].clone();
                let command = Command::Report {
                    worker: id,
                    report: report.clone(),
                };
                let resumes =
                    matches!(report.body, ReportBody::Succeeded(_)) && self.is_lost(&report.attempt);
                let answer = self.command(turn, &command, outputs)?;
                if resumes && answer.is_ok() {
                    turn.seen.see(Sight::ResumedByItsResult);
                }
                if let Err(rejection) = answer {
                    turn.seen.see(Sight::StaleReportRefused);
                    if matches!(report.body, ReportBody::Succeeded(_)) {
                        turn.seen.see(Sight::StaleSuccessRefused);
                    }
                    if rejection.stop().is_some() {
                        turn.seen.see(Sight::SecondClaimFenced);
                    }
                    if let Some(stop) = rejection.stop() {
                        Oracle::fenced(&self.engine, &stop)?;
                        outputs.push(Output::Effect(stop));
                    }
                }
                outputs.push(Output::Stored {
                    worker: *worker,
                    sequence: *sequence,
                });
            }
        }
        Ok(())
    }

    fn is_lost(&self, attempt: &AttemptId) -> bool {
        let step = self
            .engine
            .run(attempt.run)
            .and_then(|run| run.step(attempt.step));
        let place = (attempt.attempt as usize).wrapping_sub(1);
        step.and_then(|step| step.attempts().get(place))
            .is_some_and(|attempt| attempt.status() == AttemptStatus::Lost)
    }

    fn judge_time(&mut self, turn: &mut Turn<'_>, outputs: &mut Vec<Output>) -> Result<(), Halt> {
        for (attempt, token) in self.fleet.expired(monotonic(turn.tick)) {
            let answer = self.command(turn, &Command::ExpireLease { attempt, token }, outputs)?;
            answer.map_err(|rejection| format!("the lease of {attempt} could not run out: {rejection}"))?;
        }
        while let Some((at, alarm)) = self.alarms.first().copied() {
            if at > monotonic(turn.tick) {
                break;
            }
            self.alarms.pop_first();
            // An alarm may be set twice, and its step may have been given up since.
            let _stale = self.command(turn, &Command::Alarm(alarm), outputs)?.is_err();
        }
        Ok(())
    }

    fn command(
        &mut self,
        turn: &mut Turn<'_>,
        command: &Command,
        outputs: &mut Vec<Output>,
    ) -> Result<Result<(), Rejection>, Halt> {
        match self.engine.decide(turn.now, command) {
            Err(rejection) => Ok(Err(rejection)),
            Ok(events) => self.apply(turn, &events, outputs).map(Ok),
        }
    }

    fn apply(
        &mut self,
        turn: &mut Turn<'_>,
        events: &[Event],
        outputs: &mut Vec<Output>,
    ) -> Result<(), Halt> {
        let mut effects = Vec::new();
        for event in events {
            Oracle::before(&self.engine, &event.fact)?;
            crate::sights::note(&self.engine, &event.fact, turn.seen);
            self.engine.apply(event, &mut effects);
            self.fleet.witness(monotonic(turn.tick), &self.engine, event);
            audit(&self.engine).map_err(|violation| format!("after {:?}: {violation}", event.fact))?;
            turn.disk.append(event);
            self.step()?;
        }
        outputs.extend(effects.into_iter().map(Output::Effect));
        Ok(())
    }
}

/// A tick is a tenth of a second.
pub(crate) fn monotonic(tick: u64) -> Millis {
    Millis(tick * 100)
}
