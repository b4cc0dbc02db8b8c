//! The broker is a cache of intentions: here it is compared with what the state says should be in it. After a start, after a reconnection, and on a slow
//! tick, tasks that nobody has claimed for long and that the broker no longer has are published again, with the same attempt and token.

use super::{Outbox, Outgoing};
use crate::archive::Sure;
use crate::driver::Request;
use crate::handle::CoordinatorHandle;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tidemill_engine::Effect;
use tidemill_protocol::ids::AttemptId;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::{Clock, Millis};
use tidemill_protocol::wire::StepTask;
use tidemill_transport::{Broker, BrokerError, Link, Queue};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// How often leases are judged.
const TICK: Duration = Duration::from_secs(1);
/// A task is not published again more often than this.
const REPUBLISH_EVERY: Millis = Millis::from_secs(30);

/// Declares the queues that the coordinator itself reads. Task queues are declared when they are first used.
async fn declare_queues(broker: &dyn Broker) -> Result<(), BrokerError> {
    for queue in [Queue::DeadLetters, Queue::Reports] {
        broker.declare(&queue).await?;
    }
    Ok(())
}

/// Compares broker and state.
#[derive(Debug)]
pub(crate) struct Reconciler {
    broker: Arc<dyn Broker>,
    handle: CoordinatorHandle,
    outbox: Outbox,
    clock: Arc<dyn Clock>,
    after: Millis,
    /// While it is not sure, the coordinator listens to nobody.
    sure: Sure,
    /// When each unclaimed task was seen first, and last published, by the monotonic clock.
    seen: HashMap<AttemptId, Seen>,
    /// Whether the present connection was compared already.
    compared: bool,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    first: Millis,
    published: Option<Millis>,
}

impl Reconciler {
    /// A reconciler that looks after tasks that are unclaimed for at least `after`.
    pub(crate) fn new(handle: CoordinatorHandle, outbox: Outbox, after: Millis, sure: Sure) -> Self {
        Self {
            broker: Arc::clone(&handle.inner.broker),
            clock: Arc::clone(&handle.inner.clock),
            handle,
            outbox,
            after,
            sure,
            seen: HashMap::new(),
            compared: false,
        }
    }

    /// Compares at once with a broker that is there already, before anything new is dispatched.
    pub(crate) async fn begin(&mut self) {
        if matches!(*self.broker.link().borrow(), Link::Up) {
            self.compared = self.reconnected().await;
        }
    }

    /// Runs until the token is cancelled.
    pub(crate) async fn run(mut self, token: CancellationToken) {
        let mut link = self.broker.link();
        let mut tick = tokio::time::interval(TICK.min(self.after.to_duration()));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looked_at = self.clock.monotonic();
        loop {
            let up = matches!(*link.borrow_and_update(), Link::Up);
            if up && !self.compared {
                self.compared = self.reconnected().await;
            } else if !up {
                self.compared = false;
            }
            tokio::select! {
                () = token.cancelled() => return,
                changed = link.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                _ = tick.tick() => {
                    let connected = up && self.sure.is_sure();
                    if self.handle.request(Request::Tick { connected }).await.is_err() {
                        return;
                    }
                    let dropped = self.outbox.dropped.swap(false, Ordering::AcqRel);
                    let due = self.clock.monotonic().0 >= looked_at.0 + self.after.0 / 2;
                    if up && (due || dropped) {
                        looked_at = self.clock.monotonic();
                        self.look(if dropped { Millis(0) } else { self.after }).await;
                    }
                }
            }
        }
    }

    /// There is a broker, perhaps another than before.
    async fn reconnected(&mut self) -> bool {
        if let Err(error) = declare_queues(&*self.broker).await {
            tracing::warn!(%error, "the broker's queues cannot be declared; trying again");
            return false;
        }
        let forget = self.outbox.outgoing.send(Outgoing::ForgetQueues).await;
        forget.is_ok() && self.look(Millis(0)).await.is_some()
    }

    /// Looks for tasks that are unclaimed for at least `age` and missing in the broker, and performs every other outstanding effect again.
    async fn look(&mut self, age: Millis) -> Option<()> {
        let effects = self.handle.look(|sight| sight.engine.outstanding()).await.ok()?;
        let now = self.clock.monotonic();
        let mut unclaimed: BTreeMap<Name, Vec<Arc<StepTask>>> = BTreeMap::new();
        let mut seen = HashMap::new();
        for effect in effects {
            let Effect::PublishTask(task) = effect else {
                if age == Millis(0) {
                    self.outbox.put(effect);
                }
                continue;
            };
            let known = self.seen.get(&task.attempt).copied().unwrap_or(Seen {
                first: now,
                published: None,
            });
            seen.insert(task.attempt, known);
            if now.0 >= known.first.0 + age.0 {
                unclaimed
                    .entry(task.template.rules.target.clone())
                    .or_default()
                    .push(task);
            }
        }
        self.seen = seen;
        for (target, tasks) in unclaimed {
            self.publish_missing(target, tasks, age == Millis(0)).await;
        }
        Some(())
    }

    async fn publish_missing(&mut self, target: Name, tasks: Vec<Arc<StepTask>>, anew: bool) {
        let queue = Queue::Tasks(target);
        if anew && self.broker.declare(&queue).await.is_err() {
            return;
        }
        let Ok(depth) = self.broker.depth(&queue).await else {
            return;
        };
        let there = depth.ready + depth.unsettled.unwrap_or(0);
        if there >= tasks.len() as u64 {
            return;
        }
        let now = self.clock.monotonic();
        for task in tasks {
            let Some(seen) = self.seen.get_mut(&task.attempt) else {
                continue;
            };
            let recently = |at: Millis| now.0 < at.0 + REPUBLISH_EVERY.0;
            if anew || !seen.published.is_some_and(recently) {
                seen.published = Some(now);
                tracing::info!(?queue, attempt = %task.attempt, "publishing a task that the broker does not have");
                self.outbox.put(Effect::PublishTask(task));
            }
        }
    }
}
