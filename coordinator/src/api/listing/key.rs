//! What items are ordered by: numbers, texts, or nothing where a field is empty. A key is made of a field as JSON shows it, so that every field of a view can
//! be one.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

/// A place in an order. What is empty comes before everything, numbers before texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub(in crate::api) enum Key<'a> {
    /// The field is empty.
    Nothing,
    /// A number, a moment, or a truth value as 0 or 1.
    Number(i64),
    /// A text, by its bytes.
    Text(Cow<'a, str>),
}

impl Key<'_> {
    /// The key of a field as it is shown.
    pub(in crate::api) fn of(field: &impl Serialize) -> Key<'static> {
        match serde_json::to_value(field) {
            Ok(Value::Number(number)) => Key::Number(number.as_i64().unwrap_or(i64::MAX)),
            Ok(Value::Bool(is_so)) => Key::Number(i64::from(is_so)),
            Ok(Value::String(text)) => Key::Text(text.into()),
            Ok(Value::Null) | Err(_) => Key::Nothing,
            Ok(other) => Key::Text(other.to_string().into()),
        }
    }

    /// What several fields together tell apart.
    pub(in crate::api) fn joined<const N: usize>(keys: [Key<'static>; N]) -> Key<'static> {
        match <[Key<'static>; 1]>::try_from(Vec::from(keys)) {
            Ok([only]) => only,
            Err(keys) => {
                let texts: Vec<String> = keys.iter().map(Key::text).collect();
                Key::Text(texts.join("\0").into())
            }
        }
    }

    /// Whether a text, given in small letters, is in this.
    pub(in crate::api) fn holds(&self, text: &str) -> bool {
        self.text().to_lowercase().contains(text)
    }

    fn text(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            // So many digits that texts of numbers stand in their order.
            Self::Number(number) => format!("{number:020}"),
            Self::Text(text) => text.to_string(),
        }
    }

    /// The same for as long as one likes.
    pub(in crate::api) fn into_owned(self) -> Key<'static> {
        match self {
            Self::Nothing => Key::Nothing,
            Self::Number(number) => Key::Number(number),
            Self::Text(text) => Key::Text(text.into_owned().into()),
        }
    }
}

impl<'a> From<&'a str> for Key<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl From<u64> for Key<'_> {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}
