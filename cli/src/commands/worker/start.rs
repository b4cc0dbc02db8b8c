//! `tidemill worker start`: serves compute targets as a daemon until told to stop.

use super::join::join;
use crate::client::{Client, RemoteSecrets};
use crate::credentials;
use crate::embedded::{STOP_PATIENCE, StoreAddress, connect, open_store, worker_config};
use crate::exit::Exit;
use crate::failure::{Context, Failure};
use crate::output::tone::Tone;
use crate::session::Session;
use crate::settings::Settings;
use crate::shutdown::Interrupts;
use std::sync::Arc;
use tidemill_protocol::api::CoordinatorView;
use tidemill_protocol::compute::ComputeTarget;
use tidemill_protocol::wire::{TrustedKey, TrustedKeys};
use tidemill_transport::AmqpConfig;
use tidemill_worker::{Identity, SecretSource, Worker};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Runs until told to stop.
pub(super) async fn run(session: &mut Session) -> Result<Exit, Failure> {
    let interrupts = Interrupts::listen()?;
    let settings = &session.settings;
    let targets = targets(settings)?;
    let Some(queue_url) = settings.queue_url.clone() else {
        return Err(
            Failure::new(Exit::Usage, "a worker needs the RabbitMQ of its cluster")
                .help("name it with --queue-url amqp://user:password@host:5672 or $TIDEMILL_QUEUE_URL"),
        );
    };
    let mut config = worker_config(settings, targets.clone())?;
    config.name_prefix = name_prefix(settings, &queue_url)?;
    let identity = Identity::open(&config).context(|| "cannot start the worker")?;
    let enrolment = join(session, &config.state_dir, &identity).await?;
    let settings = &session.settings;
    let told = match enrolment {
        Some(enrolment) => Some((enrolment.coordinator_key, enrolment.store_url)),
        None => ask(settings).await?.map(|view| (view.public_key, view.store_url)),
    };
    let keys = keys(settings, told.as_ref().map(|(key, _)| key.as_str()))?;
    let address = match (&settings.store_url, &told) {
        (None, Some((_, store_url))) => StoreAddress::at(settings, store_url.clone()),
        _ => StoreAddress::of(settings),
    };
    let name = config
        .id
        .as_ref()
        .map_or_else(|| "worker".to_owned(), |id| format!("worker/{id}"));
    // The first key is the one that signs now; others are accepted while it is replaced.
    let secrets = match keys.0.first() {
        Some(key) => RemoteSecrets::of(settings, &identity, *key, session.clock)?,
        None => None,
    };
    let parts = tidemill_worker::Parts {
        broker: connect(settings, &queue_url, &name).await?,
        store: open_store(settings, &address).await?,
        keys,
        clock: Arc::new(session.clock),
        secrets: secrets.map(|secrets| Arc::new(secrets) as Arc<dyn SecretSource>),
    };
    let token = CancellationToken::new();
    let worker = tidemill_worker::start(config, parts, token.clone())
        .await
        .context(|| "cannot start the worker")?;
    tell(session, &targets)?;
    until_stopped(session, worker, &interrupts, &token).await
}

/// What the worker's name has to begin with, by the user that it is on the broker.
fn name_prefix(settings: &Settings, queue_url: &str) -> Result<String, Failure> {
    let mut config = AmqpConfig::new(queue_url, "worker");
    config.prefix.clone_from(&settings.queue_prefix);
    let class = config.worker_class().context(|| "queue_url cannot be used")?;
    Ok(class.map(|class| class.name_prefix()).unwrap_or_default())
}

/// The first signal drains, the second stops.
async fn until_stopped(
    session: &mut Session,
    worker: Worker,
    interrupts: &Interrupts,
    token: &CancellationToken,
) -> Result<Exit, Failure> {
    let handle = worker.handle();
    let ended = worker.wait();
    tokio::pin!(ended);
    tokio::select! {
        () = &mut ended => return Ok(Exit::Good),
        () = interrupts.first().cancelled() => {}
    }
    session.printer.note(
        "draining: what runs is finished, nothing new is taken; a second signal leaves it to the next start",
    );
    handle.drain();
    tokio::select! {
        () = &mut ended => return Ok(Exit::Good),
        () = interrupts.second().cancelled() => token.cancel(),
    }
    if timeout(STOP_PATIENCE, ended).await.is_err() {
        session.printer.warn(format_args!(
            "a part did not end within {} s",
            STOP_PATIENCE.as_secs()
        ));
    }
    Ok(interrupts.exit())
}

fn tell(session: &mut Session, targets: &[ComputeTarget]) -> Result<(), Failure> {
    let served = targets
        .iter()
        .map(|target| format!("{} ({})", target.name, target.compute_type));
    let served = served.collect::<Vec<_>>().join(", ");
    let slots = session.settings.slots;
    session.printer.line(format_args!(
        "{} worker serves {served} with {slots} slots",
        Tone::Good.paint("✓")
    ))?;
    session.printer.flush();
    Ok(())
}

/// `NAME` or `NAME:TYPE`, each with its type.
fn targets(settings: &Settings) -> Result<Vec<ComputeTarget>, Failure> {
    if settings.compute.is_empty() {
        return Err(
            Failure::new(Exit::Usage, "a worker serves at least one compute target")
                .help("name it with --compute NAME, or with `compute = [\"NAME\"]` in tidemill.toml"),
        );
    }
    let read = |text: &String| {
        let (name, compute_type) = text.split_once(':').unwrap_or((text, &settings.compute_type));
        let name_of = |text: &str| {
            text.parse().map_err(|error| {
                Failure::because(
                    Exit::Usage,
                    format!("`{text}` cannot name a compute target or type"),
                    &error,
                )
            })
        };
        Ok(ComputeTarget {
            name: name_of(name)?,
            compute_type: name_of(compute_type)?,
        })
    };
    settings.compute.iter().map(read).collect()
}

/// Asks the coordinator who it is, when its address is known and something is missing.
async fn ask(settings: &Settings) -> Result<Option<CoordinatorView>, Failure> {
    match &settings.url {
        Some(url) if settings.coordinator_key.is_none() || settings.store_url.is_none() => {
            let token = credentials::for_server(settings, url)?;
            Client::http(
                url,
                settings.url_origin(),
                token.as_deref(),
                settings.api_ca.as_deref(),
            )?
            .coordinator()
            .await
            .map(Some)
        }
        _ => Ok(None),
    }
}

fn keys(settings: &Settings, told: Option<&str>) -> Result<TrustedKeys, Failure> {
    let text = match (&settings.coordinator_key, told) {
        (Some(text), _) => match text.strip_prefix('@') {
            None => text.clone(),
            Some(path) => std::fs::read_to_string(path)
                .context(|| format!("cannot read the coordinator's key from {path}"))?,
        },
        (None, Some(key)) => key.to_owned(),
        (None, None) => {
            return Err(Failure::new(Exit::Usage, "a worker takes tasks only from a coordinator whose key it knows")
                .help("give the key with --coordinator-key HEX or @FILE, or let it be asked for with --coordinator-url URL")
                .help("or join: --join FILE with a token of `tidemill worker token create`"));
        }
    };
    let keys: Result<Vec<TrustedKey>, _> = text.split_whitespace().map(str::parse).collect();
    let keys =
        keys.map_err(|error| Failure::because(Exit::Usage, "this is not a coordinator's key", &error))?;
    if keys.is_empty() {
        return Err(Failure::new(Exit::Usage, "the coordinator's key is empty"));
    }
    Ok(TrustedKeys(keys))
}
