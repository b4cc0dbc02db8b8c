//! What a request asks, whichever way it is written: in the query of a GET, in the body of anything else; whole numbers as numbers or as text, lists as lists or as
//! one text, as protocol buffers allow in JSON.

use super::fault::Fault;
use crate::tracking::TrackedId;
use axum::body::Bytes;
use axum::extract::{FromRequest, Query, Request};
use axum::http::Method;
use serde::Deserialize;
use serde::de::{self, DeserializeOwned, Deserializer, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

/// What is asked.
#[derive(Debug)]
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Asked<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let unread =
            |error: &dyn fmt::Display| Fault::invalid(format!("the request is not understood: {error}"));
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            let pairs = Query::<Vec<(String, String)>>::try_from_uri(request.uri());
            let Query(pairs) = pairs.map_err(|error| unread(&error))?;
            let asked = serde_json::from_value(Value::Object(gathered(pairs)));
            return asked.map(Self).map_err(|error| unread(&error));
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|error| unread(&error))?;
        let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
        serde_json::from_slice(body)
            .map(Self)
            .map_err(|error| unread(&error))
    }
}

/// The pairs of a query; a name that comes twice has a list.
fn gathered(pairs: Vec<(String, String)>) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, text) in pairs {
        let text = Value::String(text);
        match fields.get_mut(&name) {
            None => {
                fields.insert(name, text);
            }
            Some(Value::Array(list)) => list.push(text),
            Some(one) => *one = Value::Array(vec![one.take(), text]),
        }
    }
    fields
}

/// A whole number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Whole(pub(super) i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WholeReader)
    }
}

struct WholeReader;

impl Visitor<'_> for WholeReader {
    type Value = Whole;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Whole, E> {
        Ok(Whole(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Whole, E> {
        let number = i64::try_from(number);
        number
            .map(Whole)
            .map_err(|_| E::custom("the number is too large"))
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "it has no fraction and is small enough"
    )]
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Whole, E> {
        let is_whole = number.fract() == 0.0 && number.abs() < 9e15;
        if is_whole {
            Ok(Whole(number as i64))
        } else {
            Err(E::invalid_value(de::Unexpected::Float(number), &self))
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Whole, E> {
        let number = text.parse();
        number
            .map(Whole)
            .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

/// A list of texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Texts(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextsReader)
    }
}

struct TextsReader;

impl<'de> Visitor<'de> for TextsReader {
    type Value = Texts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of texts")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Texts, E> {
        Ok(Texts(vec![text.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = list.next_element()? {
            texts.push(text);
        }
        Ok(Texts(texts))
    }
}

/// A name with a text: a tag or a parameter.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Pair {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: String,
}

/// Tags that are to be set.
pub(super) fn to_set(pairs: Vec<Pair>) -> BTreeMap<String, Option<String>> {
    pairs
        .into_iter()
        .map(|pair| (pair.key, Some(pair.value)))
        .collect()
}

/// Tags of something new.
pub(super) fn tags(pairs: Vec<Pair>) -> BTreeMap<String, String> {
    pairs.into_iter().map(|pair| (pair.key, pair.value)).collect()
}

/// The run that is meant: older clients say `run_uuid`, and most say both.
pub(super) fn run_of(run_id: Option<String>, run_uuid: Option<String>) -> Result<TrackedId, Fault> {
    let id = run_id
        .filter(|id| !id.is_empty())
        .or(run_uuid)
        .filter(|id| !id.is_empty());
    id.map(|id| TrackedId::named(&id))
        .ok_or_else(|| Fault::invalid("the request names no `run_id`"))
}

/// Where a page begins: the token says after how many.
pub(super) fn page_start(token: Option<&str>) -> Result<usize, Fault> {
    match token.filter(|token| !token.is_empty()) {
        None => Ok(0),
        Some(token) => token
            .parse()
            .map_err(|_| Fault::invalid("the `page_token` is none that this server gave")),
    }
}

/// One page of a list, and the token of the next.
pub(super) fn page<T>(all: Vec<T>, start: usize, length: usize) -> (Vec<T>, Option<String>) {
    let end = start.saturating_add(length);
    let next = (all.len() > end).then(|| end.to_string());
    (all.into_iter().skip(start).take(length).collect(), next)
}

/// How long a page is to be.
pub(super) fn page_length(asked: Option<Whole>, default: usize, most: usize) -> Result<usize, Fault> {
    let Some(Whole(asked)) = asked else {
        return Ok(default);
    };
    let length = usize::try_from(asked)
        .ok()
        .filter(|length| (1..=most).contains(length));
    length.ok_or_else(|| Fault::invalid(format!("`max_results` is {asked}; it may be 1 to {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_comes_twice_is_a_list() {
        let pairs = [("a", "1"), ("b", "2"), ("a", "3"), ("a", "4")];
        let fields = gathered(
            pairs
                .map(|(name, text)| (name.to_owned(), text.to_owned()))
                .into(),
        );
        assert_eq!(
            Value::Object(fields),
            serde_json::json!({"a": ["1", "3", "4"], "b": "2"})
        );
    }

    #[test]
    fn whole_numbers_come_as_numbers_and_as_text_and_nothing_else_does() {
        for text in ["7", "\"7\"", "7.0"] {
            assert_eq!(serde_json::from_str::<Whole>(text).unwrap(), Whole(7), "{text}");
        }
        for text in ["7.5", "\"x\"", "true", "1e30", "18446744073709551615"] {
            assert!(serde_json::from_str::<Whole>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn pages_follow_each_other_without_gap() {
        assert_eq!(page(vec![1, 2, 3], 0, 2), (vec![1, 2], Some("2".to_owned())));
        assert_eq!(page(vec![1, 2, 3], 2, 2), (vec![3], None));
        assert_eq!(page(vec![1, 2, 3], 9, 2), (vec![], None));
    }
}
