//! How the process of an attempt logs to the coordinator: what the task carries for it. The token is good for what this attempt may log, while it lives and a
//! little longer; `Debug` does not show it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use zeroize::Zeroizing;

/// What an attempt's process needs to log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackingGrant {
    /// The id of the experiment.
    pub experiment: String,
    /// The id by which tracking knows the attempt.
    pub run: String,
    /// What its requests show.
    pub token: HiddenText,
}

/// A text that is for its owner only.
#[derive(Clone, PartialEq, Eq)]
pub struct HiddenText(Zeroizing<String>);

impl HiddenText {
    /// Hides a text.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text: for whoever hands it on, never to be shown.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl Serialize for HiddenText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for HiddenText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl fmt::Debug for HiddenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HiddenText(…)")
    }
}
