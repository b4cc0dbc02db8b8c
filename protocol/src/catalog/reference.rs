//! A version of an asset as people write it. Which version a label means is the catalog's to say.

use super::version::{Version, VersionError};
use crate::name::{Name, NameError};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// Before a name in files of Azure ML.
const AZUREML: &str = "azureml:";

/// `NAME`, `NAME:VERSION` or `NAME@LABEL`, also with `azureml:` before it. No version and no label bear the same name, so one is as good as the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssetRef {
    /// The asset.
    pub name: Name,
    /// Its version or a label for one; none means the version that was added last.
    pub wanted: Option<Version>,
}

/// A text that names no version of an asset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssetRefError {
    /// What stands before `:` or `@` is no name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// What stands behind is no version.
    #[error(transparent)]
    Version(#[from] VersionError),
}

impl FromStr for AssetRef {
    type Err = AssetRefError;

    fn from_str(text: &str) -> Result<Self, AssetRefError> {
        let bare = text.strip_prefix(AZUREML).unwrap_or(text);
        let (name, wanted) = match bare.split_once([':', '@']) {
            Some((name, wanted)) => (name, Some(wanted.parse()?)),
            None => (bare, None),
        };
        Ok(Self {
            name: name.parse()?,
            wanted,
        })
    }
}

impl fmt::Display for AssetRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.wanted {
            Some(wanted) => write!(f, "{}@{wanted}", self.name),
            None => write!(f, "{}", self.name),
        }
    }
}

impl Serialize for AssetRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AssetRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_names_the_same_version() {
        for (text, name, wanted) in [
            ("iris", "iris", None),
            ("iris:3", "iris", Some("3")),
            ("iris@latest", "iris", Some("latest")),
            ("azureml:iris:2024-01-31", "iris", Some("2024-01-31")),
            ("azureml:iris@champion", "iris", Some("champion")),
        ] {
            let asset: AssetRef = text.parse().unwrap();
            let found = asset.wanted.as_ref().map(Version::as_str);
            assert_eq!((asset.name.as_str(), found), (name, wanted), "{text}");
        }
    }

    #[test]
    fn half_a_name_is_none() {
        for text in ["", ":1", "iris:", "iris@", "iris:1:2", "a/b", "azureml:"] {
            assert!(text.parse::<AssetRef>().is_err(), "{text:?} was accepted");
        }
    }
}
