//! Shell one: the coordinator. Owns the engine, keeps its journal, carries out its effects, and answers over REST.
//!
//! * [`start`] opens the journal, replays it, starts the parts and hands back a [`Coordinator`];
//! * [`Coordinator::router`] is the whole API, to be served on a port ([`serve`]) or called in process;
//! * [`journal`] is also the command line's way to look at a journal without a coordinator;
//! * [`archive`] is the journal's copy in the object store: recovery, epochs, and a standby that takes over.
//!
//! One loop changes state (`driver`). `effects` carries what it decided out to the bus, `inbox` brings in what workers say, `views` draws pictures of
//! the state for `api`.

pub mod access;
mod api;
pub mod archive;
pub mod audit;
mod blocking;
pub mod catalog;
mod config;
pub mod datastores;
pub mod drafts;
mod driver;
mod effects;
pub mod enrolment;
mod entry;
mod error;
mod garbage;
mod given;
mod handle;
pub mod idempotency;
mod import;
mod inbox;
pub mod journal;
pub mod ledger;
mod lineage;
mod logs;
mod lost;
pub mod mailings;
mod metrics;
pub mod notifications;
mod open;
mod openlineage;
mod operator;
mod precondition;
pub mod projects;
mod published;
pub mod remarks;
pub mod schedules;
pub mod secrets;
mod signing;
mod specs;
mod start;
pub mod tracking;
mod views;
pub mod webhooks;

#[cfg(feature = "fuzzing")]
pub use api::fuzz_query;
pub use api::{Api, Certificates, Limits, ServeConfig, ServeError, TlsError, openapi, serve};
pub use config::{ArchiveConfig, ArchiveMode, ConfigError, CoordinatorConfig, JournalChoice};
pub use entry::Entry;
pub use error::{CommandError, CoordinatorError, StartError, Stopped};
pub use handle::{CoordinatorHandle, SubmitError, Submitted};
pub use import::import_journal;
pub use mailings::{SmtpConfig, SmtpLogin, SmtpPassword, SmtpSecurity};
pub use openlineage::OpenLineageConfig;
pub use operator::OPERATOR_FILE;
pub use start::{Coordinator, Parts, start};
