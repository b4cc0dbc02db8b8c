//! How long a coordinator takes to be back after a stop when its journal holds many finished steps: with every event replayed, and with a snapshot.

use anyhow::{Context, Result};
use clap::Parser;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tidemill_artifacts::{ArtifactStore, StoreConfig};
use tidemill_benches::{Figure, Report, resident_bytes};
use tidemill_coordinator::journal::{Batch, Claim, EventLog, SledLog};
use tidemill_coordinator::{CoordinatorConfig, Parts, start};
use tidemill_engine::{Command, Engine, Event, Fact, Fleet, FleetSettings};
use tidemill_protocol::compute::{ComputeTarget, Resources};
use tidemill_protocol::ids::RunId;
use tidemill_protocol::plan::{
    Command as StepCommand, Environment, OnStepFailure, Plan, PlannedStep, RetryPolicy, StepKind, StepRules,
    StepTemplate, StepWork, When,
};
use tidemill_protocol::time::{Millis, Timestamp};
use tidemill_protocol::wire::{Heartbeat, Offer, Report as StepReport, ReportBody, Success};
use tidemill_transport::LocalBroker;
use tidemill_worker::SystemClock;
use tokio_util::sync::CancellationToken;

/// Restart time against the number of finished steps.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where to write; a disk, not a RAM disk.
    #[arg(long, default_value = ".")]
    dir: std::path::PathBuf,
    /// Finished steps in the journal.
    #[arg(long, default_value_t = 100_000)]
    steps: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Steps of one run.
const RUN_STEPS: u32 = 1_000;
/// Events appended at once.
const BATCH_EVENTS: u32 = 1_000;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir_in(&arguments.dir)?;
    let mut report = Report::new();
    let events = write_journal(&folder.path().join("journal"), arguments.steps)?;
    report.add(Figure::new("events in the journal", f64::from(events), ""));
    for (what, snapshot_every) in [
        ("restart, every event replayed (writes a snapshot)", 1_000),
        ("restart from a snapshot", u64::MAX / 2),
    ] {
        let took = restart(folder.path(), snapshot_every).await?;
        let figure = Figure::new(format!("{what}, {} steps", arguments.steps), took, "s");
        report.add(figure.target("≤ 5 s"));
    }
    report.add(Figure::new(
        "resident memory afterwards",
        mebibytes(resident_bytes("self")),
        "MiB",
    ));
    report.print(arguments.json);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

/// Starts a coordinator, waits until it answers, and stops it.
async fn restart(state_dir: &Path, snapshot_every: u64) -> Result<f64> {
    let in_memory = StoreConfig {
        url: "memory:///".into(),
        options: BTreeMap::new(),
    };
    let parts = Parts {
        broker: LocalBroker::new(),
        store: ArtifactStore::open(&in_memory).await?,
        clock: Arc::new(SystemClock::new()),
    };
    let config = CoordinatorConfig {
        snapshot_every,
        ..CoordinatorConfig::new(state_dir)
    };
    let token = CancellationToken::new();
    let begun = Instant::now();
    let coordinator = start(config, parts, token.clone()).await?;
    let took = begun.elapsed().as_secs_f64();
    token.cancel();
    coordinator.wait().await?;
    Ok(took)
}

/// Writes the journal of a coordinator that carried `steps` steps to their end; answers how many events it has.
fn write_journal(dir: &Path, steps: u32) -> Result<u32> {
    let mut writer = Writer {
        engine: Engine::new(),
        log: SledLog::open(Claim::take(dir)?)?.0,
        batch: Batch::default(),
        events: 0,
        now: Timestamp(1_700_000_000_000),
    };
    let mut fleet = Fleet::new(FleetSettings::default(), Millis(0), &writer.engine);
    fleet.hear(Millis(0), writer.now, &heartbeat());
    writer.command(&Command::StartEpoch { epoch: 1 })?;
    for run in 0..steps.div_ceil(RUN_STEPS) {
        writer.command(&Command::SubmitRun {
            run: RunId(uuid::Uuid::from_u128(u128::from(run) + 1)),
            plan: Arc::new(plan(RUN_STEPS.min(steps - run * RUN_STEPS))),
            submitted_by: "bench".into(),
            idempotency_key: None,
        })?;
        writer.finish_steps(&fleet)?;
    }
    writer.flush()?;
    Ok(writer.events)
}

struct Writer {
    engine: Engine,
    log: SledLog,
    batch: Batch,
    events: u32,
    now: Timestamp,
}

impl Writer {
    fn command(&mut self, command: &Command) -> Result<()> {
        let events = self
            .engine
            .decide(self.now, command)
            .context("the command is sound")?;
        events.into_iter().try_for_each(|event| self.apply(&event))
    }

    fn apply(&mut self, event: &Event) -> Result<()> {
        self.engine.apply(event, &mut Vec::new());
        self.batch.push_event(event);
        self.events += 1;
        if self.batch.len() >= BATCH_EVENTS {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if !self.batch.is_empty() {
            self.log.append(&self.batch)?;
            self.batch.clear();
        }
        Ok(())
    }

    /// Lets every dispatched attempt succeed until nothing is left to do.
    fn finish_steps(&mut self, fleet: &Fleet) -> Result<()> {
        loop {
            self.now = self.now + Millis(1);
            let events = self.engine.next(self.now, fleet, 1_000);
            if events.is_empty() {
                return Ok(());
            }
            for event in events {
                self.apply(&event)?;
                if let Fact::AttemptDispatched { attempt, token, .. } = event.fact {
                    for body in [ReportBody::Claimed, ReportBody::Succeeded(Success::default())] {
                        let report = StepReport {
                            attempt,
                            token,
                            at: self.now,
                            body,
                        };
                        let worker = "bench".parse()?;
                        self.command(&Command::Report { worker, report })?;
                    }
                }
            }
        }
    }
}

fn heartbeat() -> Heartbeat {
    Heartbeat {
        worker: "bench".parse().expect("a good name"),
        incarnation: 1,
        offer: Offer {
            targets: vec![ComputeTarget {
                name: "cpu".parse().expect("a good name"),
                compute_type: "cpu".parse().expect("a good name"),
            }],
            slots: 64,
            cpus: 64,
            memory_bytes: 0,
            gpus: vec![],
            host: "bench".into(),
            version: "0".into(),
            draining: false,
            disk_full: false,
        },
        running: vec![],
    }
}

/// A plan of steps that do not depend on each other and are not reused.
fn plan(steps: u32) -> Plan {
    let work = StepWork {
        kind: StepKind::Command(StepCommand::Argv { words: vec![] }),
        code: None,
        environment: Environment::default(),
        environment_variables: BTreeMap::new(),
        secrets: BTreeMap::new(),
        inputs: BTreeMap::new(),
        outputs: BTreeMap::new(),
        distribution: None,
    };
    let rules = StepRules {
        display_name: String::new(),
        target: "cpu".parse().expect("a good name"),
        resources: Resources::default(),
        priority: 0,
        timeout: None,
        retry: RetryPolicy::default(),
        cache: false,
        when: When::default(),
        checkpoint: None,
        registers: BTreeMap::new(),
        reads: vec![],
    };
    Plan {
        pipeline: "bench".parse().expect("a good name"),
        display_name: "bench".into(),
        experiment: "bench".parse().expect("a good name"),
        project: tidemill_protocol::project::default_project(),
        description: String::new(),
        tags: BTreeMap::new(),
        parameters: BTreeMap::new(),
        on_step_failure: OnStepFailure::Stop,
        force_rerun: false,
        templates: vec![Arc::new(StepTemplate::new(work, rules))],
        steps: (0..steps)
            .map(|step| PlannedStep {
                path: format!("step{step}").parse().expect("a good path"),
                template: 0,
                inputs: vec![],
                after: vec![],
            })
            .collect(),
        outputs: BTreeMap::new(),
        warnings: vec![],
        assets: vec![],
        spec: None,
    }
}
