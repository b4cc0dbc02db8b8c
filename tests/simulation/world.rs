//! Plays a scenario: coordinator, workers, broker and people, tick by tick, all from one seed. Trouble ends after a while; then everything must come to a
//! good end.

use crate::bus::{Bus, ToCoordinator, ToWorker};
use crate::coordinator::{Coordinator, Halt, Output, Turn};
use crate::coverage::{Coverage, Sight};
use crate::disk::Disk;
use crate::faults::{FaultKind, Noise};
use crate::oracle::Oracle;
use crate::people::People;
use crate::scenario::{Scenario, TROUBLE_TICKS};
use crate::worker::{Surroundings, Worker};
use testkit::Random;
use tidemill_engine::{Effect, audit};
use tidemill_protocol::ids::WorkerId;
use tidemill_protocol::time::Timestamp;

/// Ticks after which everything must have ended.
const TICKS_MAX: u64 = 12_000;
/// Ticks for which an ended world is watched.
const REST_TICKS: u64 = 90;

pub(crate) struct World {
    random: Random,
    tick: u64,
    clock_back_ms: u64,
    bus: Bus,
    disk: Disk,
    workers: Vec<Worker>,
    worker_ids: Vec<WorkerId>,
    coordinator: Option<Coordinator>,
    starts_at: u64,
    away_ticks: u64,
    people: People,
    oracle: Oracle,
    seen: Coverage,
}

/// Plays a scenario to its end.
pub(crate) fn play(scenario: &Scenario) -> Result<Coverage, String> {
    let workers: Vec<Worker> = scenario
        .workers
        .iter()
        .enumerate()
        .map(|(place, script)| Worker::new(place, script))
        .collect();
    let world = World {
        random: Random::new(scenario.seed ^ 0x5eed),
        tick: 0,
        clock_back_ms: 0,
        bus: Bus::new(scenario.noise),
        disk: Disk::default(),
        worker_ids: workers.iter().map(|worker| worker.id.clone()).collect(),
        workers,
        coordinator: None,
        starts_at: 0,
        away_ticks: 0,
        people: People::new(&scenario.runs),
        oracle: Oracle::default(),
        seen: Coverage::default(),
    };
    world.run(scenario)
}

impl World {
    fn run(mut self, scenario: &Scenario) -> Result<Coverage, String> {
        let mut faults = scenario.faults.iter().peekable();
        let mut rested = 0;
        while rested < REST_TICKS {
            if self.tick > TICKS_MAX {
                return Err(self.stuck());
            }
            while let Some(fault) = faults.next_if(|fault| fault.at <= self.tick) {
                self.suffer(fault.kind);
            }
            if self.tick == TROUBLE_TICKS {
                self.heal();
            }
            self.turn()?;
            for worker in &mut self.workers {
                worker.tick(&mut Surroundings {
                    now: self.tick,
                    bus: &mut self.bus,
                    random: &mut self.random,
                    seen: &mut self.seen,
                    oracle: &mut self.oracle,
                })?;
            }
            rested = if self.tick > TROUBLE_TICKS && self.has_ended() {
                rested + 1
            } else {
                0
            };
            self.tick += 1;
        }
        self.judge(scenario)
    }

    fn suffer(&mut self, fault: FaultKind) {
        let until = |ticks: u64, now: u64| (now + ticks).min(TROUBLE_TICKS);
        match fault {
            FaultKind::CoordinatorDies { after, ticks } => {
                self.away_ticks = ticks;
                if let Some(coordinator) = &mut self.coordinator {
                    coordinator.dies_after = Some(after);
                }
            }
            FaultKind::HostDies { worker, ticks } => {
                self.seen.see(Sight::HostDied);
                self.workers[worker].die(until(ticks, self.tick));
            }
            FaultKind::DaemonRestarts { worker } => {
                self.seen.see(Sight::DaemonRestarted);
                self.workers[worker].restart_daemon();
            }
            FaultKind::Partition { worker, ticks } => {
                self.seen.see(Sight::Partitioned);
                self.workers[worker].partitioned_until = until(ticks, self.tick);
            }
            FaultKind::Silence { worker, ticks } => {
                self.workers[worker].silent_until = until(ticks, self.tick);
            }
            FaultKind::Drains { worker, ticks } => {
                self.workers[worker].drains_until = until(ticks, self.tick);
            }
            FaultKind::Preempted { worker, ticks } => {
                self.workers[worker].preempt(until(ticks, self.tick));
            }
            FaultKind::Wipe => {
                self.seen.see(Sight::QueueWiped);
                self.bus.wipe();
            }
            FaultKind::BrokerAway { ticks } => {
                self.seen.see(Sight::BrokerAway);
                self.bus.away_until = until(ticks, self.tick);
            }
            FaultKind::DeadLetter => {
                if let Some(task) = self.bus.set_one_aside(self.tick, &mut self.random) {
                    let message = ToCoordinator::DeadLetter {
                        attempt: task.attempt,
                        token: task.token,
                    };
                    self.bus
                        .tell_coordinator(self.tick, &message, &mut self.random, &mut self.seen);
                }
            }
            FaultKind::ClockBack { ms } => {
                self.seen.see(Sight::ClockSteppedBack);
                self.clock_back_ms += ms;
            }
            FaultKind::Snapshot => {
                if let Some(coordinator) = &self.coordinator {
                    self.disk.write_snapshot(&coordinator.engine);
                }
            }
        }
    }

    fn heal(&mut self) {
        self.bus.noise = Noise::NONE;
        for worker in &mut self.workers {
            worker.heal(self.tick);
        }
        if let Some(coordinator) = &mut self.coordinator {
            coordinator.dies_after = None;
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp(1_000_000 + self.tick * 100 - self.clock_back_ms)
    }

    /// One round of the coordinator, if it lives.
    fn turn(&mut self) -> Result<(), String> {
        let mut coordinator = match self.coordinator.take() {
            Some(coordinator) => coordinator,
            None if self.tick < self.starts_at => return Ok(()),
            None => Coordinator::start(&self.disk, self.tick, &mut self.seen)?,
        };
        let away = self.bus.is_away(self.tick);
        coordinator.broker_is(away, self.tick);
        let mut turn = Turn {
            tick: self.tick,
            now: self.now(),
            messages: self.bus.for_coordinator(self.tick, &mut self.random),
            requests: self.people.ask(self.tick, &mut self.random),
            worker_ids: &self.worker_ids,
            disk: &mut self.disk,
            oracle: &mut self.oracle,
            seen: &mut self.seen,
        };
        let outcome = coordinator
            .turn(&mut turn)
            .and_then(|outputs| self.perform(&mut coordinator, outputs));
        match outcome {
            Ok(()) => self.coordinator = Some(coordinator),
            Err(Halt::Broken(why)) => return Err(why),
            Err(Halt::Died) => {
                self.seen.see(Sight::CoordinatorDied);
                let (lost, kept) = self.disk.lose_tail(&mut self.random);
                if lost > 0 {
                    self.seen.see(Sight::TailLost);
                }
                if lost > 0 && kept > 0 {
                    self.seen.see(Sight::TailKeptInPart);
                }
                // What survived is what the next incarnation finds: it counts as having happened.
                for event in self.disk.flush() {
                    self.oracle.durable(&event)?;
                }
                self.starts_at = self.tick + self.away_ticks;
            }
        }
        Ok(())
    }

    fn perform(&mut self, coordinator: &mut Coordinator, outputs: Vec<Output>) -> Result<(), Halt> {
        for output in outputs {
            coordinator.step()?;
            match output {
                Output::Effect(Effect::PublishTask(task)) => {
                    self.bus
                        .publish_task(self.tick, &task, &mut self.random, &mut self.seen);
                }
                Output::Effect(Effect::StopAttempt {
                    worker,
                    attempt,
                    token,
                    reason,
                }) => {
                    if let Some(place) = self.worker_ids.iter().position(|id| *id == worker) {
                        let stop = ToWorker::Stop {
                            attempt,
                            token,
                            reason,
                        };
                        self.bus
                            .tell_worker(self.tick, place, &stop, &mut self.random, &mut self.seen);
                    }
                }
                Output::Effect(Effect::SetAlarm { at, alarm }) => coordinator.set_alarm(at, alarm),
                Output::Stored { worker, sequence } => {
                    let stored = ToWorker::Stored { sequence };
                    self.bus
                        .tell_worker(self.tick, worker, &stored, &mut self.random, &mut self.seen);
                }
                Output::Reply { request, answer } => {
                    self.people
                        .hear(self.tick, request, &answer, &mut self.oracle, &mut self.seen);
                }
            }
        }
        Ok(())
    }

    fn has_ended(&self) -> bool {
        let Some(coordinator) = &self.coordinator else {
            return false;
        };
        let mut runs = coordinator.engine.runs_newest_first(None);
        self.people.are_done() && runs.all(|run| run.status().is_terminal())
    }

    fn stuck(&self) -> String {
        let runs = self
            .coordinator
            .iter()
            .flat_map(|coordinator| coordinator.engine.runs_newest_first(None));
        let open = runs.filter(|run| !run.status().is_terminal());
        let open: Vec<String> = open
            .map(|run| {
                let steps = run.steps().filter(|step| !step.state().is_terminal());
                let steps: Vec<String> = steps.map(|step| format!("{:?}", step.state())).collect();
                format!("run {} is {} with {steps:?}", run.id(), run.status())
            })
            .collect();
        format!("not everything came to an end: {open:?}; {:?}", self.people)
    }

    fn judge(mut self, scenario: &Scenario) -> Result<Coverage, String> {
        let coordinator = self
            .coordinator
            .as_ref()
            .ok_or("the coordinator is gone at the end")?;
        let engine = &coordinator.engine;
        audit(engine).map_err(|violation| violation.to_string())?;
        if *engine != self.disk.replay() {
            return Err("the journal read again differs from the living state".into());
        }
        if let Some(busy) = self.workers.iter().find(|worker| !worker.is_idle()) {
            return Err(format!("{} still executes though every run has ended", busy.id));
        }
        self.oracle.at_the_end(engine, &mut self.seen)?;
        for run in self.people.healthy_runs() {
            Oracle::healthy_run_succeeded(engine, run)?;
        }
        let quiet = scenario.faults.is_empty() && scenario.noise.is_none();
        if quiet && self.seen.has(Sight::LeaseRanOut) {
            return Err("an attempt was lost in a world where nothing goes wrong".into());
        }
        Ok(self.seen)
    }
}
