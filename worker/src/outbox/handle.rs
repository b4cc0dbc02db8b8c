//! The worker's side of reporting: what takes reports from attempts. Its other end is the postman.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tidemill_protocol::ids::WorkerId;
use tidemill_protocol::wire::{Report, SignerKey};
use tidemill_transport::Delivery;
use tokio::sync::{mpsc, oneshot};

/// Unacknowledged reports beyond which the worker takes no new task.
pub(crate) const UNACKNOWLEDGED_MAX: usize = 20_000;

/// What the postman is handed.
#[derive(Debug)]
pub(super) enum Post {
    Report {
        report: Box<Report>,
        spooled: oneshot::Sender<()>,
    },
    Claim {
        report: Box<Report>,
        /// The task that is claimed.
        delivery: Option<Delivery>,
        under_way: oneshot::Sender<()>,
    },
    Stored {
        incarnation: u64,
        sequence: u64,
    },
    SendAgain,
}

/// Takes reports. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    pub(super) posts: mpsc::Sender<Post>,
    pub(super) unacknowledged: Arc<AtomicUsize>,
    pub(super) expected: Arc<AtomicUsize>,
}

impl Outbox {
    /// Takes a report; done once it survives the end of the daemon.
    pub(crate) async fn post(&self, report: Report) {
        let (spooled, done) = oneshot::channel();
        let report = Box::new(report);
        self.send(Post::Report { report, spooled }).await;
        done.await.ok();
    }

    /// Takes a claim and the task that it claims, which is acknowledged once the broker has the claim. Done once the claim survives the end of the daemon
    /// and is on its way; without a connection, once the broker has it. False when the daemon is about to end.
    pub(crate) async fn claim(&self, report: Report, delivery: Option<Delivery>) -> bool {
        let (under_way, done) = oneshot::channel();
        let report = Box::new(report);
        let claim = Post::Claim {
            report,
            delivery,
            under_way,
        };
        self.send(claim).await;
        done.await.is_ok()
    }

    /// The coordinator has the reports of this incarnation up to this number.
    pub(crate) async fn stored(&self, incarnation: u64, sequence: u64) {
        self.send(Post::Stored {
            incarnation,
            sequence,
        })
        .await;
    }

    /// Sends everything again that the coordinator has not acknowledged.
    pub(crate) async fn send_again(&self) {
        self.send(Post::SendAgain).await;
    }

    async fn send(&self, post: Post) {
        // Fails only when the daemon has ended.
        self.posts.send(post).await.ok();
    }

    /// Says how many attempts run or wait for a slot: the more there are, the sooner a report finds company.
    pub(crate) fn expect(&self, attempts: usize) {
        self.expected.store(attempts, Ordering::Relaxed);
    }

    /// How many reports the coordinator has not acknowledged.
    pub(crate) fn unacknowledged(&self) -> usize {
        self.unacknowledged.load(Ordering::Relaxed)
    }
}

/// What the outbox needs to know.
#[derive(Debug, Clone)]
pub(crate) struct OutboxConfig {
    /// Folder of the spool.
    pub dir: PathBuf,
    /// Who reports.
    pub worker: WorkerId,
    /// With what it signs.
    pub key: SignerKey,
    /// Which start of the daemon this is.
    pub incarnation: u64,
    /// When an unacknowledged report is sent again.
    pub again_after: Duration,
}
