//! The language in which clients search: conditions joined by AND, such as `metrics.loss < 0.5 AND params.model = 'tree'`, and orders such as `metrics.loss DESC`. What
//! a word means for runs, experiments or models is said by a [`Vocabulary`]; what a thing has, by a [`Subject`].

mod filter;
#[cfg(feature = "fuzzing")]
mod fuzzing;
mod order;
mod words;

pub(crate) use filter::Filter;
#[cfg(feature = "fuzzing")]
pub use fuzzing::filter as fuzz_filter;
pub(crate) use order::{Order, sort};

use std::borrow::Cow;

/// Something about a thing that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Field {
    /// Its metric of this name: a number.
    Metric(String),
    /// Its parameter: a text.
    Param(String),
    /// Its tag: a text.
    Tag(String),
    /// A number that every such thing has.
    Number(&'static str),
    /// A text that every such thing has.
    Text(&'static str),
    /// Something about the data sets that it used.
    Dataset(&'static str),
}

/// What may be asked of one kind of thing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vocabulary {
    /// What such things are called in messages.
    pub(crate) things: &'static str,
    /// The names of its numbers.
    pub(crate) numbers: &'static [&'static str],
    /// The names of its texts.
    pub(crate) texts: &'static [&'static str],
    /// Other spellings of those.
    pub(crate) spellings: &'static [(&'static str, &'static str)],
    /// Whether it has metrics, parameters and data sets beside its tags.
    pub(crate) has_metrics: bool,
}

/// A thing that is searched.
pub(crate) trait Subject {
    /// A number of it.
    fn number(&self, field: &Field) -> Option<f64>;
    /// A text of it.
    fn text(&self, field: &Field) -> Option<Cow<'_, str>>;
    /// Something about all data sets that it used.
    fn datasets(&self, _what: &'static str) -> Vec<&str> {
        Vec::new()
    }
}

/// A text that is not of the language, with what is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct SearchError(pub(crate) String);
