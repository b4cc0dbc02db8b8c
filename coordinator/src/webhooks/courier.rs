//! Those who carry: one part for each webhook, which reads the journal from where its webhook has come to and sends one end after the other. Parts are started and ended
//! as the ledger changes; they keep nothing that it does not hold.

use super::decide::WebhookCommand;
use super::occasion::{End, told};
use super::sending::deliver;
use super::state::{Webhook, Webhooks};
use crate::entry::Entry;
use crate::error::Stopped;
use crate::handle::CoordinatorHandle;
use crate::journal::JournalError;
use std::collections::BTreeMap;
use std::time::Duration;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Events read from the journal at once.
const READ_EVENTS: usize = 4_096;
/// How often changes of the webhooks are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a part that cannot read the journal rests.
const REST: Duration = Duration::from_secs(10);

/// Which webhook a part carries for.
type Stamp = (Timestamp, u64);

/// Sends what the webhooks tell, until the token is cancelled.
pub(crate) async fn run_webhooks(handle: CoordinatorHandle, token: CancellationToken) {
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
        let looking = handle.look(|sight| {
            let all = sight.ledgers.webhooks.all();
            let all = all.map(|(name, webhook)| (name.clone(), webhook.clone()));
            all.collect::<BTreeMap<Name, Webhook>>()
        });
        let Ok(wanted) = looking.await else { break };
        carried.retain(|name, (stamp, part)| {
            let stays = wanted
                .get(name)
                .is_some_and(|webhook| stamp_of(webhook) == *stamp);
            if !stays {
                part.cancel();
            }
            stays
        });
        for (name, webhook) in wanted {
            if carried.contains_key(&name) {
                continue;
            }
            let ending = token.child_token();
            carried.insert(name.clone(), (stamp_of(&webhook), ending.clone()));
            let handle = handle.clone();
            parts.spawn(async move {
                let carrying = carry(&handle, &name, &webhook);
                // Whichever of the two ended it: the loop above knows why.
                ending
                    .run_until_cancelled(carrying)
                    .await
                    .map_or(Ok(()), |ended| ended)
                    .ok();
            });
        }
    }
    parts.shutdown().await;
}

fn stamp_of(webhook: &Webhook) -> Stamp {
    (webhook.created_at, webhook.revision)
}

/// Carries for one webhook until it is told to end, or the coordinator ends.
async fn carry(handle: &CoordinatorHandle, name: &Name, webhook: &Webhook) -> Result<(), Stopped> {
    let mut live = handle.inner.events.subscribe();
    let mut next = webhook.settled_to + 1;
    loop {
        let ends = match read(handle, next).await {
            Ok(ends) => ends,
            Err(error) => {
                tracing::warn!(webhook = %name, %error, "a webhook cannot read the journal");
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        if ends.is_empty() {
            // Also when it was left behind: the journal is read then.
            drop(live.recv().await);
            live = live.resubscribe();
            continue;
        }
        for (sequence, end) in ends {
            if let Some(end) = end.filter(|end| end.is_wanted(&webhook.spec)) {
                tell(handle, (name, webhook), sequence, end).await?;
            }
            next = sequence + 1;
        }
    }
}

/// A piece of the journal: each event's number, and the end that it is, if it is one.
async fn read(handle: &CoordinatorHandle, from: u64) -> Result<Vec<(u64, Option<End>)>, JournalError> {
    let journal = std::sync::Arc::clone(&handle.inner.journal);
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

async fn tell(
    handle: &CoordinatorHandle,
    (name, webhook): (&Name, &Webhook),
    sequence: u64,
    end: End,
) -> Result<(), Stopped> {
    let spec = std::sync::Arc::clone(&webhook.spec);
    let looking = handle.look(move |sight| told(sight, end, &spec));
    let Some((about, body)) = looking.await? else {
        return Ok(());
    };
    let (tries, outcome) = deliver(handle, name, webhook, (sequence, body)).await?;
    let command = WebhookCommand::Settle {
        name: name.clone(),
        created_at: webhook.created_at,
        sequence,
        about,
        tries,
        outcome,
    };
    if let Err(rejection) = handle.change::<Webhooks>(command).await? {
        tracing::debug!(webhook = %name, %rejection, "a delivery is not noted");
    }
    Ok(())
}
