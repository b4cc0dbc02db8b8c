//! Starting a coordinator: journal, key, epoch, driver, and the parts around it (`parts`); and waiting for its end.

mod parts;

use crate::access::{Access, AttemptTokens, Guard};
use crate::api::{self, Api};
use crate::archive::{self, Attached, Copying, Reach, Sure};
use crate::audit::{self, AUDIT_DIR, AuditLog};
use crate::blocking::blocking;
use crate::config::{ArchiveMode, CoordinatorConfig};
use crate::driver::{Driver, Keeper, Published, REQUESTS_MAX, Recovered, Request};
use crate::effects::{ALARMS_MAX, OUTGOING_MAX, Outbox, Outgoing, SetAlarm};
use crate::enrolment::Roster;
use crate::error::{CommandError, CoordinatorError, StartError, Stopped};
use crate::handle::{CoordinatorHandle, Inner};
use crate::journal::{EventReader, JournalError};
use crate::logs::LogHub;
use crate::mailings::Mailer;
use crate::metrics::Metrics;
use crate::open::{fresh_uploads, open_journal, replay};
use crate::operator;
use crate::secrets::KeyFile;
use crate::signing;
use axum::Extension;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use tidemill_artifacts::{ArtifactStore, Poster, Reserve};
use tidemill_engine::{Command, Fleet, FleetSettings};
use tidemill_protocol::api::{ArchiveView, CoordinatorView};
use tidemill_protocol::time::Clock;
use tidemill_protocol::wire::{SignerKey, TrustedKey};
use tidemill_transport::Broker;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// Durable batches that a slow watcher may be behind before it has to read the journal.
const WATCH_BATCHES: usize = 1_024;

/// What a coordinator stands on.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The bus.
    pub broker: Arc<dyn Broker>,
    /// The store of artifacts.
    pub store: ArtifactStore,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
}

/// A running coordinator.
#[derive(Debug)]
pub struct Coordinator {
    handle: CoordinatorHandle,
    key: TrustedKey,
    token: CancellationToken,
    parts: JoinSet<Result<(), CoordinatorError>>,
    driver: oneshot::Receiver<Result<(), JournalError>>,
}

/// The receiving ends of what [`CoordinatorHandle`] and [`Outbox`] send.
struct Mailboxes {
    requests: mpsc::Receiver<Request>,
    outgoing: mpsc::Receiver<Outgoing>,
    alarms: mpsc::Receiver<SetAlarm>,
}

/// What of the state folder the API asks.
struct Kept {
    journal: Arc<dyn EventReader>,
    uploads: PathBuf,
    access: watch::Receiver<Arc<Access>>,
    roster: Roster,
    key: TrustedKey,
    guard: Guard,
    attempt_tokens: AttemptTokens,
    secrets_key: KeyFile,
    metrics: Arc<Metrics>,
    room: Reserve,
    audit: (AuditLog, PathBuf),
    poster: Poster,
    datastores: tidemill_artifacts::Guard,
    reach: Reach,
    mailer: Option<Mailer>,
}

/// Opens the journal, replays it, and starts everything. Cancelling `token` ends the coordinator; so does a failing journal, which then cancels it.
pub async fn start(
    config: CoordinatorConfig,
    parts: Parts,
    token: CancellationToken,
) -> Result<Coordinator, StartError> {
    config.validate()?;
    let state_error = |source| StartError::State {
        state_dir: config.state_dir.clone(),
        source,
    };
    std::fs::create_dir_all(&config.state_dir).map_err(state_error)?;
    let (log, snapshots) = open_journal(&config).await?;
    let key = signing::key_of(&config).map_err(state_error)?;
    let (log, recovered) = replay(log, snapshots.clone(), &config).await?;
    let metrics = Arc::new(Metrics::default());
    let journal = archive::Journal {
        reader: log.reader(),
        first: log.first(),
        last: log.last(),
        snapshots: snapshots.clone(),
        snapshot: recovered.snapshot,
        epoch: recovered.engine.epoch(),
    };
    let attached = attach(&config, &parts, &key, journal, &metrics).await?;
    let epoch = epoch_of(attached.as_ref(), &recovered);
    let view = view(&config, &parts, &key, epoch);
    let published = Published::of(&recovered.ledgers);
    let (audit, auditor) = open_audit(&config, &parts).await?;
    let kept = Kept {
        key: key.trusted(),
        attempt_tokens: AttemptTokens::of(&key),
        audit,
        journal: log.reader(),
        uploads: fresh_uploads(&config.state_dir).map_err(state_error)?,
        access: published.access.subscribe(),
        roster: Roster::new(published.enrolment.subscribe(), config.enrolment),
        metrics,
        guard: Guard::new(operator::renew(&config.state_dir).map_err(state_error)?),
        secrets_key: KeyFile::looked_at(&config, &recovered.ledgers.secrets),
        room: Reserve::new(&config.state_dir, config.disk_reserve),
        poster: Poster::new(config.webhook_allow.clone()),
        datastores: tidemill_artifacts::Guard::new(config.datastore_allow.clone()),
        reach: reach_of(attached.as_ref()),
        mailer: config.smtp.clone().map(Mailer::new),
    };
    let (handle, outbox, mailboxes) = wire_up(parts, view, kept, &token);
    let mut keeper = Keeper::new(log, snapshots, config.snapshot_every, recovered.snapshot);
    let (copying, sure) = keep_through(attached, &mut keeper);
    let driver = spawn_driver(
        recovered,
        keeper,
        outbox.clone(),
        &handle,
        (mailboxes.requests, published, &config),
    )?;
    let mut coordinator = Coordinator {
        handle,
        key: key.trusted(),
        token,
        parts: JoinSet::new(),
        driver,
    };
    coordinator.begin(epoch, copying).await?;
    let ending = coordinator.token.clone();
    coordinator.spawn("audit log", auditor.run(ending));
    let carried = (mailboxes.outgoing, mailboxes.alarms);
    coordinator
        .spawn_carriers(&config, (key, sure.clone()), outbox, carried)
        .await;
    coordinator.spawn_inbox(&sure).await?;
    coordinator.spawn_service(config.is_service);
    Ok(coordinator)
}

/// Has the journal kept through the archive, where there is one: what copies it there, and who knows that this coordinator is still the one.
fn keep_through(attached: Option<Attached>, keeper: &mut Keeper) -> (Option<Copying>, Sure) {
    match attached {
        Some(attached) => {
            keeper.archive_through(attached.gate);
            (Some(attached.copying), attached.sure)
        }
        None => (None, Sure::always()),
    }
}

/// What may keep it from answering.
fn reach_of(attached: Option<&Attached>) -> Reach {
    attached.map_or_else(Reach::free, |attached| attached.reach.clone())
}

/// The epoch that begins: the one that was claimed in the archive, or else the one after the journal's last.
fn epoch_of(attached: Option<&Attached>, recovered: &Recovered) -> u64 {
    attached.map_or_else(|| recovered.engine.epoch() + 1, |attached| attached.epoch)
}

/// Attaches the journal to its archive, where it is to have one.
async fn attach(
    config: &CoordinatorConfig,
    parts: &Parts,
    key: &SignerKey,
    journal: archive::Journal,
    metrics: &Arc<Metrics>,
) -> Result<Option<Attached>, StartError> {
    let Some(settings) = &config.archive else {
        return Ok(None);
    };
    let place = (parts.store.clone(), key);
    let (clock, metrics) = (Arc::clone(&parts.clock), Arc::clone(metrics));
    let attached = archive::attach(place, settings, journal, clock, metrics).await?;
    Ok(Some(attached))
}

/// Opens the audit log: the way into it with its folder, and its writer.
async fn open_audit(
    config: &CoordinatorConfig,
    parts: &Parts,
) -> Result<((AuditLog, PathBuf), audit::Writer), StartError> {
    let (dir, limits) = (config.state_dir.join(AUDIT_DIR), config.audit);
    let folder = dir.clone();
    let opened = blocking(move || audit::Files::open(&folder, limits)).await;
    let files = opened.map_err(|source| StartError::Audit {
        dir: dir.clone(),
        source,
    })?;
    let (log, writer) = audit::channel(files, Arc::clone(&parts.clock));
    Ok(((log, dir), writer))
}

fn view(config: &CoordinatorConfig, parts: &Parts, key: &SignerKey, epoch: u64) -> CoordinatorView {
    let archive = config.archive.as_ref().map(|archive| ArchiveView {
        mode: match archive.mode {
            ArchiveMode::Async => "async",
            ArchiveMode::Sync => "sync",
        }
        .to_owned(),
        lag_events: 0,
        lag_ms: 0,
    });
    CoordinatorView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        epoch,
        public_key: key.trusted().to_string(),
        store_url: parts.store.url().to_owned(),
        broker_url: config.broker_url.clone(),
        started_at: parts.clock.now(),
        archive,
    }
}

fn wire_up(
    parts: Parts,
    view: CoordinatorView,
    kept: Kept,
    token: &CancellationToken,
) -> (CoordinatorHandle, Outbox, Mailboxes) {
    // Before anybody stores anything through this process.
    parts.store.keep_pins();
    let (requests, requests_in) = mpsc::channel(REQUESTS_MAX);
    let (outgoing, outgoing_in) = mpsc::channel(OUTGOING_MAX);
    let (alarms, alarms_in) = mpsc::channel(ALARMS_MAX);
    let outbox = Outbox {
        outgoing: outgoing.clone(),
        alarms,
        dropped: Arc::default(),
    };
    let inner = Inner {
        requests,
        events: broadcast::Sender::new(WATCH_BATCHES),
        guard: kept.guard,
        attempt_tokens: kept.attempt_tokens,
        audit: kept.audit.0,
        audit_dir: kept.audit.1,
        access: kept.access,
        roster: kept.roster,
        key: kept.key,
        journal: kept.journal,
        logs: LogHub::new(outgoing.clone()),
        outgoing,
        broker: parts.broker,
        store: parts.store,
        clock: parts.clock,
        metrics: kept.metrics,
        view,
        uploads: kept.uploads,
        secrets_key: kept.secrets_key,
        room: kept.room,
        poster: kept.poster,
        datastores: kept.datastores,
        reach: kept.reach,
        mailer: kept.mailer,
        token: token.clone(),
        sweeping: Arc::default(),
        looks: watch::Sender::default(),
    };
    let handle = CoordinatorHandle {
        inner: Arc::new(inner),
    };
    let mailboxes = Mailboxes {
        requests: requests_in,
        outgoing: outgoing_in,
        alarms: alarms_in,
    };
    (handle, outbox, mailboxes)
}

/// Starts the driver's thread; what it sends when it ends is how it ended.
fn spawn_driver(
    recovered: Recovered,
    keeper: Keeper,
    outbox: Outbox,
    handle: &CoordinatorHandle,
    (requests, published, config): (mpsc::Receiver<Request>, Published, &CoordinatorConfig),
) -> Result<oneshot::Receiver<Result<(), JournalError>>, StartError> {
    let clock = Arc::clone(&handle.inner.clock);
    let settings = FleetSettings {
        lease: config.lease,
        ..FleetSettings::default()
    };
    let driver = Driver {
        fleet: Fleet::new(settings, clock.monotonic(), &recovered.engine),
        engine: recovered.engine,
        ledgers: recovered.ledgers,
        due: VecDeque::new(),
        published,
        began: recovered.began,
        keeper,
        outbox,
        clock,
        durable: handle.inner.events.clone(),
        metrics: Arc::clone(&handle.inner.metrics),
        runtime: tokio::runtime::Handle::current(),
    };
    let (ended, driver_end) = oneshot::channel();
    let token = handle.inner.token.clone();
    std::thread::Builder::new()
        .name("driver".into())
        .spawn(move || {
            // Also when the loop panics: without a driver nothing may go on.
            let guard = token.drop_guard();
            // Nobody waits when the start itself failed.
            drop(ended.send(driver.run(requests)));
            drop(guard);
        })
        .map_err(StartError::Thread)?;
    Ok(driver_end)
}

impl Coordinator {
    /// The way to it from inside the process.
    pub fn handle(&self) -> CoordinatorHandle {
        self.handle.clone()
    }

    /// The whole API, to be called in this process only: whoever calls it is the operator of the state folder and may do everything.
    pub fn router(&self) -> axum::Router {
        api::router(&self.handle).layer(Extension(api::Via::InProcess))
    }

    /// The whole API, to be served on a port by [`crate::serve`].
    pub fn api(&self) -> Api {
        Api::new(&self.handle)
    }

    /// The key by which workers know its messages.
    pub fn public_key(&self) -> TrustedKey {
        self.key
    }

    /// Waits for the end: of the token, or of a part that should not have ended. Everything is stopped when it returns, and the journal is closed.
    pub async fn wait(mut self) -> Result<(), CoordinatorError> {
        let first = tokio::select! {
            () = self.token.cancelled() => Ok(()),
            Some(ended) = self.parts.join_next() => ended.unwrap_or_else(resume_or_cancelled),
        };
        self.token.cancel();
        if self.handle.request(Request::Stop).await.is_err() {
            tracing::debug!("the driver had ended already");
        }
        let mut result = match self.driver.await {
            // It ended because the archive's part did, or because it was told to while the store was away.
            Ok(Ok(()) | Err(JournalError::Unarchived)) => first,
            Ok(Err(error)) => Err(CoordinatorError::Journal(error)),
            Err(_) => Err(CoordinatorError::PartEnded("driver")),
        };
        while let Some(ended) = self.parts.join_next().await {
            let ended = ended.unwrap_or_else(resume_or_cancelled);
            result = result.and(ended);
        }
        result
    }

    /// Begins the epoch; with an archive returns only when that is known there, so that nothing is done by a coordinator of which nobody can know.
    async fn begin(&mut self, epoch: u64, copying: Option<Copying>) -> Result<(), StartError> {
        let mut known = None;
        if let Some(Copying {
            writer,
            beats,
            progress,
            first,
        }) = copying
        {
            known = Some((progress, first));
            let writing = writer.run(self.token.clone());
            self.spawn_part(async move { writing.await.map_err(CoordinatorError::Archive) });
            let beating = beats.run(self.token.clone());
            self.spawn_part(async move { beating.await.map_err(CoordinatorError::Archive) });
        }
        let begun = self.handle.command(Command::StartEpoch { epoch }).await;
        if let Err(CommandError::Rejected(rejection)) = &begun {
            unreachable!("an epoch one larger than the journal's is accepted: {rejection}");
        }
        let is_known = match &mut known {
            Some((progress, first)) if begun.is_ok() => progress
                .wait_for(|progress| progress.archived >= *first)
                .await
                .is_ok(),
            _ => begun.is_ok(),
        };
        if is_known {
            return Ok(());
        }
        self.token.cancel();
        while let Some(ended) = self.parts.join_next().await {
            if let Err(CoordinatorError::Archive(error)) = ended.unwrap_or_else(resume_or_cancelled) {
                return Err(error.into());
            }
        }
        Err(Stopped.into())
    }
}

fn resume_or_cancelled(error: JoinError) -> Result<(), CoordinatorError> {
    match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Ok(()),
    }
}
