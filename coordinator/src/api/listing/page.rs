//! A page of what there is: the items that come after a place in an order, as many as are asked for, and the place where they end.

use super::ask::{After, Asked};
use super::cursor::Cursor;
use super::key::Key;
use super::orders::{Keyed, Listed, PLAN as RANK};
use axum::Json;
use serde::Serialize;
use std::cmp::Ordering;
use tidemill_protocol::api::Page;

/// A list: whole where nobody asks for a page, else one page of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(in crate::api) enum Listing<T> {
    /// All items.
    Whole(Vec<T>),
    /// Some of them: the answer to `limit` or `cursor`.
    Page(Page<T>),
}

/// Where an item stands: its key, and what tells it from others with the same.
pub(in crate::api) type Place<'a> = (Key<'a>, Key<'a>);

impl<T: Keyed> Asked<T> {
    /// The answer, from all items in the order that the list has when none is asked for.
    pub(in crate::api) fn answer(self, items: Vec<T>) -> Json<Listing<T>> {
        self.answer_ranked(items.into_iter().map(|item| (0, item)).collect())
    }

    /// The same from items that stand in an order which only their list knows, each with its rank in it.
    pub(in crate::api) fn answer_ranked(self, items: Vec<(u64, T)>) -> Json<Listing<T>> {
        let wanted = self.search.as_deref();
        let is_wanted = |(_, item): &(u64, T)| wanted.is_none_or(|text| item.has(text));
        let items: Vec<(u64, T)> = items.into_iter().filter(is_wanted).collect();
        if !self.is_paged() && self.is_in_own_order() {
            return Json(Listing::Whole(items.into_iter().map(|(_, item)| item).collect()));
        }
        let (is_paged, field) = (self.is_paged(), self.order.field);
        let page = self.select(items, |(rank, item)| match field {
            RANK => (Key::from(*rank), item.id()),
            field => (item.key(field), item.id()),
        });
        let page = shown(page, |(_, item)| item);
        Json(if is_paged {
            Listing::Page(page)
        } else {
            Listing::Whole(page.items)
        })
    }
}

impl<T: Listed> Asked<T> {
    /// The page, of items that are in no order yet. `place` says where each stands.
    pub(in crate::api) fn select<'a, I>(
        &self,
        items: impl IntoIterator<Item = I>,
        place: impl Fn(&I) -> Place<'a>,
    ) -> Page<I> {
        let mut placed: Vec<(Place<'a>, I)> = items
            .into_iter()
            .map(|item| (place(&item), item))
            .filter(|(place, _)| self.is_after(place))
            .collect();
        let by_place = |one: &(Place<'a>, I), other: &(Place<'a>, I)| self.order.direct(one.0.cmp(&other.0));
        let limit = self.limit();
        if limit < placed.len() {
            // The first ones only, whatever their order: sorting all of a long list takes longer than finding them.
            placed.select_nth_unstable_by(limit, by_place);
            placed.truncate(limit.saturating_add(1));
        }
        placed.sort_by(by_place);
        self.cut(placed)
    }

    /// The page, of items that come in the order that is asked for, from the place on that was asked for; at least one more than fit, where there are as many.
    pub(in crate::api) fn take<'a, I>(&self, items: impl IntoIterator<Item = (Place<'a>, I)>) -> Page<I> {
        let most = self.limit().saturating_add(1);
        self.cut(items.into_iter().take(most).collect())
    }

    fn cut<I>(&self, mut placed: Vec<(Place<'_>, I)>) -> Page<I> {
        let limit = self.limit();
        let more = placed.len() > limit;
        placed.truncate(limit);
        let last = placed.last().filter(|_| more);
        let next_cursor = last.map(|((key, id), _)| {
            let cursor = Cursor {
                sort: self.order.spelled().into(),
                question: self.question.as_str().into(),
                key: key.clone(),
                id: id.clone(),
            };
            cursor.print()
        });
        Page {
            items: placed.into_iter().map(|(_, item)| item).collect(),
            next_cursor,
        }
    }

    fn is_after(&self, place: &Place<'_>) -> bool {
        match &self.after {
            After::Place(key, id) => {
                let one = (key, id);
                let other = (&place.0, &place.1);
                self.order.direct(other.cmp(&one)) == Ordering::Greater
            }
            After::Nothing | After::Plain(_) => true,
        }
    }
}

/// The same page with its items as they are shown.
pub(in crate::api) fn shown<I, V>(page: Page<I>, show: impl FnMut(I) -> V) -> Page<V> {
    Page {
        items: page.items.into_iter().map(show).collect(),
        next_cursor: page.next_cursor,
    }
}
