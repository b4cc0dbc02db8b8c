//! Seals tasks and controls and publishes them, many at once. A message that the broker does not take is not tried again here: the
//! reconciler finds out what is missing, and every message may be repeated.

use super::OUTGOING_MAX;
use crate::access::AttemptTokens;
use crate::archive::Sure;
use crate::driver::Request;
use crate::metrics::Metrics;
use crate::tracking::{TrackedId, own_experiment_id};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::HashMap;
use std::sync::Arc;
use tidemill_engine::Command;
use tidemill_protocol::codec;
use tidemill_protocol::ids::WorkerId;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::{Clock, Millis};
use tidemill_protocol::wire::{
    Audience, Control, EnvelopeError, Kind, SignerKey, StepTask, TrackingGrant, seal,
};
use tidemill_transport::{Broker, BrokerError, Queue};
use tokio::sync::{OnceCell, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Messages being published at once.
const IN_FLIGHT_MAX: usize = 512;
/// How long an instruction to a worker is good for.
const CONTROL_VALIDITY: Millis = Millis::from_secs(60);

/// Whether a target's queue was declared. The first message for it does that, and the others wait: a broker that is asked by many at once, and given messages
/// meanwhile, refuses some of them.
type Declared = Arc<OnceCell<()>>;

/// A message to be published.
#[derive(Debug, Clone)]
pub(crate) enum Outgoing {
    /// A task, to the queue of its compute target.
    Task(Arc<StepTask>),
    /// An instruction, to one worker.
    Control(WorkerId, Control),
    /// The broker may have been wiped: declare queues again before they are used.
    ForgetQueues,
}

/// Publishes what the driver sends.
pub(crate) struct Publisher {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) key: SignerKey,
    /// Nothing goes out while another coordinator may have taken over.
    pub(crate) sure: Sure,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) task_validity: Millis,
    /// What attempts log with.
    pub(crate) attempt_tokens: AttemptTokens,
    pub(crate) metrics: Arc<Metrics>,
    /// Who is told of what can never be sent.
    pub(crate) requests: mpsc::Sender<Request>,
}

impl Publisher {
    /// Runs until every sender is gone or the token is cancelled.
    pub(crate) async fn run(self, mut outgoing: mpsc::Receiver<Outgoing>, token: CancellationToken) {
        let mut declared: HashMap<Name, Declared> = HashMap::new();
        let mut in_flight = FuturesUnordered::new();
        let mut messages = Vec::with_capacity(IN_FLIGHT_MAX);
        let mut sure = self.sure.clone();
        loop {
            let room = IN_FLIGHT_MAX.saturating_sub(in_flight.len()).min(OUTGOING_MAX);
            tokio::select! {
                () = token.cancelled() => return,
                Some(()) = in_flight.next(), if !in_flight.is_empty() => {}
                count = outgoing.recv_many(&mut messages, room), if room > 0 => {
                    if count == 0 {
                        return;
                    }
                    // The wait for a message may have been long.
                    tokio::select! {
                        () = token.cancelled() => return,
                        () = sure.wait() => {}
                    }
                    for message in messages.drain(..) {
                        match message {
                            Outgoing::Task(task) => {
                                let queue = declared.entry(task.template.rules.target.clone()).or_default();
                                in_flight.push(self.publish(Outgoing::Task(task), Some(Arc::clone(queue))));
                            }
                            Outgoing::Control(..) => in_flight.push(self.publish(message, None)),
                            Outgoing::ForgetQueues => declared.clear(),
                        }
                    }
                }
            }
        }
    }

    async fn publish(&self, message: Outgoing, declared: Option<Declared>) {
        let (queue, sealed) = match &message {
            Outgoing::Task(task) => (
                Queue::Tasks(task.template.rules.target.clone()),
                self.seal_task(task),
            ),
            Outgoing::Control(worker, control) => {
                (Queue::Control(worker.clone()), self.seal_control(worker, control))
            }
            Outgoing::ForgetQueues => return,
        };
        let bytes = match sealed {
            Ok(bytes) => Bytes::from(bytes),
            Err(error) => {
                tracing::error!(?queue, %error, "a message cannot be sealed");
                if let (Outgoing::Task(task), EnvelopeError::TooLarge(_)) = (&message, error) {
                    self.set_aside(task).await;
                }
                return;
            }
        };
        match self.send(&queue, bytes, declared).await {
            Ok(()) => self.metrics.messages_published.add(1),
            // A worker that is away hears of stops again with its next heartbeat.
            Err(BrokerError::Unroutable) if matches!(queue, Queue::Control(_)) => {}
            Err(error) => {
                self.metrics.publish_failures.add(1);
                tracing::debug!(?queue, %error, "a message was not taken");
            }
        }
    }

    /// Ends an attempt whose task fits no message, as if the broker had not taken it: nobody will ever claim it. Planning refuses such steps; plans that
    /// were made before it did may hold some.
    async fn set_aside(&self, task: &StepTask) {
        let command = Command::DeadLetter {
            attempt: task.attempt,
            token: task.token,
        };
        // Nobody waits for it: if it is lost, the reconciler has the task published again.
        let (reply, _) = oneshot::channel();
        let told = self.requests.send(Request::DeadLetter { command, reply }).await;
        if told.is_err() {
            tracing::debug!(attempt = %task.attempt, "nobody is there to be told");
        }
    }

    async fn send(&self, queue: &Queue, bytes: Bytes, declared: Option<Declared>) -> Result<(), BrokerError> {
        if let Some(declared) = declared {
            declared.get_or_try_init(|| self.broker.declare(queue)).await?;
        }
        match self.broker.publish(queue, bytes.clone()).await {
            Err(BrokerError::Unroutable) if queue.is_durable() => {
                // Somebody deleted it.
                self.broker.declare(queue).await?;
                self.broker.publish(queue, bytes).await
            }
            result => result,
        }
    }

    fn seal_task(&self, task: &StepTask) -> Result<Vec<u8>, EnvelopeError> {
        let audience = Audience::target(task.template.rules.target.as_str());
        let not_after = self.clock.now() + self.task_validity;
        let that_logs = StepTask {
            tracking: Some(TrackingGrant {
                experiment: own_experiment_id(task.experiment.as_str()),
                run: TrackedId::of_attempt(task.attempt).to_string(),
                token: self.attempt_tokens.make(task.attempt, task.token),
            }),
            ..task.clone()
        };
        seal(
            &self.key,
            Kind::Task,
            audience,
            not_after,
            &codec::encode(&that_logs),
        )
    }

    fn seal_control(&self, worker: &WorkerId, control: &Control) -> Result<Vec<u8>, EnvelopeError> {
        let audience = Audience::worker(worker.as_str());
        let not_after = self.clock.now() + CONTROL_VALIDITY;
        seal(
            &self.key,
            Kind::Control,
            audience,
            not_after,
            &codec::encode(control),
        )
    }
}
