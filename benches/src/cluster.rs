//! A cluster for measuring: the coordinator of the release binary over RabbitMQ, under a name of its own on the broker, and the workers that a bench puts
//! beside it. It takes its queues with it when it ends.

use crate::product::{Daemon, Product};
use anyhow::{Context, Result};
use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::{Connection, ConnectionProperties};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tidemill_transport::Queue;
use tidemill_transport::topology::Topology;

/// The one compute target of clusters for measuring.
pub const TARGET: &str = "cpu";

const START_WITHIN: Duration = Duration::from_secs(20);

/// A coordinator with its workers. To be dropped outside of any runtime, because it waits for the broker then.
#[derive(Debug)]
pub struct Cluster {
    product: Product,
    url: String,
    amqp: String,
    prefix: String,
    /// Workers first, so that the coordinator can hear their farewell.
    workers: Vec<Daemon>,
    coordinator: Option<Daemon>,
}

impl Cluster {
    /// Starts a coordinator with nothing remembered, and waits until it answers.
    pub fn start(binary: &Path, amqp: &str) -> Result<Self> {
        let product = Product::new(binary)?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut cluster = Self {
            url: format!("http://127.0.0.1:{port}"),
            amqp: amqp.to_owned(),
            prefix: format!("bench-{}", uuid::Uuid::now_v7().simple()),
            product,
            workers: Vec::new(),
            coordinator: None,
        };
        let listen = format!("127.0.0.1:{port}");
        let store = cluster.store_url();
        let words = ["serve", "--listen", &listen];
        let words = [&words[..], &cluster.shared(&store)].concat();
        cluster.coordinator = Some(cluster.product.daemon("serve", &words)?);
        let question = ["--url", &cluster.url, "runs", "list"];
        cluster.product.wait_for(&question, START_WITHIN)?;
        Ok(cluster)
    }

    /// Adds a worker of the release binary.
    pub fn add_worker(&mut self, slots: u16) -> Result<()> {
        let (state, slots) = (self.worker_state().display().to_string(), slots.to_string());
        let store = self.store_url();
        let own = ["--state-dir", &state, "worker", "start", "--compute", TARGET];
        let more = ["--slots", &slots, "--coordinator-url", &self.url];
        let words = [&own[..], &more, &self.shared(&store)].concat();
        self.workers.push(self.product.daemon("worker", &words)?);
        Ok(())
    }

    /// Adds a worker of the bench's own.
    pub fn add_own_worker(&mut self, command: Command) -> Result<()> {
        self.workers.push(self.product.start("worker", command)?);
        Ok(())
    }

    /// Submits a pipeline, every step to be executed, and waits for its end; answers the run with its steps.
    pub fn run(&self, file: &str) -> Result<Value> {
        let words = ["--url", &self.url, "submit", file, "--watch", "--no-cache"];
        self.product.json(&words)
    }

    /// Submits a pipeline, every step to be executed, and does not wait.
    pub fn submit(&self, file: &str) -> Result<Value> {
        self.product
            .json(&["--url", &self.url, "submit", file, "--no-cache"])
    }

    /// The product and its private folder.
    pub fn product(&self) -> &Product {
        &self.product
    }

    /// Where the API is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same without its scheme: an address with its port.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// The coordinator's process id.
    pub fn pid(&self) -> u32 {
        self.coordinator.as_ref().map_or(0, Daemon::pid)
    }

    /// What every name of the cluster on the broker begins with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The store that coordinator and workers share.
    pub fn store_url(&self) -> String {
        format!("file://{}", self.product.folder().join("store").display())
    }

    /// Where the one worker keeps what it must remember.
    pub fn worker_state(&self) -> PathBuf {
        self.product.folder().join("worker")
    }

    /// The coordinator's folder.
    pub fn coordinator_state(&self) -> PathBuf {
        self.product.folder().join("state")
    }

    fn shared<'a>(&'a self, store: &'a str) -> [&'a str; 6] {
        let (amqp, prefix) = (self.amqp.as_str(), self.prefix.as_str());
        [
            "--queue-url",
            amqp,
            "--queue-prefix",
            prefix,
            "--store-url",
            store,
        ]
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.workers.clear();
        self.coordinator = None;
        if let Ok(runtime) = tokio::runtime::Runtime::new() {
            // A figure is not worth less because a queue was left behind.
            runtime
                .block_on(remove_queues(&self.amqp, &self.prefix, TARGET))
                .ok();
        }
    }
}

/// Removes everything durable that carries this prefix on the broker; what is transient goes by itself.
pub async fn remove_queues(amqp: &str, prefix: &str, target: &str) -> Result<()> {
    let operator = Connection::connect(amqp, ConnectionProperties::default()).await;
    let channel = operator.context("RabbitMQ answers")?.create_channel().await?;
    let topology = Topology::new(prefix)?;
    for queue in [Queue::Tasks(target.parse()?), Queue::Reports, Queue::DeadLetters] {
        channel
            .queue_delete(topology.name(&queue).into(), QueueDeleteOptions::default())
            .await?;
    }
    for exchange in topology.exchanges() {
        channel
            .exchange_delete(exchange.into(), ExchangeDeleteOptions::default())
            .await?;
    }
    Ok(())
}
