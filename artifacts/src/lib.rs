//! The store: immutable, content-named artifacts over `object_store`, and the records that commit them.
//!
//! Three ideas carry it. A *blob* is named by the BLAKE3 of its bytes and a *tree* by that of its canonical manifest, so nothing
//! is stored twice and every read can be verified. Everything is written by create-only puts of whole objects, so every store that honours those will do
//! (an opening store proves that it does). And an attempt's result is one small record under the attempt's own key, which means nothing until a
//! durable event of the engine names it.
//!
//! Where to look: [`ArtifactStore`] is the handle; its operations are in `blobs`, `trees`, `upload` (with `multipart`), `download`, `ranges`, `commit`
//! and `sweep` (with `abandoned`); `aliases` finds a blob by its SHA-256; `records` keeps what a coordinator writes about itself. `room` tells how much a disk can still take. [`scan`] and [`collect`] turn files into names. [`Cache`] brings artifacts into a step's folder. `local` is the fast
//! writer of a local store, `layout` the map of keys, `open` the only place that knows one kind of store from another, `line` the way to those that are remote. `guard` asks addresses that
//! somebody else chose, which are no stores; `remote` reads stores that are not ours, `share` folders of this machine that are not, `outgoing` writes to them, `listing` looks what is there.

mod abandoned;
mod aliases;
mod blobs;
mod cache;
mod commit;
#[cfg(feature = "contract")]
pub mod contract;
mod create;
mod diff;
mod download;
mod error;
#[cfg(test)]
mod faulty;
mod guard;
mod layout;
mod line;
mod listing;
mod local;
mod multipart;
mod open;
mod outgoing;
mod pins;
mod progress;
mod quarantine;
mod ranges;
mod records;
mod remote;
mod room;
mod scan;
mod share;
mod stamp;
mod store;
mod sweep;
mod tls;
mod trees;
mod upload;
mod verify;

pub use cache::{Access, Cache, Materialized};
pub use diff::{TreeDiff, diff};
pub use error::{Result, StoreError};
pub use guard::{FetchError, FetchLimits, Fetched, Fetcher, Forbidden, Guard, PostError, Poster, refusal};
pub use listing::{Listing, list_files};
pub use open::{StoreConfig, public_url};
pub use progress::Progress;
pub use quarantine::Inspection;
pub use remote::{Brought, RemoteStore};
pub use room::Reserve;
pub use scan::{
    FILES_MAX, IGNORE_FILES, Scan, ScanError, ScanOptions, ScannedFile, collect, collect_within, scan,
};
pub use share::bring_beneath;
pub use store::ArtifactStore;
pub use sweep::{Marks, SweepOptions, Swept};
