//! The one writer of the audit log, and the way to it. Many entries share one `fdatasync`; whoever announces a change waits for it, nobody else does.

use super::files::Files;
use super::tally::Tallies;
use crate::blocking::blocking;
use std::sync::Arc;
use std::time::Duration;
use tidemill_protocol::api::{AuditDecision, AuditEntry};
use tidemill_protocol::time::Clock;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Entries on their way to the writer.
const QUEUE_MAX: usize = 1_024;
/// Outcomes and sums that a disk that cannot be written has to be offered again; more are given up, with a word in the log.
const KEPT_MAX: usize = 8_192;
/// How often sums are looked for, and a disk that failed is tried.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The log cannot be written, so nothing may be changed.
#[derive(Debug)]
pub(crate) struct Unwritable;

/// The way to the writer. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct AuditLog {
    mail: mpsc::Sender<Mail>,
}

#[derive(Debug)]
enum Mail {
    /// A change is about to be made.
    Announce(AuditEntry, oneshot::Sender<Result<u64, Unwritable>>),
    /// What came of it.
    Conclude(AuditEntry),
    /// One of many.
    Count(AuditEntry),
}

/// A change that was announced. Dropped without a word, it says that the caller left.
#[derive(Debug)]
pub(crate) struct Ticket {
    log: AuditLog,
    outcome: Option<AuditEntry>,
}

/// The writer's end.
#[derive(Debug)]
pub(crate) struct Writer {
    mail: mpsc::Receiver<Mail>,
    files: Option<Files>,
    clock: Arc<dyn Clock>,
    tallies: Tallies,
    /// What has to be written and could not be.
    kept: Vec<AuditEntry>,
}

/// A log and its writer.
pub(crate) fn channel(files: Files, clock: Arc<dyn Clock>) -> (AuditLog, Writer) {
    let (sender, mail) = mpsc::channel(QUEUE_MAX);
    let writer = Writer {
        mail,
        files: Some(files),
        clock,
        tallies: Tallies::default(),
        kept: Vec::new(),
    };
    (AuditLog { mail: sender }, writer)
}

impl AuditLog {
    /// Says that a change is about to be made; returns when that is durable.
    pub(crate) async fn announce(&self, entry: AuditEntry) -> Result<Ticket, Unwritable> {
        let (reply, written) = oneshot::channel();
        let outcome = entry.clone();
        let announcement = AuditEntry {
            decision: AuditDecision::Admitted,
            ..entry
        };
        let sent = self.mail.send(Mail::Announce(announcement, reply)).await;
        sent.map_err(|_| Unwritable)?;
        let sequence = written.await.map_err(|_| Unwritable)??;
        Ok(Ticket {
            log: self.clone(),
            outcome: Some(AuditEntry {
                of: Some(sequence),
                ..outcome
            }),
        })
    }

    /// Counts a refusal or an upload.
    pub(crate) async fn count(&self, entry: AuditEntry) {
        if self.mail.send(Mail::Count(entry)).await.is_err() {
            tracing::debug!("the coordinator has stopped: an entry of the audit log is lost");
        }
    }
}

impl Ticket {
    /// The entry of its outcome, to be completed.
    pub(crate) fn entry(&self) -> AuditEntry {
        self.outcome.clone().expect("a ticket is concluded once")
    }

    /// What came of the change.
    pub(crate) async fn conclude(mut self, outcome: AuditEntry) {
        // Whoever leaves while the queue is full takes nothing from the log.
        self.outcome = Some(outcome.clone());
        let sent = self.log.mail.reserve().await;
        self.outcome = None;
        if let Ok(place) = sent {
            place.send(Mail::Conclude(outcome));
        } else {
            tracing::debug!("the coordinator has stopped: an outcome is not in the audit log");
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Some(entry) = self.outcome.take() else { return };
        let left = if entry.status.is_some() {
            entry
        } else {
            AuditEntry {
                decision: AuditDecision::Failed,
                why: Some("the caller left before the answer".to_owned()),
                ..entry
            }
        };
        if self.log.mail.try_send(Mail::Conclude(left)).is_err() {
            tracing::debug!("an outcome is not in the audit log: its announcement is");
        }
    }
}

impl Writer {
    /// Writes until the token is cancelled and everything that was sent is written.
    pub(crate) async fn run(mut self, token: CancellationToken) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut mail = Vec::new();
        loop {
            tokio::select! {
                () = token.cancelled() => break,
                count = self.mail.recv_many(&mut mail, QUEUE_MAX) => {
                    if count == 0 {
                        break;
                    }
                }
                _ = looks.tick() => {
                    let due = self.tallies.due(Some(self.clock.monotonic()));
                    self.kept.extend(due);
                }
            }
            self.write(mail.drain(..)).await;
        }
        self.mail.close();
        while self.mail.recv_many(&mut mail, QUEUE_MAX).await > 0 {
            self.write(mail.drain(..)).await;
        }
        self.kept.extend(self.tallies.due(None));
        self.write(std::iter::empty()).await;
    }

    async fn write(&mut self, mail: impl Iterator<Item = Mail>) {
        let (mut entries, mut waiting) = (std::mem::take(&mut self.kept), Vec::new());
        let mut announced = Vec::new();
        for mail in mail {
            match mail {
                Mail::Announce(entry, reply) => {
                    announced.push(entry);
                    waiting.push(reply);
                }
                Mail::Conclude(entry) => entries.push(entry),
                Mail::Count(entry) => entries.extend(self.tallies.note(entry, self.clock.monotonic())),
            }
        }
        let others = entries.len();
        entries.extend(announced);
        if entries.is_empty() {
            return;
        }
        let mut files = self.files.take().expect("the files come back from each write");
        let (files, entries, appended) = blocking(move || {
            let appended = files.append(&entries);
            (files, entries, appended)
        })
        .await;
        self.files = Some(files);
        match appended {
            Ok(first) => {
                for (reply, sequence) in waiting.into_iter().zip(first + others as u64..) {
                    // Whoever has left is not waited for.
                    drop(reply.send(Ok(sequence)));
                }
            }
            Err(error) => {
                tracing::error!(%error, "the audit log cannot be written: nothing may be changed until it can");
                self.keep(entries, others);
                for reply in waiting {
                    drop(reply.send(Err(Unwritable)));
                }
            }
        }
    }

    /// Keeps what happened. What was announced only did not happen.
    fn keep(&mut self, mut entries: Vec<AuditEntry>, others: usize) {
        entries.truncate(others);
        if entries.len() > KEPT_MAX {
            let given_up = entries.len() - KEPT_MAX;
            tracing::error!(given_up, "entries of the audit log were given up");
            entries.truncate(KEPT_MAX);
        }
        self.kept = entries;
    }
}
