//! The worker's one loop: tasks and instructions in, attempts out, slots and window kept in step, signs of life sent. It owns the books of what runs; what an
//! attempt does is in [`crate::attempt`].

use crate::attempt::{
    self, AttemptRecord, Folder, Folders, Job, Origin, Status, Stop, StopCause, Tools, attempt_key,
};
use crate::ended::{Ended, disown, say};
use crate::follow::{Following, Sink};
use crate::identity::Identity;
use crate::intake::{Arrival, Intakes};
use crate::metrics::Counters;
use crate::outbox::UNACKNOWLEDGED_MAX;
use crate::pace::{HELD_MAX, Pace};
use crate::quarantine::{Quarantine, Turn};
use crate::slots::{Grant, Refusal, Slots};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidemill_protocol::codec;
use tidemill_protocol::compute::ComputeTarget;
use tidemill_protocol::failure::{Failure, FailureReason};
use tidemill_protocol::ids::{AttemptId, FencingToken};
use tidemill_protocol::time::Millis;
use tidemill_protocol::wire::{
    AttemptUsage, Control, Heartbeat, Kind, Offer, ReportBody, StepTask, StopReason, seal_as_worker,
};
use tidemill_transport::{Broker, Delivery};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

/// Signs of life caused by changes follow each other no faster than this.
const CHANGES_EVERY: Duration = Duration::from_millis(250);
/// Most attempts whose logs are followed at once.
const FOLLOWED_MAX: usize = 256;

/// What the driver is made of.
pub(crate) struct Driver {
    pub tools: Arc<Tools>,
    pub broker: Arc<dyn Broker>,
    pub identity: Identity,
    pub incarnation: u64,
    pub offer: Offer,
    pub slots: Slots,
    pub pace: Pace,
    pub counters: Arc<Counters>,
    /// The subscriptions.
    pub intakes: Intakes,
    pub folders: Folders,
    /// Signs of life to be sent; the newest counts.
    pub heartbeat: watch::Sender<Bytes>,
    /// Notified when a person asks for a drain.
    pub drain: Arc<Notify>,
    pub books: Books,
}

/// What runs and what waits.
#[derive(Debug)]
pub(crate) struct Books {
    attempts: JoinSet<(String, Option<Folder>)>,
    running: HashMap<String, Running>,
    waiting: VecDeque<Waiting>,
    ended: Ended,
    followers: JoinSet<()>,
    last_heartbeat: Instant,
    heartbeat_due: Instant,
    quarantine: Quarantine,
}

impl Default for Books {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            attempts: JoinSet::new(),
            running: HashMap::new(),
            waiting: VecDeque::new(),
            ended: Ended::default(),
            followers: JoinSet::new(),
            last_heartbeat: now,
            heartbeat_due: now,
            quarantine: Quarantine::default(),
        }
    }
}

#[derive(Debug)]
struct Running {
    grant: Grant,
    status: Arc<Status>,
    stop: Stop,
    began: Instant,
    /// While somebody follows its log.
    followed: Option<Following>,
}

#[derive(Debug)]
struct Waiting {
    arrival: Arrival,
    since: Instant,
}

impl Driver {
    /// Goes on with an attempt that an earlier daemon began.
    pub(crate) fn adopt(&mut self, record: AttemptRecord, folder: Folder, is_started: bool) {
        self.slots.hold(&record.grant);
        Counters::count(&self.counters.adopted);
        let (task, grant) = (Arc::new(record.task.clone()), record.grant.clone());
        let origin = if is_started {
            Origin::Started(Box::new(record))
        } else {
            Origin::Begun
        };
        self.begin(task, grant, origin, folder);
    }

    /// Notes an attempt that an earlier daemon finished.
    pub(crate) fn note_ended(&mut self, attempt: AttemptId, token: FencingToken) {
        self.books.ended.remember(attempt, token);
    }

    /// Works until it is told to end, or a drain is over.
    pub(crate) async fn run(
        mut self,
        mut arrivals: mpsc::Receiver<Arrival>,
        mut controls: mpsc::Receiver<Control>,
        mut added: mpsc::Receiver<ComputeTarget>,
        token: CancellationToken,
    ) {
        loop {
            self.set_windows();
            let at_hand = self.books.running.len() + self.books.waiting.len();
            self.tools.outbox.expect(at_hand);
            if self.is_drained() {
                break;
            }
            let due = self.due();
            tokio::select! {
                biased;
                () = token.cancelled() => break,
                // Before all that a busy bus could bring without end: signs of life keep the leases.
                () = sleep_until(due.into()) => self.tick().await,
                Some(ended) = self.books.attempts.join_next() => {
                    self.ended(ended);
                    self.start_waiting().await;
                }
                control = controls.recv() => match control {
                    Some(control) => self.control(control).await,
                    None => break,
                },
                arrival = arrivals.recv() => match arrival {
                    Some(arrival) => self.arrived(arrival).await,
                    None => break,
                },
                Some(target) = added.recv() => self.serve(target).await,
                Some(Err(error)) = self.intakes.tasks.join_next() => {
                    if error.is_panic() {
                        std::panic::resume_unwind(error.into_panic());
                    }
                }
                () = self.drain.notified() => self.set_draining(true).await,
                Some(_) = self.books.followers.join_next() => {}
            }
        }
        self.end().await;
    }

    async fn end(mut self) {
        self.give_back_waiting().await;
        self.offer.draining = true;
        self.beat();
        if self.books.running.is_empty() {
            self.tools.supervisor.farewell().await;
        }
        // Attempts that still run are left to their supervisor and to the next daemon.
        self.books.attempts.shutdown().await;
        self.books.followers.shutdown().await;
    }

    fn is_drained(&self) -> bool {
        self.offer.draining && self.books.running.is_empty()
    }

    fn is_quarantined(&self) -> bool {
        self.books.quarantine.is_on(Instant::now())
    }

    fn set_windows(&mut self) {
        let takes_nothing = !self.offer.takes_tasks()
            || self.is_quarantined()
            || self.tools.outbox.unacknowledged() > UNACKNOWLEDGED_MAX;
        let window = if takes_nothing {
            0
        } else {
            self.pace.window(self.slots.free())
        };
        self.intakes.set_window(window);
    }

    /// Serves one more target.
    async fn serve(&mut self, target: ComputeTarget) {
        if self.offer.targets.iter().any(|served| served.name == target.name) {
            return;
        }
        match self.intakes.add(target.name.clone()).await {
            Ok(()) => self.offer.targets.push(target),
            Err(error) => tracing::warn!(target_name = %target.name, %error, "cannot serve one more target"),
        }
        self.beat();
    }

    async fn arrived(&mut self, arrival: Arrival) {
        let key = attempt_key(&arrival.task);
        let is_over = self.books.ended.knows(arrival.task.attempt, arrival.task.token);
        let task = (arrival.task.attempt, arrival.task.token);
        let mut waiting = self.books.waiting.iter().map(|waiting| &waiting.arrival.task);
        let is_waiting = waiting.any(|other| (other.attempt, other.token) == task);
        if is_over || is_waiting || self.books.running.contains_key(&key) {
            // The same task once more: it waits for a slot or is being worked on, or its report is on its way.
            if is_over {
                disown(&self.tools, &arrival.task).await;
            }
            arrival.delivery.ack_soon();
            return;
        }
        if self.makes_an_earlier(&arrival.task) {
            // The coordinator has given up on it and does not know yet that it lives. What it hears now decides which of the two counts; if it is the
            // new one, its task is published again.
            tracing::info!(attempt = %arrival.task.attempt, "left a replacement of what runs here");
            self.beat();
            arrival.delivery.ack_soon();
            return;
        }
        if self.offer.draining || self.is_quarantined() {
            self.give_back(arrival.delivery).await;
            return;
        }
        let since = Instant::now();
        self.books.waiting.push_back(Waiting { arrival, since });
        self.start_waiting().await;
    }

    fn makes_an_earlier(&self, task: &StepTask) -> bool {
        self.books.running.values().any(|running| {
            running.status.attempt().step_ref() == task.attempt.step_ref()
                && running.status.token() < task.token
                && !running.stop.is_asked()
        })
    }

    /// Starts what waits, oldest first, as far as there is room.
    async fn start_waiting(&mut self) {
        while let Some(next) = self.books.waiting.front() {
            let granted = self.slots.take(&next.arrival.task.template.rules.resources);
            if granted == Err(Refusal::Busy) {
                return;
            }
            let Some(Waiting { arrival, .. }) = self.books.waiting.pop_front() else {
                return;
            };
            match granted {
                Ok(grant) => {
                    // Before the claim is acknowledged, so that no task comes for which there is no room.
                    self.set_windows();
                    Counters::count(&self.counters.claimed);
                    let folder = self.folders.take();
                    self.begin(arrival.task, grant, Origin::Delivered(arrival.delivery), folder);
                }
                Err(Refusal::Never(why)) => self.cannot_serve(&arrival.task, arrival.delivery, why).await,
                Err(Refusal::Busy) => return,
            }
        }
    }

    fn begin(&mut self, task: Arc<StepTask>, grant: Grant, origin: Origin, folder: Folder) {
        let key = attempt_key(&task);
        let status = Arc::new(Status::new(&task, &folder, self.tools.secrets_of(&task, &origin)));
        let stop = Stop::default();
        let running = Running {
            grant: grant.clone(),
            status: status.clone(),
            stop: stop.clone(),
            began: Instant::now(),
            followed: None,
        };
        self.books.running.insert(key.clone(), running);
        let job = Job {
            task,
            grant,
            origin,
            folder,
            status,
            stop,
        };
        let tools = self.tools.clone();
        self.books
            .attempts
            .spawn(async move { (key, attempt::make(tools, job).await) });
        self.changed();
    }

    /// A task that this worker can never serve fails with the reason: given back, it would come again for ever.
    async fn cannot_serve(&self, task: &StepTask, delivery: Delivery, why: String) {
        let bodies = [
            ReportBody::Claimed,
            ReportBody::Failed {
                failure: Failure::with_message(FailureReason::StartFailed, why),
                usage: AttemptUsage::default(),
            },
        ];
        for body in bodies {
            say(&self.tools, task, body).await;
        }
        delivery.ack().await.ok();
    }

    fn ended(&mut self, ended: Result<(String, Option<Folder>), tokio::task::JoinError>) {
        let key = match ended {
            Ok((key, folder)) => {
                if let Some(folder) = folder {
                    self.folders.put_back(folder);
                }
                key
            }
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => return,
        };
        if let Some(running) = self.books.running.remove(&key) {
            self.books
                .ended
                .remember(running.status.attempt(), running.status.token());
            self.slots.give_back(&running.grant);
            self.pace.freed(running.began.elapsed());
            if let Some(followed) = running.followed {
                followed.end();
            }
        }
        self.changed();
    }

    async fn control(&mut self, control: Control) {
        match control {
            Control::Stop {
                attempt,
                token,
                reason,
            } => {
                let mut running = self.books.running.values();
                let told = |r: &&Running| (r.status.attempt(), r.status.token()) == (attempt, token);
                if let Some(running) = running.find(told) {
                    tracing::info!(%attempt, ?reason, "stopping an attempt");
                    running.stop.now(StopCause::Told(reason));
                }
            }
            Control::Drain => self.set_draining(true).await,
            Control::Preempt => self.preempt().await,
            Control::Resume => self.set_draining(false).await,
            Control::Quarantine { length } => self.quarantine(length).await,
            Control::Announce => {
                self.beat();
                self.tools.outbox.send_again().await;
            }
            Control::FollowLog { attempt, follow } => self.follow_log(attempt, follow),
            // Goes to the outbox directly.
            Control::Stored { .. } | Control::Unknown => {}
        }
    }

    /// The machine is about to be taken away: what runs is stopped, so that it can be made elsewhere at once.
    async fn preempt(&mut self) {
        tracing::warn!(
            attempts = self.books.running.len(),
            "preempted: what runs goes to other workers"
        );
        self.set_draining(true).await;
        for running in self.books.running.values() {
            running.stop.now(StopCause::Preempted);
        }
    }

    /// Nothing that this worker does counts, or everything again: what runs is stopped, and nothing is taken meanwhile.
    async fn quarantine(&mut self, length: Millis) {
        let turn = self.books.quarantine.told(length, Instant::now());
        match turn {
            Turn::Begins => tracing::warn!("quarantined: nothing that this worker does counts"),
            Turn::Ends => tracing::info!("released from quarantine"),
            Turn::Stays => {}
        }
        self.set_windows();
        if self.is_quarantined() {
            for running in self.books.running.values() {
                running.stop.now(StopCause::Told(StopReason::Fenced));
            }
            self.give_back_waiting().await;
        } else if turn == Turn::Ends {
            self.beat();
        }
    }

    async fn set_draining(&mut self, draining: bool) {
        self.offer.draining = draining;
        if draining {
            self.set_windows();
            self.give_back_waiting().await;
        }
        self.beat();
    }

    fn follow_log(&mut self, attempt: AttemptId, wanted: bool) {
        let found = self
            .books
            .running
            .values_mut()
            .find(|r| r.status.attempt() == attempt);
        let Some(running) = found else { return };
        match (&running.followed, wanted) {
            (None, true) if self.books.followers.len() < FOLLOWED_MAX => {
                let sink = Sink {
                    broker: self.broker.clone(),
                    key: self.identity.key.clone(),
                };
                let following = Following::begin(&mut self.books.followers, sink, running.status.clone());
                running.followed = Some(following);
            }
            (Some(following), false) => {
                following.leave();
                running.followed = None;
            }
            _ => {}
        }
    }

    /// The next moment at which something is to be done without being asked.
    fn due(&self) -> Instant {
        let held = self.books.waiting.front().map(|w| w.since + HELD_MAX);
        held.map_or(self.books.heartbeat_due, |held| {
            held.min(self.books.heartbeat_due)
        })
    }

    async fn tick(&mut self) {
        let now = Instant::now();
        self.start_waiting().await;
        if self
            .books
            .waiting
            .front()
            .is_some_and(|w| w.since + HELD_MAX <= now)
        {
            self.pace.stall();
            // The window first: what is given back must not come straight back.
            self.set_windows();
            self.give_back_waiting().await;
        }
        if self.books.heartbeat_due <= now {
            self.beat();
        }
    }

    async fn give_back_waiting(&mut self) {
        while let Some(waiting) = self.books.waiting.pop_front() {
            self.give_back(waiting.arrival.delivery).await;
        }
    }

    async fn give_back(&self, delivery: Delivery) {
        Counters::count(&self.counters.given_back);
        if let Err(error) = delivery.reject(true).await {
            tracing::debug!(%error, "a task could not be given back; the broker will do it");
        }
    }

    /// Something changed that the coordinator should hear of soon.
    fn changed(&mut self) {
        let soon = self.books.last_heartbeat + CHANGES_EVERY;
        self.books.heartbeat_due = self.books.heartbeat_due.min(soon);
    }

    fn beat(&mut self) {
        self.offer.disk_full = self.tools.disk.shortage().is_some();
        self.books.last_heartbeat = Instant::now();
        self.books.heartbeat_due = self.books.last_heartbeat + self.tools.config.heartbeat_every;
        let body = codec::encode(&Heartbeat {
            worker: self.identity.id.clone(),
            incarnation: self.incarnation,
            offer: self.offer.clone(),
            running: self.books.running.values().map(|r| r.status.running()).collect(),
        });
        match seal_as_worker(&self.identity.key, Kind::Heartbeat, &body) {
            Ok(bytes) => drop(self.heartbeat.send_replace(Bytes::from(bytes))),
            Err(error) => tracing::error!(%error, "a sign of life is too large"),
        }
    }
}
