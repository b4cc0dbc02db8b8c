//! Who vouches for the objects of an archive. The store may be written by others, so each object bears the coordinator's signature: the kind of object, and the digest of a
//! content that itself says which place the object has. Objects without one were made by an earlier version, or by somebody else; what they may be used for
//! is said by whoever reads them. Pure.

use super::flaw::RecordFlaw;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill_protocol::archived::{sign_archived, verify_archived};
use tidemill_protocol::codec;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::wire::{KeySignature, SIGNATURE_BYTES, SignerKey, TrustedKey};

const KIND_BYTES: usize = 8;
const DIGEST_BYTES: usize = 32;

/// The keys of the coordinator whose archive it is.
#[derive(Debug, Clone)]
pub struct Trust {
    key: TrustedKey,
    secret: Option<SignerKey>,
    accepts_unsigned: bool,
}

/// Whether somebody vouches for an object that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voucher {
    /// The coordinator signed it.
    Coordinator,
    /// Nobody signed it.
    Nobody,
}

/// What the bytes of a kind of object begin with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) signed: [u8; KIND_BYTES],
    /// Of those that were written before there were signatures.
    pub(super) unsigned: Option<[u8; KIND_BYTES]>,
}

impl Trust {
    /// That of the coordinator itself.
    pub fn of(secret: &SignerKey) -> Self {
        Self {
            key: secret.trusted(),
            secret: Some(secret.clone()),
            accepts_unsigned: false,
        }
    }

    /// That of somebody who reads only.
    pub fn reading(key: TrustedKey) -> Self {
        Self {
            key,
            secret: None,
            accepts_unsigned: false,
        }
    }

    /// Takes objects that nobody signed for the coordinator's, too: those of an archive from before there were signatures.
    #[must_use]
    pub fn accepting_unsigned(self, accepts_unsigned: bool) -> Self {
        Self {
            accepts_unsigned,
            ..self
        }
    }

    /// The public key.
    pub(super) const fn key(&self) -> &TrustedKey {
        &self.key
    }

    /// Whether an object with this voucher counts as the coordinator's.
    pub(super) fn accepts(&self, voucher: Voucher) -> bool {
        self.accepts_unsigned || voucher == Voucher::Coordinator
    }

    /// The secret key; none for somebody who reads only.
    pub(super) const fn secret(&self) -> Option<&SignerKey> {
        self.secret.as_ref()
    }
}

/// The bytes of an object: what kind it is, the digest of its content, the signature, the content.
pub(super) fn seal<T: Serialize>(kind: Kind, value: &T, key: &SignerKey) -> Vec<u8> {
    let content = codec::encode(value);
    let digest = Digest::of(&content);
    let mut bytes = Vec::with_capacity(KIND_BYTES + DIGEST_BYTES + SIGNATURE_BYTES + content.len());
    bytes.extend_from_slice(&kind.signed);
    bytes.extend_from_slice(digest.as_bytes());
    bytes.extend_from_slice(sign_archived(key, kind.signed, &digest).as_bytes());
    bytes.extend_from_slice(&content);
    bytes
}

/// Reads an object and says who vouches for it. The signature is verified before anything is parsed.
pub(super) fn open<T: DeserializeOwned>(
    kind: Kind,
    bytes: &[u8],
    trust: &Trust,
) -> Result<(T, Voucher), RecordFlaw> {
    let (magic, rest) = bytes
        .split_first_chunk::<KIND_BYTES>()
        .ok_or(RecordFlaw::Foreign)?;
    let (digest, rest) = rest
        .split_first_chunk::<DIGEST_BYTES>()
        .ok_or(RecordFlaw::Foreign)?;
    let is_signed = *magic == kind.signed;
    if !is_signed && Some(*magic) != kind.unsigned {
        return Err(RecordFlaw::Foreign);
    }
    let (signature, content) = if is_signed {
        let split = rest.split_first_chunk::<SIGNATURE_BYTES>();
        let (signature, content) = split.ok_or(RecordFlaw::Foreign)?;
        (Some(KeySignature::from_bytes(*signature)), content)
    } else {
        (None, rest)
    };
    let found = Digest::of(content);
    if found.as_bytes() != digest {
        return Err(RecordFlaw::Checksum);
    }
    let voucher = match signature {
        Some(signature) if verify_archived(&trust.key, kind.signed, &found, &signature) => {
            Voucher::Coordinator
        }
        Some(_) => return Err(RecordFlaw::Forged),
        None => Voucher::Nobody,
    };
    Ok((codec::decode(content)?, voucher))
}
