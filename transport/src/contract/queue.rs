//! Queues come to exist, are asked about, emptied, deleted and declared again; a bus is closed.

use super::{
    Subject, control, eventually, eventually_depth, next, nothing, number, numbered, publish_numbers,
    take_numbers, tasks,
};
use crate::{BrokerError, Queue};
use futures_util::future::join_all;
use std::time::Duration;
use tokio::time::timeout;

/// A publish to a queue that nobody declared, or where nobody listens, fails and says why.
pub async fn what_no_queue_takes_is_an_error(subject: &dyn Subject) {
    let broker = subject.broker();
    for queue in [tasks(), Queue::Reports, Queue::Heartbeats, control()] {
        let refused = broker.publish(&queue, numbered(0)).await;
        assert!(
            matches!(refused, Err(BrokerError::Unroutable)),
            "{queue:?}: {refused:?}"
        );
        assert!(matches!(broker.depth(&queue).await, Err(BrokerError::Unroutable)));
        assert!(matches!(broker.purge(&queue).await, Err(BrokerError::Unroutable)));
    }
}

/// With many publishes under way, half of them to a queue that does not exist, each learns its own fate.
pub async fn many_publishes_at_once_are_told_apart(subject: &dyn Subject) {
    let broker = subject.broker();
    broker.declare(&tasks()).await.unwrap();
    for _ in 0..5 {
        let publishing = (0..400_u64).map(|number| {
            let queue = if number % 2 == 0 { tasks() } else { control() };
            let broker = &broker;
            async move { (number, broker.publish(&queue, numbered(number)).await) }
        });
        for (number, published) in join_all(publishing).await {
            match published {
                Ok(()) => assert_eq!(number % 2, 0, "{number} went nowhere and was called sent"),
                Err(BrokerError::Unroutable) => {
                    assert_eq!(number % 2, 1, "{number} was sent and called lost");
                }
                Err(other) => panic!("{number}: {other}"),
            }
        }
    }
    eventually_depth(&*broker, &tasks(), "all that was sent", |depth| {
        depth.ready == 1000
    })
    .await;
}

/// Depth tells ready messages and consumers; a held message is not ready.
pub async fn depth_counts_what_is_ready(subject: &dyn Subject) {
    let broker = subject.broker();
    broker.declare(&tasks()).await.unwrap();
    eventually_depth(&*broker, &tasks(), "nothing yet", |depth| {
        depth.ready == 0 && depth.consumers == 0
    })
    .await;
    publish_numbers(&*broker, &tasks(), 5).await;
    eventually_depth(&*broker, &tasks(), "five ready", |depth| depth.ready == 5).await;
    let mut consumer = broker.consume(&tasks(), 2).await.unwrap();
    let held = next(&mut consumer).await;
    let counted = |depth: crate::Depth| {
        depth.consumers == 1 && depth.ready + depth.unsettled.unwrap_or(2) >= 4 && depth.ready <= 4
    };
    eventually_depth(&*broker, &tasks(), "one consumer, and not all ready", counted).await;
    held.ack().await.unwrap();
    drop(consumer);
    eventually_depth(&*broker, &tasks(), "four given back", |depth| {
        depth.ready == 4 && depth.consumers == 0
    })
    .await;
}

/// A purge deletes what is ready, says how many, and leaves what a consumer holds.
pub async fn purging_deletes_what_is_ready(subject: &dyn Subject) {
    let broker = subject.broker();
    broker.declare(&tasks()).await.unwrap();
    publish_numbers(&*broker, &tasks(), 6).await;
    let mut consumer = broker.consume(&tasks(), 1).await.unwrap();
    let held = next(&mut consumer).await;
    eventually_depth(&*broker, &tasks(), "five ready", |depth| depth.ready == 5).await;
    assert_eq!(broker.purge(&tasks()).await.unwrap(), 5);
    held.ack().await.unwrap();
    nothing(&mut consumer).await;
    publish_numbers(&*broker, &tasks(), 1).await;
    assert_eq!(take_numbers(&mut consumer, 1).await, [0]);
}

/// A consumer that comes before its queue gets its messages once the queue is declared.
pub async fn a_consumer_waits_for_its_queue(subject: &dyn Subject) {
    let broker = subject.broker();
    let mut consumer = broker.consume(&tasks(), 5).await.unwrap();
    nothing(&mut consumer).await;
    broker.declare(&tasks()).await.unwrap();
    publish_numbers(&*broker, &tasks(), 3).await;
    assert_eq!(take_numbers(&mut consumer, 3).await, [0, 1, 2]);
}

/// A queue deleted behind our back takes nothing until it is declared again; then the consumer that was there goes on.
pub async fn a_deleted_queue_can_be_declared_again(subject: &dyn Subject) {
    let broker = subject.broker();
    broker.declare(&tasks()).await.unwrap();
    let mut consumer = broker.consume(&tasks(), 5).await.unwrap();
    publish_numbers(&*broker, &tasks(), 2).await;
    assert_eq!(take_numbers(&mut consumer, 2).await, [0, 1]);
    subject.delete(&tasks()).await;
    let refused = broker.publish(&tasks(), numbered(9)).await;
    assert!(matches!(refused, Err(BrokerError::Unroutable)), "{refused:?}");
    nothing(&mut consumer).await;
    broker.declare(&tasks()).await.unwrap();
    publish_numbers(&*broker, &tasks(), 3).await;
    assert_eq!(take_numbers(&mut consumer, 3).await, [0, 1, 2]);
    nothing(&mut consumer).await;
}

/// The queues of heartbeats, logs and control need no declaration: they exist as soon as somebody listens.
pub async fn a_listener_makes_its_queue_exist(subject: &dyn Subject) {
    let broker = subject.broker();
    for queue in [Queue::Heartbeats, Queue::Logs, control()] {
        let mut listener = broker.consume(&queue, 10).await.unwrap();
        publish_numbers(&*broker, &queue, 3).await;
        assert_eq!(take_numbers(&mut listener, 3).await, [0, 1, 2]);
        nothing(&mut listener).await;
    }
}

/// Closing ends consumers, refuses everything else, and loses nothing that was unsettled to the consumer.
pub async fn a_closed_bus_is_closed(subject: &dyn Subject) {
    let broker = subject.broker();
    broker.declare(&tasks()).await.unwrap();
    publish_numbers(&*broker, &tasks(), 2).await;
    let mut consumer = broker.consume(&tasks(), 1).await.unwrap();
    let held = next(&mut consumer).await;
    assert_eq!(number(&held), 0);
    let mut link = broker.link();
    broker.close().await;
    assert!(
        timeout(Duration::from_secs(5), consumer.next())
            .await
            .expect("an end")
            .is_none()
    );
    assert!(held.ack().await.is_err());
    assert!(matches!(
        broker.publish(&tasks(), numbered(0)).await,
        Err(BrokerError::Closed)
    ));
    assert!(matches!(broker.declare(&tasks()).await, Err(BrokerError::Closed)));
    assert!(matches!(
        broker.consume(&tasks(), 1).await,
        Err(BrokerError::Closed)
    ));
    assert!(matches!(broker.depth(&tasks()).await, Err(BrokerError::Closed)));
    eventually("a link that is down", async || {
        matches!(*link.borrow_and_update(), crate::Link::Down(_))
    })
    .await;
}
