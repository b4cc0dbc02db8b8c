//! What every bus must do, as functions that a test calls with a bus of its own. They use the queues of [`queues`] and nothing else, assume
//! that these are empty and undeclared, and panic when a promise is broken. Time only ever fails them: a deadline that is passed.

#![expect(clippy::unwrap_used, reason = "these are tests: a broken promise is a panic")]

mod delivery;
mod proxy;
mod queue;
mod window;

pub use delivery::{
    a_consumer_that_ends_gives_back_what_it_held, a_message_given_back_is_delivered_again,
    a_message_that_comes_back_too_often_is_set_aside, a_rejected_message_is_set_aside, every_message_arrives,
    large_messages_arrive_and_larger_ones_are_refused, messages_sent_while_a_queue_is_being_made_all_arrive,
    what_nobody_waits_for_is_acknowledged_soon,
};
pub use proxy::{FaultProxy, Flow};
pub use queue::{
    a_closed_bus_is_closed, a_consumer_waits_for_its_queue, a_deleted_queue_can_be_declared_again,
    a_listener_makes_its_queue_exist, depth_counts_what_is_ready, many_publishes_at_once_are_told_apart,
    purging_deletes_what_is_ready, what_no_queue_takes_is_an_error,
};
pub use window::{
    a_window_can_grow_and_shrink, a_window_of_zero_stops_and_gives_back, the_window_is_never_exceeded,
};

use crate::{Broker, Consumer, Delivery, Depth, Queue};
use async_trait::async_trait;
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Calls a macro with the names of all promises, so that every bus is held to the same list.
#[macro_export]
macro_rules! each_promise {
    ($each:ident) => {
        $each! {
            every_message_arrives
            what_nobody_waits_for_is_acknowledged_soon
            messages_sent_while_a_queue_is_being_made_all_arrive
            a_consumer_that_ends_gives_back_what_it_held
            a_message_given_back_is_delivered_again
            a_rejected_message_is_set_aside
            a_message_that_comes_back_too_often_is_set_aside
            large_messages_arrive_and_larger_ones_are_refused
            the_window_is_never_exceeded
            a_window_can_grow_and_shrink
            a_window_of_zero_stops_and_gives_back
            what_no_queue_takes_is_an_error
            many_publishes_at_once_are_told_apart
            depth_counts_what_is_ready
            purging_deletes_what_is_ready
            a_consumer_waits_for_its_queue
            a_deleted_queue_can_be_declared_again
            a_listener_makes_its_queue_exist
            a_closed_bus_is_closed
        }
    };
}

/// No promise takes longer than this to be kept, on a busy machine.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Long enough for a message to arrive that should not.
const MOMENT: Duration = Duration::from_millis(300);

/// A bus under test, and what an operator can do to it behind its back.
#[async_trait]
pub trait Subject: fmt::Debug + Send + Sync {
    /// The bus.
    fn broker(&self) -> Arc<dyn Broker>;
    /// Deletes a queue and its messages, other than through the bus.
    async fn delete(&self, queue: &Queue);
}

/// The tasks queue that the contract uses.
pub fn tasks() -> Queue {
    Queue::Tasks("contract".parse().expect("a literal within the grammar"))
}

/// The control queue that the contract uses.
pub fn control() -> Queue {
    Queue::Control("contract".parse().expect("a literal within the grammar"))
}

/// All queues that the contract may leave behind.
pub fn queues() -> Vec<Queue> {
    vec![
        tasks(),
        Queue::Reports,
        Queue::Heartbeats,
        Queue::Logs,
        control(),
        Queue::DeadLetters,
    ]
}

/// Asks again and again until it is so; panics when it takes too long.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !is_so().await {
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(PATIENCE, asking).await.is_ok(), "not in time: {what}");
}

/// Waits until the bus says this about a queue.
pub(crate) async fn eventually_depth(
    broker: &dyn Broker,
    queue: &Queue,
    what: &str,
    is_so: impl Fn(Depth) -> bool,
) {
    eventually(what, async || broker.depth(queue).await.is_ok_and(&is_so)).await;
}

/// The next delivery; panics when there is none in time.
pub async fn next(consumer: &mut Consumer) -> Delivery {
    let next = timeout(PATIENCE, consumer.next())
        .await
        .expect("a delivery in time");
    next.expect("the bus is open")
}

/// Panics if anything is delivered.
pub async fn nothing(consumer: &mut Consumer) {
    if let Ok(delivery) = timeout(MOMENT, consumer.next()).await {
        panic!("nothing should come, but there is {delivery:?}");
    }
}

/// The number in a message that [`publish_numbers`] sent.
pub fn number(delivery: &Delivery) -> u64 {
    let bytes = delivery
        .bytes
        .as_ref()
        .try_into()
        .expect("a number of eight bytes");
    u64::from_be_bytes(bytes)
}

/// A message that carries a number.
pub fn numbered(number: u64) -> Bytes {
    Bytes::copy_from_slice(&number.to_be_bytes())
}

/// Publishes the numbers from 0 on.
pub async fn publish_numbers(broker: &dyn Broker, queue: &Queue, count: u64) {
    for number in 0..count {
        broker
            .publish(queue, numbered(number))
            .await
            .expect("the queue takes the message");
    }
}

/// Takes and acknowledges as many messages and answers their numbers in order.
pub async fn take_numbers(consumer: &mut Consumer, count: u64) -> Vec<u64> {
    let mut numbers = Vec::new();
    for _ in 0..count {
        let delivery = next(consumer).await;
        numbers.push(number(&delivery));
        delivery.ack().await.expect("the delivery is ours");
    }
    numbers.sort_unstable();
    numbers
}
