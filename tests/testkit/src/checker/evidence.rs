//! Gathers evidence. The cluster must be quiet: its runs have ended, and its coordinator has been stopped, because a journal is read by one at a time.

use super::judge::{Evidence, Promise};
use crate::Sandbox;
use crate::sandbox::ANSWER_DEADLINE;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use tidemill_artifacts::{ArtifactStore, StoreConfig};
use tidemill_engine::{Event, Fact};
use tidemill_protocol::api::RunView;
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef};
use tidemill_protocol::digest::Digest;

/// Contents up to this size are read whole; the workloads write lines.
const CONTENT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Looks at the journal below `state_dir`, at the store, and at the processes that name the sandbox.
///
/// # Panics
/// When the journal is not whole or cannot be read: then there is nothing to judge.
pub fn gather(
    sandbox: &Sandbox,
    state_dir: &Path,
    store: &StoreConfig,
    promises: Vec<Promise>,
    runs: Vec<RunView>,
) -> Evidence {
    let ask = |verb: &str| {
        let mut command = sandbox.command(["journal", verb]);
        command.env("TIDEMILL_STATE_DIR", state_dir);
        crate::sandbox::finish(&mut command, ANSWER_DEADLINE).expect_code(0)
    };
    ask("verify");
    let exported = ask("export").stdout;
    let events: Vec<Event> = exported.lines().filter_map(engine_event).collect();
    let artifacts = read_all(store, &events);
    let own = std::process::id();
    let left = sandbox.processes().into_iter().filter(|pid| *pid != own);
    Evidence {
        promises,
        runs: runs.into_iter().map(|run| (run.summary.id, run)).collect(),
        events,
        artifacts,
        left: left.map(in_words).collect(),
    }
}

/// One exported line, if it is about runs.
fn engine_event(line: &str) -> Option<Event> {
    let value: serde_json::Value = serde_json::from_str(line).expect("an exported line is JSON");
    value.get("fact")?;
    Some(serde_json::from_value(value).expect("an exported event is an event"))
}

fn read_all(store: &StoreConfig, events: &[Event]) -> BTreeMap<Digest, Result<Vec<u8>, String>> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    runtime.block_on(async {
        let store = ArtifactStore::open(store).await.expect("the store opens");
        let mut read = BTreeMap::new();
        for event in events {
            if let Fact::AttemptSucceeded { success, .. } = &event.fact {
                for artifact in success.outputs.values() {
                    if let Entry::Vacant(place) = read.entry(artifact.digest) {
                        place.insert(read_whole(&store, artifact).await);
                    }
                }
            }
        }
        read
    })
}

/// A file's bytes; for a folder, nothing once every file of it was read.
async fn read_whole(store: &ArtifactStore, artifact: &ArtifactRef) -> Result<Vec<u8>, String> {
    let bytes = async |digest: &Digest| store.get_bytes(digest, CONTENT_BYTES_MAX).await;
    let failed = |error: tidemill_artifacts::StoreError| error.to_string();
    match artifact.kind {
        ArtifactKind::Blob => Ok(bytes(&artifact.digest).await.map_err(failed)?.to_vec()),
        ArtifactKind::Tree => {
            let tree = store.get_tree(&artifact.digest).await.map_err(failed)?;
            for entry in &tree.entries {
                bytes(&entry.digest).await.map_err(failed)?;
            }
            Ok(Vec::new())
        }
    }
}

fn in_words(pid: u32) -> String {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    format!("process {pid} is left: {line}")
}
