//! Versions of assets, and the labels that point at them: short texts of one grammar. Numbers come before other words and in their own order.

use serde::{Deserialize, Deserializer, Serialize, de};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The label that always means the version added last; nobody may set it.
pub const LATEST: &str = "latest";
/// The label of the version that is meant when nobody names one.
pub const DEFAULT: &str = "default";
/// Longest version or label in bytes.
const BYTES_MAX: usize = 64;

/// A version of an asset, or a label for one: a letter or digit, then letters, digits, `.`, `_`, `-` and `+`; at most 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct Version(Arc<str>);

/// A text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a version or label has 1 to {BYTES_MAX} letters, digits, `.`, `_`, `-` or `+`, the first a letter or digit"
)]
pub struct VersionError;

impl Version {
    /// The version as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The version of this number.
    pub fn number(number: u64) -> Self {
        Self(number.to_string().into())
    }

    /// Its number, if it is one and is spelled as [`Self::number`] would.
    pub fn as_number(&self) -> Option<u64> {
        let number = self.0.parse().ok()?;
        (*self == Self::number(number)).then_some(number)
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        let rest =
            bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+'));
        if first && rest && text.len() <= BYTES_MAX {
            Ok(Self(text.into()))
        } else {
            Err(VersionError)
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.as_number(), other.as_number()) {
            (Some(one), Some(two)) => one.cmp(&two),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => self.0.cmp(&other.0),
        }
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_in_their_own_order_and_before_words() {
        let mut versions: Vec<Version> = ["10", "b", "9", "0.2", "a", "01"]
            .map(|text| text.parse().unwrap())
            .into();
        versions.sort();
        let texts: Vec<&str> = versions.iter().map(Version::as_str).collect();
        assert_eq!(texts, ["9", "10", "0.2", "01", "a", "b"]);
    }

    #[test]
    fn what_could_be_a_path_or_an_option_is_no_version() {
        for text in ["", ".", "..", "a/b", "-x", "a b", "ä", &"x".repeat(65)] {
            assert_eq!(text.parse::<Version>(), Err(VersionError), "{text}");
        }
        for text in ["1", "2024-01-31", "1.0.0+cu121", "v_2"] {
            assert_eq!(text.parse::<Version>().unwrap().as_str(), text);
        }
    }
}
