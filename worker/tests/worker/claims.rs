//! A claim on its way: when the task is acknowledged, and when work may begin. The bus is real; a gate in front of it holds reports back.

use crate::bench::{Bench, Step, eventually};
use async_trait::async_trait;
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tidemill_protocol::wire::ReportBody;
use tidemill_transport::{Broker, BrokerError, Consumer, Depth, Link, LocalBroker, Queue};
use tokio::sync::watch;

/// Long enough for a worker that does what it must not to have done it.
const MOMENT: Duration = Duration::from_millis(300);

/// A bus whose reports pass only while it is open, and which says what it is told to say of its connection.
#[derive(Debug)]
struct Gate {
    inner: Arc<LocalBroker>,
    open: watch::Sender<bool>,
    /// How many messages with reports have come.
    came: watch::Sender<usize>,
    link: watch::Sender<Link>,
}

impl Gate {
    fn closed(inner: Arc<LocalBroker>, link: Link) -> Arc<Self> {
        Arc::new(Self {
            inner,
            open: watch::channel(false).0,
            came: watch::channel(0).0,
            link: watch::channel(link).0,
        })
    }
}

#[async_trait]
impl Broker for Gate {
    async fn declare(&self, queue: &Queue) -> Result<(), BrokerError> {
        self.inner.declare(queue).await
    }

    async fn publish(&self, queue: &Queue, bytes: Bytes) -> Result<(), BrokerError> {
        if *queue == Queue::Reports {
            self.came.send_modify(|came| *came += 1);
            let mut open = self.open.subscribe();
            open.wait_for(|open| *open).await.unwrap();
        }
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
        self.link.subscribe()
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

async fn unsettled(bench: &Bench) -> Option<u64> {
    bench.broker.depth(&Bench::tasks()).await.unwrap().unsettled
}

fn leaves(mark: &Path) -> Step {
    Step::shell(": > \"$MARK\"").variable("MARK", mark.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn work_begins_with_the_claim_on_its_way_and_the_task_stays_the_brokers_until_the_claim_is_there() {
    let mut gate = None;
    let mut bench = Bench::start_behind(|bus| gate.insert(Gate::closed(bus, Link::Up)).clone()).await;
    let (gate, mark) = (gate.unwrap(), bench.path("mark"));
    let attempt = bench.submit(leaves(&mark)).await;
    eventually("the step has run", async || mark.exists()).await;
    assert_eq!(
        unsettled(&bench).await,
        Some(1),
        "were the worker lost now, the task would go to another"
    );
    gate.open.send_replace(true);
    eventually("the task is acknowledged", async || {
        unsettled(&bench).await == Some(0)
    })
    .await;
    assert!(matches!(bench.ending(attempt).await, ReportBody::Succeeded(_)));
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_connection_nothing_begins_before_the_broker_has_the_claim() {
    let mut gate = None;
    let down = Link::Down("cut".to_owned());
    let mut bench = Bench::start_behind(|bus| gate.insert(Gate::closed(bus, down)).clone()).await;
    let (gate, mark) = (gate.unwrap(), bench.path("mark"));
    let attempt = bench.submit(leaves(&mark)).await;
    let mut came = gate.came.subscribe();
    came.wait_for(|came| *came > 0).await.unwrap();
    let began = eventually("the step has run", async || mark.exists());
    assert!(tokio::time::timeout(MOMENT, began).await.is_err());
    assert_eq!(unsettled(&bench).await, Some(1));
    gate.open.send_replace(true);
    assert!(matches!(bench.ending(attempt).await, ReportBody::Succeeded(_)));
    assert!(mark.exists());
    bench.end().await;
}
