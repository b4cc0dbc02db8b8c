//! What this program becomes when it starts itself: the worker daemon, configured as `tidemill worker start` configures it except for its supervisor, and that
//! supervisor. Nothing is measured here.

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use tidemill_artifacts::{ArtifactStore, StoreConfig};
use tidemill_benches::cluster::{Cluster, TARGET};
use tidemill_protocol::compute::ComputeTarget;
use tidemill_protocol::wire::{SignerKey, TrustedKeys};
use tidemill_transport::{AmqpBroker, AmqpConfig};
use tidemill_worker::{Parts, SystemClock, WorkerConfig};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A process of the measurement.
#[derive(Debug, Subcommand)]
pub(super) enum Part {
    /// The worker daemon
    #[command(hide = true)]
    Worker(WorkerArgs),
    /// Its supervisor
    #[command(hide = true)]
    Supervise {
        /// The supervisor's folder
        dir: PathBuf,
    },
}

impl Part {
    /// Runs until it is told to end.
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Worker(args) => tokio::runtime::Runtime::new()?.block_on(args.run()),
            Self::Supervise { dir } => Ok(tidemill_worker::supervise_nothing(&dir)?),
        }
    }
}

/// What the worker is told.
#[derive(Debug, Args)]
pub(super) struct WorkerArgs {
    #[arg(long)]
    amqp: String,
    #[arg(long)]
    prefix: String,
    #[arg(long)]
    store: String,
    #[arg(long)]
    state: PathBuf,
    /// The coordinator's folder, for its key
    #[arg(long)]
    coordinator: PathBuf,
    #[arg(long)]
    slots: u16,
}

impl WorkerArgs {
    /// A worker of this cluster.
    pub(super) fn of(cluster: &Cluster, amqp: &str, slots: u16) -> Self {
        Self {
            amqp: amqp.to_owned(),
            prefix: cluster.prefix().to_owned(),
            store: cluster.store_url(),
            state: cluster.worker_state(),
            coordinator: cluster.coordinator_state(),
            slots,
        }
    }

    /// This program as that worker.
    pub(super) fn command(&self) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["worker", "--amqp", &self.amqp, "--prefix", &self.prefix])
            .args(["--store", &self.store, "--slots", &self.slots.to_string()]);
        command.arg("--state").arg(&self.state);
        command.arg("--coordinator").arg(&self.coordinator);
        Ok(command)
    }

    async fn run(self) -> Result<()> {
        let mut asked_to_end = signal(SignalKind::terminate())?;
        let target = ComputeTarget {
            name: TARGET.parse()?,
            compute_type: TARGET.parse()?,
        };
        let supervisor: [OsString; 3] = [
            std::env::current_exe()?.into(),
            "supervise".into(),
            self.state.join("supervisor").into(),
        ];
        let config = WorkerConfig {
            slots: self.slots.into(),
            ..WorkerConfig::new(vec![target], self.state.clone(), supervisor.into())
        };
        let token = CancellationToken::new();
        let worker = tidemill_worker::start(config, self.parts().await?, token.clone()).await?;
        let ended = worker.wait();
        tokio::pin!(ended);
        tokio::select! {
            () = &mut ended => return Ok(()),
            _ = asked_to_end.recv() => token.cancel(),
        }
        ended.await;
        Ok(())
    }

    async fn parts(&self) -> Result<Parts> {
        let seed = std::fs::read(self.coordinator.join("coordinator.key"));
        let seed: Option<[u8; 32]> = seed.context("the coordinator's key")?.try_into().ok();
        let key = SignerKey::from_seed(&seed.context("a key has 32 bytes")?);
        let bus = AmqpConfig {
            prefix: self.prefix.clone(),
            ..AmqpConfig::new(&self.amqp, "worker")
        };
        let store = StoreConfig {
            url: self.store.clone(),
            options: std::collections::BTreeMap::new(),
        };
        Ok(Parts {
            broker: AmqpBroker::start(bus)?,
            store: ArtifactStore::open(&store).await?,
            keys: TrustedKeys(vec![key.trusted()]),
            clock: Arc::new(SystemClock::new()),
            secrets: None,
        })
    }
}
