//! A subscription: keeps lanes open so that together they allow what the consumer's window allows, over all sessions, until the
//! consumer is dropped or the bus is closed.

use super::Shared;
use super::backoff::Backoff;
use super::desk::{Desk, LaneId, Parcel};
use super::fault::Fault;
use super::inbox::Inbox;
use super::lane::{Lane, LaneEnd, Owner};
use super::session::Session;
use super::silence::replace_if_mute;
use crate::broker::{Delivery, Queue, Source};
use async_trait::async_trait;
use std::mem;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tracing::warn;

/// Lanes of one subscription. Each small step of a window may add one; at this number they are folded into one.
const LANES_MAX: usize = 8;

const MISSING_QUEUE_FIRST: Duration = Duration::from_millis(50);
const MISSING_QUEUE_MAX: Duration = Duration::from_secs(2);

/// The consumer's side of a subscription.
#[derive(Debug)]
pub(super) struct AmqpSource {
    pub(super) inbox: Arc<Inbox>,
    pub(super) window: watch::Sender<u32>,
}

#[async_trait]
impl Source for AmqpSource {
    async fn next(&mut self) -> Option<Delivery> {
        self.inbox.next().await.map(Parcel::hand_over)
    }

    fn set_window(&self, window: u32) {
        self.inbox.pause(window == 0);
        self.window
            .send_if_modified(|now| mem::replace(now, window) != window);
    }
}

impl Drop for AmqpSource {
    fn drop(&mut self) {
        self.inbox.abandoned.cancel();
    }
}

/// Why a subscription stopped serving a session.
enum Pause {
    /// For good: nobody listens any more.
    Over,
    /// Until the next session.
    SessionOver,
    /// For a while: there is no such queue.
    QueueMissing,
}

#[derive(Debug)]
pub(super) struct Subscription {
    shared: Arc<Shared>,
    queue: Queue,
    inbox: Arc<Inbox>,
    window: watch::Receiver<u32>,
    /// Told once, when the first attempt to subscribe has come to an end.
    tried: Option<oneshot::Sender<()>>,
    changed: Arc<Notify>,
    desks: Vec<(LaneId, Arc<Desk>)>,
    lanes: JoinSet<(LaneId, LaneEnd)>,
    last_id: LaneId,
}

impl Subscription {
    pub(super) fn new(
        shared: Arc<Shared>,
        queue: Queue,
        inbox: Arc<Inbox>,
        window: watch::Receiver<u32>,
        tried: oneshot::Sender<()>,
    ) -> Self {
        Self {
            shared,
            queue,
            inbox,
            window,
            tried: Some(tried),
            changed: Arc::default(),
            desks: Vec::new(),
            lanes: JoinSet::new(),
            last_id: 0,
        }
    }

    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new(MISSING_QUEUE_FIRST, MISSING_QUEUE_MAX);
        let shared = Arc::clone(&self.shared);
        let abandoned = self.inbox.abandoned.clone();
        loop {
            let session = tokio::select! {
                session = shared.next_session() => session,
                () = abandoned.cancelled() => None,
            };
            let Some(session) = session else {
                break;
            };
            let pause = self.serve(&session, &mut backoff).await;
            self.wind_up().await;
            let wait = match pause {
                Pause::Over => break,
                Pause::SessionOver => {
                    self.tried = None;
                    session.dead.cancelled().await;
                    continue;
                }
                Pause::QueueMissing => backoff.wait(),
            };
            self.tried = None;
            tokio::select! {
                () = sleep(wait) => {}
                () = abandoned.cancelled() => break,
                () = shared.closed.cancelled() => break,
            }
        }
        self.inbox.close();
    }

    /// Serves one session for as long as that is possible.
    async fn serve(&mut self, session: &Arc<Session>, backoff: &mut Backoff) -> Pause {
        if let Err(fault) = self.prepare(session).await {
            return self.fault(session, fault);
        }
        let changed = Arc::clone(&self.changed);
        let (abandoned, closed) = (self.inbox.abandoned.clone(), self.shared.closed.clone());
        loop {
            match self.adjust(session).await {
                Ok(()) => backoff.reset(),
                Err(fault) => return self.fault(session, fault),
            }
            self.tried = None;
            tokio::select! {
                () = abandoned.cancelled() => return Pause::Over,
                () = closed.cancelled() => return Pause::Over,
                () = session.dead.cancelled() => return Pause::SessionOver,
                // An error here means that the consumer is gone, which the first branch is about to say.
                _ = self.window.changed() => {}
                () = changed.notified() => {}
                Some(ended) = self.lanes.join_next() => match ended {
                    Ok((id, LaneEnd::Done)) => self.desks.retain(|(lane, _)| *lane != id),
                    Ok((_, LaneEnd::QueueGone)) => return Pause::QueueMissing,
                    Ok((_, LaneEnd::Broken(reason))) => {
                        return self.fault(session, Fault::Broken(reason));
                    }
                    Err(panicked) => return self.fault(session, Fault::Broken(panicked.to_string())),
                },
            }
        }
    }

    /// A transient queue exists because somebody listens. A durable one is made by those who declared it, and waited for by others.
    async fn prepare(&self, session: &Session) -> Result<(), Fault> {
        if !self.queue.is_durable() || self.shared.is_declared(&self.queue) {
            replace_if_mute(&self.shared, session, &self.queue).await?;
            session.declare(&self.shared, &self.queue).await?;
        }
        Ok(())
    }

    fn fault(&self, session: &Session, fault: Fault) -> Pause {
        match fault {
            Fault::Missing => Pause::QueueMissing,
            Fault::Refused(why) => {
                warn!(queue = %self.shared.topology.name(&self.queue), %why, "the broker refuses a subscription");
                Pause::QueueMissing
            }
            Fault::Broken(reason) => {
                session.fail(reason);
                Pause::SessionOver
            }
        }
    }

    /// Brings the lanes nearer to the window. Lanes in use and lanes that are still emptying never allow more than the window together;
    /// what the emptying ones hold is given to a new lane once they are empty, or at once if nothing else consumes.
    async fn adjust(&mut self, session: &Arc<Session>) -> Result<(), Fault> {
        let window = *self.window.borrow_and_update() as usize;
        while let Some(surplus) = self.allowed().checked_sub(window).filter(|surplus| *surplus > 0) {
            let live = || self.live().map(|(_, desk)| desk);
            let fitting = live()
                .filter(|desk| desk.prefetch as usize >= surplus)
                .min_by_key(|desk| desk.prefetch);
            let Some(victim) = fitting.or_else(|| live().max_by_key(|desk| desk.prefetch)) else {
                break;
            };
            victim.stop.cancel();
        }
        let allowed = self.allowed();
        let emptying: usize = self.emptying().map(|(_, desk)| desk.load()).sum();
        let missing = window.saturating_sub(allowed + emptying);
        if missing == 0 || (allowed > 0 && emptying > 0) {
            return Ok(());
        }
        if self.desks.len() >= LANES_MAX {
            self.live().for_each(|(_, desk)| desk.stop.cancel());
            return Ok(());
        }
        self.open_lane(session, missing).await
    }

    fn live(&self) -> impl Iterator<Item = &(LaneId, Arc<Desk>)> {
        self.desks.iter().filter(|(_, desk)| !desk.stop.is_cancelled())
    }

    fn emptying(&self) -> impl Iterator<Item = &(LaneId, Arc<Desk>)> {
        self.desks.iter().filter(|(_, desk)| desk.stop.is_cancelled())
    }

    fn allowed(&self) -> usize {
        self.live().map(|(_, desk)| desk.prefetch as usize).sum()
    }

    async fn open_lane(&mut self, session: &Arc<Session>, prefetch: usize) -> Result<(), Fault> {
        self.last_id += 1;
        let id = self.last_id;
        let name = self.shared.topology.name(&self.queue);
        let owner = Owner {
            inbox: Arc::clone(&self.inbox),
            changed: Arc::clone(&self.changed),
        };
        let prefetch = u32::try_from(prefetch).unwrap_or(u32::MAX);
        let made = session.making.read().await;
        let asked = Instant::now();
        let opened = Lane::open(&self.shared, session, &name, (id, prefetch), owner).await;
        drop(made);
        match &opened {
            Ok(_) => self.shared.silences.end(&self.queue),
            Err(Fault::Broken(_)) => self.shared.silences.note(&self.queue, asked),
            Err(_) => {}
        }
        let lane = opened?;
        self.desks.push((id, Arc::clone(&lane.desk)));
        let (shared, session) = (Arc::clone(&self.shared), Arc::clone(session));
        self.lanes
            .spawn(async move { (id, lane.run(shared, session).await) });
        Ok(())
    }

    /// Ends all lanes and waits for them, so that nothing of one session is left when the next is served.
    async fn wind_up(&mut self) {
        for (_, desk) in self.desks.drain(..) {
            desk.end.cancel();
        }
        // Each lane bounds its own farewell.
        while self.lanes.join_next().await.is_some() {}
        self.inbox.clear();
    }
}
