//! lapin alone, as somebody who knows it would write it: confirmed and persistent publishes to durable quorum queues, many at a time; a consumer with a
//! prefetch as large as the load; acknowledgement and reply side by side for each delivery; publishing and consuming on connections of their own. What is
//! done for each delivery is nothing, or one process.

use crate::load::{Load, timed};
use anyhow::{Context, Result};
use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What round trips of a task and its reply cost.
#[derive(Debug, Clone, Copy)]
pub struct RoundTrips {
    /// From the first publish to the last reply.
    pub took: Duration,
    /// The middle one's length; meaningful with one in flight.
    pub p50: Duration,
}

/// What is done for a task between its acknowledgement and its reply.
#[derive(Debug, Clone)]
enum Work {
    Nothing,
    /// `/bin/true`, so many at a time.
    Process(Arc<Semaphore>),
}

/// Publishes and waits for the confirms.
pub async fn publish(url: &str, load: Load) -> Result<Duration> {
    let connection = connect(url).await?;
    let channel = publisher(&connection).await?;
    let queue = format!("bench.{}", uuid::Uuid::now_v7());
    declare(&channel, &queue).await?;
    let body = vec![b'x'; load.bytes];
    let took = timed(load, || send(&channel, &queue, &body)).await;
    delete(&channel, &queue).await?;
    took
}

/// Task published and confirmed → consumed and acknowledged → reply published and confirmed → reply consumed and acknowledged.
pub async fn round_trip(url: &str, load: Load) -> Result<RoundTrips> {
    run(url, load, Work::Nothing).await
}

/// The same, and the consumer runs `/bin/true` for each task, `slots` at a time.
pub async fn bare_worker(url: &str, load: Load, slots: usize) -> Result<RoundTrips> {
    run(url, load, Work::Process(Arc::new(Semaphore::new(slots)))).await
}

async fn connect(url: &str) -> Result<Connection> {
    let connected = Connection::connect(url, ConnectionProperties::default()).await;
    connected.context("these figures need RabbitMQ")
}

async fn publisher(connection: &Connection) -> Result<Channel> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

async fn declare(channel: &Channel, name: &str) -> Result<()> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let options = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    channel.queue_declare(name.into(), options, arguments).await?;
    Ok(())
}

async fn delete(channel: &Channel, queue: &str) -> Result<()> {
    channel
        .queue_delete(queue.into(), QueueDeleteOptions::default())
        .await?;
    Ok(())
}

async fn send(channel: &Channel, queue: &str, body: &[u8]) -> Result<()> {
    let persistent = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions::default();
    let confirm = channel
        .basic_publish("".into(), queue.into(), options, body, persistent)
        .await?;
    anyhow::ensure!(confirm.await?.is_ack(), "the broker took a message");
    Ok(())
}

async fn consumer(connection: &Connection, queue: &str, prefetch: usize) -> Result<lapin::Consumer> {
    let channel = connection.create_channel().await?;
    channel
        .basic_qos(u16::try_from(prefetch)?, BasicQosOptions::default())
        .await?;
    let options = BasicConsumeOptions::default();
    Ok(channel
        .basic_consume(queue.into(), "".into(), options, FieldTable::default())
        .await?)
}

async fn run(url: &str, load: Load, work: Work) -> Result<RoundTrips> {
    let (publishing, consuming) = (connect(url).await?, connect(url).await?);
    let channel = publisher(&publishing).await?;
    let id = uuid::Uuid::now_v7();
    let (tasks, replies) = (format!("bench.tasks.{id}"), format!("bench.replies.{id}"));
    declare(&channel, &tasks).await?;
    declare(&channel, &replies).await?;
    let answers = consumer(&consuming, &replies, load.in_flight).await?;
    let mut worker = JoinSet::new();
    worker.spawn(serve(url.to_owned(), tasks.clone(), replies.clone(), load, work));
    let measured = tokio::select! {
        measured = ask(&channel, &tasks, answers, load) => measured,
        Some(ended) = worker.join_next() => match ended {
            Ok(Err(error)) => Err(error),
            _ => Err(anyhow::anyhow!("the bare worker goes on")),
        },
    };
    worker.shutdown().await;
    delete(&channel, &tasks).await?;
    delete(&channel, &replies).await?;
    measured
}

async fn ask(channel: &Channel, tasks: &str, mut answers: lapin::Consumer, load: Load) -> Result<RoundTrips> {
    let body: Arc<[u8]> = vec![b'x'; load.bytes].into();
    let mut sending = JoinSet::new();
    let (mut begun, mut lengths) = (Vec::with_capacity(load.count), Vec::with_capacity(load.count));
    let start = Instant::now();
    while lengths.len() < load.count {
        while begun.len() < load.count && begun.len() - lengths.len() < load.in_flight {
            let (channel, tasks, body) = (channel.clone(), tasks.to_owned(), Arc::clone(&body));
            sending.spawn(async move { send(&channel, &tasks, &body).await });
            begun.push(Instant::now());
        }
        let answer = answers.next().await.context("an answer")??;
        lengths.push(begun[lengths.len()].elapsed());
        sending.spawn(async move {
            answer.ack(BasicAckOptions::default()).await?;
            Ok(())
        });
        while let Some(done) = sending.try_join_next() {
            done??;
        }
    }
    let took = start.elapsed();
    lengths.sort();
    let p50 = lengths[load.count / 2];
    Ok(RoundTrips { took, p50 })
}

async fn serve(url: String, tasks: String, replies: String, load: Load, work: Work) -> Result<()> {
    let (publishing, consuming) = (connect(&url).await?, connect(&url).await?);
    let channel = publisher(&publishing).await?;
    let mut deliveries = consumer(&consuming, &tasks, load.in_flight).await?;
    let mut working = JoinSet::new();
    while let Some(delivery) = deliveries.next().await {
        let delivery = delivery?;
        let place = match &work {
            Work::Nothing => None,
            Work::Process(places) => Some(Arc::clone(places).acquire_owned().await?),
        };
        let (channel, replies) = (channel.clone(), replies.clone());
        working.spawn(async move {
            delivery.ack(BasicAckOptions::default()).await?;
            if place.is_some() {
                tokio::process::Command::new("/bin/true").status().await?;
            }
            drop(place);
            send(&channel, &replies, &delivery.data).await
        });
        while let Some(done) = working.try_join_next() {
            done??;
        }
    }
    Ok(())
}
