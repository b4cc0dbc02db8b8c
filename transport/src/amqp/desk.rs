//! Where the rest of the world meets a lane: what may be asked of it, and the verdicts on what it delivered. The lane itself, which
//! tells the broker, is in `lane`.

use crate::broker::{BrokerError, Delivery, Settle};
use crate::class::Sender;
use async_trait::async_trait;
use bytes::Bytes;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

/// Verdicts for which nobody waits are told at the latest when they are this part of the window, so that it never closes for their sake.
const WINDOW_PART: usize = 4;

/// Tells the lanes of one subscription apart.
pub(super) type LaneId = u64;

/// What shall become of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Ack,
    GiveBack,
    SetAside,
}

/// One verdict on its way to the broker.
#[derive(Debug)]
pub(super) struct Settlement {
    pub(super) tag: u64,
    pub(super) verdict: Verdict,
    /// Answered once the broker was told; dropped when it cannot be told any more. None when nobody waits.
    pub(super) told: Option<oneshot::Sender<()>>,
}

/// The desk of one lane.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) id: LaneId,
    /// Unsettled deliveries that there may be, as the broker counts.
    pub(super) prefetch: u32,
    /// No more deliveries, please; what was not taken goes back.
    pub(super) stop: CancellationToken,
    /// Everything unsettled goes back, now.
    pub(super) end: CancellationToken,
    /// What the lane may hold at most from now on: its prefetch, or once it has stopped, what is left to settle.
    load: AtomicUsize,
    /// Verdicts that the lane has not seen; none once the lane is gone.
    settlements: Mutex<Option<Vec<Settlement>>>,
    /// Verdicts have come that the broker should hear of now.
    pub(super) arrived: Notify,
    /// Verdicts have come that may wait for others.
    pub(super) patient: Notify,
}

impl Desk {
    pub(super) fn new(id: LaneId, prefetch: u32) -> Self {
        Self {
            id,
            prefetch,
            stop: CancellationToken::new(),
            end: CancellationToken::new(),
            load: AtomicUsize::new(prefetch as usize),
            settlements: Mutex::new(Some(Vec::new())),
            arrived: Notify::new(),
            patient: Notify::new(),
        }
    }

    pub(super) fn load(&self) -> usize {
        self.load.load(Ordering::Acquire)
    }

    /// Says how much the lane still holds; only for one that has stopped.
    pub(super) fn set_load(&self, unsettled: usize) {
        self.load.store(unsettled, Ordering::Release);
    }

    /// The verdicts that have come together.
    pub(super) fn collect(&self) -> Vec<Settlement> {
        self.settlements().as_mut().map(mem::take).unwrap_or_default()
    }

    /// From here on a verdict finds nobody, and neither do those that have not been collected.
    pub(super) fn leave(&self) {
        drop(self.settlements().take());
    }

    fn settlements(&self) -> MutexGuard<'_, Option<Vec<Settlement>>> {
        // Only pushes and takes happen under this lock.
        self.settlements.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn settle(&self, tag: u64, verdict: Verdict) -> Result<(), BrokerError> {
        let (told, answer) = oneshot::channel();
        let told = Some(told);
        if self.put(Settlement { tag, verdict, told }).is_none() {
            return Err(BrokerError::Stale);
        }
        self.arrived.notify_one();
        answer.await.map_err(|_| BrokerError::Stale)
    }

    /// Nobody waits, so the broker need not be told before a good part of the window is used up.
    fn settle_soon(&self, tag: u64) {
        let (verdict, told) = (Verdict::Ack, None);
        match self.put(Settlement { tag, verdict, told }) {
            Some(waiting) if waiting >= self.patience() => self.arrived.notify_one(),
            Some(1) => self.patient.notify_one(),
            // Others wait already; or the lane is gone, and the broker delivers again.
            Some(_) | None => {}
        }
    }

    fn patience(&self) -> usize {
        (self.prefetch as usize / WINDOW_PART).max(1)
    }

    /// How many verdicts wait now; none when the lane is gone.
    fn put(&self, settlement: Settlement) -> Option<usize> {
        let mut settlements = self.settlements();
        let waiting = settlements.as_mut()?;
        waiting.push(settlement);
        Some(waiting.len())
    }
}

/// A delivery on its way to the consumer.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) tag: u64,
    pub(super) bytes: Bytes,
    pub(super) redelivered: bool,
    pub(super) sender: Sender,
    pub(super) desk: Arc<Desk>,
}

impl Parcel {
    pub(super) fn lane(&self) -> LaneId {
        self.desk.id
    }

    pub(super) fn hand_over(self) -> Delivery {
        let settle = LaneSettle {
            tag: self.tag,
            desk: self.desk,
        };
        Delivery::new(self.bytes, self.redelivered, Arc::new(settle)).from_sender(self.sender)
    }
}

struct LaneSettle {
    tag: u64,
    desk: Arc<Desk>,
}

#[async_trait]
impl Settle for LaneSettle {
    async fn ack(&self) -> Result<(), BrokerError> {
        self.desk.settle(self.tag, Verdict::Ack).await
    }

    fn ack_soon(&self) {
        self.desk.settle_soon(self.tag);
    }

    async fn reject(&self, requeue: bool) -> Result<(), BrokerError> {
        let verdict = if requeue {
            Verdict::GiveBack
        } else {
            Verdict::SetAside
        };
        self.desk.settle(self.tag, verdict).await
    }
}
