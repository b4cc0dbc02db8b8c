//! What goes wrong, and when. Faults are drawn beforehand; noise is drawn message by message from the same seed.

use crate::scenario::TROUBLE_TICKS;
use testkit::Random;

/// A misfortune that begins at a tick.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) at: u64,
    pub(crate) kind: FaultKind,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FaultKind {
    /// The coordinator dies after so many of its small steps (a fact applied, a batch written, an effect performed) and stays away.
    CoordinatorDies { after: u64, ticks: u64 },
    /// A worker's host dies with what it executes; its disk stays.
    HostDies { worker: usize, ticks: u64 },
    /// A worker's daemon restarts; its processes go on.
    DaemonRestarts { worker: usize },
    /// A worker works, but neither hears nor is heard.
    Partition { worker: usize, ticks: u64 },
    /// A worker's heartbeats fail; all else goes on.
    Silence { worker: usize, ticks: u64 },
    /// Everything in the broker's queues is gone.
    Wipe,
    /// The broker is away; what is in its queues stays.
    BrokerAway { ticks: u64 },
    /// The broker sets one waiting task aside.
    DeadLetter,
    /// A worker gives back what it is offered for a while.
    Drains { worker: usize, ticks: u64 },
    /// A worker's machine is about to be taken away: what it executes goes elsewhere, and it takes nothing for a while.
    Preempted { worker: usize, ticks: u64 },
    /// The coordinator's wall clock steps back.
    ClockBack { ms: u64 },
    /// The coordinator writes a snapshot.
    Snapshot,
}

/// How often in a thousand times a message meets a fate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noise {
    pub(crate) dropped: u64,
    pub(crate) repeated: u64,
    pub(crate) delayed: u64,
}

impl Noise {
    pub(crate) const NONE: Self = Self {
        dropped: 0,
        repeated: 0,
        delayed: 0,
    };

    pub(crate) const fn is_none(self) -> bool {
        self.dropped + self.repeated + self.delayed == 0
    }

    pub(crate) fn random(random: &mut Random) -> Self {
        if random.chance(200) {
            return Self::NONE;
        }
        Self {
            dropped: random.below(200),
            repeated: random.below(150),
            delayed: random.below(400),
        }
    }
}

pub(crate) fn random_faults(random: &mut Random, workers: usize) -> Vec<Fault> {
    let mut faults: Vec<Fault> = (0..random.below(24))
        .map(|_| Fault {
            at: random.below(TROUBLE_TICKS),
            kind: random_kind(random, workers),
        })
        .collect();
    faults.sort_by_key(|fault| fault.at);
    faults
}

fn random_kind(random: &mut Random, workers: usize) -> FaultKind {
    let worker = random.place(workers);
    let ticks = 1 + random.below(80);
    match random.below(14) {
        0..=2 => FaultKind::CoordinatorDies {
            after: random.below(30),
            ticks: 1 + random.below(20),
        },
        3 => FaultKind::HostDies { worker, ticks },
        4 => FaultKind::DaemonRestarts { worker },
        5 => FaultKind::Partition { worker, ticks },
        6 => FaultKind::Silence { worker, ticks },
        7 => FaultKind::Wipe,
        8 => FaultKind::BrokerAway { ticks },
        9 => FaultKind::DeadLetter,
        10 => FaultKind::Drains {
            worker,
            ticks: 1 + random.below(30),
        },
        11 => FaultKind::Preempted { worker, ticks },
        12 => FaultKind::ClockBack {
            ms: random.below(5_000),
        },
        _ => FaultKind::Snapshot,
    }
}
