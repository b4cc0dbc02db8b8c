//! What of the store is named by something, so that a sweep leaves it: by a run that is kept, by an attempt that has committed and not reported yet, by a ledger, or by a
//! pipeline that a ledger names. Whoever cannot be asked keeps everything: no mark is ever left out because something could not be read.

use crate::error::Stopped;
use crate::handle::CoordinatorHandle;
use std::collections::HashSet;
use tidemill_artifacts::{ArtifactStore, Marks, StoreError};
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::catalog::{AssetBody, AssetKind};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::RunId;

/// Longest pipeline that is read back.
const SPEC_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Characters of a digest in text.
const DIGEST_CHARS: usize = 64;

/// Why nobody knows what is named.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MarksError {
    /// The coordinator ends.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The ledgers cannot be written down.
    #[error("the ledgers cannot be read through")]
    Ledgers(#[from] serde_json::Error),
    /// The store does not give what is named in turn.
    #[error("what names contents in turn cannot be read")]
    Store(#[from] StoreError),
    /// Other coordinators keep records in the store: what they name is not known here.
    #[error("other coordinators keep records in this store: {0}")]
    Others(String),
}

/// What the durable state names.
struct Named {
    marks: Marks,
    /// Runs that go on.
    open: Vec<RunId>,
    /// Pipelines with contents of their own.
    specs: Vec<ArtifactRef>,
    ledgers: Result<Vec<u8>, serde_json::Error>,
}

/// Everything that is named now. What is stored from here on is young, or pinned by the store.
pub(crate) async fn marks(handle: &CoordinatorHandle) -> Result<Marks, MarksError> {
    let Named {
        mut marks,
        open,
        specs,
        ledgers,
    } = handle.look(named).await?;
    // Every digest that any ledger holds, whatever it means there: one too many costs room, one too few costs data.
    marks.artifacts.extend(digests_in(&ledgers?));
    let store = &handle.inner.store;
    for spec in specs {
        let text = store.get_bytes(&spec.digest, SPEC_BYTES_MAX).await?;
        marks.artifacts.extend(digests_in(&text));
    }
    for run in open {
        committed(store, run, &mut marks.artifacts).await?;
    }
    Ok(marks)
}

fn named(sight: &crate::driver::Sight<'_>) -> Named {
    let mut marks = Marks::default();
    sight.engine.for_each_artifact(|artifact| {
        marks.artifacts.insert(artifact.digest);
    });
    let mut open = Vec::new();
    for run in sight.engine.runs_newest_first(None) {
        marks.runs.insert(run.id());
        if !run.status().is_terminal() {
            open.push(run.id());
        }
    }
    let catalog = &sight.ledgers.catalog;
    let assets = [AssetKind::Component, AssetKind::Pipeline]
        .into_iter()
        .flat_map(|kind| catalog.assets(kind, None));
    let versions = assets.flat_map(|(_, asset)| asset.versions.values());
    let specs = versions.filter_map(|version| match &*version.body {
        AssetBody::Component(body) | AssetBody::Pipeline(body) => Some(body.spec),
        AssetBody::Data(_) | AssetBody::Model(_) | AssetBody::Environment(_) => None,
    });
    Named {
        specs: specs.collect(),
        ledgers: serde_json::to_vec(sight.ledgers),
        marks,
        open,
    }
}

/// What attempts of a run have committed, of which their reports may still be on the way.
async fn committed(
    store: &ArtifactStore,
    run: RunId,
    artifacts: &mut HashSet<Digest>,
) -> Result<(), StoreError> {
    for (attempt, token) in store.list_committed_of(run).await? {
        match store.read_manifest(&attempt, token).await {
            Ok((manifest, _)) => artifacts.extend(manifest.outputs.values().map(|output| output.digest)),
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The public keys of other coordinators that keep records in this store.
pub(crate) async fn others(handle: &CoordinatorHandle) -> Result<Vec<String>, StoreError> {
    let own = handle.inner.key.to_string();
    let mut keys = handle.inner.store.list_record_folders("").await?;
    keys.retain(|key| *key != own);
    Ok(keys)
}

/// Everything in a text that has the form of a digest.
fn digests_in(text: &[u8]) -> impl Iterator<Item = Digest> + '_ {
    let words = text.split(|byte| !byte.is_ascii_hexdigit());
    words
        .filter(|word| word.len() == DIGEST_CHARS)
        .filter_map(|word| std::str::from_utf8(word).ok()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_found_wherever_they_stand_and_nothing_else_is() {
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let text = format!(r#"{{"a":"{one}","b":["blake3:{two}"],"long":"{one}{two}","short":"abcdef"}}"#);
        let found: Vec<Digest> = digests_in(text.as_bytes()).collect();
        assert_eq!(found, [one, two]);
    }
}
