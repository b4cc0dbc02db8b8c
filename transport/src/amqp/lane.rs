//! One channel with one consumer on it. Deliveries go to the inbox; verdicts come back through the desk and travel to the broker in
//! batches. A lane's window never changes: another window is another lane, on a fresh channel, because a broker of the 3.10 line can
//! break a channel on which a consumer is made again.

use super::Shared;
use super::desk::{Desk, LaneId, Parcel, Settlement, Verdict};
use super::fault::Fault;
use super::inbox::Inbox;
use super::ledger::Ledger;
use super::session::{Session, within};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, BasicRejectOptions};
use lapin::types::FieldTable;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, interval, sleep_until};

/// How long the broker waits at most for a verdict for which nobody else waits.
const PATIENT_MAX: Duration = Duration::from_millis(5);

/// Why a lane is no more.
#[derive(Debug)]
pub(super) enum LaneEnd {
    /// It was asked to stop or to end, and everything is settled or given back; or its session is over.
    Done,
    /// The queue was deleted under it.
    QueueGone,
    /// The channel is broken, and with it the session.
    Broken(String),
}

/// A frame that is handed to lapin and not yet written, with those who wait for it.
type Writing = Pin<Box<dyn Future<Output = (lapin::Result<()>, Vec<oneshot::Sender<()>>)> + Send>>;

pub(super) struct Lane {
    pub(super) desk: Arc<Desk>,
    channel: Channel,
    deliveries: lapin::Consumer,
    /// The broker may still send deliveries.
    consuming: bool,
    ledger: Ledger,
    writing: FuturesUnordered<Writing>,
    inbox: Arc<Inbox>,
    /// Told when the load falls.
    changed: Arc<Notify>,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("desk", &self.desk)
            .finish_non_exhaustive()
    }
}

/// What a lane belongs to.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) inbox: Arc<Inbox>,
    pub(super) changed: Arc<Notify>,
}

impl Lane {
    /// Starts to consume on a fresh channel.
    pub(super) async fn open(
        shared: &Shared,
        session: &Session,
        queue: &str,
        (id, prefetch): (LaneId, u32),
        owner: Owner,
    ) -> Result<Self, Fault> {
        within(shared.config.call_timeout, async {
            let channel = session.consume.create_channel().await?;
            let prefetched = u16::try_from(prefetch).unwrap_or(u16::MAX);
            channel.basic_qos(prefetched, BasicQosOptions::default()).await?;
            let options = BasicConsumeOptions::default();
            let deliveries = channel
                .basic_consume(queue.into(), "".into(), options, FieldTable::default())
                .await?;
            Ok::<_, lapin::Error>(Self {
                desk: Arc::new(Desk::new(id, prefetch)),
                channel,
                deliveries,
                consuming: true,
                ledger: Ledger::default(),
                writing: FuturesUnordered::new(),
                inbox: owner.inbox,
                changed: owner.changed,
            })
        })
        .await
    }

    /// Works until the lane is stopped and empty, or ended, or the session is over.
    pub(super) async fn run(mut self, shared: Arc<Shared>, session: Arc<Session>) -> LaneEnd {
        let end = self.work(&shared, &session).await;
        // The broker delivers again what is not settled.
        self.desk.leave();
        drop(self.inbox.take_back(self.desk.id));
        if !session.dead.is_cancelled() {
            let farewell = self.channel.close(200, "done".into());
            if let Err(Fault::Broken(reason)) = within(shared.config.call_timeout, farewell).await
                && matches!(end, LaneEnd::Done)
            {
                return LaneEnd::Broken(reason);
            }
        }
        end
    }

    async fn work(&mut self, shared: &Shared, session: &Session) -> LaneEnd {
        let desk = Arc::clone(&self.desk);
        let dead = session.dead.cancelled();
        let stop = desk.stop.cancelled();
        let end = desk.end.cancelled();
        tokio::pin!(dead, stop, end);
        let mut idle = interval(shared.config.idle_renewal);
        idle.reset();
        let mut delivered = 0_u64;
        let mut due = None;
        loop {
            if !self.consuming && self.ledger.unsettled() == 0 && self.writing.is_empty() {
                return LaneEnd::Done;
            }
            let step = tokio::select! {
                biased;
                () = &mut dead => return LaneEnd::Done,
                () = desk.arrived.notified() => {
                    due = None;
                    self.tell_broker()
                }
                Some((written, waiting)) = self.writing.next() => answer(written, waiting),
                delivery = self.deliveries.next(), if self.consuming => match delivery {
                    Some(Ok(delivery)) => {
                        delivered += 1;
                        self.receive(shared, delivery);
                        Ok(())
                    }
                    Some(Err(error)) => Err(error.into()),
                    None => return LaneEnd::QueueGone,
                },
                () = desk.patient.notified() => {
                    due = Some(Instant::now() + PATIENT_MAX);
                    Ok(())
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    due = None;
                    self.tell_broker()
                }
                () = &mut end => {
                    // What was said to be done with must not come again for want of a few milliseconds.
                    drop(self.tell_broker());
                    return LaneEnd::Done;
                }
                () = &mut stop, if self.consuming => within(shared.config.call_timeout, self.stop()).await,
                _ = idle.tick(), if self.consuming => {
                    if mem::take(&mut delivered) == 0 && self.ledger.unsettled() == 0 {
                        // The subscription will miss this lane and open another.
                        return LaneEnd::Done;
                    }
                    Ok(())
                }
            };
            match step {
                Ok(()) => {}
                Err(Fault::Missing) => return LaneEnd::QueueGone,
                Err(Fault::Refused(reason) | Fault::Broken(reason)) => return LaneEnd::Broken(reason),
            }
            if !self.consuming {
                desk.set_load(self.ledger.unsettled());
                self.changed.notify_one();
            }
        }
    }

    fn receive(&mut self, shared: &Shared, delivery: lapin::message::Delivery) {
        self.ledger.deliver(delivery.delivery_tag);
        let user = delivery.properties.user_id().as_ref();
        let sender = shared
            .topology
            .sender(shared.user(), user.map(lapin::types::ShortString::as_str));
        self.inbox.push(Parcel {
            sender,
            tag: delivery.delivery_tag,
            bytes: delivery.data.into(),
            redelivered: delivery.redelivered,
            desk: Arc::clone(&self.desk),
        });
    }

    /// Sends the verdicts that have come together. Rejections go first, so that an acknowledgement of a whole run cannot cover them.
    fn tell_broker(&mut self) -> Result<(), Fault> {
        let settlements = self.desk.collect();
        let (acks, rejections): (Vec<_>, Vec<_>) = settlements
            .into_iter()
            .partition(|settlement| settlement.verdict == Verdict::Ack);
        for Settlement { tag, verdict, told } in rejections {
            self.reject(tag, verdict == Verdict::GiveBack, told.into_iter().collect())?;
        }
        let up_to = self
            .ledger
            .acknowledge(acks.iter().map(|settlement| settlement.tag));
        let (run, single): (Vec<_>, Vec<_>) = acks
            .into_iter()
            .partition(|settlement| Some(settlement.tag) <= up_to);
        if let Some(tag) = up_to {
            let waiting = run.into_iter().filter_map(|settlement| settlement.told).collect();
            self.acknowledge(tag, true, waiting)?;
        }
        for Settlement { tag, told, .. } in single {
            self.acknowledge(tag, false, told.into_iter().collect())?;
        }
        Ok(())
    }

    fn acknowledge(
        &mut self,
        tag: u64,
        multiple: bool,
        waiting: Vec<oneshot::Sender<()>>,
    ) -> Result<(), Fault> {
        let channel = self.channel.clone();
        self.write(Box::pin(async move {
            (
                channel.basic_ack(tag, BasicAckOptions { multiple }).await,
                waiting,
            )
        }))
    }

    fn reject(&mut self, tag: u64, requeue: bool, waiting: Vec<oneshot::Sender<()>>) -> Result<(), Fault> {
        self.ledger.settle(tag);
        let channel = self.channel.clone();
        self.write(Box::pin(async move {
            (
                channel.basic_reject(tag, BasicRejectOptions { requeue }).await,
                waiting,
            )
        }))
    }

    /// Hands a frame to lapin. The first poll queues it, so frames leave in the order of these calls.
    fn write(&mut self, mut writing: Writing) -> Result<(), Fault> {
        if let Some((written, waiting)) = (&mut writing).now_or_never() {
            return answer(written, waiting);
        }
        self.writing.push(writing);
        Ok(())
    }

    /// Stops consuming, and only then gives back what was not taken: a message given back first would come straight here again.
    async fn stop(&mut self) -> Result<(), Fault> {
        self.channel
            .basic_cancel(
                self.deliveries.tag(),
                lapin::options::BasicCancelOptions::default(),
            )
            .await?;
        self.consuming = false;
        let mut late = Vec::new();
        while let Some(delivery) = self.deliveries.next().await {
            let tag = delivery?.delivery_tag;
            self.ledger.deliver(tag);
            late.push(tag);
        }
        let untaken = self.inbox.take_back(self.desk.id);
        for tag in untaken.into_iter().map(|parcel| parcel.tag).chain(late) {
            self.reject(tag, true, Vec::new())?;
        }
        Ok(())
    }
}

fn answer(written: lapin::Result<()>, waiting: Vec<oneshot::Sender<()>>) -> Result<(), Fault> {
    written?;
    for told in waiting {
        // Nobody has to wait for it.
        let _gone = told.send(());
    }
    Ok(())
}
