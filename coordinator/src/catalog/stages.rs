//! Stages of the registry: which version of a model is tried, in use, or replaced. Decided for all versions of the model at once, so that what replaces another
//! and what is archived for it stand in one batch of the journal.

use super::command::{CatalogCommand, CatalogRejection, Changes};
use super::fact::CatalogFact;
use super::state::Asset;
use tidemill_protocol::catalog::{AssetKind, ModelStage, Version};

/// The facts that bring a version into a stage, and archive the others in it where that is asked for.
pub(super) fn promote(asset: &Asset, command: &CatalogCommand) -> Result<Vec<CatalogFact>, CatalogRejection> {
    let Changes::Promote {
        version,
        stage,
        archive_existing,
    } = &command.change
    else {
        return Ok(Vec::new());
    };
    if command.kind != AssetKind::Model {
        return Err(CatalogRejection::NotStaged(command.kind));
    }
    let Some(kept) = asset.versions.get(version) else {
        return Err(CatalogRejection::UnknownVersion {
            kind: command.kind,
            name: command.name.clone(),
            version: version.clone(),
        });
    };
    if *archive_existing && !stage.is_in_use() {
        return Err(CatalogRejection::ReplacesNothing(*stage));
    }
    let others = asset.versions.iter();
    let replaced =
        others.filter(|(other, kept)| *archive_existing && *other != version && kept.model_stage == *stage);
    let archived = replaced.map(|(other, _)| promoted(command, other, ModelStage::Archived));
    let brought = (kept.model_stage != *stage).then(|| promoted(command, version, *stage));
    Ok(archived.chain(brought).collect())
}

fn promoted(command: &CatalogCommand, version: &Version, model_stage: ModelStage) -> CatalogFact {
    CatalogFact::VersionPromoted {
        kind: command.kind,
        name: command.name.clone(),
        version: version.clone(),
        model_stage,
        by: command.by.clone(),
    }
}
