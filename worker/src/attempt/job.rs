//! An attempt in hand: what it works with, what it is, what it gathers on its way, and the few things that all its phases do.

use super::folder::{AttemptRecord, Folder};
use super::stage::Sources;
use super::status::Status;
use super::stop::Stop;
use crate::config::WorkerConfig;
use crate::environments::{Environments, Ready};
use crate::outbox::Outbox;
use crate::secrets::SecretSource;
use crate::slots::Grant;
use crate::supervisor::client::SupervisorHandle;
use crate::users::Users;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tidemill_artifacts::{Materialized, Reserve};
use tidemill_protocol::failure::Failure;
use tidemill_protocol::time::{Clock, Millis};
use tidemill_protocol::wire::{AttemptUsage, Phase, Report, ReportBody, StepTask};
use tidemill_transport::Delivery;
use tokio::sync::mpsc;

/// A phase is reported once it lasts this long: short steps have better things to do.
const PHASE_WORTH_A_REPORT: Duration = Duration::from_millis(500);

/// What every attempt works with.
#[derive(Debug)]
pub(crate) struct Tools {
    pub config: WorkerConfig,
    /// The room on the disk of the state folder.
    pub disk: Reserve,
    pub sources: Sources,
    pub environments: Environments,
    /// What goes first in every step's `PYTHONPATH`.
    pub listings: PathBuf,
    pub supervisor: SupervisorHandle,
    pub outbox: Outbox,
    /// Where secrets are asked for; none where there is no way to the coordinator.
    pub secrets: Option<Arc<dyn SecretSource>>,
    pub clock: Arc<dyn Clock>,
    /// Takes folders that are not needed any more.
    pub rubbish: mpsc::Sender<PathBuf>,
    /// The users that attempts run as.
    pub users: Arc<Users>,
}

/// An attempt to make.
#[derive(Debug)]
pub(crate) struct Job {
    pub task: Arc<StepTask>,
    pub grant: Grant,
    pub origin: Origin,
    pub folder: Folder,
    pub status: Arc<Status>,
    /// Says when the attempt is to stop.
    pub stop: Stop,
}

/// How far the attempt was when it came to this daemon.
#[derive(Debug)]
pub(crate) enum Origin {
    /// Just delivered: to be claimed.
    Delivered(Delivery),
    /// Written down by an earlier daemon, but its process never started.
    Begun,
    /// Its process was started by an earlier daemon and is with the supervisor.
    Started(Box<AttemptRecord>),
}

/// Why an attempt did not end well.
#[derive(Debug)]
pub(super) enum Ending {
    Failed(Failure),
    Stopped,
    /// The daemon ends and the attempt does not: the next daemon goes on with it.
    LeftToNextDaemon,
}

impl From<Failure> for Ending {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What an attempt gathers on its way.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub usage: AttemptUsage,
    /// The environment, held until the process is over.
    pub environment: Ready,
    pub shared: Vec<Materialized>,
}

/// An attempt in the hands of the one that makes it.
#[derive(Debug)]
pub(super) struct Attempt {
    pub tools: Arc<Tools>,
    pub task: Arc<StepTask>,
    pub grant: Grant,
    pub status: Arc<Status>,
    pub stop: Stop,
    pub key: String,
    pub folder: Folder,
    /// As whom its process runs, once that is known and is not the worker's user.
    pub user: OnceLock<u32>,
}

impl Attempt {
    /// A report on it.
    pub(super) fn report(&self, body: ReportBody) -> Report {
        Report {
            attempt: self.task.attempt,
            token: self.task.token,
            at: self.tools.clock.now(),
            body,
        }
    }

    /// Waits for something unless the attempt is to stop.
    pub(super) async fn stoppable<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Ending> {
        tokio::select! {
            biased;
            () = self.stop.asked() => Err(Ending::Stopped),
            done = work => done.map_err(Ending::Failed),
        }
    }

    /// Does the work of a phase; reports the phase when it turns out to be a long one.
    pub(super) async fn phase<T>(&self, phase: Phase, work: impl Future<Output = T>) -> T {
        self.status.enter(phase);
        tokio::pin!(work);
        if let Ok(done) = tokio::time::timeout(PHASE_WORTH_A_REPORT, &mut work).await {
            return done;
        }
        let report = self.report(ReportBody::Progress { phase });
        let (done, ()) = tokio::join!(work, self.tools.outbox.post(report));
        done
    }

    pub(super) fn since(&self, began: Millis) -> u64 {
        self.tools.clock.monotonic().0.saturating_sub(began.0)
    }
}
