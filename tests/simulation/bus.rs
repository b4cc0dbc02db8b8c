//! The broker and the network: messages are dropped, repeated, delayed and so reordered; queues are wiped; the broker goes away.

use crate::coverage::{Coverage, Sight};
use crate::faults::Noise;
use std::collections::BTreeMap;
use std::sync::Arc;
use testkit::Random;
use tidemill_protocol::ids::{AttemptId, FencingToken};
use tidemill_protocol::name::Name;
use tidemill_protocol::wire::{Heartbeat, Report, StepTask, StopReason};

/// Longest delay of a message in ticks.
const DELAY_TICKS_MAX: u64 = 25;

/// What reaches the coordinator.
#[derive(Debug, Clone)]
pub(crate) enum ToCoordinator {
    Report {
        worker: usize,
        sequence: u64,
        report: Report,
    },
    Heartbeat(Heartbeat),
    DeadLetter {
        attempt: AttemptId,
        token: FencingToken,
    },
}

/// What reaches a worker.
#[derive(Debug, Clone)]
pub(crate) enum ToWorker {
    Stop {
        attempt: AttemptId,
        token: FencingToken,
        reason: StopReason,
    },
    Stored {
        sequence: u64,
    },
}

/// The broker with its queues.
#[derive(Debug)]
pub(crate) struct Bus {
    pub(crate) noise: Noise,
    pub(crate) away_until: u64,
    tasks: BTreeMap<Name, Vec<(u64, Arc<StepTask>)>>,
    to_coordinator: Vec<(u64, ToCoordinator)>,
    to_workers: Vec<(u64, usize, ToWorker)>,
}

impl Bus {
    pub(crate) fn new(noise: Noise) -> Self {
        Self {
            noise,
            away_until: 0,
            tasks: BTreeMap::new(),
            to_coordinator: Vec::new(),
            to_workers: Vec::new(),
        }
    }

    pub(crate) fn is_away(&self, now: u64) -> bool {
        now < self.away_until
    }

    /// The ticks at which copies of a message arrive.
    fn fates(&self, now: u64, random: &mut Random, seen: &mut Coverage) -> Vec<u64> {
        let mut arrivals = Vec::new();
        if self.is_away(now) || random.chance(self.noise.dropped) {
            return arrivals;
        }
        let copies = if random.chance(self.noise.repeated) { 2 } else { 1 };
        for _ in 0..copies {
            let delayed = random.chance(self.noise.delayed);
            if delayed {
                seen.see(Sight::MessageDelayed);
            }
            arrivals.push(
                now + if delayed {
                    1 + random.below(DELAY_TICKS_MAX)
                } else {
                    1
                },
            );
        }
        arrivals
    }

    pub(crate) fn publish_task(
        &mut self,
        now: u64,
        task: &Arc<StepTask>,
        random: &mut Random,
        seen: &mut Coverage,
    ) {
        let arrivals = self.fates(now, random, seen);
        match arrivals.len() {
            0 => seen.see(Sight::TaskDropped),
            1 => {}
            _ => seen.see(Sight::TaskRepeated),
        }
        let queue = self.tasks.entry(task.template.rules.target.clone()).or_default();
        queue.extend(arrivals.into_iter().map(|due| (due, Arc::clone(task))));
    }

    pub(crate) fn tell_coordinator(
        &mut self,
        now: u64,
        message: &ToCoordinator,
        random: &mut Random,
        seen: &mut Coverage,
    ) {
        let arrivals = self.fates(now, random, seen);
        self.to_coordinator
            .extend(arrivals.into_iter().map(|due| (due, message.clone())));
    }

    pub(crate) fn tell_worker(
        &mut self,
        now: u64,
        worker: usize,
        message: &ToWorker,
        random: &mut Random,
        seen: &mut Coverage,
    ) {
        let arrivals = self.fates(now, random, seen);
        self.to_workers
            .extend(arrivals.into_iter().map(|due| (due, worker, message.clone())));
    }

    /// One task that waits for any of these targets, in no order.
    pub(crate) fn take_task(
        &mut self,
        now: u64,
        targets: &[Name],
        random: &mut Random,
    ) -> Option<Arc<StepTask>> {
        if self.is_away(now) {
            return None;
        }
        let due: Vec<(Name, usize)> = targets
            .iter()
            .filter_map(|target| self.tasks.get_key_value(target))
            .flat_map(|(target, queue)| {
                let places = queue.iter().enumerate().filter(|(_, (due, _))| *due <= now);
                places
                    .map(|(place, _)| (target.clone(), place))
                    .collect::<Vec<_>>()
            })
            .collect();
        if due.is_empty() {
            return None;
        }
        let (target, place) = random.pick(&due);
        self.tasks.get_mut(&target).map(|queue| queue.remove(place).1)
    }

    /// Any task that waits, set aside by the broker.
    pub(crate) fn set_one_aside(&mut self, now: u64, random: &mut Random) -> Option<Arc<StepTask>> {
        let targets: Vec<Name> = self.tasks.keys().cloned().collect();
        self.take_task(now, &targets, random)
    }

    /// Everything that has arrived for the coordinator, in any order.
    pub(crate) fn for_coordinator(&mut self, now: u64, random: &mut Random) -> Vec<ToCoordinator> {
        if self.is_away(now) {
            return Vec::new();
        }
        let (due, later) = std::mem::take(&mut self.to_coordinator)
            .into_iter()
            .partition(|(due, _)| *due <= now);
        self.to_coordinator = later;
        let mut due: Vec<(u64, ToCoordinator)> = due;
        let mut messages = Vec::new();
        while !due.is_empty() {
            let place = random.place(due.len());
            messages.push(due.swap_remove(place).1);
        }
        messages
    }

    /// Everything that has arrived for a worker.
    pub(crate) fn for_worker(&mut self, now: u64, worker: usize) -> Vec<ToWorker> {
        if self.is_away(now) {
            return Vec::new();
        }
        let mine = |(due, to, _): &(u64, usize, ToWorker)| *to == worker && *due <= now;
        let (due, rest) = std::mem::take(&mut self.to_workers).into_iter().partition(mine);
        self.to_workers = rest;
        let due: Vec<(u64, usize, ToWorker)> = due;
        due.into_iter().map(|(_, _, message)| message).collect()
    }

    pub(crate) fn wipe(&mut self) {
        self.tasks.clear();
        self.to_coordinator.clear();
        self.to_workers.clear();
    }
}
