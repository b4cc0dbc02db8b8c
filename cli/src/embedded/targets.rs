//! The one worker of this process serves every compute target that any pipeline names: on one machine a target's name cannot be wrong. Which
//! names there are is learnt where they first appear, at the bus: the coordinator declares a queue before it publishes to it.

use async_trait::async_trait;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use tidemill_protocol::compute::ComputeTarget;
use tidemill_protocol::name::Name;
use tidemill_transport::{Broker, BrokerError, Consumer, Depth, Link, Queue};
use tidemill_worker::WorkerHandle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Names that wait for the worker; a coordinator that names more waits.
const NAMES_MAX: usize = 256;

/// A bus that tells which compute targets are asked for.
#[derive(Debug)]
pub(super) struct Watched {
    inner: Arc<dyn Broker>,
    known: Mutex<BTreeSet<Name>>,
    names: mpsc::Sender<Name>,
}

/// The names as they appear.
#[derive(Debug)]
pub(super) struct Asked(mpsc::Receiver<Name>);

/// Tells the worker of each name; ends when dropped.
#[derive(Debug)]
pub(super) struct Follower(#[expect(dead_code, reason = "held so that the task ends with it")] JoinSet<()>);

impl Watched {
    /// Puts a watch around a bus.
    pub(super) fn around(inner: Arc<dyn Broker>) -> (Arc<Self>, Asked) {
        let (names, asked) = mpsc::channel(NAMES_MAX);
        let watched = Self {
            inner,
            known: Mutex::default(),
            names,
        };
        (Arc::new(watched), Asked(asked))
    }

    fn note(&self, queue: &Queue) {
        let Queue::Tasks(name) = queue else { return };
        let is_new = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            !known.contains(name) && known.insert(name.clone())
        };
        if is_new {
            // Without a worker nobody listens, and nobody needs to.
            drop(self.names.try_send(name.clone()));
        }
    }
}

impl Asked {
    /// Lets this worker serve each name that appears.
    pub(super) fn follow(mut self, worker: WorkerHandle, token: CancellationToken) -> Follower {
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Some(Some(name)) = token.run_until_cancelled(self.0.recv()).await {
                let compute_type = super::wiring::local_target().compute_type;
                worker.serve(ComputeTarget { name, compute_type }).await;
            }
        });
        Follower(tasks)
    }
}

#[async_trait]
impl Broker for Watched {
    async fn declare(&self, queue: &Queue) -> Result<(), BrokerError> {
        self.note(queue);
        self.inner.declare(queue).await
    }

    async fn publish(&self, queue: &Queue, bytes: Bytes) -> Result<(), BrokerError> {
        self.note(queue);
        self.inner.publish(queue, bytes).await
    }

    async fn consume(&self, queue: &Queue, window: u32) -> Result<Consumer, BrokerError> {
        self.inner.consume(queue, window).await
    }

    async fn depth(&self, queue: &Queue) -> Result<Depth, BrokerError> {
        self.inner.depth(queue).await
    }

    async fn purge(&self, queue: &Queue) -> Result<u64, BrokerError> {
        self.inner.purge(queue).await
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.inner.link()
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
