//! Lineage: from what is known of runs and of the catalog to what something was made of, and what was made of it. Gathered a bounded piece at a time, so that the
//! driver is never held up; then indexed and walked without it. Nothing is kept: the engine's state and the catalog are the only truth.
//!
//! Data go `artifact → step → artifact → version → step`; a version stands between an artifact and a step where the pipeline took it from the catalog by name.

mod asset_key;
mod gather;
mod index;
mod walk;

pub(crate) use asset_key::AssetKey;
pub(crate) use gather::gather;
pub(crate) use index::{Index, Node};
pub(crate) use walk::{Bounds, walk};
