//! Ledgers: what is kept beside the engine's state and changed by facts in the same journal, such as tokens. Each is pure, with a `decide` and an `apply` of its
//! own in its own module; here is only what they have in common and the list of them all. A new one is a field of [`Ledgers`], a variant of [`LedgerFact`]
//! and an `impl Ledger`.

mod change;
mod event;

pub use change::Outcome;
pub(crate) use change::{Change, Done, Settle, change};
pub use event::{LedgerEvent, LedgerFact};

use crate::access::Access;
use crate::catalog::Catalog;
use crate::datastores::Datastores;
use crate::drafts::Drafts;
use crate::enrolment::Enrolment;
use crate::idempotency::{Created, Idempotency};
use crate::mailings::Mailings;
use crate::projects::Projects;
use crate::remarks::Remarks;
use crate::schedules::Schedules;
use crate::secrets::Secrets;
use crate::tracking::Tracking;
use crate::webhooks::Webhooks;
use serde::{Deserialize, Serialize};
use tidemill_protocol::time::Timestamp;

/// What every ledger can do.
pub trait Ledger: Sized + 'static {
    /// What may be asked of it.
    type Command: Send + 'static;
    /// What may happen in it.
    type Fact: Into<LedgerFact> + Clone + Send + 'static;
    /// Why something asked is not done.
    type Rejection: Send + 'static;

    /// This ledger among all.
    fn of(ledgers: &Ledgers) -> &Self;

    /// Reads the state and answers a command with facts, or says why not. Changes nothing.
    fn decide(&self, now: Timestamp, command: &Self::Command) -> Result<Vec<Self::Fact>, Self::Rejection>;

    /// What a fact made whose name whoever asked has yet to be told.
    fn created(_: &Self::Fact) -> Option<Created> {
        None
    }
}

/// All ledgers, as the journal says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledgers {
    /// The tokens.
    pub access: Access,
    /// Workers' enrolment.
    pub enrolment: Enrolment,
    /// The secrets, sealed.
    pub secrets: Secrets,
    /// Named things with versions.
    pub catalog: Catalog,
    /// Named places outside the store.
    pub datastores: Datastores,
    /// What was logged.
    pub tracking: Tracking,
    /// What is started by itself.
    pub schedules: Schedules,
    /// Which addresses are told when something ends.
    pub webhooks: Webhooks,
    /// What is said of runs.
    pub remarks: Remarks,
    /// Projects, teams and roles.
    pub projects: Projects,
    /// Pipelines that may still be changed.
    pub drafts: Drafts,
    /// Who gets mail when something ends.
    pub mailings: Mailings,
    /// The keys under which something was done once.
    pub idempotency: Idempotency,
}

impl Ledgers {
    /// Changes the ledger that a fact belongs to.
    pub fn apply(&mut self, event: &LedgerEvent) {
        match &event.fact {
            LedgerFact::Access(fact) => self.access.apply(event.at, fact),
            LedgerFact::Enrolment(fact) => self.enrolment.apply(event.at, fact),
            LedgerFact::Secrets(fact) => self.secrets.apply(event.at, fact),
            LedgerFact::Catalog(fact) => self.catalog.apply(event.at, fact),
            LedgerFact::Datastores(fact) => self.datastores.apply(event.at, fact),
            LedgerFact::Tracking(fact) => self.tracking.apply(event.at, fact),
            LedgerFact::Schedules(fact) => self.schedules.apply(event.at, fact),
            LedgerFact::Webhooks(fact) => self.webhooks.apply(event.at, fact),
            LedgerFact::Remarks(fact) => self.remarks.apply(event.at, fact),
            LedgerFact::Projects(fact) => self.projects.apply(event.at, fact),
            LedgerFact::Drafts(fact) => self.drafts.apply(event.at, fact),
            LedgerFact::Mailings(fact) => self.mailings.apply(event.at, fact),
            LedgerFact::Idempotency(fact) => self.idempotency.apply(event.at, fact),
        }
    }

    /// Tokens and nothing else: what a snapshot of an early version holds.
    pub(crate) fn with_tokens(access: Access) -> Self {
        Self {
            access,
            ..Self::default()
        }
    }

    /// Whether a version that does not know of projects would let somebody do more than they may.
    pub(crate) fn hold_projects(&self) -> bool {
        let mut tokens = self.access.tokens();
        self.projects != Projects::default()
            || tokens.any(|token| !token.kind.is_person() || token.project.is_some())
    }

    /// Whether a version that knew of tokens only would miss something.
    pub(crate) fn hold_more_than_tokens(&self) -> bool {
        *self != Self::with_tokens(self.access.clone())
    }
}
