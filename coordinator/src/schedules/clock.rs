//! The part that watches the clock: looks at the schedules again and again, and has done and noted what is due. It keeps nothing that the ledger does not hold: what
//! it knows between two looks only saves reckoning.

use super::attend::{Answered, Attended};
use super::calendar::Calendar;
use super::due::{Due, due};
use super::occasions::occasions;
use super::state::Schedule;
use crate::driver::{DurableEvents, Sight};
use crate::error::Stopped;
use crate::handle::CoordinatorHandle;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tidemill_engine::Fact;
use tidemill_protocol::name::Name;
use tidemill_protocol::schedule::{FiringOutcome, Moment};
use tidemill_protocol::time::{Millis, Timestamp};
use tokio::sync::broadcast::{self, error::TryRecvError};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// How often schedules are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// When what the world hindered is tried again.
const REST: Millis = Millis::from_secs(10);
/// When a trigger that cannot be reckoned with any more is tried again.
const UNUSABLE_RETRY: Millis = Millis::from_secs(60);

/// What tells whether a schedule is as it was at the last look.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    created_at: Timestamp,
    revision: u64,
    settled_to: Timestamp,
    settled: usize,
    waiting: usize,
}

impl Stamp {
    fn of(schedule: &Schedule) -> Self {
        Self {
            created_at: schedule.created_at,
            revision: schedule.revision,
            settled_to: schedule.settled_to,
            settled: schedule.settled_at.len(),
            waiting: schedule.waiting.len(),
        }
    }
}

/// What is known of a schedule between two looks.
#[derive(Debug, Clone)]
struct Known {
    stamp: Stamp,
    /// When it is to be looked at again, unless it changes; none for never.
    next: Option<Timestamp>,
    /// Until when it is left alone, because the world hindered it.
    rests_until: Timestamp,
}

/// A schedule that something is to be done about.
struct Ready {
    name: Name,
    schedule: Schedule,
    /// What happened, of which it has not settled.
    occasions: Vec<Moment>,
}

/// What came of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looked {
    /// Something was done, so there may be more to do.
    Did,
    /// Something that happened could not be answered yet.
    Hindered,
    /// Nothing is left to do.
    AllDone,
}

/// Starts runs as the schedules say, until the token is cancelled.
pub(crate) async fn run_schedules(handle: CoordinatorHandle, token: CancellationToken) {
    let mut events = handle.inner.events.subscribe();
    let mut known: BTreeMap<Name, Known> = BTreeMap::new();
    let mut tick = tokio::time::interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // At the start, because runs may have ended while nobody looked.
    let mut has_run_ended = true;
    loop {
        tokio::select! {
            () = token.cancelled() => return,
            _ = tick.tick() => {}
        }
        loop {
            has_run_ended |= take_ends(&mut events);
            let Ok(looked) = look(&handle, &mut known, has_run_ended).await else {
                return;
            };
            match looked {
                Looked::Did if !token.is_cancelled() => {}
                Looked::Did | Looked::Hindered => break,
                Looked::AllDone => {
                    has_run_ended = false;
                    break;
                }
            }
        }
    }
}

/// Whether a run has ended since the last look.
fn take_ends(events: &mut broadcast::Receiver<Arc<DurableEvents>>) -> bool {
    let mut has_run_ended = false;
    loop {
        match events.try_recv() {
            Ok(batch) => {
                let mut facts = batch.events.iter().map(|event| &event.fact);
                has_run_ended |= facts.any(|fact| matches!(fact, Fact::RunFinished { .. }));
            }
            Err(TryRecvError::Lagged(_)) => has_run_ended = true,
            Err(TryRecvError::Empty | TryRecvError::Closed) => return has_run_ended,
        }
    }
}

/// One look: does the first thing that is due of each schedule.
async fn look(
    handle: &CoordinatorHandle,
    known: &mut BTreeMap<Name, Known>,
    has_run_ended: bool,
) -> Result<Looked, Stopped> {
    let now = handle.inner.clock.now();
    let before = known.clone();
    let looking = handle.look(move |sight| {
        let schedules = &sight.ledgers.schedules;
        let gone = before.keys().filter(|name| schedules.get(name).is_none());
        let gone: Vec<Name> = gone.cloned().collect();
        (ready(sight, &before, now, has_run_ended), gone)
    });
    let (ready, gone) = looking.await?;
    for name in gone {
        known.remove(&name);
    }
    let mut looked = Looked::AllDone;
    for one in ready {
        let (name, has_occasions) = (one.name.clone(), !one.occasions.is_empty());
        if let Some(found) = attend(handle, one, now).await? {
            known.insert(name, found);
            if has_occasions && looked == Looked::AllDone {
                looked = Looked::Hindered;
            }
        } else {
            // It is looked at again, as it is then.
            known.remove(&name);
            looked = Looked::Did;
        }
    }
    Ok(looked)
}

/// The schedules that changed, or of which a moment has come.
fn ready(
    sight: &Sight<'_>,
    known: &BTreeMap<Name, Known>,
    now: Timestamp,
    has_run_ended: bool,
) -> Vec<Ready> {
    let mut all = Vec::new();
    for (name, schedule) in sight.ledgers.schedules.all() {
        let occasions = match schedule.pause {
            None => occasions(sight, schedule, has_run_ended),
            Some(_) => Vec::new(),
        };
        let found = known.get(name).filter(|found| found.stamp == Stamp::of(schedule));
        if found.is_some_and(|found| now < found.rests_until) {
            continue;
        }
        let is_due = found.is_none_or(|found| found.next.is_some_and(|next| next <= now));
        if is_due || !schedule.waiting.is_empty() || !occasions.is_empty() {
            all.push(Ready {
                name: name.clone(),
                schedule: schedule.clone(),
                occasions,
            });
        }
    }
    all
}

/// Does what is due; says when to look again, or nothing when something was done.
async fn attend(handle: &CoordinatorHandle, ready: Ready, now: Timestamp) -> Result<Option<Known>, Stopped> {
    let Ready {
        name,
        schedule,
        occasions,
    } = ready;
    let stamp = Stamp::of(&schedule);
    let again = |next, rests_until| {
        Ok(Some(Known {
            stamp,
            next,
            rests_until,
        }))
    };
    let attended = Attended {
        handle,
        name: &name,
        schedule: &schedule,
    };
    match attended.next_in_line().await? {
        Answered::Settled => return Ok(None),
        Answered::Hindered => return again(Some(now), now + REST),
        Answered::Nothing => {}
    }
    let due = match Calendar::of(&schedule.spec.trigger) {
        Ok(None) => Due {
            fire: occasions,
            ..Due::default()
        },
        Ok(Some(calendar)) => {
            if attended.is_there_already(&calendar, now).await? {
                return Ok(None);
            }
            let (named, reckoned) = (name.clone(), schedule.clone());
            let reckoning = tokio::task::spawn_blocking(move || due(&named, &reckoned, &calendar, now));
            reckoning.await.map_err(|_| Stopped)?
        }
        Err(error) => {
            // It was read when it was made; a time zone that has vanished since is a matter of the machine.
            tracing::error!(%name, %error, "the trigger of a schedule cannot be reckoned with any more");
            return again(Some(now), now + UNUSABLE_RETRY);
        }
    };
    if let Some(missed) = due.missed {
        let outcome = FiringOutcome::Missed { times: missed.times };
        attended.settle(missed.last, outcome).await?;
        return Ok(None);
    }
    let Some(moment) = due.fire.into_iter().next() else {
        return again(due.next, now);
    };
    match attended.fire(moment, now).await? {
        Answered::Settled => Ok(None),
        Answered::Hindered | Answered::Nothing => again(Some(now), now + REST),
    }
}
