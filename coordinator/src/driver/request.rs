//! What may be asked of the driver. Every answer is given once what it says is durable.

use crate::idempotency::Claim;
use crate::ledger::{Change, LedgerEvent, Ledgers};
use crate::precondition::Precondition;
use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_engine::{Command, Engine, Event, Fleet, Rejection};
use tidemill_protocol::ids::{AttemptId, RunId};
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Millis;
use tidemill_protocol::wire::{Heartbeat, ReportBatch};
use tokio::sync::oneshot;

/// How many requests may wait for the driver, and how many it takes at once.
pub(crate) const REQUESTS_MAX: usize = 1_000;

/// The durable state as a reader sees it.
pub(crate) struct Sight<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) fleet: &'a Fleet,
    pub(crate) ledgers: &'a Ledgers,
    /// The monotonic clock, by which the fleet is judged.
    pub(crate) now: Millis,
    /// The event with which each run began, as far as it is known.
    pub(crate) began: &'a BTreeMap<RunId, u64>,
    /// The last event of the journal.
    pub(crate) last: u64,
}

/// A look at the state. Runs on the driver's thread, so it must be short.
pub(crate) type Look = Box<dyn FnOnce(&Sight<'_>) + Send>;

/// What a worker reported on a compute target that it may not serve. It changed nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trespass {
    /// The first attempt of that kind in the batch.
    pub(crate) attempt: AttemptId,
    /// Its compute target.
    pub(crate) target: Name,
    /// How many reports of the batch were such.
    pub(crate) reports: u64,
}

/// What may be asked.
pub(crate) enum Request {
    /// A command, answered when its events are durable.
    Command {
        command: Command,
        /// The key under which it is done once.
        claim: Option<Arc<Claim>>,
        precondition: Option<Arc<Precondition>>,
        reply: oneshot::Sender<Result<(), Rejection>>,
    },
    /// A command for a ledger, answered when its facts are durable and the gate knows of them.
    Change(Change, Option<Arc<Precondition>>),
    /// What a worker reported. The reply comes when all of it is durable, with what was refused; stale reports are no error.
    Reports {
        batch: ReportBatch,
        reply: oneshot::Sender<Option<Trespass>>,
    },
    /// A sign of life; not durable.
    Heartbeat(Box<Heartbeat>),
    /// A task that came back too often.
    DeadLetter {
        command: Command,
        reply: oneshot::Sender<()>,
    },
    /// A look at the state.
    Look(Look),
    /// Time has passed: leases may have run out. `connected` says whether workers could have been heard.
    Tick { connected: bool },
    /// Finish what was taken and end.
    Stop,
}

/// Events that became durable together. Those of the engine come first in a batch, those of ledgers after them.
#[derive(Debug)]
pub(crate) struct DurableEvents {
    /// Sequence number of the first.
    pub(crate) first: u64,
    /// The engine's events.
    pub(crate) events: Vec<Event>,
    /// Those of ledgers, whose numbers follow.
    pub(crate) ledgers: Vec<LedgerEvent>,
    /// The sequence number after the whole batch.
    pub(crate) next: u64,
}
