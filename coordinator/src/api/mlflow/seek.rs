//! Searching, as it is the same for experiments, runs, logged and registered models and their versions: a filter, orders, and one page of what is found. Which things there are,
//! and which of them the caller sees, is said with each.

use super::asked::{Texts, Whole, page, page_length, page_start};
use super::fault::Fault;
use crate::tracking::search::{Filter, Order, Subject, Vocabulary, sort};
use serde::Deserialize;

/// What a request says of a search.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sought {
    pub(super) filter: Option<String>,
    pub(super) max_results: Option<Whole>,
    pub(super) order_by: Texts,
    pub(super) page_token: Option<String>,
}

/// A search that was understood.
pub(super) struct Search {
    start: usize,
    length: usize,
    filter: Filter,
    orders: Vec<Order>,
}

impl Sought {
    /// Reads it for things of this vocabulary; a page has so many when nobody says how many, and at most so many.
    pub(super) fn read(
        &self,
        vocabulary: &Vocabulary,
        (default, most): (usize, usize),
    ) -> Result<Search, Fault> {
        Ok(Search {
            start: page_start(self.page_token.as_deref())?,
            length: page_length(self.max_results, default, most)?,
            filter: Filter::parse(self.filter.as_deref().unwrap_or_default(), vocabulary)?,
            orders: Order::parse_all(&self.order_by.0, vocabulary)?,
        })
    }
}

impl Search {
    /// One page of those that fit, in the orders asked for and else as they came; and the token of the next.
    pub(super) fn page<T: Subject>(&self, mut all: Vec<T>) -> (Vec<T>, Option<String>) {
        all.retain(|one| self.filter.fits(one));
        sort(&mut all, &self.orders);
        page(all, self.start, self.length)
    }
}
