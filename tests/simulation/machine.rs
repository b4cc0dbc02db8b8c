//! A coordinator's machine: its disk, and the process on it, which is away, stands by or is active. It may be frozen, or cut off from the store. Who is
//! active is decided in the store alone; what an active one does in a tick is in `active.rs`.

use crate::active::{Active, Around};
use crate::archive::Watcher;
use crate::coordinator::Halt;
use crate::coverage::Sight;
use crate::disk::{Disk, Followed};
use crate::recovery;
use crate::scenario::Keeping;
use tidemill_engine::Engine;

/// Ticks until a coordinator that was superseded, or could not start, is started again.
const RESTART_TICKS: u64 = 5;

/// A machine.
#[derive(Debug)]
pub(crate) struct Machine {
    keeping: Keeping,
    pub(crate) disk: Disk,
    life: Life,
    frozen_until: u64,
    pub(crate) cut_until: u64,
    loses_disk: bool,
    away_ticks: u64,
}

#[derive(Debug)]
enum Life {
    Off {
        until: u64,
    },
    /// Follows the archive, of which it has seen so many records.
    StandingBy {
        watcher: Watcher,
        followed: usize,
    },
    /// Claimed an epoch and has to look whether the archive went on meanwhile.
    Claimed {
        epoch: u64,
    },
    Active(Box<Active>),
}

impl Machine {
    pub(crate) fn new(keeping: Keeping) -> Self {
        Self {
            keeping,
            disk: Disk::default(),
            life: Life::Off { until: 0 },
            frozen_until: 0,
            cut_until: 0,
            loses_disk: false,
            away_ticks: 0,
        }
    }

    pub(crate) fn active(&self) -> Option<&Active> {
        match &self.life {
            Life::Active(active) => Some(active),
            Life::Off { .. } | Life::StandingBy { .. } | Life::Claimed { .. } => None,
        }
    }

    fn active_mut(&mut self) -> Option<&mut Active> {
        match &mut self.life {
            Life::Active(active) => Some(active),
            Life::Off { .. } | Life::StandingBy { .. } | Life::Claimed { .. } => None,
        }
    }

    /// The coordinator dies after so many of its small steps, perhaps with its disk, and stays away.
    pub(crate) fn dies(&mut self, after: u64, ticks: u64, loses_disk: bool) {
        if let Some(active) = self.active_mut() {
            active.coordinator.dies_after = Some(after);
            self.away_ticks = ticks;
            // A journal that is nowhere else is lost for good.
            self.loses_disk = loses_disk && self.keeping != Keeping::Local;
        }
    }

    /// The process is stopped after so many of its effects, and goes on where it was.
    pub(crate) fn freezes(&mut self, after: u64, ticks: u64) {
        if let Some(active) = self.active_mut() {
            active.freezes = Some((after, ticks));
        }
    }

    pub(crate) fn write_snapshot(&mut self) {
        if let Life::Active(active) = &self.life {
            self.disk.write_snapshot(&active.coordinator.engine);
        }
    }

    /// What a reader would be shown now; none while nothing is answered.
    pub(crate) fn shown(&self, now: u64) -> Option<&Engine> {
        let active = self.active()?;
        (active.is_at_rest(&self.disk) && now >= self.frozen_until).then_some(&active.coordinator.engine)
    }

    /// The process is stopped where it is, and goes on then.
    pub(crate) fn hold_until(&mut self, until: u64) {
        self.frozen_until = self.frozen_until.max(until);
    }

    /// Whether the coordinator of this epoch is still the process here, however it fares.
    pub(crate) fn is_in(&self, epoch: u64) -> bool {
        self.active().is_some_and(|active| active.epoch == epoch)
    }

    /// Whether the process here does anything now, and reaches the store.
    pub(crate) fn acts_on_store(&self, now: u64) -> bool {
        now >= self.frozen_until && now >= self.cut_until
    }

    /// Lets every misfortune of its own end.
    pub(crate) fn heal(&mut self, now: u64) {
        self.frozen_until = self.frozen_until.min(now);
        self.cut_until = self.cut_until.min(now);
        self.disk.full_until = self.disk.full_until.min(now);
        self.disk.short_until = self.disk.short_until.min(now);
        self.disk.next_sync_fails = false;
        if let Some(active) = self.active_mut() {
            active.coordinator.dies_after = None;
            active.freezes = None;
        }
    }

    /// One tick of its life.
    pub(crate) fn live(&mut self, with: &mut Around<'_>) -> Result<(), String> {
        if with.tick < self.frozen_until {
            return Ok(());
        }
        let reaches_store = with.tick >= self.cut_until && !with.store.is_away(with.tick);
        match &mut self.life {
            Life::Off { until } if with.tick < *until => Ok(()),
            Life::Off { .. } => self.start(reaches_store, with),
            Life::StandingBy { .. } => {
                self.stand_by(reaches_store, with);
                Ok(())
            }
            Life::Claimed { epoch } => {
                let epoch = *epoch;
                if reaches_store {
                    self.take_office(epoch, with)?;
                }
                Ok(())
            }
            Life::Active(active) => {
                let outcome = active.round(&mut self.disk, reaches_store, with);
                self.after(outcome, with)
            }
        }
    }

    fn start(&mut self, reaches_store: bool, with: &mut Around<'_>) -> Result<(), String> {
        let later = Life::Off {
            until: with.tick + RESTART_TICKS,
        };
        match self.keeping {
            Keeping::Local => {
                let epoch = self.disk.restore().epoch() + 1;
                let active = Active::begin(&self.disk, epoch, self.keeping, with)?;
                self.life = Life::Active(Box::new(active));
            }
            _ if !reaches_store => self.life = later,
            Keeping::Archived => {
                if std::mem::take(&mut self.loses_disk) {
                    self.disk = recovery::recover(with)?;
                }
                let known = self.disk.restore().epoch();
                let epoch = with.store.archive.claim(known);
                self.take_office(epoch, with)?;
            }
            // Whoever comes first need not wait.
            Keeping::Guarded if with.store.archive.newest_epoch() == 0 => {
                let epoch = with.store.archive.claim(0);
                self.life = Life::Claimed { epoch };
            }
            Keeping::Guarded => {
                self.loses_disk = false;
                self.life = Life::StandingBy {
                    watcher: Watcher::default(),
                    followed: usize::MAX,
                };
            }
        }
        Ok(())
    }

    fn stand_by(&mut self, reaches_store: bool, with: &mut Around<'_>) {
        let Life::StandingBy { watcher, followed } = &mut self.life else {
            return;
        };
        if !reaches_store {
            watcher.could_not_look();
            return;
        }
        let records = with.store.archive.records();
        if *followed != records.len() {
            *followed = records.len();
            if self.disk.follow(records) == Followed::Replaced {
                with.seen.see(Sight::SupersededJournalReplaced);
            }
        }
        watcher.look(with.tick, &with.store.archive);
        if watcher.is_silent() {
            let epoch = with.store.archive.claim(0);
            self.life = Life::Claimed { epoch };
        }
    }

    /// Begins to be active, unless the archive knows more than this journal.
    fn take_office(&mut self, epoch: u64, with: &mut Around<'_>) -> Result<(), String> {
        let records = with.store.archive.records();
        let known = self.disk.durable().get(..records.len());
        if known != Some(records) || with.store.archive.newest_epoch() != epoch {
            self.life = Life::Off {
                until: with.tick + RESTART_TICKS,
            };
            return Ok(());
        }
        if self.keeping == Keeping::Guarded && epoch > 1 {
            with.seen.see(Sight::TookOver);
        }
        let active = Active::begin(&self.disk, epoch, self.keeping, with)?;
        self.life = Life::Active(Box::new(active));
        Ok(())
    }

    fn after(&mut self, outcome: Result<(), Halt>, with: &mut Around<'_>) -> Result<(), String> {
        match outcome {
            Ok(()) => {}
            Err(Halt::Frozen { ticks }) => {
                with.seen.see(Sight::CoordinatorFroze);
                self.frozen_until = with.tick + ticks;
            }
            Err(Halt::Broken(why)) => return Err(why),
            Err(Halt::Superseded) => {
                with.seen.see(Sight::OldCoordinatorEnded);
                self.life = Life::Off {
                    until: with.tick + RESTART_TICKS,
                };
            }
            Err(Halt::Died) => self.died(with)?,
        }
        Ok(())
    }

    fn died(&mut self, with: &mut Around<'_>) -> Result<(), String> {
        with.seen.see(Sight::CoordinatorDied);
        let (lost, kept) = self.disk.lose_tail(with.random);
        if lost > 0 {
            with.seen.see(Sight::TailLost);
        }
        if lost > 0 && kept > 0 {
            with.seen.see(Sight::TailKeptInPart);
        }
        let survived = self.disk.settle();
        if self.loses_disk {
            with.seen.see(Sight::DiskLost);
            self.disk = Disk::default();
        } else if self.keeping != Keeping::Guarded {
            // What survived is what the next incarnation finds: it counts as having happened.
            for event in survived {
                with.oracle.durable(&event)?;
            }
        }
        self.life = Life::Off {
            until: with.tick + self.away_ticks.max(1),
        };
        Ok(())
    }
}
