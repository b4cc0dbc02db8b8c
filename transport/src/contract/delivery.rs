//! Messages arrive, come back, and are set aside.

use super::{
    Subject, eventually_depth, next, nothing, number, numbered, publish_numbers, take_numbers, tasks,
};
use crate::{BrokerError, DELIVERY_LIMIT, MESSAGE_BYTES_MAX, Queue};
use bytes::Bytes;
use futures_util::future::join_all;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Many publishers, two consumers: every message reaches one of them, and none is left.
pub async fn every_message_arrives(subject: &dyn Subject) {
    const PUBLISHERS: u64 = 8;
    const EACH: u64 = 50;
    let broker = subject.broker();
    broker.declare(&tasks()).await.unwrap();
    let publishing = join_all((0..PUBLISHERS).map(|publisher| {
        let broker = Arc::clone(&broker);
        async move {
            for message in 0..EACH {
                let number = publisher * EACH + message;
                broker.publish(&tasks(), numbered(number)).await.unwrap();
            }
        }
    }));
    let mut left = broker.consume(&tasks(), 20).await.unwrap();
    let mut right = broker.consume(&tasks(), 20).await.unwrap();
    let consuming = async {
        let mut seen = BTreeSet::new();
        while (seen.len() as u64) < PUBLISHERS * EACH {
            let delivery = tokio::select! {
                delivery = next(&mut left) => delivery,
                delivery = next(&mut right) => delivery,
            };
            seen.insert(number(&delivery));
            delivery.ack().await.unwrap();
        }
    };
    futures_util::join!(publishing, consuming);
    nothing(&mut left).await;
    nothing(&mut right).await;
    eventually_depth(&*broker, &tasks(), "an empty queue", |depth| depth.ready == 0).await;
}

/// Everybody makes the queue and sends at once: whatever a broker thinks of that, each message that was said to be taken is there.
pub async fn messages_sent_while_a_queue_is_being_made_all_arrive(subject: &dyn Subject) {
    const SENDERS: u64 = 16;
    let broker = subject.broker();
    let sending = (0..SENDERS).map(|number| {
        let broker = Arc::clone(&broker);
        async move {
            broker.declare(&tasks()).await.unwrap();
            broker.publish(&tasks(), numbered(number)).await.unwrap();
        }
    });
    join_all(sending).await;
    let mut consumer = broker.consume(&tasks(), 20).await.unwrap();
    assert_eq!(
        take_numbers(&mut consumer, SENDERS).await,
        (0..SENDERS).collect::<Vec<_>>()
    );
    nothing(&mut consumer).await;
}

/// What is acknowledged without waiting does not come again, and its place in the window is free in a moment.
pub async fn what_nobody_waits_for_is_acknowledged_soon(subject: &dyn Subject) {
    let broker = subject.broker();
    broker.declare(&tasks()).await.unwrap();
    publish_numbers(&*broker, &tasks(), 9).await;
    let mut first = broker.consume(&tasks(), 8).await.unwrap();
    let mut seen = BTreeSet::new();
    for _ in 0..9 {
        let delivery = next(&mut first).await;
        seen.insert(number(&delivery));
        delivery.ack_soon();
    }
    assert_eq!(seen.len(), 9);
    drop(first);
    let mut second = broker.consume(&tasks(), 8).await.unwrap();
    nothing(&mut second).await;
    eventually_depth(&*broker, &tasks(), "an empty queue", |depth| depth.ready == 0).await;
}

/// What a consumer held comes to the next one, marked; what it acknowledged does not; its old deliveries are no longer its own.
pub async fn a_consumer_that_ends_gives_back_what_it_held(subject: &dyn Subject) {
    let broker = subject.broker();
    broker.declare(&tasks()).await.unwrap();
    publish_numbers(&*broker, &tasks(), 3).await;
    let mut first = broker.consume(&tasks(), 2).await.unwrap();
    let acknowledged = next(&mut first).await;
    let held = next(&mut first).await;
    let (done, again) = (number(&acknowledged), number(&held));
    assert!(!held.redelivered);
    acknowledged.ack().await.unwrap();
    drop(first);

    let mut second = broker.consume(&tasks(), 10).await.unwrap();
    let mut seen = BTreeSet::new();
    for _ in 0..2 {
        let delivery = next(&mut second).await;
        if number(&delivery) == again {
            assert!(delivery.redelivered, "a second delivery says so");
        }
        seen.insert(number(&delivery));
        delivery.ack().await.unwrap();
    }
    assert!(seen.contains(&again) && !seen.contains(&done));
    assert!(matches!(held.ack().await, Err(BrokerError::Stale)));
    nothing(&mut second).await;
}

/// A message given back is delivered again, marked.
pub async fn a_message_given_back_is_delivered_again(subject: &dyn Subject) {
    let broker = subject.broker();
    broker.declare(&tasks()).await.unwrap();
    broker.publish(&tasks(), numbered(7)).await.unwrap();
    let mut consumer = broker.consume(&tasks(), 1).await.unwrap();
    next(&mut consumer).await.reject(true).await.unwrap();
    let again = next(&mut consumer).await;
    assert!(again.redelivered);
    assert_eq!(number(&again), 7);
    again.ack().await.unwrap();
    nothing(&mut consumer).await;
}

/// A message rejected for good is among the dead letters, and only there.
pub async fn a_rejected_message_is_set_aside(subject: &dyn Subject) {
    let broker = subject.broker();
    broker.declare(&tasks()).await.unwrap();
    publish_numbers(&*broker, &tasks(), 2).await;
    let mut consumer = broker.consume(&tasks(), 5).await.unwrap();
    for _ in 0..2 {
        let delivery = next(&mut consumer).await;
        if number(&delivery) == 0 {
            delivery.reject(false).await.unwrap();
        } else {
            delivery.ack().await.unwrap();
        }
    }
    let mut dead = broker.consume(&Queue::DeadLetters, 5).await.unwrap();
    assert_eq!(take_numbers(&mut dead, 1).await, [0]);
    nothing(&mut consumer).await;
    nothing(&mut dead).await;
}

/// A message that is given back for ever ends among the dead letters after [`DELIVERY_LIMIT`] further deliveries.
pub async fn a_message_that_comes_back_too_often_is_set_aside(subject: &dyn Subject) {
    let broker = subject.broker();
    broker.declare(&tasks()).await.unwrap();
    broker.publish(&tasks(), numbered(1)).await.unwrap();
    let mut consumer = broker.consume(&tasks(), 1).await.unwrap();
    for _ in 0..=DELIVERY_LIMIT {
        next(&mut consumer).await.reject(true).await.unwrap();
    }
    let mut dead = broker.consume(&Queue::DeadLetters, 1).await.unwrap();
    assert_eq!(take_numbers(&mut dead, 1).await, [1]);
    nothing(&mut consumer).await;
}

/// A message of several frames arrives as it was; one beyond the limit is refused before it is sent.
pub async fn large_messages_arrive_and_larger_ones_are_refused(subject: &dyn Subject) {
    let broker = subject.broker();
    broker.declare(&tasks()).await.unwrap();
    let large: Bytes = (0..=250_u8).cycle().take(MESSAGE_BYTES_MAX).collect();
    broker.publish(&tasks(), large.clone()).await.unwrap();
    broker.publish(&tasks(), Bytes::new()).await.unwrap();
    let mut consumer = broker.consume(&tasks(), 2).await.unwrap();
    let mut sizes = Vec::new();
    for _ in 0..2 {
        let delivery = next(&mut consumer).await;
        assert!(delivery.bytes.is_empty() || delivery.bytes == large);
        sizes.push(delivery.bytes.len());
        delivery.ack().await.unwrap();
    }
    sizes.sort_unstable();
    assert_eq!(sizes, [0, MESSAGE_BYTES_MAX]);

    let larger = Bytes::from(vec![0; MESSAGE_BYTES_MAX + 1]);
    assert!(matches!(
        broker.publish(&tasks(), larger).await,
        Err(BrokerError::Refused(_))
    ));
    nothing(&mut consumer).await;
}
