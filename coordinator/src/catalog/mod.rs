//! The catalog: named things with versions, such as data, models and published pipelines; a ledger like the tokens'. Pure: what it holds are names of contents,
//! the contents are in the store. How files spell references to it is the language's; how people reach it, the API's.

mod command;
mod decide;
mod fact;
mod settle;
mod stages;
mod state;

pub use command::{CatalogCommand, CatalogRejection, Changes, NewVersion, Which};
pub use decide::{ASSETS_MAX, VERSIONS_MAX};
pub use fact::{CatalogFact, Verdict};
pub use settle::NamedOutput;
pub use state::{Asset, AssetVersion, Catalog, Settled};
