//! The in-process bus keeps the contract, and what it adds to it.

use async_trait::async_trait;
use futures_util::FutureExt;
use std::sync::Arc;
use tidemill_transport::contract::{self, Subject, numbered, tasks};
use tidemill_transport::{Broker, DURABLE_MESSAGES_MAX, LocalBroker, Queue};

#[derive(Debug)]
struct Local(Arc<LocalBroker>);

#[async_trait]
impl Subject for Local {
    fn broker(&self) -> Arc<dyn Broker> {
        Arc::<LocalBroker>::clone(&self.0)
    }

    async fn delete(&self, queue: &Queue) {
        self.0.delete(queue);
    }
}

async fn check(promise: impl AsyncFn(&dyn Subject)) {
    promise(&Local(LocalBroker::new())).await;
}

/// One test for each promise of the contract.
macro_rules! promises {
    ($($name:ident)*) => {$(
        #[tokio::test]
        async fn $name() {
            check(contract::$name).await;
        }
    )*};
}

tidemill_transport::each_promise!(promises);

#[tokio::test]
async fn a_publisher_waits_while_a_queue_is_full() {
    let broker = LocalBroker::new();
    broker.declare(&tasks()).await.unwrap();
    for number in 0..DURABLE_MESSAGES_MAX as u64 {
        broker.publish(&tasks(), numbered(number)).await.unwrap();
    }
    let queue = tasks();
    let mut one_more = broker.publish(&queue, numbered(0));
    assert!(
        (&mut one_more).now_or_never().is_none(),
        "a full queue took a message"
    );
    let mut consumer = broker.consume(&tasks(), 1).await.unwrap();
    contract::take_numbers(&mut consumer, 1).await;
    one_more.await.unwrap();
}

#[tokio::test]
async fn a_transient_queue_ends_with_its_last_listener() {
    let broker = LocalBroker::new();
    let listener = broker.consume(&Queue::Heartbeats, 1).await.unwrap();
    let other = broker.consume(&Queue::Heartbeats, 1).await.unwrap();
    drop(listener);
    broker.publish(&Queue::Heartbeats, numbered(0)).await.unwrap();
    drop(other);
    assert!(broker.publish(&Queue::Heartbeats, numbered(0)).await.is_err());
}
