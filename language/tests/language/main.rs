//! The language as its callers see it: files in, plans and problems out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]
#![expect(clippy::cast_possible_truncation, reason = "the tests count far below u32")]

mod bad;
mod builtin;
mod catalog;
mod fixtures;
mod good;
mod hostile;
mod planning;
mod scale;
mod schedules;
mod schema;
mod secrets;
