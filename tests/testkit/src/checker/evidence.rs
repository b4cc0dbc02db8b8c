//! Gathers evidence. The cluster must be quiet: its runs have ended, and its coordinator has been stopped, because a journal is read by one at a time.

use super::judge::{Evidence, ManifestRead, Promise, Shelf};
use crate::sandbox::ANSWER_DEADLINE;
use crate::{Sandbox, Vitals};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use tidemill_artifacts::{ArtifactStore, StoreConfig};
use tidemill_coordinator::audit::AUDIT_DIR;
use tidemill_engine::{Event, Fact};
use tidemill_protocol::api::{AuditEntry, RunView};
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::{AttemptId, FencingToken, RunId};

/// Contents up to this size are read whole; the workloads write lines.
const CONTENT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What clients and observers can tell.
#[derive(Debug, Default)]
pub struct Told {
    /// What clients were answered.
    pub promises: Vec<Promise>,
    /// Runs whose end was asked for in vain.
    pub refusals: Vec<RunId>,
    /// What the API shows.
    pub runs: Vec<RunView>,
    /// What was seen of the daemons.
    pub vitals: Vitals,
    /// The keys of everything that is left in the store, if it was swept when everything in it was old.
    pub stored: Option<BTreeSet<String>>,
    /// Places where a secret was found that a step had been given.
    pub spilled: Vec<String>,
}

/// Looks at the journal and the audit logs in the state folders of the coordinators that there were (the last one's journal counts), at the store, and at the
/// processes that name the sandbox.
///
/// # Panics
/// When the journal or an audit log is not whole or cannot be read: then there is nothing to judge.
pub fn gather(sandbox: &Sandbox, states: &[PathBuf], store: &StoreConfig, told: Told) -> Evidence {
    let ask = |state: &Path, words: [&str; 2]| {
        let mut command = sandbox.command(words);
        command.env("TIDEMILL_STATE_DIR", state);
        crate::sandbox::finish(&mut command, ANSWER_DEADLINE).expect_code(0)
    };
    let present = states.last().expect("there is a coordinator");
    ask(present, ["journal", "verify"]);
    let exported = ask(present, ["journal", "export"]).stdout;
    let events: Vec<Event> = exported.lines().filter_map(engine_event).collect();
    let mut audit = Vec::new();
    for state in states {
        ask(state, ["audit", "verify"]);
        audit.extend(audit_of(state));
    }
    let artifacts = read_all(store, &events);
    let manifests = read_manifests(store, &events);
    let shelf = told.stored.map(|objects| Shelf {
        trees: read_trees(store, &objects),
        mentioned: exported.lines().flat_map(digests_in_ledgers).collect(),
        objects,
    });
    let own = std::process::id();
    let left = sandbox.processes().into_iter().filter(|pid| *pid != own);
    let runs = told.runs.into_iter();
    Evidence {
        promises: told.promises,
        runs: runs.map(|run| (run.summary.id, run)).collect(),
        events,
        artifacts,
        manifests,
        left: told
            .vitals
            .there_still
            .iter()
            .cloned()
            .chain(left.map(in_words))
            .collect(),
        audit,
        refusals: told.refusals,
        vitals: told.vitals,
        shelf,
        spilled: told.spilled,
    }
}

/// What has the form of a digest in an exported line that is not about runs.
fn digests_in_ledgers(line: &str) -> Vec<Digest> {
    if engine_event(line).is_some() {
        return Vec::new();
    }
    let words = line.split(|letter: char| !letter.is_ascii_hexdigit());
    words.filter_map(|word| word.parse().ok()).collect()
}

/// The files of every folder in the store.
fn read_trees(store: &StoreConfig, objects: &BTreeSet<String>) -> BTreeMap<Digest, Vec<Digest>> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let names = objects.iter().filter_map(|key| key.strip_prefix("trees/"));
    let digests = names.filter_map(|name| name.rsplit('/').next()?.parse::<Digest>().ok());
    runtime.block_on(async {
        let store = ArtifactStore::open(store).await.expect("the store opens");
        let mut trees = BTreeMap::new();
        for digest in digests {
            let tree = store.get_tree(&digest).await.expect("a folder can be read");
            trees.insert(digest, tree.entries.iter().map(|entry| entry.digest).collect());
        }
        trees
    })
}

/// The lines of an audit log, whose chain was found whole.
fn audit_of(state: &Path) -> Vec<AuditEntry> {
    let folder = state.join(AUDIT_DIR);
    let entries = fs::read_dir(folder).expect("there is an audit log").flatten();
    let paths = entries.map(|entry| entry.path());
    let is_of_lines = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "jsonl");
    let mut files: Vec<PathBuf> = paths.filter(is_of_lines).collect();
    files.sort();
    let texts = files
        .iter()
        .map(|file| fs::read_to_string(file).expect("a log is text"));
    let parsed = texts.flat_map(|text| {
        // The last line may be torn where a coordinator was killed and never started again.
        let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        lines
            .map(serde_json::from_str)
            .collect::<Vec<Result<AuditEntry, _>>>()
    });
    parsed.map(|entry| entry.expect("a line is an entry")).collect()
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

/// The manifest of each attempt that committed one.
fn read_manifests(
    store: &StoreConfig,
    events: &[Event],
) -> BTreeMap<(AttemptId, FencingToken), ManifestRead> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    runtime.block_on(async {
        let store = ArtifactStore::open(store).await.expect("the store opens");
        let mut read = BTreeMap::new();
        for event in events {
            if let Fact::AttemptSucceeded {
                attempt,
                token,
                success,
                ..
            } = &event.fact
                && success.manifest.is_some()
            {
                let manifest = store.read_manifest(attempt, *token).await;
                let manifest = manifest.map(|(manifest, digest)| (manifest.outputs, digest));
                read.insert((*attempt, *token), manifest.map_err(|error| error.to_string()));
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
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    format!("process {pid} is left: {line}")
}
