//! Ed25519 keys: the coordinator's, with which it signs tasks, and the one that each worker draws for itself. What is signed, and under which domain, is in the
//! files of the messages.

use crate::digest::{CanonicalHasher, Digest};
use ed25519_dalek::{Signer, SigningKey, Verifier, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// A secret key. Its `Debug` form shows only the public half.
#[derive(Clone)]
pub struct SignerKey(SigningKey);

/// A public key. Text form: 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TrustedKey(VerifyingKey);

/// The keys that a worker accepts: two, so that a key can be replaced without a pause.
#[derive(Debug, Clone)]
pub struct TrustedKeys(pub Vec<TrustedKey>);

/// The short name of a public key in an envelope: the first bytes of its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub(crate) [u8; 8]);

/// A signature outside of an envelope. Text form: 128 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySignature([u8; SIGNATURE_BYTES]);

/// A text that is no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a public key has 64 lower-case hexadecimal digits")]
pub struct BadKey;

/// A text that is no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signature has 128 lower-case hexadecimal digits")]
pub struct BadSignatureText;

impl SignerKey {
    /// A key from 32 secret random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half, which others are told.
    pub fn trusted(&self) -> TrustedKey {
        TrustedKey(self.0.verifying_key())
    }

    /// A secret key of another kind that follows from this one, for what the domain names. Nobody learns this one from it.
    pub fn derived(&self, domain: &str) -> [u8; 32] {
        let mut hasher = CanonicalHasher::new(domain);
        hasher.bytes(&self.0.to_bytes());
        *hasher.finish().as_bytes()
    }

    /// Signs bytes that begin with a domain of their own.
    pub(crate) fn sign(&self, bytes: &[u8]) -> KeySignature {
        KeySignature(self.0.sign(bytes).to_bytes())
    }
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignerKey({})", self.trusted())
    }
}

impl TrustedKey {
    /// Its short name.
    pub fn id(&self) -> KeyId {
        let hash = Digest::of(self.0.as_bytes());
        let mut id = [0; 8];
        id.copy_from_slice(&hash.as_bytes()[..8]);
        KeyId(id)
    }

    /// Whether the owner of this key signed these bytes.
    pub(crate) fn verifies(&self, bytes: &[u8], signature: &KeySignature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0.verify(bytes, &signature).is_ok()
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

impl FromStr for TrustedKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let bytes: Digest = text.trim().parse().map_err(|_| BadKey)?;
        VerifyingKey::from_bytes(bytes.as_bytes())
            .map(Self)
            .map_err(|_| BadKey)
    }
}

impl Serialize for TrustedKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TrustedKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl KeySignature {
    /// The signature with these bytes, whoever made it.
    pub const fn from_bytes(bytes: [u8; SIGNATURE_BYTES]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; SIGNATURE_BYTES] {
        &self.0
    }
}

impl fmt::Display for KeySignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for KeySignature {
    type Err = BadSignatureText;

    fn from_str(text: &str) -> Result<Self, BadSignatureText> {
        // Two halves that are written like digests.
        let (first, second) = text.split_at_checked(SIGNATURE_BYTES).ok_or(BadSignatureText)?;
        let mut bytes = [0; SIGNATURE_BYTES];
        for (half, text) in bytes.chunks_exact_mut(32).zip([first, second]) {
            let digits: Digest = text.parse().map_err(|_| BadSignatureText)?;
            half.copy_from_slice(digits.as_bytes());
        }
        Ok(Self(bytes))
    }
}

impl Serialize for KeySignature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeySignature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_key_survives_its_text_form() {
        let key = SignerKey::from_seed(&[3; 32]).trusted();
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!("00".parse::<TrustedKey>(), Err(BadKey));
    }

    #[test]
    fn a_signature_survives_its_text_form_and_others_are_refused() {
        let signature = SignerKey::from_seed(&[3; 32]).sign(b"domain and bytes");
        let text = signature.to_string();
        assert_eq!(text.parse(), Ok(signature));
        for bad in [
            "",
            "00",
            &text.to_uppercase(),
            &format!("{text}00"),
            &"é".repeat(64),
        ] {
            assert_eq!(bad.parse::<KeySignature>(), Err(BadSignatureText), "{bad}");
        }
    }
}
