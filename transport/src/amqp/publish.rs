//! Publishing: confirmed, many at a time, and exact about what no queue took.
//!
//! A message that cannot be routed is returned by the broker and *then* confirmed. lapin 4.12 hands returned messages to confirms in the
//! order in which they arrive, whichever message they belong to. So a message carries its number as message id, a return says itself
//! whose it is, and a confirm is only believed when no return can be under way any more; `verdicts` knows when that is.

use super::Shared;
use super::session::{Session, within};
use super::verdicts::{Fate, Verdicts};
use crate::broker::{BrokerError, Queue};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation};
use std::collections::HashMap;
use std::future::ready;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::time::interval;

/// Messages that wait to be sent; beyond this number a publish waits for its place.
pub(super) const BACKLOG_MAX: usize = 4096;

/// Messages sent and not confirmed. More would not make the broker faster, only the wait longer.
const IN_FLIGHT_MAX: usize = 2048;

/// Messages taken from the backlog at a time, so that confirms are heard in between.
const TAKE_MAX: usize = 256;

/// AMQP's mark of a message that is to survive a restart of the broker.
const PERSISTENT: u8 = 2;
const TRANSIENT: u8 = 1;

/// A message on its way out.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) queue: Queue,
    pub(super) bytes: Bytes,
    /// Dropped without an answer when the connection is lost: then nobody knows what became of the message.
    pub(super) done: oneshot::Sender<Result<Fate, BrokerError>>,
}

/// Sends what comes, over all sessions, until the bus is closed. Without a session messages wait; their senders have time limits.
pub(super) async fn publish(shared: Arc<Shared>, mut outbox: mpsc::Receiver<Outgoing>) {
    while let Some(session) = shared.next_session().await {
        tokio::select! {
            reason = serve(&shared, &session, &mut outbox) => session.fail(reason),
            () = session.dead.cancelled() => {}
            () = shared.closed.cancelled() => return,
        }
    }
}

/// Serves one session, one channel after another; answers why it cannot any more.
async fn serve(shared: &Shared, session: &Session, outbox: &mut mpsc::Receiver<Outgoing>) -> String {
    loop {
        let opened = within(shared.config.call_timeout, async {
            let channel = session.publish.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok::<_, lapin::Error>(channel)
        });
        let mut pipe = match opened.await {
            Ok(channel) => Pipe::new(shared, channel),
            Err(fault) => return BrokerError::from(fault).to_string(),
        };
        if let Err(reason) = pipe.work(session, outbox).await {
            return reason;
        }
        pipe.give_up();
    }
}

/// What a future of the pipe came to.
enum Landed {
    /// A message was confirmed, and with it came the return of some message; or the channel broke.
    Confirm(u64, Result<(Fate, Option<u64>), String>),
    /// Everything that had landed when the marker was put in has been seen.
    Marker,
}

/// One channel and the messages in flight on it.
struct Pipe<'a> {
    shared: &'a Shared,
    channel: Channel,
    flying: FuturesUnordered<Flight<'a>>,
    senders: HashMap<u64, oneshot::Sender<Result<Fate, BrokerError>>>,
    verdicts: Verdicts,
    last_number: u64,
}

type Flight<'a> = Pin<Box<dyn Future<Output = Landed> + Send + 'a>>;

impl<'a> Pipe<'a> {
    fn new(shared: &'a Shared, channel: Channel) -> Self {
        Self {
            shared,
            channel,
            flying: FuturesUnordered::new(),
            senders: HashMap::new(),
            verdicts: Verdicts::default(),
            last_number: 0,
        }
    }

    /// Sends and listens until the broker has been silent for too long; an error ends the session.
    async fn work(&mut self, session: &Session, outbox: &mut mpsc::Receiver<Outgoing>) -> Result<(), String> {
        let mut blocked = session.blocked.subscribe();
        let mut patience = interval(self.shared.config.publish_timeout);
        patience.reset();
        let mut heard = false;
        let mut taken = Vec::with_capacity(TAKE_MAX);
        loop {
            // lapin would take any number of frames for a blocked connection; ours wait here, where there is a bound.
            let open = !*blocked.borrow_and_update() && self.senders.len() < IN_FLIGHT_MAX;
            tokio::select! {
                biased;
                Some(landed) = self.flying.next() => {
                    heard = true;
                    self.land(landed)?;
                }
                count = outbox.recv_many(&mut taken, TAKE_MAX), if open => {
                    if count == 0 {
                        return Err("the bus is gone".to_owned());
                    }
                    for message in taken.drain(..) {
                        self.send(message);
                    }
                }
                _ = blocked.changed() => {}
                _ = patience.tick() => {
                    // The broker does not read a blocked connection, so its silence says nothing.
                    let silent = !mem::take(&mut heard) && !self.senders.is_empty();
                    if silent && !*session.blocked.borrow() {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn send(&mut self, message: Outgoing) {
        if message.done.is_closed() {
            return;
        }
        self.last_number += 1;
        let number = self.last_number;
        self.senders.insert(number, message.done);
        self.verdicts.sent(number);
        let (channel, shared) = (self.channel.clone(), self.shared);
        let (queue, bytes) = (message.queue, message.bytes);
        self.flying.push(Box::pin(async move {
            Landed::Confirm(number, fly(shared, &channel, number, &queue, &bytes).await)
        }));
    }

    fn land(&mut self, landed: Landed) -> Result<(), String> {
        match landed {
            Landed::Confirm(number, confirmed) => {
                let (fate, returned) = confirmed?;
                self.verdicts.confirmed(number, fate, returned);
            }
            Landed::Marker => {
                for (number, fate) in self.verdicts.marker_seen() {
                    self.answer(number, fate);
                }
            }
        }
        if self.verdicts.want_marker() {
            // What has landed is polled in the order in which it woke, and so before what is put in now.
            self.flying.push(Box::pin(ready(Landed::Marker)));
        }
        Ok(())
    }

    fn answer(&mut self, number: u64, fate: Fate) {
        if let Some(sender) = self.senders.remove(&number) {
            // The sender may have given up.
            let _gone = sender.send(Ok(fate));
        }
    }

    /// What is still in flight may have been taken or not.
    fn give_up(self) {
        for sender in self.senders.into_values() {
            let _gone = sender.send(Err(BrokerError::TimedOut));
        }
    }
}

async fn fly(
    shared: &Shared,
    channel: &Channel,
    number: u64,
    queue: &Queue,
    bytes: &[u8],
) -> Result<(Fate, Option<u64>), String> {
    let mode = if queue.is_durable() { PERSISTENT } else { TRANSIENT };
    let properties = BasicProperties::default()
        .with_delivery_mode(mode)
        .with_message_id(number.to_string().into())
        // The broker refuses a message whose user is not the connection's, and so vouches for it.
        .with_user_id(shared.user().into());
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let exchange = shared.topology.route(queue).unwrap_or_default().into();
    let key = shared.topology.name(queue).into();
    let sent = channel
        .basic_publish(exchange, key, options, bytes, properties)
        .await;
    let confirmed = match sent {
        Ok(confirm) => confirm.await,
        Err(error) => Err(error),
    };
    let confirmation = confirmed.map_err(|error| error.to_string())?;
    let fate = if confirmation.is_ack() {
        Fate::Taken
    } else {
        Fate::NotTaken
    };
    Ok((fate, returned(confirmation)?))
}

/// The number of the message that came back with a confirm.
fn returned(confirmation: Confirmation) -> Result<Option<u64>, String> {
    let Some(message) = confirmation.take_message() else {
        return Ok(None);
    };
    let id = message.delivery.properties.message_id().as_ref();
    match id.and_then(|id| id.as_str().parse().ok()) {
        Some(number) => Ok(Some(number)),
        None => Err("a returned message does not say which it is".to_owned()),
    }
}
