//! The task behind [`Outbox`]: writes reports to the spool, sends them in batches, a few at a time, and forgets what the coordinator has.

use super::handle::{Outbox, OutboxConfig, Post};
use super::lane::{self, Batch, Claim, Lane};
use super::spool::{self, Spool};
use crate::error::StartError;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tidemill_protocol::codec;
use tidemill_protocol::ids::{AttemptId, FencingToken};
use tidemill_protocol::wire::{EnvelopeError, Kind, ReportBatch, ReportBody, seal_as_worker};
use tidemill_transport::{Broker, BrokerError, Link, Queue};
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// Reports that may wait to be written.
const POSTS_MAX: usize = 1024;
/// Messages under way to the broker at once: enough to hide its latency, few enough that batches form under load.
const MESSAGES_UNDER_WAY_MAX: usize = 2;
/// How long a report may wait for others to share its message. It waits only while fewer wait than half of the attempts at hand would give, so the
/// only report of a quiet worker leaves at once.
const COMPANY_WAIT_MAX: Duration = Duration::from_millis(8);
/// Pause after a failed publish, at first and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// How long the outbox may take at the end to hand the broker what it has.
const FLUSH_WITHIN: Duration = Duration::from_secs(5);

type Sent = (RangeInclusive<u64>, Result<(), BrokerError>);

/// The task behind [`Outbox`].
pub(crate) struct Postman {
    config: OutboxConfig,
    broker: Arc<dyn Broker>,
    posts: mpsc::Receiver<Post>,
    spool: Spool,
    lane: Lane,
    under_way: FuturesUnordered<BoxFuture<'static, Sent>>,
    pause: Duration,
    /// Nothing is sent before this moment.
    hold_until: Option<Instant>,
    /// Until when the oldest waiting report waits for company.
    company_until: Option<Instant>,
    unacknowledged: Arc<AtomicUsize>,
    expected: Arc<AtomicUsize>,
}

/// Attempts whose last word an earlier daemon has already written down.
pub(crate) type Settled = Vec<(AttemptId, FencingToken)>;

/// A number for this start of the daemon that no earlier one had.
pub(crate) fn next_incarnation(dir: &Path, now_ms: u64) -> Result<u64, StartError> {
    std::fs::create_dir_all(dir).map_err(StartError::state(dir))?;
    let marker = dir.join("incarnation");
    let last = std::fs::read_to_string(&marker)
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok());
    // The clock alone would do, unless it was set back.
    let next = now_ms.max(last.unwrap_or(0) + 1);
    std::fs::write(&marker, next.to_string()).map_err(StartError::state(marker))?;
    Ok(next)
}

impl Postman {
    /// Opens the spool; what earlier daemons left in it will be sent first.
    pub(crate) fn open(
        config: OutboxConfig,
        broker: Arc<dyn Broker>,
    ) -> Result<(Self, Outbox, Settled), StartError> {
        let backlogs = spool::backlogs(&config.dir).map_err(StartError::state(&config.dir))?;
        let mut spool =
            Spool::create(&config.dir, config.incarnation).map_err(StartError::state(&config.dir))?;
        let mut lane = Lane::new();
        let mut settled = Vec::new();
        for backlog in backlogs {
            // They become reports of this start, so that the coordinator has one row of numbers to acknowledge. The old file goes once the new one has them.
            spool
                .append(backlog.reports.iter())
                .and_then(|()| std::fs::remove_file(&backlog.path))
                .map_err(StartError::state(&backlog.path))?;
            for report in backlog.reports {
                if is_last_word(&report.body) {
                    settled.push((report.attempt, report.token));
                }
                lane.push(report, None);
            }
        }
        let (tx, posts) = mpsc::channel(POSTS_MAX);
        let unacknowledged = Arc::new(AtomicUsize::new(lane.len()));
        let outbox = Outbox {
            posts: tx,
            unacknowledged: unacknowledged.clone(),
            expected: Arc::default(),
        };
        let postman = Self {
            config,
            broker,
            posts,
            spool,
            lane,
            under_way: FuturesUnordered::new(),
            pause: PAUSE.0,
            hold_until: None,
            company_until: None,
            unacknowledged,
            expected: outbox.expected.clone(),
        };
        Ok((postman, outbox, settled))
    }

    /// Works until every [`Outbox`] is gone or the token is cancelled, then hands the broker what it can in a short time.
    pub(crate) async fn run(mut self, token: CancellationToken) {
        let mut link = self.broker.link();
        let mut posts = Vec::with_capacity(lane::BATCH_REPORTS_MAX);
        let mut again = tokio::time::interval(self.config.again_after / 4);
        loop {
            self.send_waiting();
            let hold = self.hold_until.or(self.company_until);
            tokio::select! {
                count = self.posts.recv_many(&mut posts, lane::BATCH_REPORTS_MAX) => {
                    if count == 0 {
                        break;
                    }
                    self.take(&mut posts);
                }
                Some(sent) = self.under_way.next() => self.sent(sent),
                () = sleep_until(hold.unwrap_or_else(Instant::now).into()), if hold.is_some() => {
                    self.hold_until = None;
                    self.send_all();
                }
                changed = link.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    if *link.borrow_and_update() == Link::Up {
                        self.hold_until = None;
                        self.pause = PAUSE.0;
                    }
                }
                _ = again.tick() => self.send_again(self.config.again_after),
                () = token.cancelled() => break,
            }
        }
        self.finish(&mut posts).await;
    }

    fn take(&mut self, posts: &mut Vec<Post>) {
        let is_up = *self.broker.link().borrow() == Link::Up;
        let mut reports = Vec::new();
        let mut spooled_tells = Vec::new();
        for post in posts.drain(..) {
            match post {
                Post::Report { report, spooled } => {
                    reports.push((report, None));
                    spooled_tells.push(spooled);
                }
                Post::Claim {
                    report,
                    delivery,
                    under_way,
                } => {
                    // Without a connection somebody else may be given the task: no work begins before the broker has the claim.
                    let waiting = if is_up {
                        spooled_tells.push(under_way);
                        None
                    } else {
                        Some(under_way)
                    };
                    reports.push((report, Some(Claim { delivery, waiting })));
                }
                Post::Stored {
                    incarnation,
                    sequence,
                } => self.stored(incarnation, sequence),
                Post::SendAgain => self.send_again(Duration::ZERO),
            }
        }
        let written = self.spool.append(reports.iter().map(|(report, _)| &**report));
        if let Err(error) = written {
            // They stay in memory and are sent all the same; only `kill -9` before that would lose them.
            tracing::error!(%error, "cannot write reports to the spool");
        }
        for (report, claim) in reports {
            self.lane.push(*report, claim);
        }
        for spooled in spooled_tells {
            spooled.send(()).ok();
        }
        self.count();
    }

    fn count(&self) {
        self.unacknowledged.store(self.lane.len(), Ordering::Relaxed);
    }

    /// Sends what waits, unless it should wait for company.
    fn send_waiting(&mut self) {
        if self.hold_until.is_some_and(|until| until > Instant::now()) {
            return;
        }
        let company = (self.expected.load(Ordering::Relaxed) / 2).min(lane::BATCH_REPORTS_MAX);
        let waiting = self.lane.waiting();
        if waiting == 0 || waiting >= company {
            return self.send_all();
        }
        let until = *self
            .company_until
            .get_or_insert_with(|| Instant::now() + COMPANY_WAIT_MAX);
        if until <= Instant::now() {
            self.send_all();
        }
    }

    fn send_all(&mut self) {
        self.company_until = None;
        while self.under_way.len() < MESSAGES_UNDER_WAY_MAX {
            let Some(batch) = self.lane.next_batch() else {
                break;
            };
            let sequences = batch.sequences();
            let sealed = self.seal(batch);
            let message = send(sequences, sealed, self.broker.clone());
            self.under_way.push(Box::pin(message));
        }
    }

    /// Signs when it is sent: what lay in the spool since before the worker had a key is signed like the rest.
    fn seal(&self, batch: Batch) -> Result<Vec<u8>, EnvelopeError> {
        let body = codec::encode(&ReportBatch {
            worker: self.config.worker.clone(),
            incarnation: self.config.incarnation,
            first_sequence: batch.first_sequence,
            reports: batch.reports,
        });
        seal_as_worker(&self.config.key, Kind::Reports, &body)
    }

    fn sent(&mut self, (sequences, result): Sent) {
        match result {
            Ok(()) => {
                self.lane.published(sequences, Instant::now());
                self.pause = PAUSE.0;
            }
            Err(error) => {
                self.lane.not_published(sequences);
                tracing::debug!(%error, "reports could not be published; trying again");
                self.hold_until = Some(Instant::now() + self.pause);
                self.pause = (self.pause * 2).min(PAUSE.1);
            }
        }
    }

    fn send_again(&mut self, age: Duration) {
        self.lane.send_again(age, Instant::now());
    }

    fn stored(&mut self, incarnation: u64, sequence: u64) {
        if incarnation != self.config.incarnation {
            return;
        }
        self.lane.stored(sequence, Instant::now());
        if self.lane.len() == 0
            && let Err(error) = self.spool.all_stored()
        {
            tracing::warn!(%error, "cannot clear the spool of reports");
        }
    }

    async fn finish(mut self, posts: &mut Vec<Post>) {
        self.posts.close();
        while self.posts.recv_many(posts, lane::BATCH_REPORTS_MAX).await > 0 {
            self.take(posts);
        }
        let flush = async {
            loop {
                if self.hold_until.is_none() {
                    self.send_all();
                }
                if self.lane.is_published() {
                    return;
                }
                match self.hold_until.take() {
                    Some(until) => sleep_until(until.into()).await,
                    None => match self.under_way.next().await {
                        Some(sent) => self.sent(sent),
                        None => return,
                    },
                }
            }
        };
        if timeout(FLUSH_WITHIN, flush).await.is_err() {
            tracing::warn!("reports are left for the next start of this worker");
        }
        if self.lane.len() == 0 {
            self.spool.remove().ok();
        }
    }
}

async fn send(
    sequences: RangeInclusive<u64>,
    sealed: Result<Vec<u8>, EnvelopeError>,
    broker: Arc<dyn Broker>,
) -> Sent {
    let result = match sealed {
        Ok(bytes) => broker.publish(&Queue::Reports, Bytes::from(bytes)).await,
        Err(error) => Err(BrokerError::Refused(error.to_string())),
    };
    (sequences, result)
}

fn is_last_word(body: &ReportBody) -> bool {
    !matches!(
        body,
        ReportBody::Claimed
            | ReportBody::Progress { .. }
            | ReportBody::Checkpointed { .. }
            | ReportBody::Unknown
    )
}
