//! One entry of the journal: an event of the engine, or one about tokens. Both are maps with the moment in `at`; what happened stands in `fact` or in `access`,
//! so the bytes of the engine's events are what they always were. Every reader of the journal reads entries.

use crate::access::AccessEvent;
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
    /// About tokens.
    Access(AccessEvent),
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
            Self::Access(_) => None,
        }
    }
}

#[derive(Deserialize)]
struct Parts {
    at: Timestamp,
    // Read in place, without a copy of what may be a whole plan.
    #[serde(default)]
    fact: Option<Fact>,
    #[serde(default)]
    access: Option<crate::access::AccessFact>,
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Parts { at, fact, access } = Parts::deserialize(deserializer)?;
        match (fact, access) {
            (Some(fact), None) => Ok(Self::Engine(Event { at, fact })),
            (None, Some(access)) => Ok(Self::Access(AccessEvent { at, access })),
            _ => Err(de::Error::custom("an entry has either a `fact` or an `access`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::AccessFact;

    fn samples() -> [Entry; 2] {
        let id = "abcdefghijkm".parse().unwrap();
        let by = "ada".to_owned();
        [
            Entry::Engine(Event {
                at: Timestamp(7),
                fact: Fact::EpochStarted { epoch: 3 },
            }),
            Entry::Access(AccessEvent {
                at: Timestamp(8),
                access: AccessFact::TokenRevoked { id, by },
            }),
        ]
    }

    #[test]
    fn both_kinds_survive_messagepack_and_json() {
        for entry in samples() {
            assert_eq!(Entry::decode(&codec::encode(&entry)).unwrap(), entry);
            let json = serde_json::to_string(&entry).unwrap();
            assert_eq!(serde_json::from_str::<Entry>(&json).unwrap(), entry, "{json}");
        }
    }

    #[test]
    fn an_event_of_the_engine_has_the_bytes_that_it_always_had() {
        let [entry, _] = samples();
        let event = entry.clone().engine().unwrap();
        assert_eq!(codec::encode(&entry), codec::encode(&event));
    }

    #[test]
    fn a_version_without_tokens_does_not_take_one_for_something_else() {
        let [_, entry] = samples();
        assert!(codec::decode::<Event>(&codec::encode(&entry)).is_err());
    }

    #[test]
    fn neither_and_both_are_refused() {
        let both = serde_json::json!({"at": 1, "fact": {"epoch_started": {"epoch": 1}}, "access": {"token_forgotten": {"id": "abcdefghijkm"}}});
        assert!(serde_json::from_value::<Entry>(both).is_err());
        assert!(serde_json::from_value::<Entry>(serde_json::json!({"at": 1})).is_err());
    }
}
