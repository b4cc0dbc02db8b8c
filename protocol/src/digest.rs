//! A BLAKE3 hash as a value, its text form, and the canonical hasher from which every key of the house is made.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// A BLAKE3 hash of 32 bytes. Text form: 64 lower-case hexadecimal digits. In binary formats: 32 raw bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Ord for Digest {
    /// The order of the bytes. The first eight, compared as one number, decide nearly always; ordered tables of digests live by that.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let head = |bytes: &[u8; 32]| bytes.first_chunk().map(|head| u64::from_be_bytes(*head));
        head(&self.0)
            .cmp(&head(&other.0))
            .then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Digest {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A text that is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a digest has 64 lower-case hexadecimal digits, not {0:?}")]
pub struct DigestError(pub String);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The digest that only holders of this key can compute: a proof that one of them saw these bytes.
    pub fn keyed(key: &[u8; 32], bytes: &[u8]) -> Self {
        Self(*blake3::keyed_hash(key, bytes).as_bytes())
    }

    /// Wraps a hash computed elsewhere.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The text form.
    pub fn to_hex(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().as_str().to_owned()
    }

    /// The first twelve digits: for people, never for look-up.
    pub fn short(&self) -> String {
        let mut text = self.to_hex();
        text.truncate(12);
        text
    }
}

impl From<blake3::Hash> for Digest {
    fn from(hash: blake3::Hash) -> Self {
        Self(*hash.as_bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let canonical = text.len() == 64
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !canonical {
            return Err(DigestError(text.chars().take(80).collect()));
        }
        blake3::Hash::from_hex(text)
            .map(Self::from)
            .map_err(|_| DigestError(text.to_owned()))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Inside an internally tagged enum serde reads from a buffer that calls itself human-readable whatever the format was, so both
        // forms are taken there.
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(DigestVisitor)
        } else {
            deserializer.deserialize_bytes(DigestVisitor)
        }
    }
}

struct DigestVisitor;

impl de::Visitor<'_> for DigestVisitor {
    type Value = Digest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a digest: 32 bytes or 64 hexadecimal digits")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Digest, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Digest, E> {
        let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| E::invalid_length(bytes.len(), &self))?;
        Ok(Digest(bytes))
    }
}

impl utoipa::PartialSchema for Digest {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        String::schema()
    }
}

impl utoipa::ToSchema for Digest {}

/// Hashes a record field by field so that no two different records feed the hasher the same bytes: every field is
/// written as its length and its bytes, and the first field is the domain, which names the kind of record.
#[derive(Debug, Clone)]
pub struct CanonicalHasher(blake3::Hasher);

impl CanonicalHasher {
    /// Starts a record of this kind, e.g. `tidemill/step-key/v1`.
    pub fn new(domain: &str) -> Self {
        let mut hasher = Self(blake3::Hasher::new());
        hasher.text(domain);
        hasher
    }

    /// Adds a field of raw bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds a text field.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Adds a number, also used to announce how many fields of a list follow.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.bytes(&number.to_le_bytes())
    }

    /// Adds the digest of a sub-record.
    pub fn digest(&mut self, digest: &Digest) -> &mut Self {
        self.bytes(digest.as_bytes())
    }

    /// Adds a field that may be absent; absence differs from emptiness.
    pub fn optional(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.number(1).text(text),
            None => self.number(0),
        }
    }

    /// The digest of all fields so far.
    pub fn finish(&self) -> Digest {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_survives_its_text_form() {
        let digest = Digest::of(b"tidemill");
        assert_eq!(digest.to_string().parse(), Ok(digest));
    }

    #[test]
    fn a_digest_survives_json_and_messagepack() {
        let digest = Digest::of(b"tidemill");
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        let packed = rmp_serde::to_vec_named(&digest).unwrap();
        assert_eq!(packed.len(), 34, "two bytes of header and 32 of hash");
        assert_eq!(rmp_serde::from_slice::<Digest>(&packed).unwrap(), digest);
    }

    #[test]
    fn a_digest_survives_an_internally_tagged_enum() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        enum Tagged {
            One { digest: Digest },
        }
        let tagged = Tagged::One {
            digest: Digest::of(b"tidemill"),
        };
        let packed = rmp_serde::to_vec_named(&tagged).unwrap();
        assert_eq!(rmp_serde::from_slice::<Tagged>(&packed).unwrap(), tagged);
        let json = serde_json::to_string(&tagged).unwrap();
        assert_eq!(serde_json::from_str::<Tagged>(&json).unwrap(), tagged);
    }

    #[test]
    fn texts_that_are_not_digests_are_refused() {
        let hex = Digest::of(b"x").to_hex();
        for bad in [
            "",
            "abc",
            &hex.to_uppercase(),
            &format!("{hex}00"),
            &hex.replace(|c: char| c.is_ascii_digit(), "g"),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn digests_are_ordered_by_their_bytes() {
        let digests: Vec<Digest> = (0_u8..50).map(|n| Digest::of(&[n])).collect();
        let mut late = *digests[0].as_bytes();
        late[31] ^= 1;
        for one in &digests {
            for two in digests.iter().chain([&Digest::from_bytes(late)]) {
                assert_eq!(one.cmp(two), one.as_bytes().cmp(two.as_bytes()));
            }
        }
    }

    #[test]
    fn moving_a_byte_between_fields_changes_the_hash() {
        let one = CanonicalHasher::new("d").text("ab").text("c").finish();
        let two = CanonicalHasher::new("d").text("a").text("bc").finish();
        assert_ne!(one, two);
    }

    #[test]
    fn an_absent_field_differs_from_an_empty_one() {
        let absent = CanonicalHasher::new("d").optional(None).finish();
        let empty = CanonicalHasher::new("d").optional(Some("")).finish();
        assert_ne!(absent, empty);
    }
}
