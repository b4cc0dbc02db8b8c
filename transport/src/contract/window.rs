//! A consumer never holds more than it asked for.

use super::{Subject, eventually_depth, next, nothing, publish_numbers, take_numbers, tasks};
use crate::Queue;

/// With a window of three there are three unsettled deliveries, and a fourth only when one is settled.
pub async fn the_window_is_never_exceeded(subject: &dyn Subject) {
    let broker = subject.broker();
    broker.declare(&tasks()).await.unwrap();
    publish_numbers(&*broker, &tasks(), 10).await;
    let mut consumer = broker.consume(&tasks(), 3).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(next(&mut consumer).await);
    }
    nothing(&mut consumer).await;
    eventually_depth(&*broker, &tasks(), "seven messages left", |depth| {
        depth.ready == 7
    })
    .await;
    held.remove(1).ack().await.unwrap();
    held.push(next(&mut consumer).await);
    nothing(&mut consumer).await;
    for delivery in held {
        delivery.ack().await.unwrap();
    }
    take_numbers(&mut consumer, 6).await;
    nothing(&mut consumer).await;
}

/// A window follows what is asked for, in both directions, and what is held counts against the new one.
pub async fn a_window_can_grow_and_shrink(subject: &dyn Subject) {
    let broker = subject.broker();
    broker.declare(&tasks()).await.unwrap();
    publish_numbers(&*broker, &tasks(), 20).await;
    let mut consumer = broker.consume(&tasks(), 1).await.unwrap();
    let mut held = vec![next(&mut consumer).await];
    nothing(&mut consumer).await;

    consumer.set_window(4);
    for _ in 0..3 {
        held.push(next(&mut consumer).await);
    }
    nothing(&mut consumer).await;

    consumer.set_window(2);
    nothing(&mut consumer).await;
    for delivery in held.drain(..3) {
        delivery.ack().await.unwrap();
    }
    // One is held, so one more fits.
    held.push(next(&mut consumer).await);
    nothing(&mut consumer).await;
    for delivery in held {
        delivery.ack().await.unwrap();
    }
    take_numbers(&mut consumer, 15).await;
    nothing(&mut consumer).await;
}

/// A window of zero: the broker counts no consumer, what was not taken is there for others, what was taken is still ours.
pub async fn a_window_of_zero_stops_and_gives_back(subject: &dyn Subject) {
    let broker = subject.broker();
    broker.declare(&tasks()).await.unwrap();
    publish_numbers(&*broker, &tasks(), 5).await;
    let mut first = broker.consume(&tasks(), 5).await.unwrap();
    let taken = next(&mut first).await;
    first.set_window(0);
    nothing(&mut first).await;
    eventually_depth(&*broker, &tasks(), "four messages", |depth| depth.ready == 4).await;

    let mut second = broker.consume(&tasks(), 5).await.unwrap();
    take_numbers(&mut second, 4).await;
    nothing(&mut second).await;
    taken.ack().await.unwrap();
    drop(second);
    eventually_depth(&*broker, &tasks(), "no consumer", |depth| depth.consumers == 0).await;

    first.set_window(2);
    publish_numbers(&*broker, &tasks(), 3).await;
    assert_eq!(take_numbers(&mut first, 3).await, [0, 1, 2]);
    nothing(&mut first).await;
    let dead = broker.depth(&Queue::DeadLetters).await.unwrap();
    assert_eq!(dead.ready, 0, "giving back sets nothing aside");
}
