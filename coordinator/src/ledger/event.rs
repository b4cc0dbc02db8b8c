//! What happened in a ledger, as it stands in the journal: the moment in `at`, and the fact under the name of its ledger.

use crate::access::AccessFact;
use crate::catalog::CatalogFact;
use crate::datastores::DatastoreFact;
use crate::drafts::DraftFact;
use crate::enrolment::EnrolmentFact;
use crate::idempotency::IdempotencyFact;
use crate::mailings::MailingFact;
use crate::projects::ProjectFact;
use crate::remarks::RemarkFact;
use crate::schedules::ScheduleFact;
use crate::secrets::SecretFact;
use crate::tracking::TrackingFact;
use crate::webhooks::WebhookFact;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use tidemill_protocol::time::Timestamp;

/// A fact of a ledger with its moment. Its spelling is that of [`crate::Entry`], which also reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEvent {
    /// When, by the coordinator's wall clock.
    pub at: Timestamp,
    /// What.
    pub fact: LedgerFact,
}

/// What happened, and in which ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerFact {
    /// To a token.
    Access(AccessFact),
    /// To a worker's enrolment.
    Enrolment(EnrolmentFact),
    /// To a secret.
    Secrets(SecretFact),
    /// To an asset.
    Catalog(CatalogFact),
    /// To a datastore.
    Datastores(DatastoreFact),
    /// To something tracked.
    Tracking(TrackingFact),
    /// To a schedule.
    Schedules(ScheduleFact),
    /// To a webhook.
    Webhooks(WebhookFact),
    /// To what is said of a run.
    Remarks(RemarkFact),
    /// To a project or a team.
    Projects(ProjectFact),
    /// To a draft.
    Drafts(DraftFact),
    /// To a mailing.
    Mailings(MailingFact),
    /// To a key under which something is done once.
    Idempotency(IdempotencyFact),
}

impl From<AccessFact> for LedgerFact {
    fn from(fact: AccessFact) -> Self {
        Self::Access(fact)
    }
}

impl From<EnrolmentFact> for LedgerFact {
    fn from(fact: EnrolmentFact) -> Self {
        Self::Enrolment(fact)
    }
}

impl From<SecretFact> for LedgerFact {
    fn from(fact: SecretFact) -> Self {
        Self::Secrets(fact)
    }
}

impl From<CatalogFact> for LedgerFact {
    fn from(fact: CatalogFact) -> Self {
        Self::Catalog(fact)
    }
}

impl From<DatastoreFact> for LedgerFact {
    fn from(fact: DatastoreFact) -> Self {
        Self::Datastores(fact)
    }
}

impl From<ScheduleFact> for LedgerFact {
    fn from(fact: ScheduleFact) -> Self {
        Self::Schedules(fact)
    }
}

impl From<WebhookFact> for LedgerFact {
    fn from(fact: WebhookFact) -> Self {
        Self::Webhooks(fact)
    }
}

impl From<RemarkFact> for LedgerFact {
    fn from(fact: RemarkFact) -> Self {
        Self::Remarks(fact)
    }
}

impl From<ProjectFact> for LedgerFact {
    fn from(fact: ProjectFact) -> Self {
        Self::Projects(fact)
    }
}

impl From<DraftFact> for LedgerFact {
    fn from(fact: DraftFact) -> Self {
        Self::Drafts(fact)
    }
}

impl From<MailingFact> for LedgerFact {
    fn from(fact: MailingFact) -> Self {
        Self::Mailings(fact)
    }
}

impl From<IdempotencyFact> for LedgerFact {
    fn from(fact: IdempotencyFact) -> Self {
        Self::Idempotency(fact)
    }
}

impl Serialize for LedgerEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut event = serializer.serialize_struct("LedgerEvent", 2)?;
        event.serialize_field("at", &self.at)?;
        match &self.fact {
            LedgerFact::Access(fact) => event.serialize_field("access", fact)?,
            LedgerFact::Enrolment(fact) => event.serialize_field("enrolment", fact)?,
            LedgerFact::Secrets(fact) => event.serialize_field("secrets", fact)?,
            LedgerFact::Catalog(fact) => event.serialize_field("catalog", fact)?,
            LedgerFact::Datastores(fact) => event.serialize_field("datastores", fact)?,
            LedgerFact::Tracking(fact) => event.serialize_field("tracking", fact)?,
            LedgerFact::Schedules(fact) => event.serialize_field("schedules", fact)?,
            LedgerFact::Webhooks(fact) => event.serialize_field("webhooks", fact)?,
            LedgerFact::Remarks(fact) => event.serialize_field("remarks", fact)?,
            LedgerFact::Projects(fact) => event.serialize_field("projects", fact)?,
            LedgerFact::Drafts(fact) => event.serialize_field("drafts", fact)?,
            LedgerFact::Mailings(fact) => event.serialize_field("mailings", fact)?,
            LedgerFact::Idempotency(fact) => event.serialize_field("idempotency", fact)?,
        }
        event.end()
    }
}
