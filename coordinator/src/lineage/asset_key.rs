//! Versions of assets by their names: what lineage knows of the catalog, and what runs say that they used.

use crate::catalog::Catalog;
use tidemill_protocol::catalog::{AssetKind, AssetUse, Version};
use tidemill_protocol::name::Name;

/// A version, by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AssetKey {
    pub(crate) kind: AssetKind,
    pub(crate) name: Name,
    pub(crate) version: Version,
}

impl AssetKey {
    /// The version that a run used, by the name that its asset has now.
    pub(super) fn of(catalog: &Catalog, used: &AssetUse) -> Self {
        Self {
            kind: used.kind,
            name: catalog.current(used.kind, &used.name).clone(),
            version: used.version.clone(),
        }
    }
}
