//! The tree.

use crate::diagnostic::Place;
use serde_json::{Map, Number, Value as Json};

/// A value with its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// A value.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One pair of a mapping; no key stands twice in it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: Box<str>,
    pub(crate) key_place: Place,
    pub(crate) value: Node,
}

/// A scalar as it was spelled.
#[derive(Debug, Clone)]
pub(crate) struct Scalar {
    pub(crate) text: Box<str>,
    /// Whether it stood without quotes, so that it may be a number, a truth value or nothing.
    pub(crate) plain: bool,
}

/// What a scalar would be by the rules of YAML 1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScalarKind {
    Null,
    Boolean,
    Integer,
    Number,
    Text,
}

impl Scalar {
    /// What the scalar is when nobody declared it otherwise.
    pub(crate) fn kind(&self) -> ScalarKind {
        if !self.plain {
            return ScalarKind::Text;
        }
        match &*self.text {
            "" | "~" | "null" | "Null" | "NULL" => ScalarKind::Null,
            "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => ScalarKind::Boolean,
            text if text.parse::<i64>().is_ok() => ScalarKind::Integer,
            text if is_number(text) => ScalarKind::Number,
            _ => ScalarKind::Text,
        }
    }
}

/// Whether a text is a decimal number: unlike the standard library's reader, names such as `nan` and `infinity` are not.
pub(crate) fn is_number(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit())
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'))
        && text.parse::<f64>().is_ok_and(f64::is_finite)
}

impl Node {
    /// The scalar, if it is one and not nothing.
    pub(crate) fn scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) if scalar.kind() != ScalarKind::Null => Some(scalar),
            Value::Scalar(_) | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The scalar's text, if it is one and not nothing.
    pub(crate) fn text(&self) -> Option<&str> {
        self.scalar().map(|scalar| &*scalar.text)
    }

    /// Whether it is nothing (`key:` alone, `~`, `null`).
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.kind() == ScalarKind::Null)
    }

    /// The value of a key, if it is a mapping that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|e| &*e.key == key).map(|e| &e.value),
            Value::Scalar(_) | Value::List(_) => None,
        }
    }

    /// What it is, in a word for people.
    pub(crate) fn shape(&self) -> &'static str {
        match &self.value {
            Value::Map(_) => "a mapping",
            Value::List(_) => "a list",
            Value::Scalar(scalar) => match scalar.kind() {
                ScalarKind::Null => "nothing",
                ScalarKind::Boolean => "a truth value",
                ScalarKind::Integer | ScalarKind::Number => "a number",
                ScalarKind::Text => "a text",
            },
        }
    }

    /// The same as JSON, keys sorted.
    pub(crate) fn to_json(&self) -> Json {
        match &self.value {
            Value::Map(entries) => {
                let mut sorted: Vec<&Entry> = entries.iter().collect();
                sorted.sort_by(|a, b| a.key.cmp(&b.key));
                let pairs = sorted.into_iter().map(|e| (e.key.to_string(), e.value.to_json()));
                Json::Object(pairs.collect::<Map<_, _>>())
            }
            Value::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Value::Scalar(scalar) => match scalar.kind() {
                ScalarKind::Null => Json::Null,
                ScalarKind::Boolean => Json::Bool(scalar.text.eq_ignore_ascii_case("true")),
                ScalarKind::Integer => scalar.text.parse::<i64>().map_or(Json::Null, Json::from),
                ScalarKind::Number => scalar
                    .text
                    .parse::<f64>()
                    .ok()
                    .and_then(Number::from_f64)
                    .map_or(Json::Null, Json::Number),
                ScalarKind::Text => Json::String(scalar.text.to_string()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str, plain: bool) -> ScalarKind {
        Scalar {
            text: text.into(),
            plain,
        }
        .kind()
    }

    #[test]
    fn plain_scalars_are_what_yaml_1_2_says() {
        for (text, expected) in [
            ("1e-3", ScalarKind::Number),
            ("01", ScalarKind::Integer),
            ("True", ScalarKind::Boolean),
            ("yes", ScalarKind::Text),
            ("", ScalarKind::Null),
            ("~", ScalarKind::Null),
            (".5", ScalarKind::Number),
            ("nan", ScalarKind::Text),
            ("1.2.3", ScalarKind::Text),
            ("-", ScalarKind::Text),
        ] {
            assert_eq!(kind(text, true), expected, "{text:?}");
        }
    }

    #[test]
    fn quoted_scalars_are_always_text() {
        assert_eq!(kind("1", false), ScalarKind::Text);
        assert_eq!(kind("", false), ScalarKind::Text);
    }
}
