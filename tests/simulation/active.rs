//! An active coordinator in a tick: it shows that it lives, copies its journal, waits for the copy where it has to, lets out what was held back, and only
//! then takes the next batch. What it says to others goes out only while it is sure that nobody has replaced it.

use crate::archive::{BEAT_TICKS, SURE_TICKS, Segment};
use crate::bus::{Bus, ToWorker};
use crate::coordinator::{Coordinator, Halt, Output, Turn, monotonic};
use crate::coverage::{Coverage, Sight};
use crate::disk::{Disk, decode};
use crate::oracle::Oracle;
use crate::people::People;
use crate::scenario::Keeping;
use crate::store::Store;
use std::collections::VecDeque;
use testkit::Random;
use tidemill_engine::Effect;
use tidemill_protocol::ids::WorkerId;
use tidemill_protocol::time::Timestamp;

/// Longest time that an asynchronous archive lets events wait.
const SEAL_TICKS_MAX: u64 = 40;

/// What a coordinator reaches in a tick.
pub(crate) struct Around<'a> {
    pub(crate) tick: u64,
    pub(crate) now: Timestamp,
    pub(crate) bus: &'a mut Bus,
    pub(crate) store: &'a mut Store,
    pub(crate) people: &'a mut People,
    pub(crate) worker_ids: &'a [WorkerId],
    pub(crate) oracle: &'a mut Oracle,
    pub(crate) random: &'a mut Random,
    pub(crate) seen: &'a mut Coverage,
}

/// The process while it is the coordinator, or believes so.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) coordinator: Coordinator,
    pub(crate) epoch: u64,
    keeping: Keeping,
    /// None where nothing is archived.
    copying: Option<Copying>,
    /// What is held back until the last batch is durable wherever it has to be.
    hand: Vec<Output>,
    /// What is to be said to others.
    outbox: VecDeque<Output>,
    /// Effects until it is frozen, and for how long.
    pub(crate) freezes: Option<(u64, u64)>,
    /// It was frozen after it had looked whether it is sure, and before it spoke.
    is_mid_word: bool,
}

#[derive(Debug)]
struct Copying {
    beats: u64,
    next_beat: u64,
    sure_until: u64,
    slot: usize,
    archived: usize,
    seal_at: u64,
}

impl Active {
    pub(crate) fn begin(
        disk: &Disk,
        epoch: u64,
        keeping: Keeping,
        with: &mut Around<'_>,
    ) -> Result<Self, String> {
        let copying = (keeping != Keeping::Local).then(|| {
            with.store.archive.beat(epoch, 0);
            Copying {
                beats: 0,
                next_beat: with.tick + BEAT_TICKS,
                sure_until: with.tick + SURE_TICKS,
                slot: with.store.archive.slots(),
                archived: with.store.archive.records().len(),
                seal_at: with.tick,
            }
        });
        Ok(Self {
            coordinator: Coordinator::start(disk, epoch, with.tick, with.seen)?,
            epoch,
            keeping,
            copying,
            hand: Vec::new(),
            outbox: VecDeque::new(),
            freezes: None,
            is_mid_word: false,
        })
    }

    /// Whether nothing is held back, and the archive holds all that there is.
    pub(crate) fn is_at_rest(&self, disk: &Disk) -> bool {
        let archived = self.copying.as_ref();
        self.hand.is_empty() && archived.is_none_or(|copying| copying.archived == disk.durable().len())
    }

    pub(crate) fn round(
        &mut self,
        disk: &mut Disk,
        reaches_store: bool,
        with: &mut Around<'_>,
    ) -> Result<(), Halt> {
        self.speak(with)?;
        if reaches_store {
            self.beat(with)?;
            self.copy(disk, with)?;
        }
        if self.waits(disk) {
            with.seen.see(Sight::WaitedForTheArchive);
            return Ok(());
        }
        self.let_out(with)?;
        self.speak(with)?;
        self.hand = self.take_turn(disk, with)?;
        if reaches_store {
            self.copy(disk, with)?;
        }
        if !self.waits(disk) {
            self.let_out(with)?;
            self.speak(with)?;
        }
        Ok(())
    }

    fn take_turn(&mut self, disk: &mut Disk, with: &mut Around<'_>) -> Result<Vec<Output>, Halt> {
        self.coordinator.broker_is(with.bus.is_away(with.tick), with.tick);
        let mut turn = Turn {
            tick: with.tick,
            now: with.now,
            messages: with.bus.for_coordinator(with.tick, with.random),
            requests: with.people.ask(with.tick, with.random),
            worker_ids: with.worker_ids,
            counts_when_local: self.keeping != Keeping::Guarded,
            disk,
            oracle: with.oracle,
            seen: with.seen,
        };
        self.coordinator.turn(&mut turn)
    }

    /// Whether the last batch is not yet where it has to be before anything is let out.
    fn waits(&self, disk: &Disk) -> bool {
        self.keeping == Keeping::Guarded
            && self
                .copying
                .as_ref()
                .is_some_and(|copying| copying.archived < disk.durable().len())
    }

    fn beat(&mut self, with: &mut Around<'_>) -> Result<(), Halt> {
        let Some(copying) = &mut self.copying else {
            return Ok(());
        };
        if with.tick < copying.next_beat {
            return Ok(());
        }
        if with.store.archive.newest_epoch() > self.epoch {
            return Err(Halt::Superseded);
        }
        copying.beats += 1;
        with.store.archive.beat(self.epoch, copying.beats);
        copying.next_beat = with.tick + BEAT_TICKS;
        copying.sure_until = with.tick + SURE_TICKS;
        Ok(())
    }

    fn copy(&mut self, disk: &Disk, with: &mut Around<'_>) -> Result<(), Halt> {
        let Some(copying) = &mut self.copying else {
            return Ok(());
        };
        let guarded = self.keeping == Keeping::Guarded;
        let fresh = disk.durable().get(copying.archived..).unwrap_or_default();
        if fresh.is_empty() || (!guarded && with.tick < copying.seal_at) {
            return Ok(());
        }
        copying.seal_at = with.tick + with.random.below(SEAL_TICKS_MAX);
        let segment = Segment {
            epoch: self.epoch,
            records: fresh.to_vec(),
        };
        let taken = match with.store.archive.fill(copying.slot, segment) {
            Ok(()) => {
                if guarded {
                    for record in fresh {
                        with.oracle.durable(&decode(record))?;
                    }
                }
                if with.random.chance(50) {
                    // It is there, and we do not hear of it: the next try meets it.
                    with.seen.see(Sight::ArchiveAnswerLost);
                    return Ok(());
                }
                fresh.len()
            }
            Err(found) if found.epoch <= self.epoch && fresh.starts_with(&found.records) => {
                found.records.len()
            }
            Err(_) => return Err(Halt::Superseded),
        };
        copying.slot += 1;
        copying.archived += taken;
        Ok(())
    }

    /// Answers people, sets alarms, and gives what is to be said to others to the outbox.
    fn let_out(&mut self, with: &mut Around<'_>) -> Result<(), Halt> {
        for output in std::mem::take(&mut self.hand) {
            match output {
                Output::Reply {
                    request,
                    proposed,
                    answer,
                } => {
                    self.coordinator.step()?;
                    with.people
                        .hear(with.tick, (request, proposed), &answer, with.oracle, with.seen)?;
                }
                Output::Effect(Effect::SetAlarm { at, pause, alarm }) => {
                    let wait = at.since(with.now).min(pause);
                    self.coordinator.set_alarm(monotonic(with.tick) + wait, alarm);
                }
                output => self.outbox.push_back(output),
            }
        }
        Ok(())
    }

    /// Says what is to be said, as long as it is sure.
    fn speak(&mut self, with: &mut Around<'_>) -> Result<(), Halt> {
        while !self.outbox.is_empty() {
            let was_mid_word = std::mem::take(&mut self.is_mid_word);
            let sure = self
                .copying
                .as_ref()
                .is_none_or(|copying| with.tick < copying.sure_until);
            if !sure && !was_mid_word {
                with.seen.see(Sight::SilentWhileUnsure);
                return Ok(());
            }
            match &mut self.freezes {
                Some((0, ticks)) => {
                    let ticks = *ticks;
                    self.freezes = None;
                    self.is_mid_word = true;
                    return Err(Halt::Frozen { ticks });
                }
                Some((after, _)) => *after -= 1,
                None => {}
            }
            self.coordinator.step()?;
            if !was_mid_word {
                with.oracle.may_speak(self.epoch)?;
            }
            if let Some(output) = self.outbox.pop_front() {
                say(output, with);
            }
        }
        Ok(())
    }
}

fn say(output: Output, with: &mut Around<'_>) {
    match output {
        Output::Effect(Effect::PublishTask(task)) => {
            with.bus.publish_task(with.tick, &task, with.random, with.seen);
        }
        Output::Effect(Effect::StopAttempt {
            worker,
            attempt,
            token,
            reason,
        }) => {
            if let Some(place) = with.worker_ids.iter().position(|id| *id == worker) {
                let stop = ToWorker::Stop {
                    attempt,
                    token,
                    reason,
                };
                with.bus
                    .tell_worker(with.tick, place, &stop, with.random, with.seen);
            }
        }
        Output::Stored { worker, sequence } => {
            let stored = ToWorker::Stored { sequence };
            with.bus
                .tell_worker(with.tick, worker, &stored, with.random, with.seen);
        }
        Output::Effect(Effect::SetAlarm { .. }) | Output::Reply { .. } => {
            unreachable!("it is let out, not said")
        }
    }
}
