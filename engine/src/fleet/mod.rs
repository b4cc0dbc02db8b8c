//! The fleet: what workers said they offer, when they were last heard of, and whose lease ran out. Soft: nothing of it is in the journal, all of it comes
//! back with the next heartbeats, and losing it costs time, never correctness. Lengths are judged by the caller's monotonic clock.

mod leases;
mod rate;
mod worker;

pub use worker::Worker;

use crate::engine::Engine;
use crate::event::{Event, Fact};
use leases::Leases;
use rate::Rate;
use std::collections::{BTreeMap, BTreeSet};
use tidemill_protocol::ids::{AttemptId, FencingToken, WorkerId};
use tidemill_protocol::name::Name;
use tidemill_protocol::time::{Millis, Timestamp};
use tidemill_protocol::wire::{Heartbeat, Phase};

/// How the fleet is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FleetSettings {
    /// How long a worker may be silent before its attempts are lost.
    pub lease: Millis,
    /// How many tasks beyond its live slots a compute target's queue holds at least, so that a free slot finds one.
    pub look_ahead_min: u32,
    /// How many at most, however short the steps are.
    pub look_ahead_max: u32,
    /// How many tasks may wait in the queue of a compute target that no known worker serves.
    pub unserved_max: u32,
}

impl Default for FleetSettings {
    fn default() -> Self {
        Self {
            lease: Millis::from_secs(60),
            look_ahead_min: 4,
            look_ahead_max: 2048,
            unserved_max: 2,
        }
    }
}

/// What is known of the workers.
#[derive(Debug, Clone)]
pub struct Fleet {
    settings: FleetSettings,
    workers: BTreeMap<WorkerId, Worker>,
    capacity: BTreeMap<Name, Capacity>,
    ended: BTreeMap<Name, Rate>,
    leases: Leases,
    /// Workers that count for nothing, whatever they say.
    barred: BTreeSet<WorkerId>,
}

/// What live workers offer for one compute target. A worker that serves several counts in full for each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capacity {
    /// Live workers.
    pub workers: u32,
    /// Their slots; those of workers that take nothing new do not count.
    pub slots: u32,
}

impl Fleet {
    /// A fleet of which nothing has been heard yet. Every attempt that `engine` knows to be running gets a full lease from `now` on.
    pub fn new(settings: FleetSettings, now: Millis, engine: &Engine) -> Self {
        let mut leases = Leases::default();
        for (attempt, token) in engine.running_attempts() {
            leases.grant(attempt, token, now + settings.lease);
        }
        Self {
            settings,
            workers: BTreeMap::new(),
            capacity: BTreeMap::new(),
            ended: BTreeMap::new(),
            leases,
            barred: BTreeSet::new(),
        }
    }

    /// Takes note of a heartbeat: what the worker offers, and that what it lists is alive. `wall` is for display. A barred worker is shown and renews nothing.
    pub fn hear(&mut self, now: Millis, wall: Timestamp, heartbeat: &Heartbeat) {
        let heard = Worker::heard(now, wall, heartbeat);
        if let Some(before) = self.workers.remove(&heartbeat.worker) {
            self.count(&heartbeat.worker, &before, false);
        }
        self.count(&heartbeat.worker, &heard, true);
        self.workers.insert(heartbeat.worker.clone(), heard);
        if self.is_barred(&heartbeat.worker) {
            return;
        }
        for running in &heartbeat.running {
            self.leases
                .renew(&running.attempt, running.token, now + self.settings.lease);
        }
    }

    /// Takes note of a fact that was applied: a claim, or the return of a worker, starts a lease, an end ends it.
    pub fn witness(&mut self, now: Millis, engine: &Engine, event: &Event) {
        match &event.fact {
            Fact::AttemptClaimed { attempt, token, .. } | Fact::AttemptResumed { attempt, token, .. } => {
                self.leases.grant(*attempt, *token, now + self.settings.lease);
            }
            Fact::AttemptSucceeded { attempt, .. }
            | Fact::AttemptFailed { attempt, .. }
            | Fact::AttemptReturned { attempt, .. }
            | Fact::AttemptPreempted { attempt, .. }
            | Fact::AttemptStopped { attempt, .. } => {
                self.leases.end(attempt);
                if let Some(target) = engine.target_of(attempt.step_ref()) {
                    self.note_end(now, target);
                }
            }
            Fact::EpochStarted { .. }
            | Fact::RunSubmitted { .. }
            | Fact::QuotaSet { .. }
            | Fact::StepsAdded { .. }
            | Fact::RunCancelRequested { .. }
            | Fact::RunStopRequested { .. }
            | Fact::RunRetried { .. }
            | Fact::RunFinished { .. }
            | Fact::RunForgotten { .. }
            | Fact::ArtifactLost { .. }
            | Fact::StepReused { .. }
            | Fact::StepFollows { .. }
            | Fact::StepSkipped { .. }
            | Fact::StepEnded { .. }
            | Fact::StepFailed { .. }
            | Fact::StepRetryDue { .. }
            | Fact::CheckpointSaved { .. }
            | Fact::AttemptDispatched { .. } => {}
        }
    }

    fn note_end(&mut self, now: Millis, target: &Name) {
        if let Some(rate) = self.ended.get_mut(target) {
            rate.note(now);
        } else {
            self.ended.entry(target.clone()).or_default().note(now);
        }
    }

    /// The attempts whose lease has run out, for `Command::ExpireLease`; none while paused. Also stops counting on workers that are silent.
    pub fn expired(&mut self, now: Millis) -> Vec<(AttemptId, FencingToken)> {
        if self.leases.is_paused() {
            return Vec::new();
        }
        let silent: Vec<WorkerId> = self
            .workers
            .iter()
            .filter(|(_, worker)| !worker.is_silent() && worker.is_overdue(now, self.settings.lease))
            .map(|(id, _)| id.clone())
            .collect();
        for id in silent {
            let Some(mut worker) = self.workers.remove(&id) else {
                continue;
            };
            self.count(&id, &worker, false);
            worker.fall_silent();
            self.workers.insert(id, worker);
        }
        self.leases.expired(now)
    }

    /// The coordinator has lost its broker: nobody can be heard, so nobody is late.
    pub fn pause(&mut self) {
        self.leases.pause();
    }

    /// The coordinator has a broker again: every worker and every lease gets a full term from `now` on.
    pub fn resume(&mut self, now: Millis) {
        self.leases.resume(now + self.settings.lease);
        for worker in self.workers.values_mut() {
            worker.excuse(now);
        }
    }

    /// Drops a worker from the list. It comes back when it is heard of again.
    pub fn forget(&mut self, id: &WorkerId) {
        if let Some(worker) = self.workers.remove(id) {
            self.count(id, &worker, false);
        }
    }

    /// Lets a worker count for nothing, or count again, whatever it says.
    pub fn bar(&mut self, id: &WorkerId, barred: bool) {
        if self.is_barred(id) == barred {
            return;
        }
        let worker = self.workers.remove(id);
        if let Some(worker) = &worker {
            self.count(id, worker, false);
        }
        if barred {
            self.barred.insert(id.clone());
        } else {
            self.barred.remove(id);
        }
        if let Some(worker) = worker {
            self.count(id, &worker, true);
            self.workers.insert(id.clone(), worker);
        }
    }

    /// Whether a worker counts for nothing.
    pub fn is_barred(&self, id: &WorkerId) -> bool {
        self.barred.contains(id)
    }

    fn count(&mut self, id: &WorkerId, worker: &Worker, add: bool) {
        if worker.is_silent() || self.is_barred(id) {
            return;
        }
        let slots = if worker.offer().takes_tasks() {
            worker.offer().slots
        } else {
            0
        };
        for target in &worker.offer().targets {
            let capacity = self.capacity.entry(target.name.clone()).or_default();
            if add {
                capacity.workers += 1;
                capacity.slots += slots;
            } else {
                capacity.workers -= 1;
                capacity.slots -= slots;
            }
            if capacity.workers == 0 {
                self.capacity.remove(&target.name);
            }
        }
    }

    /// How many attempts of this compute target may be in flight: its live slots, and enough beside them for a quarter of a second at its present
    /// pace.
    pub fn window(&self, target: &Name) -> u32 {
        let slots = self.capacity(target).slots;
        if slots == 0 {
            return self.settings.unserved_max;
        }
        let pace = self.ended.get(target).map_or(0, Rate::per_second);
        let look_ahead = (pace / 4).max(slots / 2);
        slots + look_ahead.clamp(self.settings.look_ahead_min, self.settings.look_ahead_max)
    }

    /// What live workers offer for a compute target.
    pub fn capacity(&self, target: &Name) -> Capacity {
        self.capacity.get(target).copied().unwrap_or_default()
    }

    /// The compute targets that live workers serve.
    pub fn targets(&self) -> impl Iterator<Item = &Name> {
        self.capacity.keys()
    }

    /// Attempts of a compute target that ended in the last minute.
    pub fn ended_last_minute(&self, now: Millis, target: &Name) -> u64 {
        self.ended.get(target).map_or(0, |rate| rate.last_minute(now))
    }

    /// Every worker that was heard of and not forgotten.
    pub fn workers(&self) -> impl ExactSizeIterator<Item = (&WorkerId, &Worker)> {
        self.workers.iter()
    }

    /// A worker that was heard of and not forgotten.
    pub fn worker(&self, id: &WorkerId) -> Option<&Worker> {
        self.workers.get(id)
    }

    /// How far an attempt has come by the last heartbeat of the worker that makes it.
    pub fn phase(&self, worker: &WorkerId, attempt: &AttemptId) -> Option<Phase> {
        let running = self.workers.get(worker)?.running();
        running
            .iter()
            .find(|running| running.attempt == *attempt)
            .map(|running| running.phase)
    }

    /// The settings by which it is judged.
    pub const fn settings(&self) -> &FleetSettings {
        &self.settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_protocol::compute::ComputeTarget;
    use tidemill_protocol::ids::StepIndex;
    use tidemill_protocol::wire::{Offer, RunningAttempt};

    fn heartbeat(worker: &WorkerId, attempt: AttemptId) -> Heartbeat {
        let name = |text: &str| text.parse::<Name>().unwrap();
        Heartbeat {
            worker: worker.clone(),
            incarnation: 1,
            offer: Offer {
                targets: vec![ComputeTarget {
                    name: name("cpu"),
                    compute_type: name("cpu"),
                }],
                slots: 8,
                cpus: 8,
                memory_bytes: 1,
                gpus: vec![],
                host: String::new(),
                version: String::new(),
                draining: false,
                disk_full: false,
            },
            running: vec![RunningAttempt {
                attempt,
                token: FencingToken(1),
                phase: Phase::Running,
            }],
        }
    }

    #[test]
    fn a_barred_worker_is_shown_and_counts_for_nothing_until_it_is_not_barred() {
        let mut fleet = Fleet::new(FleetSettings::default(), Millis(0), &Engine::new());
        let (worker, target): (WorkerId, Name) = ("w".parse().unwrap(), "cpu".parse().unwrap());
        let attempt = AttemptId {
            run: "00000000-0000-0000-0000-000000000000".parse().unwrap(),
            step: StepIndex(0),
            attempt: 1,
        };
        fleet.leases.grant(attempt, FencingToken(1), Millis(60_000));
        fleet.hear(Millis(0), Timestamp(0), &heartbeat(&worker, attempt));
        assert_eq!(fleet.capacity(&target).slots, 8);
        fleet.bar(&worker, true);
        fleet.bar(&worker, true);
        assert_eq!(fleet.capacity(&target), Capacity::default());
        fleet.hear(Millis(50_000), Timestamp(0), &heartbeat(&worker, attempt));
        assert_eq!(fleet.capacity(&target), Capacity::default());
        assert!(fleet.worker(&worker).is_some());
        assert_eq!(fleet.expired(Millis(60_000)).len(), 1, "it renewed no lease");
        fleet.bar(&worker, false);
        assert_eq!(fleet.capacity(&target).slots, 8);
    }
}
