//! What the fuzz target `filter` checks; only with the feature `fuzzing`. Here, because the language is private.

use super::{Field, Filter, Order, Subject, Vocabulary, sort};
use crate::tracking::{Own, TrackedId};
use std::borrow::Cow;

const THINGS: Vocabulary = Vocabulary {
    things: "things",
    numbers: &["start_time"],
    texts: &["name"],
    spellings: &[("Name", "name")],
    has_metrics: true,
};

/// A thing that has whatever it is asked for.
struct Thing(usize);

impl Subject for Thing {
    fn number(&self, field: &Field) -> Option<f64> {
        match field {
            Field::Metric(key) if key.len() > self.0 => Some(f64::NAN),
            _ => Some(0.5),
        }
    }

    fn text(&self, field: &Field) -> Option<Cow<'_, str>> {
        match field {
            Field::Tag(key) if key.len() > self.0 => None,
            _ => Some("some text, %_".into()),
        }
    }
}

/// Reads bytes as a filter, as an order and as the id of a tracked run.
///
/// # Panics
/// When what is found is no longer found with the same condition twice, when sorting loses something, or when an id of ours is spelled in two ways.
pub fn filter(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(filter) = Filter::parse(text, &THINGS) {
        let twice = Filter::parse(&format!("{text} AND {text}"), &THINGS);
        if let (false, Ok(twice)) = (text.trim().is_empty(), twice) {
            assert_eq!(filter.fits(&Thing(3)), twice.fits(&Thing(3)), "{text}");
        }
    }
    if let Ok(orders) = Order::parse_all(&[text.to_owned()], &THINGS) {
        let mut things = vec![Thing(1), Thing(5), Thing(3)];
        sort(&mut things, &orders);
        assert_eq!(things.iter().map(|thing| thing.0).sum::<usize>(), 9);
    }
    let id = TrackedId::named(text);
    if let Some(Own::Attempt(attempt)) = id.own() {
        assert_eq!(TrackedId::of_attempt(attempt), id);
    }
}
