//! Lists: how many, from where, in which order and which of them, asked in the same words of every list (`limit`, `cursor`, `sort`, `search`). A list says
//! once what it can be ordered by (`orders`); its handler takes an [`Asked`] and gives it what there is. Filters of a list's own stay with its handler.

mod ask;
mod cursor;
mod key;
mod orders;
mod page;
mod params;

pub(super) use ask::Asked;
pub(super) use key::Key;
pub(super) use page::{Listing, shown};

/// Whether a query is understood by a list of `T`.
#[cfg(feature = "fuzzing")]
pub(super) fn is_read<T: orders::Listed>(uri: &axum::http::Uri) -> bool {
    Asked::<T>::read(uri).is_ok()
}
