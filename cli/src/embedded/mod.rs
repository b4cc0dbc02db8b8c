//! Coordinator, in-process bus, worker and local store in this one process: what `run` and `up` stand on, and what the looking verbs open when no
//! coordinator runs on this machine. The parts are the same as on a cluster; only the wiring is here.

mod bus;
mod secrets;
mod steps;
mod targets;
mod wiring;

pub(crate) use bus::{connect, connect_coordinator};
pub(crate) use wiring::{StoreAddress, coordinator_config, hidden_verb, open_store, worker_config};

use crate::client::Client;
use crate::credentials;
use crate::exit::Exit;
use crate::failure::{Context, Failure};
use crate::session::Session;
use crate::settings::Settings;
use crate::state::{self, Claimed, Occupant, StateLock};
use secrets::OwnSecrets;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use steps::StepsPort;
use targets::Watched;
use tidemill_artifacts::ArtifactStore;
use tidemill_coordinator::{Api, Coordinator};
use tidemill_protocol::wire::TrustedKeys;
use tidemill_transport::{Broker, LocalBroker};
use tidemill_worker::{Identity, SystemClock, Worker};
use tokio_util::sync::CancellationToken;

/// How long to wait between two looks at a lock that somebody else holds.
const LOCK_POLL: Duration = Duration::from_millis(50);
/// How long somebody may hold the lock who usually lets go of it, or answers, at once.
const BRIEF: Duration = Duration::from_secs(2);
/// How long a coordinator may take to read its journal and answer.
const COMES_UP_WITHIN: Duration = Duration::from_mins(2);
/// How long a coordinator that was started in the same breath may take to show.
const APPEARS_WITHIN: Duration = Duration::from_secs(1);
/// How long somebody who only wants to look waits for the lock: a run may hold it for days.
const LOOK_PATIENCE: Duration = Duration::from_secs(10);
/// How long the parts may take to end before the process ends without them: everything that matters is durable by then.
pub(crate) const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// The parts of tidemill in this process.
#[derive(Debug)]
pub(crate) struct Embedded {
    coordinator: Coordinator,
    worker: Option<Worker>,
    client: Client,
    store: ArtifactStore,
    token: CancellationToken,
    targets: Option<targets::Follower>,
    steps: Option<steps::Serving>,
    lock: StateLock,
}

/// For what somebody starts the parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// To look, and to note wishes: nothing is executed.
    Looking,
    /// For one run.
    OneRun,
    /// To stay, as a service.
    Staying,
}

/// Who holds the state folder, as an error.
pub(crate) fn in_use(folder: &Path, who: Option<&Occupant>) -> Failure {
    let who = who.map_or_else(
        || "another process".to_owned(),
        |who| format!("`tidemill {}` (process {})", who.verb, who.pid),
    );
    Failure::new(Exit::Conflict, format!("{} is in use by {who}", folder.display())).code("in_use")
}

impl Embedded {
    /// A client of the coordinator that was named, or of the one that runs on this machine; none when there is neither.
    pub(crate) fn elsewhere(settings: &Settings) -> Result<Option<Client>, Failure> {
        if let Some(url) = &settings.url {
            let token = credentials::for_server(settings, url)?;
            return Client::http(
                url,
                settings.url_origin(),
                token.as_deref(),
                settings.api_ca.as_deref(),
            )
            .map(Some);
        }
        let running = state::occupant(&settings.state_dir).and_then(|who| who.url);
        running
            .map(|url| {
                let token = credentials::for_own(settings, &url)?;
                Client::http(
                    &url,
                    settings.url_origin(),
                    token.as_deref(),
                    settings.api_ca.as_deref(),
                )
            })
            .transpose()
    }

    /// As [`Self::elsewhere`], but one that is only just coming up is waited for.
    pub(crate) async fn elsewhere_soon(session: &Session) -> Result<Option<Client>, Failure> {
        let began = Instant::now();
        let mut last_seen = began;
        loop {
            if let Some(client) = Self::elsewhere(&session.settings)? {
                return Ok(Some(client));
            }
            if state::occupant(&session.settings.state_dir).is_some_and(|who| who.will_answer()) {
                last_seen = Instant::now();
            }
            if last_seen.elapsed() >= APPEARS_WITHIN || began.elapsed() >= COMES_UP_WITHIN {
                return Ok(None);
            }
            tokio::time::sleep(LOCK_POLL).await;
        }
    }

    /// Opens the state folder in a lock that is ours only to look at it and to note wishes: no worker, so nothing is executed.
    pub(crate) async fn look(session: &mut Session, lock: StateLock) -> Result<Self, Failure> {
        let folder = session.settings.state_dir.clone();
        if !folder.join("journal").is_dir() && session.settings.origin("state_dir").is_some() {
            session
                .printer
                .note(format_args!("nothing was ever run with {}", folder.display()));
        }
        Self::start_parts(&session.settings, session.clock, lock, Manner::Looking).await
    }

    /// Starts everything, a worker too, in a state folder that is ours already: for one run, so schedules wait for a coordinator that stays.
    pub(crate) async fn start_locked(
        settings: &Settings,
        clock: SystemClock,
        lock: StateLock,
    ) -> Result<Self, Failure> {
        Self::start_parts(settings, clock, lock, Manner::OneRun).await
    }

    /// The same to stay.
    pub(crate) async fn start_to_stay(
        settings: &Settings,
        clock: SystemClock,
        lock: StateLock,
    ) -> Result<Self, Failure> {
        Self::start_parts(settings, clock, lock, Manner::Staying).await
    }

    async fn start_parts(
        settings: &Settings,
        clock: SystemClock,
        lock: StateLock,
        manner: Manner,
    ) -> Result<Self, Failure> {
        let store = open_store(settings, &StoreAddress::of(settings)).await?;
        let token = CancellationToken::new();
        let (broker, asked) = Watched::around(LocalBroker::new());
        let broker: Arc<dyn Broker> = broker;
        let clock = Arc::new(clock);
        let parts = tidemill_coordinator::Parts {
            broker: Arc::clone(&broker),
            store: store.clone(),
            clock: clock.clone(),
        };
        let config = tidemill_coordinator::CoordinatorConfig {
            is_service: manner == Manner::Staying,
            ..coordinator_config(settings, "in this process")?
        };
        let coordinator = tidemill_coordinator::start(config, parts, token.clone())
            .await
            .context(|| format!("cannot start from {}", settings.state_dir.display()))?;
        let mut steps = None;
        let worker = if manner == Manner::Looking {
            None
        } else {
            let secrets = Arc::new(OwnSecrets::new(coordinator.handle()));
            let parts = tidemill_worker::Parts {
                broker,
                store: store.clone(),
                keys: TrustedKeys(vec![coordinator.public_key()]),
                clock,
                secrets: Some(secrets.clone()),
            };
            let mut config = worker_config(settings, vec![wiring::local_target()])?;
            if settings.tracking_url.is_none()
                && let Some(port) = StepsPort::bind(settings).await
            {
                config.tracking_url = Some(port.url());
                steps = Some(port.serve(coordinator.api(), token.clone()));
            }
            // It signs like every worker, and needs no join token: it is this process.
            let identity = Identity::open(&config).context(|| "cannot start the worker")?;
            let own = identity.key.trusted();
            coordinator.handle().vouch_for_own_worker(identity.id, own);
            let worker = tidemill_worker::start(config, parts, token.clone()).await;
            let worker = worker.context(|| "cannot start the worker")?;
            secrets.belongs_to(worker.id().clone());
            Some(worker)
        };
        let targets = worker
            .as_ref()
            .map(|worker| asked.follow(worker.handle(), token.clone()));
        Ok(Self {
            client: Client::in_process(coordinator.router()),
            coordinator,
            worker,
            store,
            token,
            targets,
            steps,
            lock,
        })
    }

    /// A client that calls straight into the coordinator.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// The store.
    pub(crate) const fn store(&self) -> &ArtifactStore {
        &self.store
    }

    /// The API, to be served on a port too.
    pub(crate) fn api(&self) -> Api {
        self.coordinator.api()
    }

    /// Tells other commands of this machine where this one answers.
    pub(crate) fn announce(&mut self, url: &str) -> Result<(), Failure> {
        self.lock.announce(Some(url))
    }

    /// Cancelled when a part has ended, or was told to.
    pub(crate) const fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Ends the worker, then the coordinator. Steps that still run go on under their supervisor; the next start takes them up again.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        let at_once = CancellationToken::new();
        at_once.cancel();
        self.stop_settled(&at_once).await
    }

    /// The same once the worker has ended what it runs, as it does with steps of a run that was cancelled: it may have begun one that the coordinator did not
    /// know of yet. Waits until somebody is impatient, and not for long.
    pub(crate) async fn stop_settled(self, impatient: &CancellationToken) -> Result<(), Failure> {
        let Self {
            coordinator,
            worker,
            token,
            targets,
            steps,
            lock,
            ..
        } = self;
        let mut worker = pin!(async {
            if let Some(worker) = worker {
                worker.drain();
                worker.wait().await;
            }
        });
        let settled = tokio::time::timeout(STOP_PATIENCE, worker.as_mut());
        let is_settled = matches!(impatient.run_until_cancelled(settled).await, Some(Ok(())));
        token.cancel();
        drop((targets, steps));
        let ended = async {
            if !is_settled {
                worker.await;
            }
            coordinator.wait().await.context(|| "the coordinator ended badly")
        };
        let outcome = tokio::time::timeout(STOP_PATIENCE, ended).await;
        drop(lock);
        outcome.unwrap_or_else(|_| {
            tracing::warn!("a part did not end within {} s", STOP_PATIENCE.as_secs());
            Ok(())
        })
    }
}

/// Takes the state folder, or says who has it.
pub(crate) async fn lock_now(settings: &Settings, verb: &'static str) -> Result<StateLock, Failure> {
    match state::claim_soon(&settings.state_dir, verb).await? {
        Claimed::Ours(lock) => Ok(lock),
        Claimed::Theirs(who) => {
            let failure = in_use(&settings.state_dir, who.as_ref());
            Err(match who.and_then(|who| who.url) {
                Some(url) => failure.help(format!("it answers at {url}")),
                None => failure.help("wait for it to end, or name another folder with --state-dir"),
            })
        }
    }
}

/// Somebody who has no address holds the state folder, and does not let go of it.
fn still_in_use(folder: &Path) -> Failure {
    in_use(folder, state::occupant(folder).as_ref())
        .help("wait for it to end, or ask again then")
        .help("with `tidemill up`, many commands share one coordinator; --state-dir names another folder")
}

/// How a command gets at runs.
#[derive(Debug)]
pub(crate) enum Way {
    /// A coordinator answers.
    Elsewhere(Client),
    /// The state folder is ours.
    Ours(StateLock),
}

/// The way for somebody who only looks: whoever holds the state folder without answering is not waited for long.
pub(crate) async fn way_to_look(session: &mut Session) -> Result<Way, Failure> {
    let folder = session.settings.state_dir.clone();
    let waiting = way(session, "look");
    let waited = tokio::time::timeout(LOOK_PATIENCE, waiting).await;
    waited.unwrap_or_else(|_| Err(still_in_use(&folder)))
}

/// Waits until a coordinator answers or the state folder is free, and says for whom. Whoever holds it may be a coordinator that is only just coming
/// up, so each look is for both.
pub(crate) async fn way(session: &mut Session, verb: &'static str) -> Result<Way, Failure> {
    let folder = session.settings.state_dir.clone();
    let began = Instant::now();
    let mut told = false;
    loop {
        if let Some(client) = Embedded::elsewhere(&session.settings)? {
            return Ok(Way::Elsewhere(client));
        }
        match state::claim(&folder, verb)? {
            Claimed::Ours(lock) => return Ok(Way::Ours(lock)),
            Claimed::Theirs(who) => {
                // Looking verbs hold the lock for a moment only, and a coordinator will answer soon: not worth a word.
                let is_brief = who
                    .as_ref()
                    .is_none_or(|who| who.verb == "look" || who.will_answer());
                if !told && (!is_brief || began.elapsed() >= BRIEF) {
                    told = true;
                    let answers = who.as_ref().is_some_and(Occupant::will_answer);
                    let until = if answers { "answer" } else { "end" };
                    let failure = in_use(&folder, who.as_ref());
                    let printer = &mut session.printer;
                    printer.note(format_args!("{}; waiting for it to {until}", failure.what));
                    if !answers {
                        printer.help("`tidemill up` lets many runs share one coordinator; --state-dir names another folder");
                    }
                }
                tokio::time::sleep(LOCK_POLL).await;
            }
        }
    }
}
