//! One entry of the journal: an event of the engine, or one of a ledger. Both are maps with the moment in `at`; what happened stands in `fact`, or under the
//! name of the ledger, so the bytes of the engine's events are what they always were. Every reader of the journal reads entries.

use crate::access::AccessFact;
use crate::catalog::CatalogFact;
use crate::datastores::DatastoreFact;
use crate::drafts::DraftFact;
use crate::enrolment::EnrolmentFact;
use crate::idempotency::IdempotencyFact;
use crate::ledger::{LedgerEvent, LedgerFact};
use crate::mailings::MailingFact;
use crate::projects::ProjectFact;
use crate::remarks::RemarkFact;
use crate::schedules::ScheduleFact;
use crate::secrets::SecretFact;
use crate::tracking::TrackingFact;
use crate::webhooks::WebhookFact;
use serde::{Deserialize, Deserializer, Serialize, de};
use tidemill_engine::{Event, Fact};
use tidemill_protocol::codec::{self, DecodeError};
use tidemill_protocol::time::Timestamp;

/// What stands in the journal under one sequence number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Entry {
    /// About runs, steps and attempts.
    Engine(Event),
    /// About what a ledger keeps.
    Ledger(LedgerEvent),
}

impl Entry {
    /// Reads the bytes of the journal.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes)
    }

    /// The engine's event, if it is one.
    pub fn engine(self) -> Option<Event> {
        match self {
            Self::Engine(event) => Some(event),
            Self::Ledger(_) => None,
        }
    }
}

/// An entry as it is spelled, in the journal and, with its number, in an export. Exactly one thing happened in it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spelled {
    /// The entry's number; only in an export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sequence: Option<u64>,
    at: Timestamp,
    // Read in place, without a copy of what may be a whole plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fact: Option<Fact>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access: Option<AccessFact>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    enrolment: Option<EnrolmentFact>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secrets: Option<SecretFact>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    catalog: Option<CatalogFact>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    datastores: Option<DatastoreFact>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tracking: Option<TrackingFact>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schedules: Option<ScheduleFact>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    webhooks: Option<WebhookFact>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remarks: Option<RemarkFact>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    projects: Option<ProjectFact>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    drafts: Option<DraftFact>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mailings: Option<MailingFact>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    idempotency: Option<IdempotencyFact>,
}

impl Spelled {
    /// How an entry is spelled under this number.
    pub(crate) fn numbered(sequence: u64, entry: Entry) -> Self {
        match entry {
            Entry::Engine(Event { at, fact }) => Self {
                fact: Some(fact),
                ..Self::blank(sequence, at)
            },
            Entry::Ledger(LedgerEvent { at, fact }) => Self::blank(sequence, at).with(fact),
        }
    }

    /// One in which nothing happened.
    fn blank(sequence: u64, at: Timestamp) -> Self {
        Self {
            sequence: Some(sequence),
            at,
            fact: None,
            access: None,
            enrolment: None,
            secrets: None,
            catalog: None,
            datastores: None,
            tracking: None,
            schedules: None,
            webhooks: None,
            remarks: None,
            projects: None,
            drafts: None,
            mailings: None,
            idempotency: None,
        }
    }

    /// The same in which this happened to a ledger.
    fn with(mut self, fact: LedgerFact) -> Self {
        match fact {
            LedgerFact::Access(fact) => self.access = Some(fact),
            LedgerFact::Enrolment(fact) => self.enrolment = Some(fact),
            LedgerFact::Secrets(fact) => self.secrets = Some(fact),
            LedgerFact::Catalog(fact) => self.catalog = Some(fact),
            LedgerFact::Datastores(fact) => self.datastores = Some(fact),
            LedgerFact::Tracking(fact) => self.tracking = Some(fact),
            LedgerFact::Schedules(fact) => self.schedules = Some(fact),
            LedgerFact::Webhooks(fact) => self.webhooks = Some(fact),
            LedgerFact::Remarks(fact) => self.remarks = Some(fact),
            LedgerFact::Projects(fact) => self.projects = Some(fact),
            LedgerFact::Drafts(fact) => self.drafts = Some(fact),
            LedgerFact::Mailings(fact) => self.mailings = Some(fact),
            LedgerFact::Idempotency(fact) => self.idempotency = Some(fact),
        }
        self
    }

    /// The entry; none unless exactly one thing happened.
    pub(crate) fn entry(self) -> Option<Entry> {
        let at = self.at;
        let engine = self.fact.map(|fact| Entry::Engine(Event { at, fact }));
        let ledgers = [
            self.access.map(LedgerFact::from),
            self.enrolment.map(LedgerFact::from),
            self.secrets.map(LedgerFact::from),
            self.catalog.map(LedgerFact::from),
            self.datastores.map(LedgerFact::from),
            self.tracking.map(LedgerFact::from),
            self.schedules.map(LedgerFact::from),
            self.webhooks.map(LedgerFact::from),
            self.remarks.map(LedgerFact::from),
            self.projects.map(LedgerFact::from),
            self.drafts.map(LedgerFact::from),
            self.mailings.map(LedgerFact::from),
            self.idempotency.map(LedgerFact::from),
        ];
        let ledgers = ledgers.into_iter().flatten();
        let ledgers = ledgers.map(|fact| Entry::Ledger(LedgerEvent { at, fact }));
        let mut all = engine.into_iter().chain(ledgers);
        let entry = all.next()?;
        all.next().is_none().then_some(entry)
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entry = Spelled::deserialize(deserializer)?.entry();
        entry.ok_or_else(|| {
            de::Error::custom("an entry has one of `fact` and the ledgers' names, such as `access`")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> [Entry; 3] {
        let id = "abcdefghijkm".parse().unwrap();
        let worker = "gpu.box-1".parse().unwrap();
        let by = "ada".to_owned();
        [
            Entry::Engine(Event {
                at: Timestamp(7),
                fact: Fact::EpochStarted { epoch: 3 },
            }),
            Entry::Ledger(LedgerEvent {
                at: Timestamp(8),
                fact: AccessFact::TokenRevoked { id, by: by.clone() }.into(),
            }),
            Entry::Ledger(LedgerEvent {
                at: Timestamp(9),
                fact: EnrolmentFact::WorkerReleased { worker, by }.into(),
            }),
        ]
    }

    #[test]
    fn all_kinds_survive_messagepack_and_json() {
        for entry in samples() {
            assert_eq!(Entry::decode(&codec::encode(&entry)).unwrap(), entry);
            let json = serde_json::to_string(&entry).unwrap();
            assert_eq!(serde_json::from_str::<Entry>(&json).unwrap(), entry, "{json}");
        }
    }

    #[test]
    fn an_export_says_what_happened_and_nothing_of_the_ledgers_in_which_nothing_did() {
        for entry in samples() {
            let line = serde_json::to_value(Spelled::numbered(7, entry)).unwrap();
            let fields = line.as_object().unwrap();
            assert_eq!(fields.len(), 3, "its number, its moment and one thing: {line}");
        }
    }

    #[test]
    fn an_event_of_the_engine_has_the_bytes_that_it_always_had() {
        let [entry, ..] = samples();
        let event = entry.clone().engine().unwrap();
        assert_eq!(codec::encode(&entry), codec::encode(&event));
    }

    #[test]
    fn a_version_without_ledgers_does_not_take_their_facts_for_something_else() {
        let [_, access, enrolment] = samples();
        for entry in [access, enrolment] {
            assert!(codec::decode::<Event>(&codec::encode(&entry)).is_err());
        }
    }

    #[test]
    fn neither_and_both_are_refused() {
        let both = serde_json::json!({"at": 1, "fact": {"epoch_started": {"epoch": 1}}, "access": {"token_forgotten": {"id": "abcdefghijkm"}}});
        assert!(serde_json::from_value::<Entry>(both).is_err());
        assert!(serde_json::from_value::<Entry>(serde_json::json!({"at": 1})).is_err());
    }
}
