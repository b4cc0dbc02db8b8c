//! Sealing: a value becomes bytes that only the same key opens, and only under the same name (ChaCha20-Poly1305, a fresh random nonce each time).

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use tidemill_protocol::digest::{CanonicalHasher, Digest};
use tidemill_protocol::name::Name;
use tidemill_protocol::secret::SecretValue;
use zeroize::Zeroizing;

/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 32;
/// What every sealed value is bound to, before its name.
const DOMAIN: &str = "tidemill/secret/v1";

/// A value that only its key opens.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Which key, by a piece of its hash.
    #[serde(with = "serde_bytes")]
    key: [u8; 8],
    /// Never twice with the same key.
    #[serde(with = "serde_bytes")]
    nonce: [u8; NONCE_LEN],
    /// The sealed bytes with their tag.
    #[serde(with = "serde_bytes")]
    text: Vec<u8>,
}

/// Why a sealed value cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It was sealed with another key.
    #[error("it was sealed with another key than the one in the key file")]
    OtherKey,
    /// The bytes were changed, or belong to another name.
    #[error("its sealed bytes are damaged")]
    Damaged,
}

/// The key.
pub(crate) struct SealingKey {
    key: LessSafeKey,
    id: [u8; 8],
    /// What goes into the hash of a request with a value, so that nobody guesses the value from it who has not the key.
    blind: Digest,
}

impl SealingKey {
    /// The key of these bytes.
    pub(super) fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Self {
        let key = UnboundKey::new(&CHACHA20_POLY1305, bytes).expect("the key has the length of its kind");
        let mut hasher = CanonicalHasher::new("tidemill/secrets-key/v1");
        hasher.bytes(bytes);
        let mut id = [0; 8];
        id.copy_from_slice(&hasher.finish().as_bytes()[..8]);
        let mut blind = CanonicalHasher::new("tidemill/idempotent-secret/v1");
        blind.bytes(bytes);
        Self {
            key: LessSafeKey::new(key),
            id,
            blind: blind.finish(),
        }
    }

    /// A text that only this key gives. It is kept nowhere.
    pub(crate) fn blind(&self) -> Zeroizing<String> {
        Zeroizing::new(self.blind.to_string())
    }

    /// Seals a value for a name.
    pub(crate) fn seal(&self, name: &Name, value: &SecretValue) -> io::Result<Sealed> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(io::Error::other)?;
        let mut text = value.reveal().to_vec();
        let once = Nonce::assume_unique_for_key(nonce);
        self.key
            .seal_in_place_append_tag(once, bound_to(name), &mut text)
            .expect("a secret is far shorter than what one nonce can seal");
        Ok(Sealed {
            key: self.id,
            nonce,
            text,
        })
    }

    /// Opens the value of a name.
    pub(crate) fn open(&self, name: &Name, sealed: &Sealed) -> Result<SecretValue, OpenError> {
        if sealed.key != self.id {
            return Err(OpenError::OtherKey);
        }
        let mut text = Zeroizing::new(sealed.text.clone());
        let nonce = Nonce::assume_unique_for_key(sealed.nonce);
        let value = self
            .key
            .open_in_place(nonce, bound_to(name), &mut text)
            .map_err(|_| OpenError::Damaged)?;
        SecretValue::new(value.to_vec()).map_err(|_| OpenError::Damaged)
    }
}

fn bound_to(name: &Name) -> Aad<Vec<u8>> {
    Aad::from(format!("{DOMAIN}\0{name}").into_bytes())
}

impl Sealed {
    /// Bytes that it occupies.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether it holds nothing, which no sealed value does.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.text.len())
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_protocol::codec;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn only_the_same_key_opens_a_value_and_only_under_its_name() {
        let key = SealingKey::from_bytes(&[1; KEY_BYTES]);
        let value = SecretValue::new(b"hunter2".to_vec()).unwrap();
        let sealed = key.seal(&name("db"), &value).unwrap();
        assert_eq!(key.open(&name("db"), &sealed), Ok(value.clone()));
        assert_eq!(key.open(&name("other"), &sealed), Err(OpenError::Damaged));
        let other = SealingKey::from_bytes(&[2; KEY_BYTES]);
        assert_eq!(other.open(&name("db"), &sealed), Err(OpenError::OtherKey));
        let mut bent = sealed.clone();
        bent.text[0] ^= 1;
        assert_eq!(key.open(&name("db"), &bent), Err(OpenError::Damaged));
        assert_ne!(
            key.seal(&name("db"), &value).unwrap(),
            sealed,
            "each time with another nonce"
        );
    }

    #[test]
    fn what_is_written_down_does_not_hold_the_value() {
        let key = SealingKey::from_bytes(&[1; KEY_BYTES]);
        let value = SecretValue::new(b"hunter2hunter2".to_vec()).unwrap();
        let sealed = key.seal(&name("db"), &value).unwrap();
        let bytes = codec::encode(&sealed);
        assert!(!bytes.windows(7).any(|window| window == b"hunter2"));
        assert_eq!(codec::decode::<Sealed>(&bytes).unwrap(), sealed);
    }
}
