//! Tasks in: one subscription for each compute target. A message is verified before a byte of it is parsed; what is not authentic, or not for this target,
//! is set aside among the dead letters, counted and logged, and never reaches the driver.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tidemill_protocol::codec;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::{Clock, Timestamp};
use tidemill_protocol::wire::{Audience, Kind, StepTask, TrustedKeys, open};
use tidemill_transport::{Broker, BrokerError, Consumer, Delivery, Queue};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A verified task.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// What is asked.
    pub task: Arc<StepTask>,
    /// To be settled.
    pub delivery: Delivery,
}

/// The subscription of one target.
#[derive(Debug)]
pub(crate) struct Intake {
    pub target: Name,
    pub keys: TrustedKeys,
    pub clock: Arc<dyn Clock>,
    pub arrivals: mpsc::Sender<Arrival>,
    /// How many tasks may be on their way; 0 stops consuming.
    pub window: watch::Receiver<u32>,
    /// Counts what was refused.
    pub refused: Arc<AtomicU64>,
}

/// All subscriptions, and what another one needs.
#[derive(Debug)]
pub(crate) struct Intakes {
    pub broker: Arc<dyn Broker>,
    pub keys: TrustedKeys,
    pub clock: Arc<dyn Clock>,
    pub arrivals: mpsc::Sender<Arrival>,
    pub refused: Arc<AtomicU64>,
    /// Ends all of them.
    pub rest: CancellationToken,
    pub tasks: JoinSet<()>,
    /// How many tasks may come, one for each target.
    pub windows: Vec<watch::Sender<u32>>,
}

impl Intakes {
    /// Subscribes to the tasks of one more target; its window is closed until [`Self::set_window`] opens it.
    pub(crate) async fn add(&mut self, target: Name) -> Result<(), BrokerError> {
        let (window_in, window) = watch::channel(0);
        let intake = Intake {
            target,
            keys: self.keys.clone(),
            clock: self.clock.clone(),
            arrivals: self.arrivals.clone(),
            window,
            refused: self.refused.clone(),
        };
        let consumer = intake.subscribe(&*self.broker).await?;
        self.tasks.spawn(intake.run(consumer, self.rest.clone()));
        self.windows.push(window_in);
        Ok(())
    }

    /// Lets so many tasks of each target come.
    pub(crate) fn set_window(&self, window: u32) {
        for target in &self.windows {
            target.send_if_modified(|now| std::mem::replace(now, window) != window);
        }
    }
}

impl Intake {
    /// Subscribes.
    pub(crate) async fn subscribe(&self, broker: &dyn Broker) -> Result<Consumer, BrokerError> {
        let window = *self.window.borrow();
        broker.consume(&Queue::Tasks(self.target.clone()), window).await
    }

    /// Passes tasks on until the token is cancelled or the bus is closed.
    pub(crate) async fn run(mut self, mut consumer: Consumer, token: CancellationToken) {
        let audience = Audience::target(self.target.as_str());
        loop {
            tokio::select! {
                delivery = consumer.next() => match delivery {
                    None => return,
                    Some(delivery) => match read(&self.keys, audience, self.clock.now(), &delivery) {
                        Ok(task) => {
                            let task = Arc::new(task);
                            if self.arrivals.send(Arrival { task, delivery }).await.is_err() {
                                return;
                            }
                        }
                        Err(why) => self.refuse(delivery, &why).await,
                    },
                },
                changed = self.window.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    consumer.set_window(*self.window.borrow_and_update());
                }
                () = token.cancelled() => return,
            }
        }
    }

    async fn refuse(&self, delivery: Delivery, why: &str) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(target_name = %self.target, why, bytes = delivery.bytes.len(), "refused a task");
        if let Err(error) = delivery.reject(false).await {
            tracing::debug!(%error, "a refused task could not be set aside; it will come again");
        }
    }
}

fn read(
    keys: &TrustedKeys,
    audience: Audience,
    now: Timestamp,
    delivery: &Delivery,
) -> Result<StepTask, String> {
    let opened = open(keys, Kind::Task, audience, now, &delivery.bytes).map_err(|error| error.to_string())?;
    codec::decode(opened.body).map_err(|error| error.to_string())
}
