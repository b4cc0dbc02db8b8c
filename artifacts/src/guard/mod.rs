//! Asking addresses that somebody else chose, without becoming their arm in our networks. [`Guard`] decides which may be asked and connects to none but those;
//! [`Fetcher`] brings a file through it, [`Poster`] tells something, datastores are reached through it. Both shells can stand on it: a worker fetches inputs, and whoever calls an address of a user's choice goes this way.

mod connect;
mod fetch;
mod post;
mod vet;

pub use connect::refusal;
pub use fetch::{FetchError, FetchLimits, Fetched, Fetcher};
pub use post::{PostError, Poster};
pub use vet::{Forbidden, Guard};
