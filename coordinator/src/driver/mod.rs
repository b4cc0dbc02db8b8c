//! The loop that changes state, on a thread of its own: the only owner of the engine.
//!
//! ```text
//! take requests ─▶ decide ─▶ apply ─▶ next, until none ─▶ journal: append once, durable ─▶ replies, effects, looks
//! ```
//! Effects and replies are held in hand until what they speak of is durable. When the journal fails, the loop ends with the error and nothing that was in
//! hand is let out: a coordinator that cannot write must not speak.

mod keeper;
mod once;
mod outputs;
mod quarantine;
mod recover;
mod request;

pub(crate) use keeper::Keeper;
pub(crate) use outputs::Due;
pub(crate) use recover::{Recovered, note_beginning, recover};
pub(crate) use request::{DurableEvents, Look, REQUESTS_MAX, Request, Sight, Trespass};

use crate::access::Access;
use crate::effects::{Outbox, Outgoing};
use crate::enrolment::Durable;
use crate::journal::{Batch, JournalError};
use crate::ledger::{Change, LedgerEvent, LedgerFact, Ledgers, Settle};
use crate::metrics::Metrics;
use crate::precondition::Precondition;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidemill_engine::{Command, Effect, Engine, Event, Fact, Fleet, Rejection};
use tidemill_protocol::ids::RunId;
use tidemill_protocol::time::Clock;
use tidemill_protocol::wire::ReportBatch;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// Facts that are asked of `next` at once.
const NEXT_FACTS_MAX: usize = 1_000;
/// How long claims alone may wait for company before they are made durable.
const CLAIMS_WAIT_MAX: Duration = Duration::from_millis(3);
/// Events above which a batch is made durable before more is decided.
const BATCH_EVENTS_MAX: usize = 4_096;

/// The driver's parts.
pub(crate) struct Driver {
    pub(crate) engine: Engine,
    /// The event with which each run began: where its history starts in the journal.
    pub(crate) began: BTreeMap<RunId, u64>,
    pub(crate) fleet: Fleet,
    pub(crate) keeper: Keeper,
    pub(crate) outbox: Outbox,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) durable: broadcast::Sender<Arc<DurableEvents>>,
    /// As decided so far.
    pub(crate) ledgers: Ledgers,
    /// What the catalog has to be told of results.
    pub(crate) due: VecDeque<Due>,
    /// The ledgers as the gate sees them: only what is durable.
    pub(crate) published: Published,
    pub(crate) metrics: Arc<Metrics>,
    /// Whose clock wakes the loop when nothing comes.
    pub(crate) runtime: tokio::runtime::Handle,
}

/// Where others read the ledgers from: only what is durable.
pub(crate) struct Published {
    /// The tokens.
    pub(crate) access: watch::Sender<Arc<Access>>,
    /// Workers' enrolment.
    pub(crate) enrolment: watch::Sender<Arc<Durable>>,
}

impl Published {
    /// What the journal said at the start.
    pub(crate) fn of(ledgers: &Ledgers) -> Self {
        Self {
            access: watch::Sender::new(Arc::new(ledgers.access.clone())),
            enrolment: watch::Sender::new(Arc::new(Durable::of(&ledgers.enrolment))),
        }
    }

    /// Shows what these events, which are durable now, have changed.
    fn renew(&self, ledgers: &Ledgers, events: &[LedgerEvent]) {
        let any = |kind: fn(&LedgerFact) -> bool| events.iter().any(|event| kind(&event.fact));
        if any(|fact| matches!(fact, LedgerFact::Access(_))) {
            self.access.send_replace(Arc::new(ledgers.access.clone()));
        }
        if any(|fact| matches!(fact, LedgerFact::Enrolment(_))) {
            self.enrolment
                .send_replace(Arc::new(Durable::of(&ledgers.enrolment)));
        }
    }
}

/// What is held back until the batch is durable.
#[derive(Default)]
struct InHand {
    events: Vec<Event>,
    ledgers: Vec<LedgerEvent>,
    effects: Vec<Effect>,
    /// What quarantined and released workers are told.
    orders: Vec<Outgoing>,
    answers: Vec<Answer>,
    looks: Vec<Look>,
}

impl InHand {
    /// Whether nobody waits for what is in hand: claims alone. A worker does not wait for its claim to be journaled, and the end of a short step follows
    /// in a moment; both then share one sync.
    fn may_wait(&self) -> bool {
        let claims_only = self
            .events
            .iter()
            .all(|event| matches!(event.fact, Fact::AttemptClaimed { .. }));
        let nobody_asks = self
            .answers
            .iter()
            .all(|answer| matches!(answer, Answer::Done(_) | Answer::Reports(..)));
        claims_only
            && nobody_asks
            && !self.events.is_empty()
            && self.ledgers.is_empty()
            && self.effects.is_empty()
            && self.orders.is_empty()
            && self.looks.is_empty()
    }
}

enum Answer {
    Command(oneshot::Sender<Result<(), Rejection>>, Result<(), Rejection>),
    Change(Settle),
    Done(oneshot::Sender<()>),
    Reports(oneshot::Sender<Option<Trespass>>, Option<Trespass>),
}

impl Driver {
    /// Runs until it is told to stop, every handle is gone, or the journal fails.
    pub(crate) fn run(mut self, mut requests: mpsc::Receiver<Request>) -> Result<(), JournalError> {
        self.bar_quarantined();
        self.note_unsettled();
        let mut waiting = VecDeque::with_capacity(REQUESTS_MAX);
        // The first request begins the epoch. Before it nothing is decided: what were made out then would have tokens that a lost tail may have held.
        let mut more_to_do = false;
        loop {
            if waiting.is_empty() && !more_to_do {
                let Some(request) = requests.blocking_recv() else {
                    break;
                };
                waiting.push_back(request);
            }
            while waiting.len() < REQUESTS_MAX
                && let Ok(request) = requests.try_recv()
            {
                waiting.push_back(request);
            }
            let mut hand = InHand::default();
            let (mut stop, mut tick) = (false, false);
            let deadline = Instant::now() + CLAIMS_WAIT_MAX;
            loop {
                while hand.events.len() < BATCH_EVENTS_MAX
                    && let Some(request) = waiting.pop_front()
                {
                    if matches!(request, Request::Stop) {
                        stop = true;
                        break;
                    }
                    tick |= matches!(request, Request::Tick { .. });
                    self.take(request, &mut hand);
                }
                more_to_do = self.follow_up(&mut hand);
                if stop || more_to_do || !hand.may_wait() {
                    break;
                }
                let Some(request) = self.more_before(deadline, &mut requests) else {
                    break;
                };
                waiting.push_back(request);
            }
            self.make_durable(&mut hand)?;
            self.let_out(hand);
            self.keeper.keep(&self.engine, &self.ledgers, &self.began)?;
            if tick {
                self.keeper.settle()?;
            }
            if stop {
                break;
            }
        }
        self.keeper.close()
    }

    /// The next request, if it comes before the deadline.
    fn more_before(&self, deadline: Instant, requests: &mut mpsc::Receiver<Request>) -> Option<Request> {
        let next = async { tokio::time::timeout_at(deadline.into(), requests.recv()).await };
        self.runtime.block_on(next).ok().flatten()
    }

    fn take(&mut self, request: Request, hand: &mut InHand) {
        match request {
            Request::Command {
                command,
                claim,
                precondition,
                reply,
            } => {
                let expected = precondition.as_deref();
                let result = self.as_expected(expected, |driver| driver.decide_once(&command, claim, hand));
                hand.answers.push(match result.flatten() {
                    Some(result) => Answer::Command(reply, result),
                    None => Answer::Change(Box::new(move || drop(reply))),
                });
            }
            Request::Change(change, precondition) => self.take_change(change, precondition.as_deref(), hand),
            Request::Reports { batch, reply } => {
                let trespass = self.take_reports(batch, hand);
                hand.answers.push(Answer::Reports(reply, trespass));
            }
            Request::DeadLetter { command, reply } => {
                // The attempt may be long over; then the letter is only litter.
                drop(self.decide(&command, hand));
                hand.answers.push(Answer::Done(reply));
            }
            Request::Heartbeat(mut heartbeat) => {
                self.cut_offer(&mut heartbeat);
                self.fleet
                    .hear(self.clock.monotonic(), self.clock.now(), &heartbeat);
                if self.fleet.is_barred(&heartbeat.worker) {
                    Self::hear_barred(&heartbeat, hand);
                    return;
                }
                for command in self.engine.returning(&heartbeat) {
                    if self.decide(&command, hand).is_ok() {
                        self.metrics.attempts_resumed.add(1);
                    }
                }
                hand.effects.extend(self.engine.review(&heartbeat));
            }
            Request::Look(look) => hand.looks.push(look),
            Request::Tick { connected } => self.tick(connected, hand),
            Request::Stop => {}
        }
    }

    fn take_change(&mut self, change: Change, expected: Option<&Precondition>, hand: &mut InHand) {
        let mut events = Vec::new();
        let mut change = Some(change);
        let settle = self.as_expected(expected, |driver| {
            let change = change.take()?;
            Some(change(&mut driver.ledgers, driver.clock.now(), &mut events))
        });
        // Dropped, it answers nothing; held until what was found is durable.
        let settle = settle.flatten().unwrap_or_else(|| Box::new(move || drop(change)));
        self.follow_enrolment(&events, hand);
        self.note_said(&events);
        hand.ledgers.append(&mut events);
        hand.answers.push(Answer::Change(settle));
    }

    /// Answers what of it was refused, because the worker may not make such attempts.
    fn take_reports(&mut self, batch: ReportBatch, hand: &mut InHand) -> Option<Trespass> {
        if self.fleet.is_barred(&batch.worker) {
            Self::drop_reports(&batch, hand);
            return None;
        }
        let mut trespass: Option<Trespass> = None;
        for report in batch.reports {
            if let Some(target) = self.forbidden_target(&batch.worker, &report.attempt) {
                let (attempt, token) = (report.attempt, report.token);
                self.metrics.reports_refused.add(1);
                hand.effects.push(quarantine::stop(&batch.worker, attempt, token));
                let noted = trespass.get_or_insert_with(|| Trespass {
                    attempt,
                    target: target.clone(),
                    reports: 0,
                });
                noted.reports += 1;
                continue;
            }
            let command = Command::Report {
                worker: batch.worker.clone(),
                report,
            };
            if self.decide(&command, hand).is_err() {
                self.metrics.reports_stale.add(1);
            }
        }
        trespass
    }

    fn tick(&mut self, connected: bool, hand: &mut InHand) {
        let now = self.clock.monotonic();
        if connected {
            for (attempt, token) in self.fleet.expired(now) {
                if self
                    .decide(&Command::ExpireLease { attempt, token }, hand)
                    .is_ok()
                {
                    self.metrics.leases_expired.add(1);
                }
            }
        } else {
            self.fleet.pause();
            self.fleet.resume(now);
        }
    }

    fn decide(&mut self, command: &Command, hand: &mut InHand) -> Result<(), Rejection> {
        let events = self.engine.decide(self.clock.now(), command)?;
        for event in events {
            self.apply(event, hand);
        }
        Ok(())
    }

    fn apply(&mut self, event: Event, hand: &mut InHand) {
        self.engine.apply(&event, &mut hand.effects);
        self.fleet.witness(self.clock.monotonic(), &self.engine, &event);
        self.note_due(&event);
        hand.events.push(event);
    }

    /// Applies what the state itself calls for; answers whether there may be more than fits this batch.
    fn follow_up(&mut self, hand: &mut InHand) -> bool {
        while hand.events.len() < BATCH_EVENTS_MAX {
            let events = self.engine.next(self.clock.now(), &self.fleet, NEXT_FACTS_MAX);
            if events.is_empty() {
                return self.settle_outputs(hand);
            }
            for event in events {
                self.apply(event, hand);
            }
        }
        true
    }

    fn make_durable(&mut self, hand: &mut InHand) -> Result<(), JournalError> {
        if hand.events.is_empty() && hand.ledgers.is_empty() {
            return Ok(());
        }
        let begun = Instant::now();
        let mut batch = Batch::default();
        hand.events.iter().for_each(|event| batch.push_event(event));
        hand.ledgers.iter().for_each(|event| batch.push_event(event));
        let last = self.keeper.append(&batch)?;
        self.metrics.journal_events.add(u64::from(batch.len()));
        self.metrics.journal_appends.observe(begun.elapsed());
        self.metrics.witness(&hand.events);
        let events = std::mem::take(&mut hand.events);
        let next = last + 1;
        let first = next - u64::from(batch.len());
        for (sequence, event) in (first..).zip(&events) {
            note_beginning(&mut self.began, sequence, event);
        }
        self.published.renew(&self.ledgers, &hand.ledgers);
        let durable = DurableEvents {
            first,
            events,
            ledgers: std::mem::take(&mut hand.ledgers),
            next,
        };
        // Nobody may be watching.
        drop(self.durable.send(Arc::new(durable)));
        Ok(())
    }

    fn let_out(&mut self, hand: InHand) {
        for answer in hand.answers {
            // Whoever asked may have gone; the state holds the answer.
            match answer {
                Answer::Command(reply, result) => drop(reply.send(result)),
                Answer::Change(settle) => settle(),
                Answer::Done(reply) => drop(reply.send(())),
                Answer::Reports(reply, trespass) => drop(reply.send(trespass)),
            }
        }
        for effect in hand.effects {
            self.outbox.put(effect);
        }
        for order in hand.orders {
            // What does not fit is said again with the worker's next word.
            drop(self.outbox.outgoing.try_send(order));
        }
        let sight = Sight {
            engine: &self.engine,
            fleet: &self.fleet,
            ledgers: &self.ledgers,
            now: self.clock.monotonic(),
            began: &self.began,
            last: self.keeper.last(),
        };
        hand.looks.into_iter().for_each(|look| look(&sight));
    }
}
