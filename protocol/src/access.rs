//! The words of rights: what a token may do, and how a token is called. The tokens themselves are the coordinator's; no secret stands here.

use serde::{Deserialize, Deserializer, Serialize, de};
use std::fmt;
use std::str::FromStr;

/// What a token may do. Each scope may do all that those before it may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Look at runs, logs, artifacts, workers and queues.
    Reader,
    /// Start runs, which is to run any code on the workers, and end or retry runs of the same subject.
    Submitter,
    /// End and retry everybody's runs, drain workers.
    Operator,
    /// Make and revoke tokens.
    Admin,
}

/// What a token's subject is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// A person, or a system of theirs.
    #[default]
    Person,
    /// A team: a service that nobody in particular answers for.
    Team,
}

impl SubjectKind {
    /// Whether it is what a subject is when nobody says so.
    pub const fn is_person(&self) -> bool {
        matches!(self, Self::Person)
    }
}

impl Scope {
    /// All scopes, weakest first.
    pub const ALL: [Self; 4] = [Self::Reader, Self::Submitter, Self::Operator, Self::Admin];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Submitter => "submitter",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a scope is reader, submitter, operator or admin")]
pub struct ScopeError;

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let known = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        known.ok_or(ScopeError)
    }
}

/// The public name of a token: 12 lower-case letters and digits. Whoever knows it can name the token, not use it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct TokenId(String);

/// A text that is no token's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a token's id has 12 lower-case letters and digits")]
pub struct TokenIdError;

impl TokenId {
    /// Characters of an id.
    pub const LENGTH: usize = 12;
    const ALPHABET: [u8; 32] = *b"abcdefghijkmnpqrstuvwxyz23456789";

    /// An id made of random bytes; five bits of each count.
    pub fn from_random(bytes: [u8; Self::LENGTH]) -> Self {
        let letters = bytes.map(|byte| char::from(Self::ALPHABET[usize::from(byte % 32)]));
        Self(letters.into_iter().collect())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TokenId {
    type Err = TokenIdError;

    fn from_str(text: &str) -> Result<Self, TokenIdError> {
        let fits = text.len() == Self::LENGTH
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        fits.then(|| Self(text.to_owned())).ok_or(TokenIdError)
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TokenId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_may_do_what_the_weaker_ones_may_and_reads_as_its_word() {
        assert!(Scope::ALL.is_sorted());
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
        }
        for bad in ["", "Admin", "root", "admin "] {
            assert_eq!(bad.parse::<Scope>(), Err(ScopeError));
        }
    }

    #[test]
    fn an_id_is_twelve_plain_letters_or_digits() {
        let id = TokenId::from_random([0, 31, 32, 255, 7, 7, 7, 7, 7, 7, 7, 7]);
        assert_eq!(id.as_str().parse(), Ok(id));
        for bad in [
            "",
            "short",
            "ABCDEFGHIJKL",
            "abcdefghijk_",
            "abcdefghijklm",
            "abcdefghijké",
        ] {
            assert_eq!(bad.parse::<TokenId>(), Err(TokenIdError), "{bad}");
        }
    }
}
