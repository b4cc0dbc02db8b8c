//! What happens in chaos and when, from a seed alone: a list of deeds in order of time. It knows which faults are open and begins none that contradicts one of
//! them. How a fault is done is not here; nor is anything that depends on how fast the machine is, so that a seed always gives the same list.

use std::time::Duration;
use testkit::Random;

/// What may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    CoordinatorKilled,
    CoordinatorFrozen,
    /// The coordinator is killed while a standby follows, which takes over.
    StandbySucceeds,
    /// The coordinator is cut off from broker and store while a standby follows, which takes over.
    StandbySupersedes,
    CoordinatorDiskFull,
    /// The coordinator's wall clock is two hours behind, or a day ahead.
    CoordinatorClock,
    WorkerDiskFull,
    WorkerClock,
    DaemonKilled,
    SupervisorKilled,
    WorkerDestroyed,
    WorkerFrozen,
    WorkerCut,
    WorkerDeaf,
    WorkerReset,
    BrokerKilled,
    BrokerAlarm,
    /// The workers' password is another one, and whoever used it is thrown out.
    PasswordRevoked,
    ConnectionsClosed,
    QueuePurged,
    QueueDeleted,
    StoreCut,
    StoreSlow,
}

/// How often each is chosen, beside the others.
const FAULTS: [(Fault, usize); 23] = [
    (Fault::CoordinatorKilled, 4),
    (Fault::CoordinatorFrozen, 2),
    (Fault::StandbySucceeds, 1),
    (Fault::StandbySupersedes, 1),
    (Fault::CoordinatorDiskFull, 1),
    (Fault::CoordinatorClock, 1),
    (Fault::WorkerDiskFull, 2),
    (Fault::WorkerClock, 1),
    (Fault::DaemonKilled, 4),
    (Fault::SupervisorKilled, 2),
    (Fault::WorkerDestroyed, 2),
    (Fault::WorkerFrozen, 2),
    (Fault::WorkerCut, 3),
    (Fault::WorkerDeaf, 2),
    (Fault::WorkerReset, 3),
    (Fault::BrokerKilled, 1),
    (Fault::BrokerAlarm, 2),
    (Fault::PasswordRevoked, 2),
    (Fault::ConnectionsClosed, 2),
    (Fault::QueuePurged, 2),
    (Fault::QueueDeleted, 1),
    (Fault::StoreCut, 2),
    (Fault::StoreSlow, 2),
];

/// What a fault lays hold of. Two faults exclude each other where both take one of these, or one takes what the other needs, and for no other reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thing {
    /// A coordinator that is gone cannot be killed, held or cut off.
    Coordinator,
    /// A disk that is full is full. And a coordinator that cannot write is not one that a standby waits to replace.
    CoordinatorDisk,
    CoordinatorClock,
    WorkerDisk,
    WorkerClock,
    /// A daemon that is gone or held cannot be killed or held.
    Daemon(usize),
    /// A way that lets nothing through has no connections to reset, and no side that hears less than the other.
    Way(usize),
    /// A node that is gone takes no orders: neither to close, to purge, to raise an alarm or to change a password, nor to take those back.
    Broker,
    Alarm,
    Password,
    /// A store is away or slow, not both. And a standby stands by only where there is a store: it would end, which is right and another trial.
    Store,
}

/// How a fault lays hold of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grip {
    /// Nobody else may.
    Takes(Thing),
    /// Others may too; it must be there.
    Needs(Thing),
}

impl Fault {
    fn grips(self, worker: usize) -> Vec<Grip> {
        use Grip::{Needs, Takes};
        match self {
            Self::CoordinatorKilled | Self::CoordinatorFrozen => vec![Takes(Thing::Coordinator)],
            Self::StandbySucceeds | Self::StandbySupersedes => vec![
                Takes(Thing::Coordinator),
                Needs(Thing::Store),
                Needs(Thing::CoordinatorDisk),
            ],
            Self::CoordinatorDiskFull => vec![Takes(Thing::CoordinatorDisk)],
            Self::CoordinatorClock => vec![Takes(Thing::CoordinatorClock)],
            Self::WorkerDiskFull => vec![Takes(Thing::WorkerDisk)],
            Self::WorkerClock => vec![Takes(Thing::WorkerClock)],
            Self::DaemonKilled | Self::WorkerDestroyed | Self::WorkerFrozen => {
                vec![Takes(Thing::Daemon(worker))]
            }
            // The supervisor is another process, and a worker that was destroyed has none: then nothing happens.
            Self::SupervisorKilled => Vec::new(),
            Self::WorkerCut | Self::WorkerDeaf | Self::WorkerReset => vec![Takes(Thing::Way(worker))],
            Self::BrokerKilled => vec![Takes(Thing::Broker)],
            Self::BrokerAlarm => vec![Needs(Thing::Broker), Takes(Thing::Alarm)],
            Self::PasswordRevoked => vec![Needs(Thing::Broker), Takes(Thing::Password)],
            Self::ConnectionsClosed | Self::QueuePurged | Self::QueueDeleted => {
                vec![Needs(Thing::Broker)]
            }
            Self::StoreCut | Self::StoreSlow => vec![Takes(Thing::Store)],
        }
    }

    /// Whether it is over as soon as it has happened.
    const fn is_blow(self) -> bool {
        matches!(
            self,
            Self::SupervisorKilled
                | Self::WorkerReset
                | Self::ConnectionsClosed
                | Self::QueuePurged
                | Self::QueueDeleted
        )
    }
}

/// A fault that happens once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Strike {
    pub(super) fault: Fault,
    /// The worker that it hits, if it hits one.
    pub(super) worker: usize,
    /// When it is mended.
    ends: Duration,
}

impl Strike {
    /// Whether it is over as soon as it has happened, and needs no mending.
    pub(super) const fn is_over(&self) -> bool {
        self.fault.is_blow()
    }

    fn contradicts(&self, other: &Self) -> bool {
        let theirs = other.fault.grips(other.worker);
        self.fault.grips(self.worker).iter().any(|grip| {
            theirs.iter().any(|their| match (grip, their) {
                (Grip::Needs(_), Grip::Needs(_)) => false,
                (Grip::Takes(one) | Grip::Needs(one), Grip::Takes(other) | Grip::Needs(other)) => {
                    one == other
                }
            })
        })
    }
}

/// One thing to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Submit { pause_tenths: u64 },
    Begin(Strike),
    Mend(Strike),
}

/// The deeds of a seed, each with its moment. There is always another one.
pub(super) struct Schedule {
    random: Random,
    workers: usize,
    /// When the next fault begins.
    next: Duration,
    open: Vec<Strike>,
    /// Submissions before the next fault.
    submissions: u64,
}

/// Least time between the beginnings of two faults, and most: five in ten seconds.
const BETWEEN_MS: (u64, u64) = (500, 3_500);
/// Least time that a fault lasts, and most: shorter or longer than a lease.
const LASTS_MS: (u64, u64) = (300, 15_000);
/// The same where a daemon was killed: whoever looks after it starts it soon.
const AWAY_MS: (u64, u64) = (200, 4_000);

impl Schedule {
    pub(super) fn of(seed: u64, workers: usize) -> Self {
        Self {
            random: Random::new(seed),
            workers,
            next: Duration::ZERO,
            open: Vec::new(),
            submissions: 2,
        }
    }

    /// What is next, and when.
    pub(super) fn next(&mut self) -> (Duration, Deed) {
        let first = self.open.iter().enumerate().min_by_key(|(_, strike)| strike.ends);
        if let Some((place, strike)) = first.map(|(place, strike)| (place, *strike))
            && strike.ends <= self.next
        {
            self.open.remove(place);
            return (strike.ends, Deed::Mend(strike));
        }
        if self.submissions > 0 {
            self.submissions -= 1;
            let pause_tenths = self.random.below(20);
            return (self.next, Deed::Submit { pause_tenths });
        }
        let strike = self.draw();
        if !strike.fault.is_blow() {
            self.open.push(strike);
        }
        let at = self.next;
        self.submissions = self.random.below(3);
        let pause = self.between(BETWEEN_MS);
        self.next += pause;
        (at, Deed::Begin(strike))
    }

    /// A fault that contradicts none that is open. Something always can be done: a supervisor can be killed at any time.
    fn draw(&mut self) -> Strike {
        let weighted: Vec<Fault> = FAULTS
            .iter()
            .flat_map(|(fault, weight)| std::iter::repeat_n(*fault, *weight))
            .collect();
        loop {
            let fault = self.random.pick(&weighted);
            let lasts = match fault {
                Fault::CoordinatorKilled | Fault::DaemonKilled => AWAY_MS,
                _ => LASTS_MS,
            };
            let strike = Strike {
                fault,
                worker: self.random.place(self.workers),
                ends: self.next + self.between(lasts),
            };
            if !self.open.iter().any(|open| open.contradicts(&strike)) {
                return strike;
            }
        }
    }

    fn between(&mut self, (least, most): (u64, u64)) -> Duration {
        Duration::from_millis(least + self.random.below(most - least))
    }
}

/// The same seed gives the same deeds, many faults are open at once, of every kind, and never two that contradict each other; each is mended.
pub(super) fn is_sound() {
    let deeds = |seed| {
        let mut schedule = Schedule::of(seed, 3);
        (0..4_000).map(|_| schedule.next()).collect::<Vec<_>>()
    };
    assert_eq!(deeds(7), deeds(7));
    assert_ne!(deeds(7), deeds(8));
    let (mut open, mut most) = (Vec::<Strike>::new(), 0);
    let (mut before, mut kinds) = (Duration::ZERO, std::collections::BTreeSet::new());
    for (at, deed) in deeds(7) {
        assert!(before <= at, "time does not go back");
        before = at;
        match deed {
            Deed::Submit { .. } => {}
            Deed::Begin(strike) => {
                assert!(
                    !open.iter().any(|open| open.contradicts(&strike)),
                    "{strike:?} in {open:?}"
                );
                kinds.insert(strike.fault);
                if !strike.fault.is_blow() {
                    open.push(strike);
                }
            }
            Deed::Mend(strike) => {
                let place = open.iter().position(|open| *open == strike);
                open.remove(place.expect("only what is open is mended"));
            }
        }
        most = most.max(open.len());
    }
    assert_eq!(kinds.len(), FAULTS.len(), "{kinds:?}");
    assert!(most >= 5, "at most {most} were open at once");
}
