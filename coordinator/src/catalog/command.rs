//! What may be asked of the catalog, and why something is not done.

use std::collections::BTreeMap;
use tidemill_protocol::catalog::{AssetBody, AssetKind, ModelStage, Origin, Stage, Version};
use tidemill_protocol::name::Name;

/// A change to one asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogCommand {
    /// What the asset is.
    pub kind: AssetKind,
    /// Its name.
    pub name: Name,
    /// The revision that the caller has seen; nothing is done when the asset has another by now.
    pub expect: Option<u64>,
    /// Who asks.
    pub by: String,
    /// What is to be done.
    pub change: Changes,
}

/// What may be done to an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// Add a version, and the asset if it is the first.
    Add(NewVersion),
    /// Describe the asset, or one version of it; what is none stays as it is.
    Describe {
        /// What is described.
        which: Which,
        /// Free text.
        description: Option<String>,
        /// Tags to set, or with none to remove.
        tags: BTreeMap<String, Option<String>>,
        /// How the version stands. An asset as a whole has no stage.
        stage: Option<Stage>,
    },
    /// Point a label at a version.
    Label {
        /// The label.
        label: Version,
        /// The version.
        version: Version,
    },
    /// Remove a label.
    Unlabel(Version),
    /// Remove a version.
    Remove(Version),
    /// Bring a version of a model into a stage of the registry.
    Promote {
        /// The version.
        version: Version,
        /// The stage.
        stage: ModelStage,
        /// Whether the other versions in that stage are archived.
        archive_existing: bool,
    },
    /// Give the asset another name. The old one goes on to mean it.
    Rename(Name),
}

/// What a description is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The asset.
    Asset,
    /// One version.
    Version(Version),
}

/// A version that is to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    /// Its version; the number after the largest when absent.
    pub version: Option<Version>,
    /// What it is.
    pub body: AssetBody,
    /// Free text.
    pub description: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Labels that are to point at it.
    pub labels: Vec<Version>,
    /// Where it came from.
    pub origin: Origin,
}

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogRejection {
    /// No such asset.
    #[error("there is no {kind} `{name}`")]
    UnknownAsset {
        /// What was looked for.
        kind: AssetKind,
        /// Its name.
        name: Name,
    },
    /// No such version.
    #[error("{kind} `{name}` has no version `{version}`")]
    UnknownVersion {
        /// What the asset is.
        kind: AssetKind,
        /// Its name.
        name: Name,
        /// The version.
        version: Version,
    },
    /// No such label.
    #[error("{kind} `{name}` has no label `{label}`")]
    UnknownLabel {
        /// What the asset is.
        kind: AssetKind,
        /// Its name.
        name: Name,
        /// The label.
        label: Version,
    },
    /// The version is there, and is something else.
    #[error("version `{0}` is there already, and a version never changes")]
    VersionTaken(Version),
    /// The label would hide a version, or is `latest`.
    #[error("`{0}` cannot be a label: it is a version, or it is `latest`")]
    LabelTaken(Version),
    /// The asset changed since the caller looked.
    #[error("the asset has revision {found} by now, not {expected}")]
    Changed {
        /// What the caller had seen.
        expected: u64,
        /// What it is.
        found: u64,
    },
    /// Another asset has the name, or had it and is still meant by it.
    #[error("there is a {kind} `{name}` already{}", by_now(*.is_former))]
    NameTaken {
        /// What the asset is.
        kind: AssetKind,
        /// The name.
        name: Name,
        /// Whether it is a name that the other asset had.
        is_former: bool,
    },
    /// Only models have stages of the registry.
    #[error("a {0} has no stages as models have them")]
    NotStaged(AssetKind),
    /// What comes into this stage replaces nothing.
    #[error("nothing is archived for a version that becomes `{0}`: only `staging` and `production` are")]
    ReplacesNothing(ModelStage),
    /// Something of another kind was to be added.
    #[error("this is no {0}")]
    OtherKind(AssetKind),
    /// A text, or the tags, are too long.
    #[error("{0}")]
    TooLong(&'static str),
    /// All the room is taken.
    #[error("there is no room: {0}")]
    TooMany(&'static str),
}

/// That the name is a former one.
const fn by_now(is_former: bool) -> &'static str {
    if is_former {
        ", under another name by now"
    } else {
        ""
    }
}
