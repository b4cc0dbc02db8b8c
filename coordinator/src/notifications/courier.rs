//! Those who carry: one part for each subscription, which reads the journal from where its subscription has come to and tells one end after the other. Parts are started
//! and ended as the ledger changes; they keep nothing that it does not hold.

use super::channel::{Channel, Telling};
use super::decide::{Settled, SubscriptionCommand};
use super::deliver::deliver;
use super::occasion::{End, occasion};
use super::subscription::Subscription;
use crate::entry::Entry;
use crate::error::Stopped;
use crate::handle::CoordinatorHandle;
use crate::journal::JournalError;
use crate::ledger::Ledgers;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tidemill_protocol::delivery::DeliveryOutcome;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Events read from the journal at once.
const READ_EVENTS: usize = 4_096;
/// Events with nothing to tell after which a subscription's position is written down. One write for so many, and no start reads more of them again.
const ADVANCE_EVERY: u64 = 4_096;
/// How often changes of the subscriptions are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a part that cannot read the journal rests.
const REST: Duration = Duration::from_secs(10);

/// Which subscription a part carries for.
type Stamp = (Timestamp, u64);

/// Tells what the subscriptions of one kind want, until the token is cancelled.
pub(crate) async fn run<S: Channel>(handle: CoordinatorHandle, token: CancellationToken) {
    let mut parts: JoinSet<()> = JoinSet::new();
    let mut carried: BTreeMap<Name, (Stamp, CancellationToken)> = BTreeMap::new();
    let mut tick = tokio::time::interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = token.cancelled() => break,
            _ = tick.tick() => {}
        }
        // What has ended is forgotten.
        while parts.try_join_next().is_some() {}
        let Ok(wanted) = handle.look(|sight| active::<S>(sight.ledgers)).await else {
            break;
        };
        carried.retain(|name, (stamp, part)| {
            let stays = wanted.get(name).is_some_and(|one| stamp_of(one) == *stamp);
            if !stays {
                part.cancel();
            }
            stays
        });
        for (name, one) in wanted {
            if carried.contains_key(&name) {
                continue;
            }
            let ending = token.child_token();
            carried.insert(name.clone(), (stamp_of(&one), ending.clone()));
            let carrier = Carrier {
                handle: handle.clone(),
                name,
                stamp: stamp_of(&one),
                settled_to: one.settled_to,
                spec: one.spec,
            };
            parts.spawn(async move {
                // Whatever ended it: the loop above knows why.
                let ended = ending.run_until_cancelled(carrier.carry()).await;
                ended.map_or(Ok(()), |ended| ended).ok();
            });
        }
    }
    parts.shutdown().await;
}

/// The subscriptions that are not paused.
fn active<S: Channel>(ledgers: &Ledgers) -> BTreeMap<Name, Subscription<S>> {
    let all = S::subscriptions(ledgers).all();
    let active = all.filter(|(_, one)| one.pause.is_none());
    active.map(|(name, one)| (name.clone(), one.clone())).collect()
}

fn stamp_of<S>(subscription: &Subscription<S>) -> Stamp {
    (subscription.created_at, subscription.revision)
}

/// Who carries for one subscription.
struct Carrier<S> {
    handle: CoordinatorHandle,
    name: Name,
    stamp: Stamp,
    spec: Arc<S>,
    /// How far the ledger knows of it.
    settled_to: u64,
}

impl<S: Channel> Carrier<S> {
    /// Carries until it is told to end, or the coordinator ends.
    async fn carry(mut self) -> Result<(), Stopped> {
        let mut live = self.handle.inner.events.subscribe();
        let mut next = self.settled_to + 1;
        loop {
            let ends = match read(&self.handle, next).await {
                Ok(ends) => ends,
                Err(error) => {
                    tracing::warn!(kind = S::KIND, name = %self.name, %error, "notifications cannot read the journal");
                    tokio::time::sleep(REST).await;
                    continue;
                }
            };
            let Some((first, _)) = ends.first() else {
                // Also when it was left behind: the journal is read then.
                drop(live.recv().await);
                live = live.resubscribe();
                continue;
            };
            if *first > next {
                self.note_missed(next, first - 1).await?;
            }
            for (sequence, end) in ends {
                if let Some(end) = end.filter(|end| end.is_wanted(&self.spec.wanted())) {
                    self.tell(sequence, end).await?;
                }
                next = sequence + 1;
            }
            self.advance(next - 1).await?;
        }
    }

    async fn tell(&mut self, sequence: u64, end: End) -> Result<(), Stopped> {
        let (name, stamp, spec) = (self.name.clone(), self.stamp, Arc::clone(&self.spec));
        let looking = self.handle.look(move |sight| {
            let known = S::subscriptions(sight.ledgers).get(&name);
            let is_as_before = known.is_some_and(|one| stamp_of(one) == stamp && one.pause.is_none());
            is_as_before.then(|| occasion(sight, end, &spec.wanted()))
        });
        let Some(wanted) = looking.await? else {
            // It was paused, removed or made another, and this part is ended in a moment.
            return std::future::pending().await;
        };
        let Some(occasion) = wanted else {
            return Ok(());
        };
        let about = occasion.about.clone();
        let telling = Telling {
            name: self.name.clone(),
            spec: Arc::clone(&self.spec),
            id: format!("{}-{sequence}", self.name),
            occasion,
        };
        let (tries, outcome) = deliver(&self.handle, &telling).await?;
        self.settle(sequence, (about, tries, outcome)).await
    }

    /// Notes that the journal no longer holds these events, so that nobody can say which ends were among them.
    async fn note_missed(&mut self, first: u64, last: u64) -> Result<(), Stopped> {
        tracing::warn!(kind = S::KIND, name = %self.name, first, last, "the journal no longer holds what was to be told");
        let about = format!("events {first} to {last}, which the journal no longer holds");
        let outcome = DeliveryOutcome::Missed { first, last };
        self.settle(last, (about, 0, outcome)).await
    }

    async fn settle(
        &mut self,
        sequence: u64,
        (about, tries, outcome): (String, u32, DeliveryOutcome),
    ) -> Result<(), Stopped> {
        let settled = Settled {
            name: self.name.clone(),
            created_at: self.stamp.0,
            sequence,
            about,
            tries,
            outcome,
        };
        self.note(SubscriptionCommand::Settle(settled), sequence).await
    }

    /// Writes its position down when it has come far without anything to tell.
    async fn advance(&mut self, sequence: u64) -> Result<(), Stopped> {
        if sequence < self.settled_to + ADVANCE_EVERY {
            return Ok(());
        }
        let command = SubscriptionCommand::Advance {
            name: self.name.clone(),
            created_at: self.stamp.0,
            sequence,
        };
        self.note(command, sequence).await
    }

    async fn note(&mut self, command: SubscriptionCommand<S>, sequence: u64) -> Result<(), Stopped> {
        self.settled_to = self.settled_to.max(sequence);
        if let Err(rejection) = self.handle.change::<S::Ledger>(command).await? {
            tracing::debug!(kind = S::KIND, name = %self.name, %rejection, "what came of a delivery is not noted");
        }
        Ok(())
    }
}

/// A piece of the journal: each event's number, and the end that it is, if it is one.
async fn read(handle: &CoordinatorHandle, from: u64) -> Result<Vec<(u64, Option<End>)>, JournalError> {
    let journal = Arc::clone(&handle.inner.journal);
    let reading = tokio::task::spawn_blocking(move || {
        let mut ends = Vec::new();
        for (sequence, bytes) in journal.read(from, READ_EVENTS)? {
            let entry = Entry::decode(&bytes);
            let entry = entry.map_err(|source| JournalError::Unreadable { sequence, source })?;
            if sequence >= from {
                ends.push((sequence, entry.engine().as_ref().and_then(End::of)));
            }
        }
        Ok(ends)
    });
    match reading.await {
        Ok(read) => read,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
