//! `tidemill serve`: the coordinator of a cluster, as a daemon. The queues are RabbitMQ's, the artifacts are in a store that every worker reaches. With
//! `--standby` it first waits until nobody else is the coordinator.

use super::journal::take_away;
use super::up::{Listener, check_address};
use crate::embedded::{
    STOP_PATIENCE, StoreAddress, connect_coordinator, coordinator_config, lock_now, open_store,
};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::tone::Tone;
use crate::session::Session;
use crate::settings::{Archive, Settings};
use crate::shutdown::Interrupts;
use std::sync::Arc;
use tidemill_coordinator::archive::{ArchiveError, TookOver, stand_by};
use tidemill_coordinator::{
    ArchiveConfig, ArchiveMode, Coordinator, CoordinatorConfig, CoordinatorError, StartError,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Runs until told to stop.
pub(super) async fn run(session: &mut Session, standby: bool) -> Result<Exit, Failure> {
    let settings = &session.settings;
    check_address(settings)?;
    let Some(queue_url) = settings.queue_url.clone() else {
        return Err(
            Failure::new(Exit::Usage, "a coordinator of a cluster needs a RabbitMQ")
                .help("name it with --queue-url amqp://user:password@host:5672 or $TIDEMILL_QUEUE_URL")
                .help("on one machine, `tidemill up` needs none"),
        );
    };
    let config = config(settings, &queue_url, standby)?;
    if settings.store_url.is_none() {
        session
            .printer
            .warn("no --store-url: only workers of this machine can reach the artifacts");
    }
    let interrupts = Interrupts::listen()?;
    let mut lock = lock_now(settings, if standby { "serve --standby" } else { "serve" }).await?;
    let token = CancellationToken::new();
    if standby && !wait_for_its_turn(session, &config, interrupts.first()).await? {
        return Ok(Exit::Good);
    }
    // Reading a long journal may take a while, and nothing is lost by leaving in the middle of it.
    let starting = interrupts
        .first()
        .run_until_cancelled(Box::pin(start(session, config, &queue_url, &token)));
    let Some(coordinator) = starting.await.transpose()? else {
        return Ok(interrupts.exit());
    };
    let listener = Listener::bind(&session.settings, coordinator.api()).await?;
    lock.announce(Some(&listener.url_nearby()))?;
    session.printer.line(format_args!(
        "{} coordinator at {}",
        Tone::Good.paint("✓"),
        listener.url()
    ))?;
    session
        .printer
        .note(format_args!("  public key {}", coordinator.public_key()));
    session.printer.flush();
    let served = listener.serve(interrupts.first(), &token).await;
    token.cancel();
    tokio::select! {
        ended = timeout(STOP_PATIENCE, coordinator.wait()) => match ended {
            Ok(ended) => ended.map_err(|error| ended_badly(&error))?,
            Err(_) => session
                .printer
                .warn(format_args!("a part did not end within {} s", STOP_PATIENCE.as_secs())),
        },
        () = interrupts.second().cancelled() => {}
    }
    served.map(|()| Exit::Good)
}

async fn start(
    session: &Session,
    config: CoordinatorConfig,
    queue_url: &str,
    token: &CancellationToken,
) -> Result<Coordinator, Failure> {
    let settings = &session.settings;
    let parts = tidemill_coordinator::Parts {
        broker: connect_coordinator(settings, queue_url).await?,
        store: open_store(settings, &StoreAddress::of(settings)).await?,
        clock: Arc::new(session.clock),
    };
    let started = tidemill_coordinator::start(config, parts, token.clone()).await;
    started.map_err(|error| {
        let what = format!("cannot start from {}", settings.state_dir.display());
        let superseded = matches!(&error, StartError::Archive(error) if error.is_superseded());
        let failure = Failure::because(exit_of(superseded), what, &error);
        match &error {
            _ if superseded => follow_instead(failure),
            StartError::Archive(error) if error.is_of_strangers() => take_away(failure),
            _ => failure,
        }
    })
}

/// Stands by until nobody is the coordinator; false when told to stop meanwhile.
async fn wait_for_its_turn(
    session: &mut Session,
    config: &CoordinatorConfig,
    stop: &CancellationToken,
) -> Result<bool, Failure> {
    let store = open_store(&session.settings, &StoreAddress::of(&session.settings)).await?;
    session.printer.line("standing by")?;
    session.printer.flush();
    match stand_by(config, &store, stop).await {
        Ok(TookOver::Now) => Ok(true),
        Ok(TookOver::Stopped) => Ok(false),
        Err(error) => {
            let failure = Failure::because(Exit::Failure, "cannot stand by", &error);
            Err(match &error {
                ArchiveError::NotSynchronous { .. } => failure
                    .code("not_synchronous")
                    .help("start the active coordinator with --archive sync: then nothing that it answered is lost")
                    .help("or start the standby with --archive async: what was answered in the last seconds before a takeover may be lost then"),
                ArchiveError::Key { .. } => failure
                    .help("copy coordinator.key of the active coordinator to this machine, chmod 600, and name it with --signing-key"),
                error if error.is_of_strangers() => take_away(failure),
                _ => failure,
            })
        }
    }
}

fn config(settings: &Settings, queue_url: &str, standby: bool) -> Result<CoordinatorConfig, Failure> {
    let is_shared = settings.store_url.is_some();
    let usual = match (is_shared, standby) {
        (true, true) => Archive::Sync,
        (true, false) => Archive::Async,
        (false, _) => Archive::Off,
    };
    let wanted = settings.archive.unwrap_or(usual);
    if (standby || wanted != Archive::Off) && !is_shared {
        return Err(
            Failure::new(Exit::Usage, "an archive needs a store beside this machine's own")
                .help("name one with --store-url or $TIDEMILL_STORE_URL"),
        );
    }
    let mode = match wanted {
        Archive::Off if standby => {
            return Err(Failure::new(
                Exit::Usage,
                "a standby follows an archive: `archive` cannot be off",
            ));
        }
        Archive::Off => None,
        Archive::Async => Some(ArchiveMode::Async),
        Archive::Sync => Some(ArchiveMode::Sync),
    };
    let shown = crate::settings::without_password(queue_url);
    Ok(CoordinatorConfig {
        archive: mode.map(|mode| ArchiveConfig {
            mode,
            address: format!(
                "{}://{}",
                if settings.tls.is_some() { "https" } else { "http" },
                settings.listen
            ),
        }),
        signing_key: settings.signing_key.clone(),
        ..coordinator_config(settings, &shown)?
    })
}

fn ended_badly(error: &CoordinatorError) -> Failure {
    let superseded = matches!(error, CoordinatorError::Archive(error) if error.is_superseded());
    let failure = Failure::because(exit_of(superseded), "the coordinator ended badly", error);
    if superseded {
        follow_instead(failure)
    } else {
        failure
    }
}

const fn exit_of(superseded: bool) -> Exit {
    if superseded {
        Exit::Superseded
    } else {
        Exit::Failure
    }
}

fn follow_instead(failure: Failure) -> Failure {
    failure
        .code("superseded")
        .help("to follow the other one and stand in for it, start this one with --standby")
        .help("if this state folder is an old copy, move its journal away and type `tidemill journal recover --store-url …`")
}
