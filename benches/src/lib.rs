//! What the measuring programs share: figures with the limit that was measured in the same run, printed as a table or as JSON.
//! Nothing here measures tidemill itself.

#![expect(clippy::cast_precision_loss, reason = "counts in figures are far below 2^52")]

pub mod api;
pub mod cluster;
mod figure;
pub mod limits;
pub mod load;
mod machine;
pub mod product;

pub use figure::{Figure, Report, median};
pub use machine::{machine, peak_resident_bytes, resident_bytes};
