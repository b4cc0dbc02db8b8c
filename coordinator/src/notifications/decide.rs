//! What may be asked of webhooks and mailings, and what follows, or why nothing does. The facts themselves are each ledger's own, because their spelling stands in the
//! journal for ever.

use super::occasion::Wanted;
use super::subscription::Subscriptions;
use tidemill_protocol::delivery::DeliveryOutcome;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;

/// Subscriptions of a kind at once: each has a part of its own that tells.
pub const SUBSCRIPTIONS_MAX: usize = 100;
/// Statuses that one subscription may name.
const STATUSES_MAX: usize = 32;
/// Longest reason of a pause in bytes.
const REASON_BYTES_MAX: usize = 1_024;

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionCommand<S> {
    /// Make one, or make it another.
    Set {
        /// Its name.
        name: Name,
        /// What is told, and to whom.
        spec: Box<S>,
        /// The last event of the journal.
        after: u64,
        /// Who asks.
        by: String,
    },
    /// Forget one.
    Remove {
        /// Its name.
        name: Name,
        /// Who asks.
        by: String,
    },
    /// Tell nothing until it is resumed.
    Pause {
        /// Its name.
        name: Name,
        /// Why.
        reason: String,
        /// Who asks.
        by: String,
    },
    /// Tell again, from now on.
    Resume {
        /// Its name.
        name: Name,
        /// The last event of the journal.
        after: u64,
        /// Who asks.
        by: String,
    },
    /// Note what came of a delivery.
    Settle(Settled),
    /// Note that up to this event there was nothing to tell.
    Advance {
        /// Its name.
        name: Name,
        /// Which of that name.
        created_at: Timestamp,
        /// The event's number in the journal.
        sequence: u64,
    },
}

/// What came of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The subscription's name.
    pub name: Name,
    /// Which of that name.
    pub created_at: Timestamp,
    /// The event's number in the journal.
    pub sequence: u64,
    /// What was told.
    pub about: String,
    /// How often it was tried.
    pub tries: u32,
    /// What came of it.
    pub outcome: DeliveryOutcome,
}

/// What follows; each ledger has a fact for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change<S> {
    Set {
        name: Name,
        spec: Box<S>,
        after: u64,
        by: String,
    },
    Removed {
        name: Name,
        by: String,
    },
    Paused {
        name: Name,
        reason: String,
        by: String,
    },
    Resumed {
        name: Name,
        after: u64,
        by: String,
    },
    Settled(Settled),
    Advanced {
        name: Name,
        sequence: u64,
    },
}

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionRejection {
    /// There is none of this name.
    #[error("there is no {kind} `{name}`")]
    Unknown {
        /// `webhook` or `mailing`.
        kind: &'static str,
        /// The name.
        name: Name,
    },
    /// It tells nothing.
    #[error("it would tell nothing: name ends of runs or of steps")]
    TellsNothing,
    /// It tells nobody.
    #[error("it would tell nobody: name at least one address")]
    TellsNobody,
    /// A status that is no end.
    #[error("`{0}` is no end")]
    NoEnd(&'static str),
    /// Too long.
    #[error("{0}")]
    TooLong(&'static str),
    /// All the places are taken.
    #[error("there are {SUBSCRIPTIONS_MAX} {0}s already")]
    TooMany(&'static str),
}

/// Answers a command; nothing when all is so already. `check` knows the bounds of what this kind alone has.
pub(crate) fn decide<S: Clone + PartialEq>(
    all: &Subscriptions<S>,
    kind: &'static str,
    command: &SubscriptionCommand<S>,
    check: impl FnOnce(&S) -> Result<(), SubscriptionRejection>,
) -> Result<Option<Change<S>>, SubscriptionRejection> {
    let find = |name: &Name| {
        let name = name.clone();
        all.get(&name)
            .ok_or(SubscriptionRejection::Unknown { kind, name })
    };
    let (is_so, change) = match command.clone() {
        SubscriptionCommand::Set {
            name,
            spec,
            after,
            by,
        } => {
            check(spec.as_ref())?;
            let known = all.get(&name);
            if known.is_none() && all.all().len() >= SUBSCRIPTIONS_MAX {
                return Err(SubscriptionRejection::TooMany(kind));
            }
            let is_so = known.is_some_and(|known| *known.spec == *spec);
            let change = Change::Set {
                name,
                spec,
                after,
                by,
            };
            (is_so, change)
        }
        SubscriptionCommand::Remove { name, by } => {
            find(&name)?;
            (false, Change::Removed { name, by })
        }
        SubscriptionCommand::Pause { name, reason, by } => {
            if reason.len() > REASON_BYTES_MAX {
                return Err(SubscriptionRejection::TooLong("a reason has at most 1 KiB"));
            }
            let is_so = find(&name)?.pause.is_some();
            (is_so, Change::Paused { name, reason, by })
        }
        SubscriptionCommand::Resume { name, after, by } => {
            let is_so = find(&name)?.pause.is_none();
            (is_so, Change::Resumed { name, after, by })
        }
        SubscriptionCommand::Settle(settled) => {
            let is_so = !find(&settled.name)?.awaits(settled.created_at, settled.sequence);
            (is_so, Change::Settled(settled))
        }
        SubscriptionCommand::Advance {
            name,
            created_at,
            sequence,
        } => {
            let is_so = !find(&name)?.awaits(created_at, sequence);
            (is_so, Change::Advanced { name, sequence })
        }
    };
    Ok((!is_so).then_some(change))
}

impl Wanted<'_> {
    /// Refuses what tells nothing, and statuses that are no ends.
    pub(crate) fn check(&self) -> Result<(), SubscriptionRejection> {
        if self.runs.is_empty() && self.steps.is_empty() {
            return Err(SubscriptionRejection::TellsNothing);
        }
        if self.runs.len().max(self.steps.len()) > STATUSES_MAX {
            return Err(SubscriptionRejection::TooLong("each end is named once"));
        }
        let runs = self.runs.iter().find(|status| !status.is_terminal());
        let steps = self.steps.iter().find(|status| !status.is_terminal());
        match (runs, steps) {
            (Some(run), _) => Err(SubscriptionRejection::NoEnd(run.as_str())),
            (None, Some(step)) => Err(SubscriptionRejection::NoEnd(step.as_str())),
            (None, None) => Ok(()),
        }
    }
}
