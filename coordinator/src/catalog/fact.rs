//! What happened in the catalog: the facts that stand in the journal. Their meaning never changes; a new kind is a new variant.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tidemill_protocol::catalog::{AssetBody, AssetKind, ModelStage, Origin, Stage, Version};
use tidemill_protocol::ids::{RunId, StepPath};
use tidemill_protocol::name::{Name, PortName};

/// What happened to an asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatalogFact {
    /// A version was added; the asset, too, if it is the first.
    VersionAdded {
        /// What the asset is.
        kind: AssetKind,
        /// Its name.
        name: Name,
        /// The version.
        version: Version,
        /// What it is.
        body: AssetBody,
        /// Free text.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        description: String,
        /// Its author's labels.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        tags: BTreeMap<String, String>,
        /// Where it came from.
        #[serde(default)]
        origin: Origin,
        /// Who added it.
        by: String,
    },
    /// The asset as a whole got another text or other tags.
    AssetDescribed {
        /// What the asset is.
        kind: AssetKind,
        /// Its name.
        name: Name,
        /// Free text.
        description: String,
        /// All its tags.
        tags: BTreeMap<String, String>,
        /// Who changed it.
        by: String,
    },
    /// A version got another text, other tags or another stage.
    VersionDescribed {
        /// What the asset is.
        kind: AssetKind,
        /// Its name.
        name: Name,
        /// The version.
        version: Version,
        /// Free text.
        description: String,
        /// All its tags.
        tags: BTreeMap<String, String>,
        /// How it stands.
        stage: Stage,
        /// Who changed it.
        by: String,
    },
    /// A label points at a version from now on.
    LabelSet {
        /// What the asset is.
        kind: AssetKind,
        /// Its name.
        name: Name,
        /// The label.
        label: Version,
        /// The version.
        version: Version,
        /// Who set it.
        by: String,
    },
    /// A label points nowhere any more.
    LabelRemoved {
        /// What the asset is.
        kind: AssetKind,
        /// Its name.
        name: Name,
        /// The label.
        label: Version,
        /// Who removed it.
        by: String,
    },
    /// A version was removed, with the labels that pointed at it; the asset, too, if it was the last.
    VersionRemoved {
        /// What the asset is.
        kind: AssetKind,
        /// Its name.
        name: Name,
        /// The version.
        version: Version,
        /// Who removed it.
        by: String,
    },
    /// A version of a model came into a stage of the registry.
    VersionPromoted {
        /// What the asset is.
        kind: AssetKind,
        /// Its name.
        name: Name,
        /// The version.
        version: Version,
        /// The stage.
        model_stage: ModelStage,
        /// Who changed it.
        by: String,
    },
    /// The asset has another name from now on. The old one goes on to mean it, until the asset is gone.
    AssetRenamed {
        /// What the asset is.
        kind: AssetKind,
        /// Its name until now.
        name: Name,
        /// Its name from now on.
        to: Name,
        /// Who renamed it.
        by: String,
    },
    /// It was decided what becomes of an output that its pipeline gives a name: once, and for good.
    OutputSettled {
        /// What the asset is.
        kind: AssetKind,
        /// Its name.
        name: Name,
        /// The run.
        run: RunId,
        /// The step that ended well.
        step: StepPath,
        /// Its output.
        output: PortName,
        /// The version that it is, or why it is none.
        verdict: Verdict,
    },
    /// What was decided about the outputs of a run is forgotten with the run. Versions stay.
    OutputsForgotten {
        /// The run.
        run: RunId,
    },
}

/// What became of an output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is this version.
    Version(Version),
    /// It is none, for this reason.
    Refused(String),
}

impl CatalogFact {
    /// The asset that it is about; none when it is about a run.
    pub const fn asset(&self) -> Option<(AssetKind, &Name)> {
        match self {
            Self::VersionAdded { kind, name, .. }
            | Self::AssetDescribed { kind, name, .. }
            | Self::VersionDescribed { kind, name, .. }
            | Self::LabelSet { kind, name, .. }
            | Self::LabelRemoved { kind, name, .. }
            | Self::VersionRemoved { kind, name, .. }
            | Self::VersionPromoted { kind, name, .. }
            | Self::AssetRenamed { kind, name, .. }
            | Self::OutputSettled { kind, name, .. } => Some((*kind, name)),
            Self::OutputsForgotten { .. } => None,
        }
    }
}
