//! Puts a worker together: its state folder, its supervisor, what an earlier daemon left, its subscriptions; then everything runs until a drain is over or
//! the token is cancelled.

use crate::attempt::{Folders, Sources, Tools, attempt_key, find_program, remove};
use crate::config::WorkerConfig;
use crate::control::ControlIntake;
use crate::driver::{Books, Driver};
use crate::environments::{BuildTools, Environments, Programs, is_build, listings};
use crate::error::StartError;
use crate::handle::WorkerHandle;
use crate::heartbeats::send_heartbeats;
use crate::identity::Identity;
use crate::intake::{Arrival, Intakes};
use crate::metrics::Counters;
use crate::outbox::{Outbox, OutboxConfig, Postman, Settled, next_incarnation};
use crate::pace::Pace;
use crate::probe::{Machine, probe};
use crate::run_as::{Left, keep_users, open_users};
use crate::secrets::{SecretSource, clear_all_but};
use crate::slots::{Capacity, Slots};
use crate::supervisor::client::{Client, Connection, SupervisorHandle};
use crate::users::Users;
use bytes::Bytes;
use rustix::fs::{FlockOperation, flock};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tidemill_artifacts::{ArtifactStore, Cache, FetchLimits, Fetcher, Guard, Reserve};
use tidemill_protocol::compute::ComputeTarget;
use tidemill_protocol::ids::WorkerId;
use tidemill_protocol::time::Clock;
use tidemill_protocol::wire::{Control, Offer, TrustedKeys};
use tidemill_transport::{Broker, Queue};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Tasks on their way from the subscriptions to the driver; the window bounds them before this does.
const ARRIVALS_MAX: usize = 64;
/// Instructions on their way to the driver.
const CONTROLS_MAX: usize = 256;
/// How many instructions the broker may send ahead.
const CONTROL_WINDOW: u32 = 64;
/// Targets to be served beside the configured ones, on their way to the driver.
const TARGETS_MAX: usize = 64;
/// Pause between two looks for the notice that the machine is about to be taken away.
const NOTICE_EVERY: Duration = Duration::from_secs(1);
/// Folders that wait to be removed.
const RUBBISH_MAX: usize = 1024;

/// What a worker is given besides its configuration.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The bus.
    pub broker: Arc<dyn Broker>,
    /// Where artifacts are.
    pub store: ArtifactStore,
    /// The coordinator's keys: nothing else is obeyed.
    pub keys: TrustedKeys,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where the secrets of steps are asked for; none where there is no way to the coordinator.
    pub secrets: Option<Arc<dyn SecretSource>>,
}

/// A running worker.
#[derive(Debug)]
pub struct Worker {
    id: WorkerId,
    handle: WorkerHandle,
    counters: Arc<Counters>,
    outbox: Outbox,
    tasks: JoinSet<()>,
    /// Held so that no second daemon uses the state folder.
    _lock: File,
}

impl Worker {
    /// The worker's name.
    pub fn id(&self) -> &WorkerId {
        &self.id
    }

    /// The values of [`crate::METRICS`] now.
    pub fn metrics(&self) -> [(&'static str, u64); 5] {
        self.counters.read(self.outbox.unacknowledged())
    }

    /// The way to ask it for something while somebody waits for its end.
    pub fn handle(&self) -> WorkerHandle {
        self.handle.clone()
    }

    /// Takes nothing new from here on; [`Self::wait`] returns once what runs is done and reported.
    pub fn drain(&self) {
        self.handle.drain();
    }

    /// Waits until the worker has ended, because its token was cancelled (what runs goes on under the supervisor, for the next start), a drain is over,
    /// or the bus was closed.
    ///
    /// # Panics
    /// When a part of the worker panicked: its books can no longer be trusted.
    pub async fn wait(mut self) {
        drop((self.outbox, self.handle));
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }
}

/// Starts a worker. It runs until the token is cancelled or [`Worker::drain`] is over.
pub async fn start(
    config: WorkerConfig,
    parts: Parts,
    token: CancellationToken,
) -> Result<Worker, StartError> {
    config.validate()?;
    let Identity { id, key } = Identity::open(&config)?;
    let lock = claim_state(&config.state_dir)?;
    let opened = open(config, &parts).await?;
    let incarnation_dir = opened.config.state_dir.join("outbox");
    let incarnation = next_incarnation(&incarnation_dir, parts.clock.now().0)?;
    let outbox_config = OutboxConfig {
        dir: incarnation_dir,
        worker: id.clone(),
        key: key.clone(),
        incarnation,
        again_after: opened.config.report_again_after,
    };
    let (postman, outbox, settled) = Postman::open(outbox_config, parts.broker.clone())?;
    let counters = Arc::new(Counters::default());
    let drain = Arc::new(Notify::new());
    let (targets, added) = mpsc::channel(TARGETS_MAX);
    let assembly = Assembly {
        identity: Identity { id: id.clone(), key },
        incarnation,
        parts,
        outbox: outbox.clone(),
        counters: counters.clone(),
        drain: drain.clone(),
        added,
        tasks: JoinSet::new(),
    };
    let tasks = assembly.run(opened, postman, settled, token).await?;
    Ok(Worker {
        id,
        handle: WorkerHandle { drain, targets },
        counters,
        outbox,
        tasks,
        _lock: lock,
    })
}

/// What had to be opened before anything can run.
struct Opened {
    config: WorkerConfig,
    machine: Machine,
    sources: Sources,
    environments: Environments,
    listings: PathBuf,
    client: Client,
    connection: Connection,
    supervisor: SupervisorHandle,
    users: Arc<Users>,
}

async fn open(mut config: WorkerConfig, parts: &Parts) -> Result<Opened, StartError> {
    let users = Arc::new(open_users(&mut config)?);
    let (mut client, supervisor) = Client::new(&config.supervisor_dir(), &config.supervisor);
    offer_python(&mut config);
    let gpus_visible = config.gpus_visible.clone();
    let state_dir = config.state_dir.clone();
    let cache_dir = state_dir.join("cache");
    let environments_dir = config.state_dir.join("environments");
    let (bytes_max, kept_max, unused_max) = (
        config.cache_bytes_max,
        config.environments_max,
        config.environment_unused_max,
    );
    let limits = FetchLimits {
        bytes_max,
        ..FetchLimits::default()
    };
    let fetcher = Fetcher::new(config.fetch_allow.clone(), limits);
    let datastores = Guard::new(config.datastore_allow.clone());
    let tools = BuildTools {
        programs: Programs {
            variables: config.base_environment.clone(),
        },
        supervisor: supervisor.clone(),
        users: Arc::clone(&users),
        time_max: config.environment_build_max,
        log_bytes_max: config.log_bytes_max,
    };
    let files = tokio::task::spawn_blocking(move || {
        let cache = Cache::open(&cache_dir, bytes_max).map_err(|source| StartError::Cache {
            path: cache_dir,
            source: Box::new(source),
        })?;
        let environments = Environments::open(&environments_dir, tools, kept_max, unused_max)
            .map_err(StartError::state(environments_dir))?;
        let listings = listings::put(&state_dir).map_err(StartError::state(state_dir))?;
        Ok::<_, StartError>((probe(gpus_visible.as_deref()), cache, environments, listings))
    });
    let (files, connection) = tokio::join!(files, client.connect());
    let (machine, cache, environments, listings) =
        files.map_err(|error| StartError::Config(format!("interrupted while starting: {error}")))??;
    show_devices(&mut config, &machine);
    Ok(Opened {
        config,
        machine,
        sources: Sources {
            store: parts.store.clone(),
            cache,
            fetcher,
            datastores,
        },
        environments,
        listings,
        client,
        connection: connection.map_err(StartError::Supervisor)?,
        supervisor,
        users,
    })
}

struct Assembly {
    identity: Identity,
    incarnation: u64,
    parts: Parts,
    outbox: Outbox,
    counters: Arc<Counters>,
    drain: Arc<Notify>,
    added: mpsc::Receiver<ComputeTarget>,
    tasks: JoinSet<()>,
}

impl Assembly {
    async fn run(
        mut self,
        opened: Opened,
        postman: Postman,
        settled: Settled,
        token: CancellationToken,
    ) -> Result<JoinSet<()>, StartError> {
        let attempts = opened.config.state_dir.join("attempts");
        let (folders, left) = Folders::open(&attempts).map_err(StartError::state(attempts))?;
        let left: Vec<_> = left.into_iter().map(|f| (f.read_record(), f)).collect();
        keep_users(&opened.users, &opened.config.state_dir, &left, &settled)
            .map_err(StartError::state(&opened.config.state_dir))?;
        let (rubbish, to_remove) = mpsc::channel(RUBBISH_MAX);
        let disk = Reserve::new(&opened.config.state_dir, opened.config.disk_reserve);
        let offer = Offer {
            // Looked at before the first task could come, and at every sign of life from then on.
            disk_full: disk.shortage().is_some(),
            ..offer(&opened.config, &opened.machine)
        };
        let tools = Arc::new(Tools {
            disk,
            config: opened.config,
            sources: opened.sources,
            environments: opened.environments,
            listings: opened.listings,
            supervisor: opened.supervisor,
            outbox: self.outbox.clone(),
            secrets: self.parts.secrets.clone(),
            clock: self.parts.clock.clone(),
            rubbish,
            users: opened.users,
        });
        // Ends what serves the driver, once the driver has ended.
        let rest = CancellationToken::new();
        let (arrivals_in, arrivals) = mpsc::channel(ARRIVALS_MAX);
        let (controls_in, controls) = mpsc::channel(CONTROLS_MAX);
        if let Some(notice) = tools.config.preemption_notice.clone() {
            self.tasks
                .spawn(watch_for_preemption(notice, controls_in.clone(), rest.clone()));
        }
        self.subscribe_control(controls_in, &rest).await?;
        let intakes = self.subscribe_tasks(&tools.config, arrivals_in, &rest).await?;
        let (heartbeat, beats) = watch::channel(Bytes::new());
        let mut driver = Driver {
            slots: Slots::new(capacity(&tools.config, &opened.machine)),
            pace: Pace::new(tools.config.slots),
            broker: self.parts.broker.clone(),
            identity: self.identity,
            incarnation: self.incarnation,
            offer,
            counters: self.counters,
            intakes,
            folders,
            heartbeat,
            drain: self.drain,
            books: Books::default(),
            tools,
        };
        self.tasks.spawn(remove_rubbish(to_remove, rest.clone()));
        self.tasks.spawn(postman.run(rest.clone()));
        self.tasks
            .spawn(send_heartbeats(self.parts.broker, beats, rest.clone()));
        let known = opened.connection.known.clone();
        self.tasks
            .spawn(opened.client.run(opened.connection, rest.clone()));
        take_over(&mut driver, left, known, &settled).await;
        self.tasks.spawn(async move {
            driver.run(arrivals, controls, self.added, token).await;
            rest.cancel();
        });
        Ok(self.tasks)
    }

    async fn subscribe_control(
        &mut self,
        controls: mpsc::Sender<Control>,
        rest: &CancellationToken,
    ) -> Result<(), StartError> {
        let queue = Queue::Control(self.identity.id.clone());
        let consumer = self.parts.broker.consume(&queue, CONTROL_WINDOW).await?;
        let intake = ControlIntake {
            worker: self.identity.id.clone(),
            keys: self.parts.keys.clone(),
            clock: self.parts.clock.clone(),
            outbox: self.outbox.clone(),
            controls,
        };
        self.tasks.spawn(intake.run(consumer, rest.clone()));
        Ok(())
    }

    /// The windows stay closed until the driver knows what runs already.
    async fn subscribe_tasks(
        &self,
        config: &WorkerConfig,
        arrivals: mpsc::Sender<Arrival>,
        rest: &CancellationToken,
    ) -> Result<Intakes, StartError> {
        let mut intakes = Intakes {
            broker: self.parts.broker.clone(),
            keys: self.parts.keys.clone(),
            clock: self.parts.clock.clone(),
            arrivals,
            refused: self.counters.refused.clone(),
            rest: rest.clone(),
            tasks: JoinSet::new(),
            windows: Vec::new(),
        };
        for target in &config.targets {
            intakes.add(target.name.clone()).await?;
        }
        Ok(intakes)
    }
}

fn offer(config: &WorkerConfig, machine: &Machine) -> Offer {
    Offer {
        targets: config.targets.clone(),
        slots: config.slots,
        cpus: machine.cpus,
        memory_bytes: machine.memory_bytes,
        gpus: machine.gpus.iter().map(|gpu| gpu.name.clone()).collect(),
        host: machine.host.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        draining: false,
        disk_full: false,
    }
}

fn capacity(config: &WorkerConfig, machine: &Machine) -> Capacity {
    Capacity {
        slots: config.slots,
        cpus: machine.cpus,
        memory_bytes: machine.memory_bytes,
        gpus: machine.gpus.iter().map(|gpu| gpu.id.clone()).collect(),
    }
}

/// Goes on with what an earlier daemon began, and clears away what it had finished.
async fn take_over(driver: &mut Driver, left: Vec<Left>, mut known: BTreeSet<String>, settled: &Settled) {
    for (attempt, token) in settled {
        driver.note_ended(*attempt, *token);
    }
    let mut alive = BTreeSet::new();
    for (record, folder) in left {
        let unsettled = record.filter(|r| !settled.contains(&(r.task.attempt, r.task.token)));
        match unsettled {
            Some(record) => {
                let key = attempt_key(&record.task);
                let is_started = known.remove(&key);
                alive.insert(key);
                tracing::info!(attempt = %record.task.attempt, is_started, "going on with an attempt of an earlier start");
                driver.adopt(record, folder, is_started);
            }
            None => drop(driver.tools.rubbish.send(folder.root().to_owned()).await),
        }
    }
    clear_all_but(&driver.tools.config.secrets_dir, &alive);
    let builds = known.extract_if(.., |key| is_build(key)).collect();
    driver.tools.environments.end_leftovers(builds);
    for key in known {
        // Nobody would collect its outputs any more.
        driver.tools.supervisor.stop(&key).await;
        driver.tools.supervisor.forget(&key).await;
    }
}

/// Removes folders out of the way of attempts. What is left when the worker ends is for the next start.
/// Passes the notice on that the machine is about to be taken away, once.
async fn watch_for_preemption(notice: PathBuf, controls: mpsc::Sender<Control>, rest: CancellationToken) {
    loop {
        if tokio::fs::try_exists(&notice).await.unwrap_or(false) {
            // Fails only when the worker ends.
            controls.send(Control::Preempt).await.ok();
            return;
        }
        tokio::select! {
            () = rest.cancelled() => return,
            () = tokio::time::sleep(NOTICE_EVERY) => {}
        }
    }
}

async fn remove_rubbish(mut folders: mpsc::Receiver<PathBuf>, rest: CancellationToken) {
    while let Some(Some(folder)) = rest.run_until_cancelled(folders.recv()).await {
        let removed = tokio::task::spawn_blocking(move || {
            if let Err(error) = remove(&folder) {
                tracing::warn!(folder = %folder.display(), %error, "cannot remove an attempt's folder");
            }
        });
        if removed.await.is_err() {
            return;
        }
    }
}

/// Keeps other daemons out of the state folder.
fn claim_state(dir: &Path) -> Result<File, StartError> {
    let path = dir.join("worker.lock");
    let lock = File::create(&path).map_err(StartError::state(&path))?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Err(StartError::InUse(dir.to_owned()));
    }
    Ok(lock)
}

/// Has steps number devices as this worker does, and see no others than it may use itself.
fn show_devices(config: &mut WorkerConfig, machine: &Machine) {
    let base = &mut config.base_environment;
    if !machine.gpus.is_empty() {
        base.insert("CUDA_DEVICE_ORDER".into(), "PCI_BUS_ID".into());
    }
    if config.gpus_visible.is_some() {
        let ids: Vec<&str> = machine.gpus.iter().map(|gpu| gpu.id.as_str()).collect();
        base.insert("CUDA_VISIBLE_DEVICES".into(), ids.join(","));
    }
}

/// Gives steps a `python` where the machine has only `python3`: pipelines say `python`.
fn offer_python(config: &mut WorkerConfig) {
    let path = config.base_environment.get("PATH").cloned().unwrap_or_default();
    let nowhere = Path::new("/");
    if find_program("python", &path, nowhere).is_some() {
        return;
    }
    let Some(python3) = find_program("python3", &path, nowhere) else {
        return;
    };
    let bin = config.state_dir.join("bin");
    let link = bin.join("python");
    let made = fs::create_dir_all(&bin).and_then(|()| {
        fs::remove_file(&link).ok();
        std::os::unix::fs::symlink(python3, &link)
    });
    match made {
        Ok(()) => drop(
            config
                .base_environment
                .insert("PATH".into(), format!("{path}:{}", bin.display())),
        ),
        Err(error) => tracing::warn!(%error, "cannot offer `python` to steps"),
    }
}
