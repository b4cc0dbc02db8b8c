//! RabbitMQ through lapin. One supervisor makes sessions (two connections each) for ever; a publisher and any number of subscriptions
//! live across sessions and serve whichever there is. lapin's own recovery is not used: it mends connections but not channels, and a
//! consumer whose channel broke waits for ever. Every question to the broker has a time limit.

mod addresses;
mod backoff;
mod config;
mod desk;
mod fault;
mod inbox;
mod lane;
mod ledger;
mod management;
mod publish;
mod session;
mod silence;
mod subscribe;
mod supervisor;
mod verdicts;

pub use addresses::split_addresses;
pub use config::AmqpConfig;

use crate::broker::{
    Broker, BrokerError, Consumer, Depth, Link, MESSAGE_BYTES_MAX, Queue, Unsettled, WINDOW_MAX,
};
use crate::topology::Topology;
use addresses::Addresses;
use async_trait::async_trait;
use bytes::Bytes;
use fault::Fault;
use inbox::Inbox;
use lapin::options::{QueueDeclareOptions, QueuePurgeOptions};
use lapin::types::FieldTable;
use management::Management;
use publish::{BACKLOG_MAX, Outgoing};
use session::{Session, within};
use silence::{Silences, replace_if_mute};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use subscribe::{AmqpSource, Subscription};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use verdicts::Fate;

/// How long [`Broker::close`] waits for subscriptions and connections to say goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Pauses before a message that the broker refused is sent again.
const REFUSED_PAUSES: [Duration; 5] = [
    Duration::from_millis(10),
    Duration::from_millis(40),
    Duration::from_millis(160),
    Duration::from_millis(640),
    Duration::from_millis(2560),
];
/// Why there is no connection before the first try is over.
const CONNECTING: &str = "connecting";

/// What the supervisor, the publisher and the subscriptions have in common.
struct Shared {
    config: AmqpConfig,
    addresses: Addresses,
    topology: Topology,
    link: watch::Sender<Link>,
    session: watch::Sender<Option<Arc<Session>>>,
    /// What this process has declared, and declares again on every session.
    declared: Mutex<BTreeSet<Queue>>,
    /// Durable queues that did not answer.
    silences: Silences,
    /// Who tells what AMQP does not.
    management: Option<Management>,
    closed: CancellationToken,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the addresses, which hold the password.
        f.debug_struct("Shared")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Who we are on the broker.
    fn user(&self) -> &str {
        &self.addresses.first().authority.userinfo.username
    }

    fn declared(&self) -> Vec<Queue> {
        let declared = self.declared.lock().unwrap_or_else(PoisonError::into_inner);
        declared.iter().cloned().collect()
    }

    fn is_declared(&self, queue: &Queue) -> bool {
        self.declared
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(queue)
    }

    fn remember(&self, queue: &Queue) {
        self.declared
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(queue.clone());
    }

    /// The present session, or the next; none when the bus is closed.
    async fn next_session(&self) -> Option<Arc<Session>> {
        let mut sessions = self.session.subscribe();
        let lives = |session: &Option<Arc<Session>>| {
            session
                .as_ref()
                .is_some_and(|session| !session.dead.is_cancelled())
        };
        tokio::select! {
            session = sessions.wait_for(lives) => session.ok().and_then(|session| session.clone()),
            () = self.closed.cancelled() => None,
        }
    }

    /// As [`Self::next_session`], within the time limit of a call.
    async fn session(&self) -> Result<Arc<Session>, BrokerError> {
        match timeout(self.config.call_timeout, self.next_session()).await {
            Ok(session) => session.ok_or(BrokerError::Closed),
            Err(_) => Err(self.disconnected()),
        }
    }

    /// Why there is no connection.
    fn disconnected(&self) -> BrokerError {
        match &*self.link.borrow() {
            Link::Up => BrokerError::TimedOut,
            Link::Down(why) | Link::Blocked(why) => BrokerError::Disconnected(why.clone()),
        }
    }
}

/// A bus over RabbitMQ. Made at once, connected in the background, connected again for ever.
pub struct AmqpBroker {
    shared: Arc<Shared>,
    outbox: mpsc::Sender<Outgoing>,
    tasks: TaskTracker,
    /// Ends the tasks when the bus is dropped without [`Broker::close`].
    _close: DropGuard,
}

impl fmt::Debug for AmqpBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpBroker")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}

impl AmqpBroker {
    /// Starts to connect; must be called within a tokio runtime. An error means that the configuration cannot be right.
    pub fn start(config: AmqpConfig) -> Result<Arc<Self>, BrokerError> {
        // TLS needs one process-wide choice of cryptography; whoever chose before us is welcome.
        let _already_chosen = rustls::crypto::ring::default_provider().install_default();
        let (addresses, topology) = config.resolve()?;
        let management = Management::of(&config, addresses.first())?;
        let shared = Arc::new(Shared {
            management,
            config,
            addresses,
            topology,
            link: watch::Sender::new(Link::Down(CONNECTING.to_owned())),
            session: watch::Sender::new(None),
            declared: Mutex::default(),
            silences: Silences::default(),
            closed: CancellationToken::new(),
        });
        let (outbox, outgoing) = mpsc::channel(BACKLOG_MAX);
        let tasks = TaskTracker::new();
        tasks.spawn(supervisor::supervise(Arc::clone(&shared)));
        tasks.spawn(publish::publish(Arc::clone(&shared), outgoing));
        let asking = Arc::clone(&shared);
        tasks.spawn(async move {
            if let Some(management) = &asking.management {
                management.ask(&asking.closed).await;
            }
        });
        Ok(Arc::new(Self {
            outbox,
            tasks,
            _close: shared.closed.clone().drop_guard(),
            shared,
        }))
    }

    /// Waits for a connection.
    pub async fn wait_up(&self, limit: Duration) -> Result<(), BrokerError> {
        let mut link = self.shared.link.subscribe();
        match timeout(limit, link.wait_for(|link| *link == Link::Up)).await {
            Ok(_) => Ok(()),
            Err(_) => Err(self.shared.disconnected()),
        }
    }

    /// Waits until the first try to connect is over, and refuses a broker whose certificate nobody vouches for: unlike a broker that is away,
    /// that does not mend itself. A try that takes longer than `limit`, or fails otherwise, goes on in the background.
    pub async fn check_trust(&self, limit: Duration) -> Result<(), BrokerError> {
        let mut link = self.shared.link.subscribe();
        let tried = timeout(
            limit,
            link.wait_for(|link| !matches!(link, Link::Down(why) if why == CONNECTING)),
        );
        match tried.await {
            Ok(Ok(link)) => match &*link {
                Link::Down(why) if why.starts_with(fault::UNTRUSTED) => {
                    Err(BrokerError::Refused(why.clone()))
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Sends a message, and again after a pause when the broker refuses it: a quorum queue does that while it is being made or changes its leader.
    async fn send(&self, queue: &Queue, bytes: Bytes) -> Result<(), BrokerError> {
        let mut pauses = REFUSED_PAUSES.into_iter();
        loop {
            match self.send_once(queue, bytes.clone()).await? {
                Fate::Taken => return Ok(()),
                Fate::Returned => return Err(BrokerError::Unroutable),
                Fate::NotTaken => {
                    let Some(pause) = pauses.next() else {
                        let why = "it refused the message again and again";
                        return Err(BrokerError::Disconnected(why.to_owned()));
                    };
                    sleep(pause).await;
                }
            }
        }
    }

    async fn send_once(&self, queue: &Queue, bytes: Bytes) -> Result<Fate, BrokerError> {
        let (done, answer) = oneshot::channel();
        let outgoing = Outgoing {
            queue: queue.clone(),
            bytes,
            done,
        };
        self.outbox
            .send(outgoing)
            .await
            .map_err(|_| BrokerError::Closed)?;
        answer
            .await
            .unwrap_or_else(|_| Err(BrokerError::Disconnected("lost while sending".to_owned())))
    }
}

#[async_trait]
impl Broker for AmqpBroker {
    async fn declare(&self, queue: &Queue) -> Result<(), BrokerError> {
        let session = self.shared.session().await?;
        session.declare(&self.shared, queue).await?;
        self.shared.remember(queue);
        Ok(())
    }

    async fn publish(&self, queue: &Queue, bytes: Bytes) -> Result<(), BrokerError> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(BrokerError::too_large(bytes.len()));
        }
        let asked = Instant::now();
        let sent = tokio::select! {
            sent = timeout(self.shared.config.publish_timeout, self.send(queue, bytes)) => {
                sent.unwrap_or_else(|_| Err(self.shared.disconnected()))
            }
            () = self.shared.closed.cancelled() => Err(BrokerError::Closed),
        };
        match &sent {
            Ok(()) => self.shared.silences.end(queue),
            Err(BrokerError::TimedOut) => {
                self.shared.silences.note(queue, asked);
                let session = self.shared.session().await?;
                replace_if_mute(&self.shared, &session, queue).await?;
            }
            Err(_) => {}
        }
        sent
    }

    async fn consume(&self, queue: &Queue, window: u32) -> Result<Consumer, BrokerError> {
        if self.shared.closed.is_cancelled() {
            return Err(BrokerError::Closed);
        }
        let inbox = Arc::new(Inbox::default());
        let window = watch::Sender::new(window.min(WINDOW_MAX));
        let (tried, first_try) = oneshot::channel();
        let subscription = Subscription::new(
            Arc::clone(&self.shared),
            queue.clone(),
            Arc::clone(&inbox),
            window.subscribe(),
            tried,
        );
        self.tasks.spawn(subscription.run());
        if self.shared.session.borrow().is_some() {
            // So that a queue that exists while somebody listens exists when this returns. If it takes longer it goes on in the background.
            let _tried = timeout(self.shared.config.call_timeout, first_try).await;
        }
        Ok(Consumer::new(Box::new(AmqpSource { inbox, window })))
    }

    async fn depth(&self, queue: &Queue) -> Result<Depth, BrokerError> {
        let session = self.shared.session().await?;
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let name = self.shared.topology.name(queue).into();
        let asked = within(self.shared.config.call_timeout, async {
            let channel = session.publish.create_channel().await?;
            channel.queue_declare(name, options, FieldTable::default()).await
        });
        let answer = asked.await?;
        Ok(Depth {
            ready: answer.message_count().into(),
            unsettled: None,
            consumers: answer.consumer_count().into(),
        })
    }

    fn unsettled(&self, queue: &Queue) -> Unsettled {
        let management = self.shared.management.as_ref();
        management.map_or(Unsettled::NotAsked, |management| {
            management.unsettled(&self.shared.topology.name(queue))
        })
    }

    async fn purge(&self, queue: &Queue) -> Result<u64, BrokerError> {
        let session = self.shared.session().await?;
        let name = self.shared.topology.name(queue).into();
        let purged = within(self.shared.config.call_timeout, async {
            let channel = session.publish.create_channel().await?;
            channel.queue_purge(name, QueuePurgeOptions::default()).await
        });
        Ok(purged.await?.into())
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.shared.link.subscribe()
    }

    async fn close(&self) {
        self.shared.closed.cancel();
        self.tasks.close();
        // What does not end in time ends with the runtime.
        let _late = timeout(CLOSE_TIMEOUT, self.tasks.wait()).await;
    }
}
