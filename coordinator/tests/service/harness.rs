//! A coordinator on memory, requests to it, and plans for it.

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tidemill_artifacts::{ArtifactStore, StoreConfig};
use tidemill_coordinator::audit::AuditLimits;
use tidemill_coordinator::journal::MemoryLog;
use tidemill_coordinator::{
    Api, ArchiveConfig, ArchiveMode, Coordinator, CoordinatorConfig, CoordinatorError, CoordinatorHandle,
    JournalChoice, Parts, StartError, start,
};
use tidemill_protocol::ids::{RunId, StepIndex};
use tidemill_protocol::plan::{
    Command, Environment, Fragment, OnStepFailure, Plan, PlannedStep, RetryPolicy, StepKind, StepRules,
    StepTemplate, StepWork, When, Word,
};
use tidemill_protocol::time::{Clock, Millis, Timestamp};
use tidemill_transport::LocalBroker;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// A clock that moves when the test says so.
#[derive(Debug, Default)]
pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) fn advance(&self, length: Millis) {
        self.0.fetch_add(length.0, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000 + self.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Millis {
        Millis(self.0.load(Ordering::SeqCst))
    }
}

/// What outlives a coordinator: its state folder, journal and store. And what a test needs to reach it.
pub(crate) struct Service {
    pub(crate) dir: Arc<tempfile::TempDir>,
    pub(crate) log: MemoryLog,
    on_disk: bool,
    pub(crate) store: ArtifactStore,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) broker: Arc<LocalBroker>,
    pub(crate) coordinator: Coordinator,
    pub(crate) router: axum::Router,
    /// As a port serves it; made once, because its description is long.
    pub(crate) api: Api,
    pub(crate) token: CancellationToken,
}

impl Service {
    /// One whose journal is in memory.
    pub(crate) async fn start() -> Self {
        Self::start_anew(false).await
    }

    /// One whose journal is on disk, with a snapshot as often as is allowed.
    pub(crate) async fn start_on_disk() -> Self {
        Self::start_anew(true).await
    }

    /// One that keeps so much of its audit log.
    pub(crate) async fn start_with_audit(audit: AuditLimits) -> Self {
        let config = StoreConfig {
            url: "memory:///".into(),
            options: BTreeMap::new(),
        };
        let store = ArtifactStore::open(&config).await.unwrap();
        let place = (Arc::new(tempfile::tempdir().unwrap()), false);
        let tune = |config: &mut CoordinatorConfig| config.audit = audit;
        let log = MemoryLog::new();
        let started = Self::try_on(place, log, store, Arc::default(), tune).await;
        started.unwrap()
    }

    /// One with other settings.
    pub(crate) async fn start_tuned(tune: impl FnOnce(&mut CoordinatorConfig)) -> Self {
        let config = StoreConfig {
            url: "memory:///".into(),
            options: BTreeMap::new(),
        };
        let store = ArtifactStore::open(&config).await.unwrap();
        let place = (Arc::new(tempfile::tempdir().unwrap()), false);
        let started = Self::try_on(place, MemoryLog::new(), store, Arc::default(), tune).await;
        started.unwrap()
    }

    async fn start_anew(on_disk: bool) -> Self {
        let config = StoreConfig {
            url: "memory:///".into(),
            options: BTreeMap::new(),
        };
        let store = ArtifactStore::open(&config).await.unwrap();
        let dir = Arc::new(tempfile::tempdir().unwrap());
        Self::on((dir, on_disk), MemoryLog::new(), store, Arc::default()).await
    }

    /// One whose journal is on disk and archived in this store; the folder may hold one already.
    pub(crate) async fn start_archived(
        dir: Arc<tempfile::TempDir>,
        store: ArtifactStore,
        mode: ArchiveMode,
    ) -> Result<Self, StartError> {
        let archive = ArchiveConfig {
            mode,
            address: format!("test://{}", dir.path().display()),
        };
        let (log, clock) = (MemoryLog::new(), Arc::default());
        let archived = |config: &mut CoordinatorConfig| config.archive = Some(archive);
        Self::try_on((dir, true), log, store, clock, archived).await
    }

    async fn on(
        place: (Arc<tempfile::TempDir>, bool),
        log: MemoryLog,
        store: ArtifactStore,
        clock: Arc<TestClock>,
    ) -> Self {
        Self::try_on(place, log, store, clock, |_| {}).await.unwrap()
    }

    async fn try_on(
        (dir, on_disk): (Arc<tempfile::TempDir>, bool),
        log: MemoryLog,
        store: ArtifactStore,
        clock: Arc<TestClock>,
        tune: impl FnOnce(&mut CoordinatorConfig),
    ) -> Result<Self, StartError> {
        let token = CancellationToken::new();
        let broker = LocalBroker::new();
        let parts = Parts {
            broker: broker.clone(),
            store: store.clone(),
            clock: clock.clone(),
        };
        let mut config = CoordinatorConfig {
            journal: if on_disk {
                JournalChoice::Disk
            } else {
                JournalChoice::Memory(log.clone())
            },
            snapshot_every: 1_000,
            reconcile_after: Millis(100),
            ..CoordinatorConfig::new(dir.path())
        };
        tune(&mut config);
        let coordinator = start(config, parts, token.clone()).await?;
        Ok(Self {
            dir,
            log,
            on_disk,
            store,
            clock,
            broker,
            router: coordinator.router(),
            api: coordinator.api(),
            coordinator,
            token,
        })
    }

    /// Another one with the same store, on this journal.
    pub(crate) async fn start_on(&self, log: MemoryLog) -> Self {
        let place = (Arc::new(tempfile::tempdir().unwrap()), false);
        Self::on(place, log, self.store.clone(), Arc::clone(&self.clock)).await
    }

    /// Stops the coordinator and its bus; what the bus held is gone.
    pub(crate) async fn stop(self) -> Result<(), CoordinatorError> {
        self.token.cancel();
        self.coordinator.wait().await
    }

    /// Stops it, cuts the power, and starts another one on what is left.
    pub(crate) async fn restart(self) -> Self {
        self.restart_with(|_| {}).await
    }

    /// The same after something has happened meanwhile.
    pub(crate) async fn restart_after(self, meanwhile: impl FnOnce()) -> Self {
        self.restart_with(|_| meanwhile()).await
    }

    /// The same with other settings.
    pub(crate) async fn restart_with(self, tune: impl FnOnce(&mut CoordinatorConfig)) -> Self {
        let (dir, log) = ((Arc::clone(&self.dir), self.on_disk), self.log.clone());
        let (store, clock) = (self.store.clone(), Arc::clone(&self.clock));
        drop(self.stop().await);
        log.power_cut();
        Self::try_on(dir, log, store, clock, tune).await.unwrap()
    }

    pub(crate) fn handle(&self) -> CoordinatorHandle {
        self.coordinator.handle()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.call("GET", path, Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.call("POST", path, Body::from(body.to_string())).await
    }

    /// A request with a JSON answer.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Body) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .body(body)
            .unwrap();
        let response = self.send(request).await;
        let status = response.status();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Starts a run of a plan.
    pub(crate) async fn submit(&self, plan: Plan) -> RunId {
        let submitted = self.handle().submit_plan(Arc::new(plan), "tester".into()).await;
        submitted.unwrap().run
    }

    /// Waits for a run's end by watching it; answers what was seen, as (id, event).
    pub(crate) async fn watch(&self, run: RunId) -> Vec<(u64, Value)> {
        let request = Request::get(format!("/api/v1/runs/{run}/events"))
            .body(Body::empty())
            .unwrap();
        let body = self.send(request).await.into_body();
        read_events(&to_bytes(body, usize::MAX).await.unwrap())
    }
}

/// The items of an event stream.
pub(crate) fn read_events(bytes: &[u8]) -> Vec<(u64, Value)> {
    let text = std::str::from_utf8(bytes).unwrap();
    let items = text.split("\n\n").filter(|item| item.contains("data:"));
    items
        .map(|item| {
            let field = |name: &str| {
                item.lines()
                    .find_map(|line| line.strip_prefix(name))
                    .unwrap()
                    .trim()
            };
            (
                field("id:").parse().unwrap(),
                serde_json::from_str(field("data:")).unwrap(),
            )
        })
        .collect()
}

/// A template that runs `script` on the target `cpu`.
pub(crate) fn template(word: &str) -> StepTemplate {
    let work = StepWork {
        kind: StepKind::Command(Command::Argv {
            words: vec![Word(vec![Fragment::Text(word.into())])],
        }),
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
        target: "cpu".parse().unwrap(),
        resources: tidemill_protocol::compute::Resources::default(),
        priority: 0,
        timeout: None,
        retry: RetryPolicy::default(),
        cache: true,
        when: When::default(),
        checkpoint: None,
        registers: BTreeMap::new(),
        reads: vec![],
    };
    StepTemplate::new(work, rules)
}

/// A plan of these steps, each after the one before it, each doing different work.
pub(crate) fn chain(names: &[&str]) -> Plan {
    let steps = names.iter().zip(0_u32..).map(|(name, index)| PlannedStep {
        path: name.parse().unwrap(),
        template: index,
        inputs: vec![],
        after: index.checked_sub(1).map(StepIndex).into_iter().collect(),
    });
    Plan {
        pipeline: "pipe".parse().unwrap(),
        display_name: "a pipe".into(),
        experiment: "tests".parse().unwrap(),
        project: tidemill_protocol::project::default_project(),
        description: String::new(),
        tags: BTreeMap::new(),
        parameters: BTreeMap::new(),
        on_step_failure: OnStepFailure::Stop,
        force_rerun: false,
        templates: names.iter().map(|name| Arc::new(template(name))).collect(),
        steps: steps.collect(),
        outputs: BTreeMap::new(),
        warnings: vec![],
        assets: vec![],
        spec: None,
    }
}
