//! The same through our bus.

use anyhow::{Context, Result};
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidemill_benches::cluster::remove_queues;
use tidemill_benches::load::{Load, timed};
use tidemill_transport::{AmqpBroker, AmqpConfig, Broker, LocalBroker, Queue};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const TARGET: &str = "bench";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

fn tasks() -> Result<Queue> {
    Ok(Queue::Tasks(TARGET.parse()?))
}

async fn start(url: &str, prefix: &str) -> Result<Arc<AmqpBroker>> {
    let mut config = AmqpConfig::new(url, "bench");
    prefix.clone_into(&mut config.prefix);
    let broker = AmqpBroker::start(config)?;
    broker
        .wait_up(CONNECT_TIMEOUT)
        .await
        .context("these figures need RabbitMQ")?;
    Ok(broker)
}

fn prefix() -> String {
    format!("bench-{}", uuid::Uuid::now_v7().simple())
}

pub(super) async fn publish(url: &str, load: Load) -> Result<Duration> {
    let prefix = prefix();
    let broker = start(url, &prefix).await?;
    let queue = tasks()?;
    broker.declare(&queue).await?;
    let body = Bytes::from(vec![b'x'; load.bytes]);
    let took = timed(load, || async { Ok(broker.publish(&queue, body.clone()).await?) }).await?;
    broker.close().await;
    remove_queues(url, &prefix, TARGET).await?;
    Ok(took)
}

pub(super) async fn round_trip(url: &str, load: Load) -> Result<Duration> {
    let prefix = prefix();
    let (coordinator, worker) = (start(url, &prefix).await?, start(url, &prefix).await?);
    let took = tasks_and_replies(&*coordinator, Arc::<AmqpBroker>::clone(&worker), load).await?;
    worker.close().await;
    coordinator.close().await;
    remove_queues(url, &prefix, TARGET).await?;
    Ok(took)
}

/// Publish and consume in one process, as many at a time as the load says.
pub(super) async fn local(load: Load) -> Result<Duration> {
    let broker = LocalBroker::new();
    let queue = tasks()?;
    broker.declare(&queue).await?;
    let mut consumer = broker.consume(&queue, u32::try_from(load.in_flight)?).await?;
    let body = Bytes::from(vec![b'x'; load.bytes]);
    let start = Instant::now();
    let mut publishing = JoinSet::new();
    let publisher = Arc::clone(&broker);
    publishing.spawn(async move {
        for _ in 0..load.count {
            publisher.publish(&queue, body.clone()).await?;
        }
        anyhow::Ok(())
    });
    for _ in 0..load.count {
        consumer.next().await.context("the bus is open")?.ack().await?;
    }
    let took = start.elapsed();
    publishing
        .join_all()
        .await
        .into_iter()
        .collect::<Result<Vec<()>>>()?;
    Ok(took)
}

async fn tasks_and_replies(
    coordinator: &dyn Broker,
    worker: Arc<dyn Broker>,
    load: Load,
) -> Result<Duration> {
    let (queue, window) = (tasks()?, u32::try_from(load.in_flight)?);
    coordinator.declare(&queue).await?;
    coordinator.declare(&Queue::Reports).await?;
    let mut answers = coordinator.consume(&Queue::Reports, window).await?;
    let mut working = JoinSet::new();
    working.spawn(work(worker, queue.clone(), window));

    let body = Bytes::from(vec![b'x'; load.bytes]);
    let start = Instant::now();
    let places = Semaphore::new(load.in_flight);
    let publishing = timed(load, || async {
        places.acquire().await?.forget();
        coordinator.publish(&queue, body.clone()).await?;
        Ok(())
    });
    let answering = async {
        let mut settling = JoinSet::new();
        for _ in 0..load.count {
            let answer = answers.next().await.context("an answer")?;
            settling.spawn(answer.ack());
            places.add_permits(1);
            while let Some(done) = settling.try_join_next() {
                done??;
            }
        }
        anyhow::Ok(start.elapsed())
    };
    let (_, took) = futures_util::try_join!(publishing, answering)?;
    Ok(took)
}

async fn work(broker: Arc<dyn Broker>, queue: Queue, window: u32) -> Result<()> {
    let mut deliveries = broker.consume(&queue, window).await?;
    let mut working = JoinSet::new();
    while let Some(delivery) = deliveries.next().await {
        let broker = Arc::clone(&broker);
        working.spawn(async move {
            let reply = delivery.bytes.clone();
            delivery.ack().await?;
            broker.publish(&Queue::Reports, reply).await
        });
        while let Some(done) = working.try_join_next() {
            done??;
        }
    }
    Ok(())
}
