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
    /// The coordinator of a machine dies after so many of its small steps (a fact applied, a batch written, an effect performed) and stays away. Its disk may be
    /// lost with it.
    CoordinatorDies {
        machine: usize,
        after: u64,
        ticks: u64,
        with_disk: bool,
    },
    /// It is stopped after so many effects, as by a debugger or a moving virtual machine, and goes on where it was.
    CoordinatorFreezes { machine: usize, after: u64, ticks: u64 },
    /// It cannot reach the store; everybody else can.
    CutFromStore { machine: usize, ticks: u64 },
    /// Nothing more can be written to its disk.
    DiskFull { machine: usize, ticks: u64 },
    /// There is no room for new runs on its disk.
    DiskShort { machine: usize, ticks: u64 },
    /// The next sync of its disk fails.
    SyncFails { machine: usize },
    /// Nobody reaches the store.
    StoreAway { ticks: u64 },
    /// An operator sweeps the store, and the coordinator that does it is held for so long in the middle of it.
    Sweep { held: u64 },
    /// A worker's host dies with what it executes; its disk stays.
    HostDies { worker: usize, ticks: u64 },
    /// A worker's supervisor dies with what it executes; the daemon lives.
    SupervisorDies { worker: usize },
    /// A worker's daemon restarts; its processes go on.
    DaemonRestarts { worker: usize },
    /// A worker works, but neither hears nor is heard.
    Partition { worker: usize, ticks: u64 },
    /// A worker is heard, and hears nothing.
    Deaf { worker: usize, ticks: u64 },
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
    /// Everybody's wall clock is a day ahead, and right again later.
    ClockAhead { ticks: u64 },
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
    let mut faults: Vec<Fault> = (0..random.below(30))
        .map(|_| Fault {
            at: random.below(TROUBLE_TICKS),
            kind: random_kind(random, workers),
        })
        .collect();
    faults.sort_by_key(|fault| fault.at);
    faults
}

fn random_kind(random: &mut Random, workers: usize) -> FaultKind {
    match random.below(27) {
        0..=9 => about_the_coordinator(random),
        10..=19 => about_a_worker(random, workers),
        20 => FaultKind::Wipe,
        21 => FaultKind::BrokerAway {
            ticks: 1 + random.below(80),
        },
        22 => FaultKind::DeadLetter,
        23 => FaultKind::StoreAway {
            ticks: 1 + random.below(60),
        },
        24 => match random.below(5_000) {
            odd if odd % 2 == 1 => FaultKind::ClockAhead { ticks: 1 + odd % 60 },
            ms => FaultKind::ClockBack { ms },
        },
        25 => FaultKind::Sweep {
            held: if random.chance(500) { random.below(80) } else { 0 },
        },
        _ => FaultKind::Snapshot,
    }
}

fn about_the_coordinator(random: &mut Random) -> FaultKind {
    let machine = random.place(2);
    let ticks = 1 + random.below(60);
    match random.below(10) {
        0..=3 => FaultKind::CoordinatorDies {
            machine,
            after: random.below(30),
            ticks: 1 + random.below(20),
            with_disk: random.chance(300),
        },
        4 | 5 => FaultKind::CoordinatorFreezes {
            machine,
            after: random.below(10),
            ticks,
        },
        6 => FaultKind::CutFromStore { machine, ticks },
        7 => FaultKind::DiskFull { machine, ticks },
        8 => FaultKind::DiskShort { machine, ticks },
        _ => FaultKind::SyncFails { machine },
    }
}

fn about_a_worker(random: &mut Random, workers: usize) -> FaultKind {
    let worker = random.place(workers);
    let ticks = 1 + random.below(80);
    match random.below(8) {
        0 => FaultKind::HostDies { worker, ticks },
        1 => FaultKind::SupervisorDies { worker },
        2 => FaultKind::DaemonRestarts { worker },
        3 => FaultKind::Partition { worker, ticks },
        4 => FaultKind::Deaf { worker, ticks },
        5 => FaultKind::Silence { worker, ticks },
        6 => FaultKind::Drains {
            worker,
            ticks: 1 + random.below(30),
        },
        _ => FaultKind::Preempted { worker, ticks },
    }
}
