//! The words of tidemill: plain data that every part shares, and pure functions on it. No I/O, no clock, no randomness.
//!
//! Three families of types age at three speeds and never share a struct (they share ids and words):
//! * [`api`] travels over REST as JSON and is kept compatible for years;
//! * [`wire`] travels over the broker as MessagePack and is kept compatible for one release;
//! * [`plan`] (with [`spec`], from which it is made) is stored in the journal and is readable for ever.
//!
//! The remaining modules are the shared words themselves: ids, rights, workers' proofs, signatures in the archive, names, numbers, digests, statuses, failures, artifacts, secrets, the catalog, schedules, webhooks, mailings,
//! where an address may lead, and what of a step's output may reach a terminal.

pub mod access;
pub mod api;
pub mod archived;
pub mod artifact;
pub mod catalog;
pub mod codec;
pub mod compute;
pub mod datastore;
pub mod delivery;
pub mod destination;
pub mod digest;
pub mod draft;
pub mod failure;
pub mod ids;
pub mod key;
pub mod literal;
pub mod mailing;
pub mod name;
pub mod number;
pub mod plan;
pub mod project;
pub mod proof;
pub mod schedule;
pub mod secret;
pub mod sha256;
pub mod spec;
pub mod status;
pub mod terminal;
pub mod time;
pub mod webhook;
pub mod wire;
