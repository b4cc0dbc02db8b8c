//! The way to a coordinator: the one that was named, the one that runs on this machine, or the state folder opened in this process.

use crate::client::Client;
use crate::embedded::{Embedded, Way, way_to_look};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::humane;
use crate::session::Session;
use tidemill_artifacts::ArtifactStore;

/// A way to a coordinator, to be closed after use.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The client.
    pub(crate) client: Client,
    embedded: Option<Embedded>,
}

impl Connection {
    /// Finds the way.
    pub(crate) async fn open(session: &mut Session) -> Result<Self, Failure> {
        let lock = match way_to_look(session).await? {
            Way::Elsewhere(client) => {
                return Ok(Self {
                    client,
                    embedded: None,
                });
            }
            Way::Ours(lock) => lock,
        };
        let embedded = Embedded::look(session, lock).await?;
        Ok(Self {
            client: embedded.client().clone(),
            embedded: Some(embedded),
        })
    }

    /// The store itself, when it is open in this process.
    pub(crate) fn store(&self) -> Option<&ArtifactStore> {
        self.embedded.as_ref().map(Embedded::store)
    }

    /// Refuses to wait for a run that does not go on: without a coordinator nobody works, and whoever waits keeps the next one from starting.
    pub(crate) async fn check_goes_on(&self, run: &str) -> Result<(), Failure> {
        if self.embedded.is_none() {
            return Ok(());
        }
        let run = self.client.run(run).await?.summary;
        if run.status.is_terminal() {
            return Ok(());
        }
        let id = humane::short_run(&run.id);
        let what = format!(
            "run {id} is {}, and no coordinator runs on this machine that could go on with it",
            run.status
        );
        Err(Failure::new(Exit::Unreachable, what)
            .code("unreachable")
            .help("start one with `tidemill up`: it takes the run up again"))
    }

    /// Whether a coordinator answers that also works, not only one that looks.
    pub(crate) const fn is_served(&self) -> bool {
        self.embedded.is_none()
    }

    /// Ends it.
    pub(crate) async fn close(self) -> Result<(), Failure> {
        match self.embedded {
            Some(embedded) => embedded.stop().await,
            None => Ok(()),
        }
    }
}
