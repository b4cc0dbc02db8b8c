//! The port of this machine's own at which the steps of this process log: on the loopback, for the tokens of attempts only. A process that follows takes the same
//! port where it can, because steps outlive the process that started them.

use crate::settings::Settings;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use tidemill_coordinator::{Api, ServeConfig};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// In the state folder: the port of the process before.
const PORT_FILE: &str = "steps.port";

/// A bound port.
#[derive(Debug)]
pub(super) struct StepsPort {
    listener: TcpListener,
    port: u16,
    file: PathBuf,
}

/// The port as it is served; ends when dropped.
#[derive(Debug)]
pub(super) struct Serving(#[expect(dead_code, reason = "held so that the task ends with it")] JoinSet<()>);

impl StepsPort {
    /// Binds a port. Without one steps run as well, and log nothing.
    pub(super) async fn bind(settings: &Settings) -> Option<Self> {
        let file = settings.state_dir.join(PORT_FILE);
        let before = std::fs::read_to_string(&file)
            .ok()
            .and_then(|text| text.trim().parse().ok());
        let listener = match before {
            Some(port) => bind(port).await.or(bind(0).await),
            None => bind(0).await,
        };
        let bound = listener.and_then(|listener| Some((listener.local_addr().ok()?.port(), listener)));
        if bound.is_none() {
            tracing::warn!("no port of this machine is free, so steps cannot log to tracking");
        }
        let (port, listener) = bound?;
        Some(Self { listener, port, file })
    }

    /// The address that steps are told.
    pub(super) fn url(&self) -> String {
        format!("http://{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// Answers until the token is cancelled.
    pub(super) fn serve(self, api: Api, token: CancellationToken) -> Serving {
        if let Err(error) = std::fs::write(&self.file, self.port.to_string()) {
            tracing::debug!(%error, "the next process will have another port for its steps");
        }
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let served =
                tidemill_coordinator::serve(self.listener, api.for_steps(), ServeConfig::default(), token);
            if let Err(error) = served.await {
                tracing::warn!(%error, "steps cannot log to tracking any more");
            }
        });
        Serving(tasks)
    }
}

async fn bind(port: u16) -> Option<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.ok()
}
