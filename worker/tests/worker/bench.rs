//! A worker on a bench: the bus, the store, the keys, and the coordinator's part of the conversation.

use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidemill_artifacts::{ArtifactStore, StoreConfig};
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::codec;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::{AttemptId, FencingToken, RunId, StepIndex};
use tidemill_protocol::key::{InputValue, StepKey};
use tidemill_protocol::name::PortName;
use tidemill_protocol::plan::{
    CheckpointRule, Command, Environment, Fragment, OutputPort, PortType, StepKind, StepRules, StepTemplate,
    StepWork, Word,
};
use tidemill_protocol::time::{Millis, Timestamp};
use tidemill_protocol::wire::{
    Audience, Control, Kind, Report, ReportBatch, ReportBody, SignerKey, StepTask, StopReason, Success,
    TrustedKey, TrustedKeys, open_from_worker, seal,
};
use tidemill_transport::{Broker, BrokerError, Consumer, LocalBroker, Queue};
use tidemill_worker::{Parts, SecretSource, SystemClock, Worker, WorkerConfig};
use tokio_util::sync::CancellationToken;

pub(crate) const DEADLINE: Duration = Duration::from_mins(1);
pub(crate) const FAR: Timestamp = Timestamp(u64::MAX);

/// Asks again and again whether something is so.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    let mut pause = tokio::time::interval(Duration::from_millis(10));
    while !is_so().await {
        assert!(began.elapsed() < DEADLINE, "not so within {DEADLINE:?}: {what}");
        pause.tick().await;
    }
}

pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) broker: Arc<LocalBroker>,
    pub(crate) store: ArtifactStore,
    pub(crate) key: SignerKey,
    pub(crate) worker: Worker,
    pub(crate) token: CancellationToken,
    pub(crate) reports: Consumer,
    pub(crate) heard: VecDeque<Report>,
    pub(crate) acknowledges: bool,
    next: u32,
}

/// What a worker in this folder is told.
pub(crate) fn config(dir: &Path) -> WorkerConfig {
    let state = dir.join("state");
    let mut role = OsString::from(format!("{}=", super::SUPERVISOR_DIR));
    role.push(state.join("supervisor"));
    let exe = std::env::current_exe().unwrap().into_os_string();
    let mut argv: Vec<OsString> = vec!["/usr/bin/env".into(), role, exe];
    argv.extend(["supervisor_role", "--exact", "--nocapture", "--test-threads=1"].map(OsString::from));
    let target = serde_json::from_value(serde_json::json!({"name": "cpu", "compute_type": "cpu"})).unwrap();
    let mut config = WorkerConfig::new(vec![target], state, argv);
    config.slots = 2;
    config.secrets_dir = dir.join("secrets");
    config.stop_grace = Duration::from_millis(500);
    config.report_again_after = Duration::from_secs(1);
    config
}

pub(crate) async fn store(dir: &Path) -> ArtifactStore {
    let folder = dir.join("store");
    std::fs::create_dir_all(&folder).unwrap();
    ArtifactStore::open(&StoreConfig::local(&folder).unwrap())
        .await
        .unwrap()
}

pub(crate) fn signer() -> SignerKey {
    SignerKey::from_seed(&[7; 32])
}

pub(crate) async fn broker() -> Arc<LocalBroker> {
    let broker = LocalBroker::new();
    for queue in [
        Queue::Tasks("cpu".parse().unwrap()),
        Queue::Reports,
        Queue::Heartbeats,
        Queue::Logs,
        Queue::DeadLetters,
    ] {
        broker.declare(&queue).await.unwrap();
    }
    broker
}

pub(crate) fn parts(broker: &Arc<LocalBroker>, store: &ArtifactStore) -> Parts {
    Parts {
        broker: broker.clone(),
        store: store.clone(),
        keys: TrustedKeys(vec![signer().trusted()]),
        clock: Arc::new(SystemClock::new()),
        secrets: None,
    }
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut WorkerConfig)) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), change).await
    }

    pub(crate) async fn start_in(dir: tempfile::TempDir, change: impl FnOnce(&mut WorkerConfig)) -> Self {
        let mut config = config(dir.path());
        change(&mut config);
        Self::assemble(dir, config, |bus| bus, None).await
    }

    /// The worker asks there for secrets.
    pub(crate) async fn start_asking(
        secrets: Arc<dyn SecretSource>,
        change: impl FnOnce(&mut WorkerConfig),
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path());
        change(&mut config);
        Self::assemble(dir, config, |bus| bus, Some(secrets)).await
    }

    /// The worker sees the bus as it looks from behind something.
    pub(crate) async fn start_behind<B: Broker>(wrap: impl FnOnce(Arc<LocalBroker>) -> Arc<B>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path());
        Self::assemble(dir, config, wrap, None).await
    }

    async fn assemble<B: Broker>(
        dir: tempfile::TempDir,
        config: WorkerConfig,
        wrap: impl FnOnce(Arc<LocalBroker>) -> Arc<B>,
        secrets: Option<Arc<dyn SecretSource>>,
    ) -> Self {
        let (broker, store, token) = (broker().await, store(dir.path()).await, CancellationToken::new());
        let reports = broker.consume(&Queue::Reports, 100).await.unwrap();
        let parts = Parts {
            broker: wrap(broker.clone()),
            secrets,
            ..parts(&broker, &store)
        };
        let worker = tidemill_worker::start(config, parts, token.clone())
            .await
            .unwrap();
        Self {
            dir,
            broker,
            store,
            key: signer(),
            worker,
            token,
            reports,
            heard: VecDeque::new(),
            acknowledges: true,
            next: 0,
        }
    }

    pub(crate) fn tasks() -> Queue {
        Queue::Tasks("cpu".parse().unwrap())
    }

    pub(crate) async fn submit(&mut self, step: Step) -> AttemptId {
        self.next += 1;
        let task = step.task(self.next);
        self.publish(
            &seal(
                &self.key,
                Kind::Task,
                Audience::target("cpu"),
                FAR,
                &codec::encode(&task),
            )
            .unwrap(),
        )
        .await;
        task.attempt
    }

    pub(crate) async fn publish(&self, bytes: &[u8]) {
        let bytes = Bytes::copy_from_slice(bytes);
        self.broker.publish(&Self::tasks(), bytes).await.unwrap();
    }

    pub(crate) async fn control(&self, control: &Control) {
        let id = self.worker.id().clone();
        let audience = Audience::worker(id.as_str());
        let bytes = seal(&self.key, Kind::Control, audience, FAR, &codec::encode(control)).unwrap();
        match self.broker.publish(&Queue::Control(id), Bytes::from(bytes)).await {
            // A worker that has left hears nothing any more.
            Ok(()) | Err(BrokerError::Unroutable) => {}
            Err(error) => panic!("an instruction was not taken: {error}"),
        }
    }

    /// The key that the worker has drawn for itself.
    pub(crate) fn worker_key(&self) -> TrustedKey {
        let seed = std::fs::read(self.dir.path().join("state/worker.key")).unwrap();
        SignerKey::from_seed(&seed.try_into().unwrap()).trusted()
    }

    /// The next report, which the worker has signed and which is acknowledged.
    pub(crate) async fn report(&mut self) -> Report {
        loop {
            if let Some(report) = self.heard.pop_front() {
                return report;
            }
            let delivery = tokio::time::timeout(DEADLINE, self.reports.next())
                .await
                .expect("no report within the deadline")
                .unwrap();
            let opened = open_from_worker(&self.worker_key(), Kind::Reports, &delivery.bytes).unwrap();
            let batch: ReportBatch = codec::decode(opened.body).unwrap();
            let sequence = batch.first_sequence + batch.reports.len() as u64 - 1;
            self.heard.extend(batch.reports);
            delivery.ack().await.unwrap();
            if self.acknowledges {
                let incarnation = batch.incarnation;
                self.control(&Control::Stored {
                    incarnation,
                    sequence,
                })
                .await;
            }
        }
    }

    /// Waits until an attempt has been claimed.
    pub(crate) async fn claimed(&mut self, attempt: AttemptId) {
        loop {
            let report = self.report().await;
            if report.attempt == attempt && report.body == ReportBody::Claimed {
                return;
            }
        }
    }

    /// How an attempt ended.
    pub(crate) async fn ending(&mut self, attempt: AttemptId) -> ReportBody {
        loop {
            let report = self.report().await;
            let is_last = !matches!(report.body, ReportBody::Claimed | ReportBody::Progress { .. });
            if report.attempt == attempt && is_last {
                return report.body;
            }
        }
    }

    /// The result of the next attempt that ends.
    pub(crate) async fn next_success(&mut self) -> Success {
        loop {
            match self.report().await.body {
                ReportBody::Claimed | ReportBody::Progress { .. } => {}
                ReportBody::Succeeded(success) => return success,
                other => panic!("expected success, not {other:?}"),
            }
        }
    }

    /// Stops an attempt as the coordinator does for a person.
    pub(crate) async fn stop(&self, attempt: AttemptId) {
        let stop = Control::Stop {
            attempt,
            token: FencingToken(u64::from(self.next)),
            reason: StopReason::Cancelled,
        };
        self.control(&stop).await;
    }

    pub(crate) async fn success(&mut self, attempt: AttemptId) -> Success {
        match self.ending(attempt).await {
            ReportBody::Succeeded(success) => success,
            other => panic!("expected success, not {other:?}"),
        }
    }

    pub(crate) async fn run(&mut self, step: Step) -> ReportBody {
        let attempt = self.submit(step).await;
        self.ending(attempt).await
    }

    pub(crate) async fn run_well(&mut self, step: Step) -> Success {
        let attempt = self.submit(step).await;
        self.success(attempt).await
    }

    pub(crate) async fn text(&self, artifact: &ArtifactRef) -> String {
        let bytes = self.store.get_bytes(&artifact.digest, 1 << 24).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    pub(crate) async fn stdout(&self, success: &Success) -> String {
        match &success.usage.stdout {
            Some(artifact) => self.text(artifact).await,
            None => String::new(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn metric(&self, name: &str) -> u64 {
        let all = self.worker.metrics();
        all.iter().find(|(n, _)| *n == name).unwrap().1
    }

    /// The daemon ends and leaves what runs to its supervisor.
    pub(crate) async fn leave(self) -> tempfile::TempDir {
        self.token.cancel();
        self.worker.wait().await;
        self.dir
    }

    /// Ends the worker, and with it, as nothing runs, its supervisor.
    pub(crate) async fn end(self) {
        self.token.cancel();
        self.worker.wait().await;
    }
}

/// A step to be asked for.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) work: StepWork,
    pub(crate) rules: StepRules,
    pub(crate) inputs: BTreeMap<PortName, InputValue>,
    pub(crate) checkpoint: Option<ArtifactRef>,
}

impl Step {
    pub(crate) fn shell(script: &str) -> Self {
        Self::command(Command::Shell {
            script: script.into(),
        })
    }

    pub(crate) fn argv(words: &[&str]) -> Self {
        let words = words
            .iter()
            .map(|word| Word(vec![Fragment::Text((*word).to_owned())]))
            .collect();
        Self::command(Command::Argv { words })
    }

    pub(crate) fn command(command: Command) -> Self {
        Self {
            work: StepWork {
                kind: StepKind::Command(command),
                code: None,
                environment: Environment::default(),
                environment_variables: BTreeMap::new(),
                secrets: BTreeMap::new(),
                inputs: BTreeMap::new(),
                outputs: BTreeMap::new(),
                distribution: None,
            },
            rules: serde_json::from_value(serde_json::json!({"target": "cpu"})).unwrap(),
            inputs: BTreeMap::new(),
            checkpoint: None,
        }
    }

    pub(crate) fn output(mut self, name: &str, port_type: PortType) -> Self {
        let port = OutputPort {
            port_type,
            file_name: None,
            optional: false,
        };
        self.work.outputs.insert(name.parse().unwrap(), port);
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.work.environment_variables.insert(name.into(), value.into());
        self
    }

    pub(crate) fn input(mut self, name: &str, value: InputValue) -> Self {
        self.inputs.insert(name.parse().unwrap(), value);
        self
    }

    /// Asks for checkpoints every second.
    pub(crate) fn checkpointed(mut self) -> Self {
        self.rules.checkpoint = Some(CheckpointRule {
            every: Millis(1_000),
            path: None,
        });
        self
    }

    /// What an earlier attempt saved.
    pub(crate) fn after(mut self, checkpoint: ArtifactRef) -> Self {
        self.checkpoint = Some(checkpoint);
        self
    }

    pub(crate) fn task(self, number: u32) -> StepTask {
        StepTask {
            attempt: AttemptId {
                run: RunId(uuid::Uuid::from_u128(1)),
                step: StepIndex(number),
                attempt: 1,
            },
            token: FencingToken(u64::from(number)),
            key: StepKey(Digest::of(&number.to_le_bytes())),
            path: format!("s{number}").parse().unwrap(),
            pipeline: "p".parse().unwrap(),
            experiment: "e".parse().unwrap(),
            template: Arc::new(StepTemplate::new(self.work, self.rules)),
            inputs: self.inputs,
            checkpoint: self.checkpoint,
            trace_parent: None,
            tracking: None,
        }
    }
}

/// The notes of an attempt but for what they say of limits.
pub(crate) fn without_limits(success: &Success) -> Vec<String> {
    let notes = success.usage.notes.iter();
    notes
        .filter(|note| !note.contains("limit of "))
        .cloned()
        .collect()
}
