//! The envelope around every message: what it is, for whom, until when, and the Ed25519 signature of the coordinator or of a worker. It is verified before any
//! byte of the body is parsed, because whoever can write to the broker could otherwise run code on every worker, or say that a step succeeded.
//!
//! Layout, fixed: `"TM"`, version (1), kind (1), key id (8), audience (32), not after (8, little-endian ms), signature (64), body.
//! The signature covers a domain string, everything before the signature, and the BLAKE3 hash of the body. Replay is not prevented here but by the
//! attempt's claim. Workers that are older than their keys sign nothing: key id and signature are zero.

use super::key::{KeyId, KeySignature, SIGNATURE_BYTES, SignerKey, TrustedKey, TrustedKeys};
use crate::digest::Digest;
use crate::time::Timestamp;

/// Largest envelope, header included: large things travel as references to the store.
pub const ENVELOPE_BYTES_MAX: usize = 4 * 1024 * 1024;

const MAGIC: &[u8; 2] = b"TM";
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 2 + 1 + 1 + 8 + 32 + 8;
/// What the coordinator's signatures begin with.
const DOMAIN_OF_COORDINATOR: &[u8] = b"tidemill/envelope/v1";
/// What workers' signatures begin with.
const DOMAIN_OF_WORKER: &[u8] = b"tidemill/report/v1";
/// The key id of an envelope that nobody signed.
const UNSIGNED: KeyId = KeyId([0; 8]);

/// What an envelope holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A [`crate::wire::StepTask`], signed.
    Task,
    /// A [`crate::wire::Control`], signed.
    Control,
    /// A [`crate::wire::ReportBatch`], signed by its worker.
    Reports,
    /// A [`crate::wire::Heartbeat`], signed by its worker.
    Heartbeat,
    /// A [`crate::wire::LogChunk`], signed by its worker.
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

    const fn domain(self) -> &'static [u8] {
        match self {
            Self::Task | Self::Control => DOMAIN_OF_COORDINATOR,
            Self::Reports | Self::Heartbeat | Self::Log => DOMAIN_OF_WORKER,
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
}

/// A verified message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened<'a> {
    /// The body, not parsed yet.
    pub body: &'a [u8],
}

fn header(kind: Kind, key_id: KeyId, audience: Audience, not_after: Timestamp) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + SIGNATURE_BYTES);
    bytes.extend_from_slice(MAGIC);
    bytes.push(VERSION);
    bytes.push(kind.code());
    bytes.extend_from_slice(&key_id.0);
    bytes.extend_from_slice(audience.0.as_bytes());
    bytes.extend_from_slice(&not_after.0.to_le_bytes());
    bytes
}

fn signed_text(kind: Kind, header: &[u8], body: &[u8]) -> Vec<u8> {
    let domain = kind.domain();
    let mut text = Vec::with_capacity(domain.len() + header.len() + 32);
    text.extend_from_slice(domain);
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
    let signature = key.sign(&signed_text(kind, &bytes, body));
    bytes.extend_from_slice(signature.as_bytes());
    finish(bytes, body)
}

/// Wraps and signs what a worker says to the coordinator. It never expires: it may wait on the worker's disk for long, and only attempts that are still its own
/// are changed by it.
pub fn seal_as_worker(key: &SignerKey, kind: Kind, body: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    seal(key, kind, Audience::coordinator(), Timestamp(u64::MAX), body)
}

/// Wraps a body without a signature, as workers do that are older than their keys.
pub fn seal_unsigned(kind: Kind, audience: Audience, body: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    let mut bytes = header(kind, UNSIGNED, audience, Timestamp(u64::MAX));
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
    kind: Kind,
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
        kind,
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

impl Parts<'_> {
    fn key_id(&self) -> KeyId {
        let mut id = [0; 8];
        id.copy_from_slice(&self.header[4..12]);
        KeyId(id)
    }

    fn is_signed_by(&self, key: &TrustedKey) -> bool {
        let signature = KeySignature::from_bytes(*self.signature);
        key.verifies(&signed_text(self.kind, self.header, self.body), &signature)
    }
}

fn verify(keys: &TrustedKeys, parts: &Parts<'_>) -> Result<(), EnvelopeError> {
    let key = keys.0.iter().find(|key| key.id() == parts.key_id());
    let key = key.ok_or(EnvelopeError::UnknownKey)?;
    parts
        .is_signed_by(key)
        .then_some(())
        .ok_or(EnvelopeError::BadSignature)
}

/// Verifies a task that a broker set aside: whoever it was for and however long ago, it must have been sealed by one of these keys.
pub fn open_set_aside<'a>(keys: &TrustedKeys, bytes: &'a [u8]) -> Result<Opened<'a>, EnvelopeError> {
    let parts = split_for_anyone(bytes, Kind::Task)?;
    verify(keys, &parts)?;
    Ok(Opened { body: parts.body })
}

/// Whose key an envelope for the coordinator says that it is signed with; none for one that nobody signed. Nothing of it is verified yet.
pub fn signer_of(kind: Kind, bytes: &[u8]) -> Result<Option<KeyId>, EnvelopeError> {
    let id = split(bytes, kind, Audience::coordinator())?.key_id();
    Ok((id != UNSIGNED).then_some(id))
}

/// Verifies what a worker says to the coordinator: the envelope is of this kind and signed with this key.
pub fn open_from_worker<'a>(
    key: &TrustedKey,
    kind: Kind,
    bytes: &'a [u8],
) -> Result<Opened<'a>, EnvelopeError> {
    let parts = split(bytes, kind, Audience::coordinator())?;
    if parts.key_id() != key.id() {
        return Err(EnvelopeError::UnknownKey);
    }
    if !parts.is_signed_by(key) {
        return Err(EnvelopeError::BadSignature);
    }
    Ok(Opened { body: parts.body })
}

/// Unwraps an envelope without asking who signed it.
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
    fn what_a_worker_says_is_known_by_its_key_and_by_nobody_elses() {
        let (own, other) = (key(3), key(4));
        let bytes = seal_as_worker(&own, Kind::Reports, b"body").unwrap();
        assert_eq!(signer_of(Kind::Reports, &bytes), Ok(Some(own.trusted().id())));
        let opened = open_from_worker(&own.trusted(), Kind::Reports, &bytes);
        assert_eq!(opened.unwrap().body, b"body");
        let strangers = open_from_worker(&other.trusted(), Kind::Reports, &bytes);
        assert_eq!(strangers, Err(EnvelopeError::UnknownKey));
        let as_log = open_from_worker(&own.trusted(), Kind::Log, &bytes);
        assert_eq!(as_log, Err(EnvelopeError::WrongKind));
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            let opened = open_from_worker(&own.trusted(), Kind::Reports, &bent);
            assert!(opened.is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_release_without_workers_keys_reads_what_is_signed() {
        let bytes = seal_as_worker(&key(3), Kind::Heartbeat, b"body").unwrap();
        let opened = open_unsigned(Kind::Heartbeat, Audience::coordinator(), &bytes);
        assert_eq!(opened.unwrap().body, b"body");
        let unsigned = seal_unsigned(Kind::Heartbeat, Audience::coordinator(), b"body").unwrap();
        assert_eq!(signer_of(Kind::Heartbeat, &unsigned), Ok(None));
    }

    #[test]
    fn a_workers_key_signs_no_task() {
        let worker = key(3);
        let text = signed_text(Kind::Reports, b"header", b"body");
        assert_ne!(text, signed_text(Kind::Task, b"header", b"body"));
        let bytes = seal_as_worker(&worker, Kind::Reports, b"body").unwrap();
        let mut as_task = bytes;
        as_task[3] = Kind::Task.code();
        assert!(open_set_aside(&trust(&worker), &as_task).is_err());
    }
}
