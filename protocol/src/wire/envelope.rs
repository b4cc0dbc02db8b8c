//! The envelope around every message: what it is, for whom, until when, and the coordinator's Ed25519 signature. It is verified before any byte of the
//! body is parsed, because whoever can write to the broker could otherwise run code on every worker.
//!
//! Layout, fixed: `"TM"`, version (1), kind (1), key id (8), audience (32), not after (8, little-endian ms), signature (64), body.
//! The signature covers a domain string, everything before the signature, and the BLAKE3 hash of the body. Replay is not prevented here but by the
//! attempt's claim.

use crate::digest::Digest;
use crate::time::Timestamp;
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Largest envelope, header included: large things travel as references to the store.
pub const ENVELOPE_BYTES_MAX: usize = 4 * 1024 * 1024;

const MAGIC: &[u8; 2] = b"TM";
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 2 + 1 + 1 + 8 + 32 + 8;
const SIGNATURE_BYTES: usize = 64;
const DOMAIN: &[u8] = b"tidemill/envelope/v1";

/// What an envelope holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A [`crate::wire::StepTask`], signed.
    Task,
    /// A [`crate::wire::Control`], signed.
    Control,
    /// A [`crate::wire::ReportBatch`].
    Reports,
    /// A [`crate::wire::Heartbeat`].
    Heartbeat,
    /// A [`crate::wire::LogChunk`].
    Log,
}

impl Kind {
    const fn code(self) -> u8 {
        match self {
            Self::Task => 1,
            Self::Control => 2,
            Self::Reports => 3,
            Self::Heartbeat => 4,
            Self::Log => 5,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Task),
            2 => Some(Self::Control),
            3 => Some(Self::Reports),
            4 => Some(Self::Heartbeat),
            5 => Some(Self::Log),
            _ => None,
        }
    }
}

/// For whom a message is: a compute target's queue, one worker, or the coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audience(Digest);

impl Audience {
    /// Whoever serves this compute target.
    pub fn target(name: &str) -> Self {
        Self(Digest::of(format!("target:{name}").as_bytes()))
    }

    /// One worker.
    pub fn worker(id: &str) -> Self {
        Self(Digest::of(format!("worker:{id}").as_bytes()))
    }

    /// The coordinator.
    pub fn coordinator() -> Self {
        Self(Digest::of(b"coordinator"))
    }
}

/// The coordinator's secret key. Its `Debug` form shows only the public half.
#[derive(Clone)]
pub struct SignerKey(SigningKey);

impl SignerKey {
    /// A key from 32 secret random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half, which workers are told.
    pub fn trusted(&self) -> TrustedKey {
        TrustedKey(self.0.verifying_key())
    }
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignerKey({})", self.trusted())
    }
}

/// The coordinator's public key. Text form: 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TrustedKey(VerifyingKey);

impl TrustedKey {
    fn id(&self) -> [u8; 8] {
        let hash = Digest::of(self.0.as_bytes());
        let mut id = [0; 8];
        id.copy_from_slice(&hash.as_bytes()[..8]);
        id
    }
}

impl fmt::Display for TrustedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A public key is 32 bytes like a digest and borrows its text form.
        fmt::Display::fmt(&Digest::from_bytes(*self.0.as_bytes()), f)
    }
}

impl fmt::Debug for TrustedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for TrustedKey {
    type Err = EnvelopeError;

    fn from_str(text: &str) -> Result<Self, EnvelopeError> {
        let bytes: Digest = text.trim().parse().map_err(|_| EnvelopeError::BadKey)?;
        VerifyingKey::from_bytes(bytes.as_bytes())
            .map(Self)
            .map_err(|_| EnvelopeError::BadKey)
    }
}

impl Serialize for TrustedKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TrustedKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// The keys that a worker accepts: two, so that a key can be replaced without a pause.
#[derive(Debug, Clone)]
pub struct TrustedKeys(pub Vec<TrustedKey>);

/// A message that must not be acted on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Not an envelope of this version.
    #[error("not a tidemill envelope of version {VERSION}")]
    Malformed,
    /// Larger than [`ENVELOPE_BYTES_MAX`].
    #[error("an envelope of {0} bytes is larger than the limit of {ENVELOPE_BYTES_MAX}")]
    TooLarge(usize),
    /// Another kind of message than belongs here.
    #[error("an envelope of an unexpected kind")]
    WrongKind,
    /// For somebody else.
    #[error("an envelope for somebody else")]
    WrongAudience,
    /// Past its time.
    #[error("an envelope past its time")]
    Expired,
    /// Signed with a key that is not trusted.
    #[error("an envelope signed with an unknown key")]
    UnknownKey,
    /// The signature does not fit.
    #[error("an envelope whose signature does not fit")]
    BadSignature,
    /// A text that is no public key.
    #[error("a coordinator key has 64 lower-case hexadecimal digits")]
    BadKey,
}

/// A verified message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened<'a> {
    /// The body, not parsed yet.
    pub body: &'a [u8],
}

fn header(kind: Kind, key_id: [u8; 8], audience: Audience, not_after: Timestamp) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + SIGNATURE_BYTES);
    bytes.extend_from_slice(MAGIC);
    bytes.push(VERSION);
    bytes.push(kind.code());
    bytes.extend_from_slice(&key_id);
    bytes.extend_from_slice(audience.0.as_bytes());
    bytes.extend_from_slice(&not_after.0.to_le_bytes());
    bytes
}

fn signed_text(header: &[u8], body: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(DOMAIN.len() + header.len() + 32);
    text.extend_from_slice(DOMAIN);
    text.extend_from_slice(header);
    text.extend_from_slice(Digest::of(body).as_bytes());
    text
}

/// Wraps and signs a body.
pub fn seal(
    key: &SignerKey,
    kind: Kind,
    audience: Audience,
    not_after: Timestamp,
    body: &[u8],
) -> Result<Vec<u8>, EnvelopeError> {
    let mut bytes = header(kind, key.trusted().id(), audience, not_after);
    let signature = key.0.sign(&signed_text(&bytes, body));
    bytes.extend_from_slice(&signature.to_bytes());
    finish(bytes, body)
}

/// Wraps a body without a signature: reports and heartbeats, until workers have keys of their own.
pub fn seal_unsigned(kind: Kind, audience: Audience, body: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    let mut bytes = header(kind, [0; 8], audience, Timestamp(u64::MAX));
    bytes.extend_from_slice(&[0; SIGNATURE_BYTES]);
    finish(bytes, body)
}

fn finish(mut bytes: Vec<u8>, body: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    bytes.extend_from_slice(body);
    if bytes.len() > ENVELOPE_BYTES_MAX {
        return Err(EnvelopeError::TooLarge(bytes.len()));
    }
    Ok(bytes)
}

struct Parts<'a> {
    header: &'a [u8],
    signature: &'a [u8; SIGNATURE_BYTES],
    body: &'a [u8],
}

fn split(bytes: &[u8], kind: Kind, audience: Audience) -> Result<Parts<'_>, EnvelopeError> {
    let parts = split_for_anyone(bytes, kind)?;
    if &parts.header[12..44] != audience.0.as_bytes() {
        return Err(EnvelopeError::WrongAudience);
    }
    Ok(parts)
}

fn split_for_anyone(bytes: &[u8], kind: Kind) -> Result<Parts<'_>, EnvelopeError> {
    if bytes.len() > ENVELOPE_BYTES_MAX {
        return Err(EnvelopeError::TooLarge(bytes.len()));
    }
    let (header, rest) = bytes
        .split_at_checked(HEADER_BYTES)
        .ok_or(EnvelopeError::Malformed)?;
    let (signature, body) = rest
        .split_first_chunk::<SIGNATURE_BYTES>()
        .ok_or(EnvelopeError::Malformed)?;
    if &header[..2] != MAGIC || header[2] != VERSION {
        return Err(EnvelopeError::Malformed);
    }
    if Kind::from_code(header[3]) != Some(kind) {
        return Err(EnvelopeError::WrongKind);
    }
    Ok(Parts {
        header,
        signature,
        body,
    })
}

/// Verifies an envelope of this kind for this audience at this time.
pub fn open<'a>(
    keys: &TrustedKeys,
    kind: Kind,
    audience: Audience,
    now: Timestamp,
    bytes: &'a [u8],
) -> Result<Opened<'a>, EnvelopeError> {
    let parts = split(bytes, kind, audience)?;
    verify(keys, &parts)?;
    let mut not_after = [0; 8];
    not_after.copy_from_slice(&parts.header[44..52]);
    if now > Timestamp(u64::from_le_bytes(not_after)) {
        return Err(EnvelopeError::Expired);
    }
    Ok(Opened { body: parts.body })
}

fn verify(keys: &TrustedKeys, parts: &Parts<'_>) -> Result<(), EnvelopeError> {
    let key = keys
        .0
        .iter()
        .find(|key| key.id() == parts.header[4..12])
        .ok_or(EnvelopeError::UnknownKey)?;
    let signature = Signature::from_bytes(parts.signature);
    key.0
        .verify(&signed_text(parts.header, parts.body), &signature)
        .map_err(|_| EnvelopeError::BadSignature)
}

/// Verifies a task that a broker set aside: whoever it was for and however long ago, it must have been sealed by one of these keys.
pub fn open_set_aside<'a>(keys: &TrustedKeys, bytes: &'a [u8]) -> Result<Opened<'a>, EnvelopeError> {
    let parts = split_for_anyone(bytes, Kind::Task)?;
    verify(keys, &parts)?;
    Ok(Opened { body: parts.body })
}

/// Unwraps an envelope of a kind that is not signed.
pub fn open_unsigned(kind: Kind, audience: Audience, bytes: &[u8]) -> Result<Opened<'_>, EnvelopeError> {
    split(bytes, kind, audience).map(|parts| Opened { body: parts.body })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000);
    const LATER: Timestamp = Timestamp(2_000);

    fn key(seed: u8) -> SignerKey {
        SignerKey::from_seed(&[seed; 32])
    }

    fn trust(key: &SignerKey) -> TrustedKeys {
        TrustedKeys(vec![key.trusted()])
    }

    fn sealed(key: &SignerKey) -> Vec<u8> {
        seal(key, Kind::Task, Audience::target("cpu"), LATER, b"body").unwrap()
    }

    #[test]
    fn a_task_that_was_set_aside_is_known_by_its_key_alone() {
        let bytes = sealed(&key(1));
        assert_eq!(open_set_aside(&trust(&key(1)), &bytes).unwrap().body, b"body");
        let strangers = open_set_aside(&trust(&key(2)), &bytes);
        assert_eq!(strangers.unwrap_err(), EnvelopeError::UnknownKey);
        let unsigned = seal_unsigned(Kind::Task, Audience::target("cpu"), b"body").unwrap();
        assert!(open_set_aside(&trust(&key(1)), &unsigned).is_err());
    }

    #[test]
    fn a_signed_body_comes_back() {
        let key = key(1);
        let bytes = sealed(&key);
        assert_eq!(
            open(&trust(&key), Kind::Task, Audience::target("cpu"), NOW, &bytes)
                .unwrap()
                .body,
            b"body"
        );
    }

    #[test]
    fn no_flipped_bit_is_accepted() {
        let key = key(1);
        let bytes = sealed(&key);
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(
                open(&trust(&key), Kind::Task, Audience::target("cpu"), NOW, &bent).is_err(),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn a_stranger_cannot_sign() {
        let bytes = sealed(&key(2));
        let result = open(&trust(&key(1)), Kind::Task, Audience::target("cpu"), NOW, &bytes);
        assert_eq!(result, Err(EnvelopeError::UnknownKey));
    }

    #[test]
    fn a_task_for_one_target_is_refused_by_another() {
        let key = key(1);
        let bytes = sealed(&key);
        let result = open(&trust(&key), Kind::Task, Audience::target("gpu"), NOW, &bytes);
        assert_eq!(result, Err(EnvelopeError::WrongAudience));
    }

    #[test]
    fn a_task_past_its_time_is_refused() {
        let key = key(1);
        let bytes = sealed(&key);
        let result = open(
            &trust(&key),
            Kind::Task,
            Audience::target("cpu"),
            Timestamp(2_001),
            &bytes,
        );
        assert_eq!(result, Err(EnvelopeError::Expired));
    }

    #[test]
    fn an_unsigned_message_is_no_task() {
        let key = key(1);
        let bytes = seal_unsigned(Kind::Task, Audience::target("cpu"), b"body").unwrap();
        assert!(open(&trust(&key), Kind::Task, Audience::target("cpu"), NOW, &bytes).is_err());
    }

    #[test]
    fn short_and_empty_bytes_are_refused() {
        for length in 0..HEADER_BYTES + SIGNATURE_BYTES {
            let bytes = vec![b'T'; length];
            assert!(open_unsigned(Kind::Reports, Audience::coordinator(), &bytes).is_err());
        }
    }

    #[test]
    fn a_public_key_survives_its_text_form() {
        let key = key(3).trusted();
        assert_eq!(key.to_string().parse::<TrustedKey>().unwrap(), key);
        assert!("00".parse::<TrustedKey>().is_err());
    }
}
