//! The words of the catalog: named things with versions that people and runs refer to, such as data and models. What a version is never changes; what it is called,
//! and how it stands, may. The catalog itself is the coordinator's.

mod asset;
mod kind;
mod model_stage;
mod reference;
mod used;
mod version;

pub use asset::{AssetBody, FilesBody, Location, Origin, ParameterDoc, PipelineBody, Stage};
pub use kind::{AssetKind, AssetKindError};
pub use model_stage::{ModelStage, ModelStageError};
pub use reference::{AssetRef, AssetRefError};
pub use used::AssetUse;
pub use version::{DEFAULT, LATEST, Version, VersionError};
