//! What was asked of a list, read and checked: what makes no sense is refused with what would.

use super::cursor::{self, CursorError};
use super::key::Key;
use super::orders::{Bounds, Field, Listed};
use crate::api::error::ApiError;
use axum::extract::{FromRequestParts, Query};
use axum::http::Uri;
use axum::http::request::Parts;
use std::cmp::Ordering;
use std::marker::PhantomData;
use tidemill_protocol::api::ErrorCode;

/// Longest text that is searched for.
const SEARCH_BYTES_MAX: usize = 256;
/// What of a query chooses no items.
const CHOOSES_NOTHING: [&str; 3] = ["limit", "cursor", "sort"];

/// What was asked of a list of `T`.
#[derive(Debug)]
pub(in crate::api) struct Asked<T> {
    limit: Option<usize>,
    /// Where to begin.
    pub(super) after: After,
    /// In which order.
    pub(in crate::api) order: Order,
    /// Only what has this in its name, in small letters.
    pub(super) search: Option<String>,
    pub(super) question: String,
    bounds: Bounds,
    of: PhantomData<fn() -> T>,
}

/// Where a page begins.
#[derive(Debug)]
pub(super) enum After {
    /// At the beginning.
    Nothing,
    /// After this place.
    Place(Key<'static>, Key<'static>),
    /// After the item that is called so: what cursors were before they named places.
    Plain(String),
}

/// The order of a list.
#[derive(Debug, Clone, Copy)]
pub(in crate::api) struct Order {
    /// By what.
    pub(in crate::api) field: Field,
    /// Whether the largest comes first.
    pub(in crate::api) is_descending: bool,
    is_own: bool,
}

impl Order {
    /// One as `sort` spells it.
    fn read<T: Listed>(spelled: &str) -> Option<Self> {
        let (name, is_descending) = spelled
            .strip_prefix('-')
            .map_or((spelled, false), |name| (name, true));
        let field = T::FIELDS.iter().copied().find(|field| *field == name)?;
        let is_own = spelled == T::DEFAULT;
        let is_had = is_own || !T::BOUNDS.is_one_way;
        is_had.then_some(Self {
            field,
            is_descending,
            is_own,
        })
    }

    /// As `sort` spells it.
    pub(super) fn spelled(self) -> String {
        format!("{}{}", if self.is_descending { "-" } else { "" }, self.field)
    }

    /// A comparison in this direction.
    pub(super) const fn direct(self, upwards: Ordering) -> Ordering {
        if self.is_descending {
            upwards.reverse()
        } else {
            upwards
        }
    }
}

impl<T: Listed> Asked<T> {
    /// How many items the answer has at most.
    pub(in crate::api) fn limit(&self) -> usize {
        match self.limit {
            Some(limit) => limit,
            None if self.is_paged() || self.bounds.is_always_paged => self.bounds.default,
            None => usize::MAX,
        }
    }

    /// Whether a page is asked for.
    pub(super) const fn is_paged(&self) -> bool {
        self.limit.is_some() || !matches!(self.after, After::Nothing)
    }

    /// Whether the order is the one that the list has when none is asked for.
    pub(super) const fn is_in_own_order(&self) -> bool {
        self.order.is_own
    }

    /// Looks up where the item stands that an older cursor names.
    pub(in crate::api) fn resolve(
        &mut self,
        find: impl FnOnce(&str) -> Option<(Key<'static>, Key<'static>)>,
    ) -> Result<(), ApiError> {
        if let After::Plain(text) = &self.after {
            let found = find(text);
            let (key, id) = found.ok_or_else(|| refused_cursor::<T>(text, CursorError::None))?;
            self.after = After::Place(key, id);
        }
        Ok(())
    }

    /// The number after which to begin, where the order is by numbers.
    pub(in crate::api) fn after_number(&self) -> Option<u64> {
        match &self.after {
            After::Place(Key::Number(number), _) => u64::try_from(*number).ok(),
            After::Nothing | After::Place(..) | After::Plain(_) => None,
        }
    }

    /// Whether an item of this name is searched for.
    pub(in crate::api) fn wants(&self, name: &str) -> bool {
        let searched = self.search.as_deref();
        searched.is_none_or(|text| Key::from(name).holds(text))
    }

    pub(super) fn read(uri: &Uri) -> Result<Self, ApiError> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri);
        let unread = |error: axum::extract::rejection::QueryRejection| {
            ApiError::new(ErrorCode::BadRequest, error.body_text())
        };
        let Query(mut pairs) = pairs.map_err(unread)?;
        let given = |name: &str| {
            pairs
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.clone())
        };
        let (limit, cursor, sort) = (given("limit"), given("cursor"), given("sort"));
        let search = given("search").filter(|text| !text.is_empty());
        pairs.retain(|(name, _)| !CHOOSES_NOTHING.contains(&name.as_str()));
        let question = cursor::question(uri.path(), &mut pairs);
        let order = order::<T>(sort.as_deref())?;
        let after = cursor.map_or(Ok(After::Nothing), |text| after::<T>(text, &question, order))?;
        Ok(Self {
            limit: limit.map(|text| number::<T>(&text)).transpose()?,
            after,
            order,
            search: search.map(|text| searched(&text)).transpose()?,
            question,
            bounds: T::BOUNDS,
            of: PhantomData,
        })
    }
}

impl<T: Listed, S: Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Self::read(&parts.uri)
    }
}

fn number<T: Listed>(text: &str) -> Result<usize, ApiError> {
    let most = T::BOUNDS.max;
    let limit = match text.parse::<usize>() {
        Ok(limit) if limit > most && T::BOUNDS.is_lenient => Some(most),
        Ok(limit) => Some(limit).filter(|limit| (1..=most).contains(limit)),
        Err(_) => None,
    };
    limit.ok_or_else(|| {
        let message = format!("`limit` is `{text}`, and a page has 1 to {most} {}", T::WHAT);
        let hint = "ask for fewer, and go on with `next_cursor` as `cursor` for the rest";
        ApiError::new(ErrorCode::BadRequest, message).hint(hint)
    })
}

fn order<T: Listed>(sort: Option<&str>) -> Result<Order, ApiError> {
    Order::read::<T>(sort.unwrap_or(T::DEFAULT)).ok_or_else(|| {
        let sort = sort.unwrap_or_default();
        let message = format!("`sort` is `{sort}`, and {} cannot be ordered so", T::WHAT);
        let hint = match (T::BOUNDS.is_one_way, T::FIELDS.join("`, `")) {
            (true, field) => format!("sort by `{field}`, the only order there is"),
            (false, fields) => format!("sort by `{fields}`, or with `-` before it the other way round"),
        };
        ApiError::new(ErrorCode::BadRequest, message).hint(hint)
    })
}

fn after<T: Listed>(text: String, question: &str, order: Order) -> Result<After, ApiError> {
    if T::BOUNDS.is_always_paged && order.is_own && !cursor::is_ours(&text) {
        return Ok(After::Plain(text));
    }
    match cursor::read(&text, question, &order.spelled()) {
        Ok((key, id)) => Ok(After::Place(key, id)),
        Err(error) => Err(refused_cursor::<T>(&text, error)),
    }
}

fn refused_cursor<T: Listed>(text: &str, error: CursorError) -> ApiError {
    let what = T::WHAT;
    let (message, hint) = match error {
        CursorError::None => {
            let shown: String = text.chars().take(64).collect();
            (
                format!("`cursor` is `{shown}`, which no list of {what} has given"),
                "give back the `next_cursor` of the page before, or leave `cursor` out to begin".to_owned(),
            )
        }
        CursorError::OtherQuestion => (
            format!("the cursor belongs to another list, or to {what} with other filters"),
            "ask with the same path and filters as for the page before, or leave `cursor` out to begin"
                .to_owned(),
        ),
        CursorError::OtherOrder(sort) => (
            format!("the cursor belongs to these {what} in the order `{sort}`"),
            format!("ask with `sort={sort}`, or leave `cursor` out to begin in another order"),
        ),
    };
    ApiError::new(ErrorCode::BadRequest, message).hint(hint)
}

fn searched(text: &str) -> Result<String, ApiError> {
    if text.len() > SEARCH_BYTES_MAX {
        let message = format!("`search` is longer than {SEARCH_BYTES_MAX} bytes");
        return Err(ApiError::new(ErrorCode::BadRequest, message).hint("search for a part of the name"));
    }
    Ok(text.to_lowercase())
}
