//! A token as text: `tmk_<id>_<secret>`, or `tmj_<id>_<secret>` for one by which a worker joins. Seen once by whoever it was made for, and in each request; what is
//! kept is the hash.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use std::str::FromStr;
use tidemill_protocol::access::TokenId;
use tidemill_protocol::digest::{CanonicalHasher, Digest};

/// What a token is for. Its text begins with a mark of its own, so that scanners for leaked secrets know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To make requests with some scope.
    Access,
    /// To enrol one worker.
    Join,
}

impl Purpose {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Access => "tmk_",
            Self::Join => "tmj_",
        }
    }

    const fn domain(self) -> &'static str {
        match self {
            Self::Access => "tidemill/access-token/v1",
            Self::Join => "tidemill/join-token/v1",
        }
    }
}

/// Random bytes of a secret. So many need no slow hash.
const SECRET_BYTES: usize = 32;
/// The same as text.
const SECRET_CHARS: usize = 43;

/// A token with its secret. Not shown by `Debug`, not kept anywhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    purpose: Purpose,
    id: TokenId,
    text: String,
}

/// A token as a request shows it: its name, and the hash of the secret that was shown.
#[derive(Debug, Clone)]
pub struct Presented {
    purpose: Purpose,
    id: TokenId,
    hash: Digest,
}

/// A text that cannot be a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token reads tmk_ (or tmj_ to join), an id of 12 characters, _ and 43 more characters")]
pub struct SecretError;

impl Secret {
    /// A new token to make requests with, from the system's randomness.
    pub fn draw() -> std::io::Result<Self> {
        Self::draw_for(Purpose::Access)
    }

    /// A new token for this purpose, from the system's randomness.
    pub fn draw_for(purpose: Purpose) -> std::io::Result<Self> {
        let mut bytes = [0; SECRET_BYTES];
        let mut id = [0; TokenId::LENGTH];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        getrandom::fill(&mut id).map_err(std::io::Error::other)?;
        Ok(Self {
            purpose,
            id: TokenId::from_random(id),
            text: URL_SAFE_NO_PAD.encode(bytes),
        })
    }

    /// The public name.
    pub fn id(&self) -> &TokenId {
        &self.id
    }

    /// The hash that is kept.
    pub fn hash(&self) -> Digest {
        hash(self.purpose, &self.id, &self.text)
    }

    /// The whole text: for its owner, once.
    pub fn reveal(&self) -> String {
        format!("{}{}_{}", self.purpose.prefix(), self.id, self.text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}_…", self.purpose.prefix(), self.id)
    }
}

impl FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        let mut purposes = [Purpose::Access, Purpose::Join].into_iter();
        let marked = purposes.find_map(|purpose| Some((purpose, text.strip_prefix(purpose.prefix())?)));
        let (purpose, rest) = marked.ok_or(SecretError)?;
        let (id, secret) = rest.split_once('_').ok_or(SecretError)?;
        let is_url_safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if secret.len() != SECRET_CHARS || !secret.bytes().all(is_url_safe) {
            return Err(SecretError);
        }
        Ok(Self {
            purpose,
            id: id.parse().map_err(|_| SecretError)?,
            text: secret.to_owned(),
        })
    }
}

impl Presented {
    /// Reads what a request shows.
    pub fn read(text: &str) -> Result<Self, SecretError> {
        let secret: Secret = text.parse()?;
        Ok(Self {
            purpose: secret.purpose,
            hash: secret.hash(),
            id: secret.id,
        })
    }

    /// What it is for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The name.
    pub fn id(&self) -> &TokenId {
        &self.id
    }

    /// The hash of the secret.
    pub fn hash(&self) -> &Digest {
        &self.hash
    }
}

fn hash(purpose: Purpose, id: &TokenId, secret: &str) -> Digest {
    let mut hasher = CanonicalHasher::new(purpose.domain());
    hasher.text(id.as_str()).text(secret);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_text_and_two_are_never_alike() {
        let (one, other) = (Secret::draw().unwrap(), Secret::draw().unwrap());
        assert_eq!(one.reveal().parse(), Ok(one.clone()));
        assert_ne!(one.hash(), other.hash());
        assert_eq!(one.reveal().len(), 4 + 12 + 1 + 43);
    }

    #[test]
    fn a_token_of_one_purpose_is_none_of_the_other() {
        let join = Secret::draw_for(Purpose::Join).unwrap();
        let text = join.reveal();
        assert_eq!(Presented::read(&text).unwrap().purpose(), Purpose::Join);
        let as_access = Presented::read(&text.replace("tmj_", "tmk_")).unwrap();
        assert_eq!(as_access.purpose(), Purpose::Access);
        assert_ne!(*as_access.hash(), join.hash());
    }

    #[test]
    fn the_secret_is_not_shown_by_accident() {
        let token = Secret::draw().unwrap();
        let secret = token.text.clone();
        assert!(!format!("{token:?}").contains(&secret));
        let presented = Presented::read(&token.reveal()).unwrap();
        assert!(!format!("{presented:?}").contains(&secret));
    }

    #[test]
    fn texts_that_are_no_tokens_are_refused() {
        let good = Secret::draw().unwrap().reveal();
        let longer = format!("{good}x");
        let cut = good.strip_suffix(|_: char| true).unwrap();
        let bad = [
            "",
            "tmk_",
            "tmk__",
            "Bearer x",
            &longer,
            cut,
            &good.to_uppercase(),
            &good.replace("tmk_", "tmx_"),
        ];
        for text in bad {
            assert!(text.parse::<Secret>().is_err(), "{text}");
        }
    }
}
