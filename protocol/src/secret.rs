//! The values of secrets: as they are held in memory, and as they travel to the one who may have them. Neither shown by `Debug` nor written by serde; wiped
//! when they are dropped. How a step asks for one is in [`crate::plan`]; how they are kept is the coordinator's business.

use crate::codec::{self, DecodeError};
use crate::ids::{AttemptId, FencingToken};
use crate::name::Name;
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteBuf, Bytes};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use zeroize::Zeroizing;

/// How many bytes a value has. Shorter ones cannot be told from other text in a log; longer ones are files.
pub const SECRET_BYTES: RangeInclusive<usize> = 6..=64 * 1024;

/// Most bytes of the values that one step is given: all spellings of them are searched for in its logs.
pub const STEP_SECRETS_BYTES_MAX: usize = 128 * 1024;

/// The value of a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Zeroizing<Vec<u8>>);

/// A value that is too short or too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret has {least} to {most} bytes, and this one has {0}", least = SECRET_BYTES.start(), most = SECRET_BYTES.end())]
pub struct SecretLength(pub usize);

impl SecretValue {
    /// A value of these bytes.
    pub fn new(bytes: Vec<u8>) -> Result<Self, SecretLength> {
        let bytes = Zeroizing::new(bytes);
        if SECRET_BYTES.contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            Err(SecretLength(bytes.len()))
        }
    }

    /// The bytes: for whoever hands them on, never to be shown.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

/// A worker's question: the secrets of the attempt that it makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SecretsRequest {
    /// The attempt.
    #[schema(value_type = Object)]
    pub attempt: AttemptId,
    /// The fencing token that it was given.
    #[schema(value_type = u64)]
    pub token: FencingToken,
}

/// The answer: the value of each secret that the step names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GivenSecrets(pub BTreeMap<Name, SecretValue>);

/// Bytes that are no such answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GivenError {
    /// They are no list of names and values.
    #[error("malformed secrets")]
    Malformed(#[from] DecodeError),
    /// A value is too short or too long.
    #[error(transparent)]
    Length(#[from] SecretLength),
}

impl GivenSecrets {
    /// The body of the answer.
    pub fn to_bytes(&self) -> Vec<u8> {
        let plain: BTreeMap<&Name, &Bytes> = self
            .0
            .iter()
            .map(|(name, value)| (name, Bytes::new(value.reveal())))
            .collect();
        codec::encode(&plain)
    }

    /// Reads the body of an answer.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GivenError> {
        let plain: BTreeMap<Name, ByteBuf> = codec::decode(bytes)?;
        let read = |(name, value): (Name, ByteBuf)| Ok((name, SecretValue::new(value.into_vec())?));
        plain.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_never_shown() {
        let value = SecretValue::new(b"hunter2".to_vec()).unwrap();
        let given = GivenSecrets([("db".parse().unwrap(), value.clone())].into());
        for shown in [format!("{value:?}"), format!("{given:#?}")] {
            assert!(!shown.contains("hunter2") && !shown.contains("104"), "{shown}");
        }
    }

    #[test]
    fn a_value_is_bounded() {
        assert_eq!(SecretValue::new(b"short".to_vec()).unwrap_err(), SecretLength(5));
        assert!(SecretValue::new(vec![1; 64 * 1024]).is_ok());
        assert!(SecretValue::new(vec![1; 64 * 1024 + 1]).is_err());
    }

    #[test]
    fn an_answer_survives_its_body_and_other_bytes_are_refused() {
        let value = |bytes: &[u8]| SecretValue::new(bytes.to_vec()).unwrap();
        let given = GivenSecrets(
            [
                ("a".parse().unwrap(), value(b"\0\xff binary")),
                ("b".parse().unwrap(), value(b"text text")),
            ]
            .into(),
        );
        assert_eq!(GivenSecrets::from_bytes(&given.to_bytes()).unwrap(), given);
        assert!(GivenSecrets::from_bytes(b"{}").is_err());
        let short = codec::encode(&BTreeMap::from([("a", Bytes::new(b"x"))]));
        assert!(matches!(
            GivenSecrets::from_bytes(&short),
            Err(GivenError::Length(_))
        ));
    }
}
