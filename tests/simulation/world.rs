//! Plays a scenario: coordinator, workers, broker and people, tick by tick, all from one seed. Trouble ends after a while; then everything must come to a
//! good end.

use crate::active::Around;
use crate::bus::{Bus, ToCoordinator};
use crate::coverage::{Coverage, Sight};
use crate::disk::replay;
use crate::faults::{FaultKind, Noise};
use crate::machine::Machine;
use crate::oracle::Oracle;
use crate::people::People;
use crate::scenario::{Keeping, Scenario, TROUBLE_TICKS};
use crate::store::Store;
use crate::worker::{Surroundings, Worker};
use testkit::Random;
use tidemill_engine::{Engine, audit};
use tidemill_protocol::ids::WorkerId;
use tidemill_protocol::time::Timestamp;

/// Ticks after which everything must have ended.
const TICKS_MAX: u64 = 12_000;
/// How far a wall clock is ahead when it is: longer than any world lasts.
const DAY_MS: u64 = 86_400_000;
/// Ticks for which an ended world is watched.
const REST_TICKS: u64 = 90;

pub(crate) struct World {
    random: Random,
    tick: u64,
    clock_back_ms: u64,
    clock_ahead_until: u64,
    bus: Bus,
    store: Store,
    workers: Vec<Worker>,
    worker_ids: Vec<WorkerId>,
    /// Where coordinators run: one, or two of which one stands by.
    machines: Vec<Machine>,
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
    let machines = if scenario.keeping == Keeping::Guarded {
        2
    } else {
        1
    };
    let world = World {
        random: Random::new(scenario.seed ^ 0x5eed),
        tick: 0,
        clock_back_ms: 0,
        clock_ahead_until: 0,
        bus: Bus::new(scenario.noise),
        store: Store::default(),
        worker_ids: workers.iter().map(|worker| worker.id.clone()).collect(),
        workers,
        machines: (0..machines).map(|_| Machine::new(scenario.keeping)).collect(),
        people: People::new(&scenario.runs, &scenario.quotas),
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
            self.sweep_on()?;
            self.turn()?;
            for place in 0..self.workers.len() {
                self.sweep_on()?;
                self.workers[place].tick(&mut Surroundings {
                    now: self.tick,
                    bus: &mut self.bus,
                    store: &mut self.store,
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
        match fault {
            FaultKind::CoordinatorDies { .. }
            | FaultKind::CoordinatorFreezes { .. }
            | FaultKind::CutFromStore { .. }
            | FaultKind::DiskFull { .. }
            | FaultKind::DiskShort { .. }
            | FaultKind::SyncFails { .. }
            | FaultKind::Snapshot => self.strike_machine(fault),
            FaultKind::HostDies { .. }
            | FaultKind::SupervisorDies { .. }
            | FaultKind::DaemonRestarts { .. }
            | FaultKind::Partition { .. }
            | FaultKind::Deaf { .. }
            | FaultKind::Silence { .. }
            | FaultKind::Drains { .. }
            | FaultKind::Preempted { .. } => self.strike_worker(fault),
            FaultKind::Wipe => {
                self.seen.see(Sight::QueueWiped);
                self.bus.wipe();
            }
            FaultKind::BrokerAway { ticks } => {
                self.seen.see(Sight::BrokerAway);
                self.bus.away_until = self.until(ticks);
            }
            FaultKind::StoreAway { ticks } => {
                self.seen.see(Sight::StoreAway);
                self.store.away_until = self.until(ticks);
            }
            FaultKind::Sweep { held } => self.begin_sweep(held),
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
            FaultKind::ClockAhead { ticks } => {
                self.seen.see(Sight::ClockWasAhead);
                self.clock_ahead_until = self.until(ticks);
            }
        }
    }

    fn begin_sweep(&mut self, held: u64) {
        if self.store.is_away(self.tick) {
            return;
        }
        let shown = self.machines.iter().enumerate().find_map(|(place, machine)| {
            let engine = machine.shown(self.tick)?;
            Some(((place, machine.active()?.epoch), engine))
        });
        if let Some((by, engine)) = shown {
            self.store.begin_sweep(by, self.tick, engine);
            let until = self.until(held);
            self.machines[by.0].hold_until(until);
        }
    }

    /// The next small steps of a sweep under way, between those of everybody else.
    fn sweep_on(&mut self) -> Result<(), String> {
        for _ in 0..self.random.below(3) {
            let Some((place, epoch)) = self.store.sweeper() else {
                return Ok(());
            };
            let machine = &self.machines[place];
            if !machine.is_in(epoch) {
                self.seen.see(Sight::SweepGivenUp);
                self.store.give_up_sweep();
                return Ok(());
            }
            if self.store.is_away(self.tick) || !machine.acts_on_store(self.tick) {
                return Ok(());
            }
            if self.newest().is_some_and(|newest| !newest.is_in(epoch)) {
                self.seen.see(Sight::SweptByAnOldCoordinator);
            }
            if let Some(gone) = self.store.sweep_on(self.tick, &mut self.seen) {
                self.oracle.swept(&gone)?;
            }
        }
        Ok(())
    }

    fn until(&self, ticks: u64) -> u64 {
        (self.tick + ticks).min(TROUBLE_TICKS)
    }

    /// A machine, however many there are.
    fn machine(&mut self, place: usize) -> &mut Machine {
        let machines = self.machines.len();
        &mut self.machines[place % machines]
    }

    fn strike_machine(&mut self, fault: FaultKind) {
        let now = self.tick;
        let until = |ticks: u64| (now + ticks).min(TROUBLE_TICKS);
        match fault {
            FaultKind::CoordinatorDies {
                machine,
                after,
                ticks,
                with_disk,
            } => self.machine(machine).dies(after, ticks, with_disk),
            FaultKind::CoordinatorFreezes {
                machine,
                after,
                ticks,
            } => self.machine(machine).freezes(after, ticks),
            FaultKind::CutFromStore { machine, ticks } => self.machine(machine).cut_until = until(ticks),
            FaultKind::DiskFull { machine, ticks } => self.machine(machine).disk.full_until = until(ticks),
            FaultKind::DiskShort { machine, ticks } => self.machine(machine).disk.short_until = until(ticks),
            FaultKind::SyncFails { machine } => self.machine(machine).disk.next_sync_fails = true,
            FaultKind::Snapshot => self.machines.iter_mut().for_each(Machine::write_snapshot),
            _ => unreachable!("the others strike something else"),
        }
    }

    fn strike_worker(&mut self, fault: FaultKind) {
        let now = self.tick;
        let until = |ticks: u64| (now + ticks).min(TROUBLE_TICKS);
        match fault {
            FaultKind::HostDies { worker, ticks } => {
                self.seen.see(Sight::HostDied);
                self.workers[worker].die(until(ticks));
            }
            FaultKind::SupervisorDies { worker } => {
                self.seen.see(Sight::SupervisorDied);
                self.workers[worker].lose_supervisor();
            }
            FaultKind::DaemonRestarts { worker } => {
                self.seen.see(Sight::DaemonRestarted);
                self.workers[worker].restart_daemon();
            }
            FaultKind::Partition { worker, ticks } => {
                self.seen.see(Sight::Partitioned);
                self.workers[worker].partitioned_until = until(ticks);
            }
            FaultKind::Deaf { worker, ticks } => self.workers[worker].deaf_until = until(ticks),
            FaultKind::Silence { worker, ticks } => self.workers[worker].silent_until = until(ticks),
            FaultKind::Drains { worker, ticks } => self.workers[worker].drains_until = until(ticks),
            FaultKind::Preempted { worker, ticks } => self.workers[worker].preempt(until(ticks)),
            _ => unreachable!("the others strike something else"),
        }
    }

    fn heal(&mut self) {
        self.bus.noise = Noise::NONE;
        for worker in &mut self.workers {
            worker.heal(self.tick);
        }
        for machine in &mut self.machines {
            machine.heal(self.tick);
        }
    }

    fn now(&self) -> Timestamp {
        let ahead_ms = if self.tick < self.clock_ahead_until {
            DAY_MS
        } else {
            0
        };
        Timestamp(1_000_000 + self.tick * 100 - self.clock_back_ms + ahead_ms)
    }

    /// One tick of every machine, in any order.
    fn turn(&mut self) -> Result<(), String> {
        let now = self.now();
        let turned = self.machines.len() > 1 && self.random.chance(500);
        let mut with = Around {
            tick: self.tick,
            now,
            bus: &mut self.bus,
            store: &mut self.store,
            people: &mut self.people,
            worker_ids: &self.worker_ids,
            oracle: &mut self.oracle,
            random: &mut self.random,
            seen: &mut self.seen,
        };
        if turned {
            self.machines
                .iter_mut()
                .rev()
                .try_for_each(|machine| machine.live(&mut with))
        } else {
            self.machines
                .iter_mut()
                .try_for_each(|machine| machine.live(&mut with))
        }
    }

    /// The coordinator that counts.
    fn newest(&self) -> Option<&Machine> {
        let active = self.machines.iter().filter(|machine| machine.active().is_some());
        active.max_by_key(|machine| machine.active().map(|active| active.epoch))
    }

    fn engine(&self) -> Option<&Engine> {
        Some(&self.newest()?.active()?.coordinator.engine)
    }

    fn has_ended(&self) -> bool {
        let Some(engine) = self.engine() else {
            return false;
        };
        let mut runs = engine.runs_newest_first(None);
        self.people.are_done() && runs.all(|run| run.status().is_terminal())
    }

    fn stuck(&self) -> String {
        let engines = self.engine().into_iter();
        let runs = engines.flat_map(|engine| engine.runs_newest_first(None));
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

    fn judge(self, scenario: &Scenario) -> Result<Coverage, String> {
        let machine = self.newest().ok_or("the coordinator is gone at the end")?;
        let engine = self.engine().ok_or("the coordinator is gone at the end")?;
        audit(engine).map_err(|violation| violation.to_string())?;
        if *engine != machine.disk.replay() {
            return Err("the journal read again differs from the living state".into());
        }
        if scenario.keeping == Keeping::Guarded && *engine != replay(self.store.archive.records()) {
            return Err("the archive differs from the living state".into());
        }
        if let Some(busy) = self.workers.iter().find(|worker| !worker.is_idle()) {
            return Err(format!("{} still executes though every run has ended", busy.id));
        }
        let mut seen = self.seen.clone();
        self.oracle.at_the_end(engine, &self.store, &mut seen)?;
        for run in self.people.healthy_runs() {
            Oracle::healthy_run_succeeded(engine, run)?;
        }
        let quiet = scenario.faults.is_empty() && scenario.noise.is_none();
        if quiet && seen.has(Sight::LeaseRanOut) {
            return Err("an attempt was lost in a world where nothing goes wrong".into());
        }
        Ok(seen)
    }
}
