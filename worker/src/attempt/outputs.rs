//! What a step leaves behind becomes artifacts: its declared outputs, `./outputs` and `./logs` as the output `artifacts`, and its streams. The files are
//! moved into a local store where that is possible, so what was found is written down first: a restarted daemon must not take half a folder for the whole.

use super::folder::Folder;
use super::patience::Patience;
use super::reuse::is_empty;
use super::stage::disk;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use tidemill_artifacts::{ArtifactStore, Scan, ScanError, StoreError, collect_within};
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef, Tree};
use tidemill_protocol::codec;
use tidemill_protocol::failure::{Failure, FailureReason};
use tidemill_protocol::name::PortName;
use tidemill_protocol::plan::{OutputPort, PortType};
use tidemill_protocol::time::{Millis, Timestamp};
use tidemill_protocol::wire::StepTask;

/// The output that holds `./outputs` and `./logs`.
const ARTIFACTS: &str = "artifacts";
/// File in which is written down what was found.
const FOUND: &str = "found";

/// An output as it was found.
#[derive(Debug, Serialize, Deserialize)]
struct Found {
    name: PortName,
    path: PathBuf,
    reference: ArtifactRef,
    tree: Option<Tree>,
}

/// How long ago an earlier daemon began to store the outputs of this attempt, if one did.
pub(super) fn began(folder: &Folder, now: Timestamp) -> Option<Millis> {
    let written = fs::metadata(folder.root().join(FOUND)).ok()?.modified().ok()?;
    let written = written.duration_since(UNIX_EPOCH).ok()?.as_millis();
    Some(now.since(Timestamp(u64::try_from(written).ok()?)))
}

/// Stores a step's outputs.
pub(super) async fn store(
    task: &StepTask,
    folder: &Folder,
    store: &ArtifactStore,
    patience: &mut Patience,
) -> Result<BTreeMap<PortName, ArtifactRef>, Failure> {
    if task.template.work.outputs.is_empty() && !folder.has_artifacts() {
        return Ok(BTreeMap::new());
    }
    let record = folder.root().join(FOUND);
    if let Some(found) = fs::read(&record)
        .ok()
        .and_then(|bytes| codec::decode(&bytes).ok())
    {
        return store_rest(found, folder, store, patience).await;
    }
    let (outputs, place) = (task.template.work.outputs.clone(), folder.clone());
    let scans = tokio::task::spawn_blocking(move || find(&outputs, &place))
        .await
        .map_err(|_| Failure::with_message(FailureReason::StoreFailed, "the worker is ending"))??;
    let found: Vec<Found> = scans.iter().map(|(found, _)| found.copied()).collect();
    fs::write(&record, codec::encode(&found)).map_err(|e| disk(&e))?;
    let mut stored = BTreeMap::new();
    for (found, scan) in scans {
        let moved = store.upload_moving(scan, &()).await;
        let reference = match moved {
            Ok(reference) => reference,
            Err(error) => {
                patience.bear(&found.what(), error).await?;
                // What was sent so far need not be sent again.
                store_found(&found, folder, store, patience).await?
            }
        };
        stored.insert(found.name, reference);
    }
    Ok(stored)
}

impl Found {
    fn copied(&self) -> Self {
        Self {
            name: self.name.clone(),
            path: self.path.clone(),
            reference: self.reference,
            tree: self.tree.clone(),
        }
    }

    /// As messages name it.
    fn what(&self) -> String {
        format!("output `{}`", self.name)
    }
}

/// Goes on where an earlier daemon, or an earlier try, was interrupted.
async fn store_rest(
    found: Vec<Found>,
    folder: &Folder,
    store: &ArtifactStore,
    patience: &mut Patience,
) -> Result<BTreeMap<PortName, ArtifactRef>, Failure> {
    let mut stored = BTreeMap::new();
    for output in found {
        let reference = store_found(&output, folder, store, patience).await?;
        stored.insert(output.name, reference);
    }
    Ok(stored)
}

/// Stores what is still in the output's place, then sees to it that everything that was found is in the store.
async fn store_found(
    found: &Found,
    folder: &Folder,
    store: &ArtifactStore,
    patience: &mut Patience,
) -> Result<ArtifactRef, Failure> {
    while let Err(error) = try_store_found(found, folder, store).await {
        patience.bear(&found.what(), error).await?;
    }
    Ok(found.reference)
}

async fn try_store_found(found: &Found, folder: &Folder, store: &ArtifactStore) -> Result<(), StoreError> {
    let (base, path, kind) = (folder.root().to_owned(), found.path.clone(), found.reference.kind);
    let left = tokio::task::spawn_blocking(move || collect_within(&base, &path, kind)).await;
    if let Ok(Ok(scan)) = left {
        store.upload_moving(scan, &()).await?;
    }
    if let Some(tree) = &found.tree {
        // Refused if any of its files is missing.
        return store.put_tree(tree).await.map(drop);
    }
    let (missing, _) = store.missing(&[found.reference.digest], &[]).await?;
    match missing.first() {
        None => Ok(()),
        Some(digest) => Err(StoreError::MissingBlob {
            path: found.path.display().to_string(),
            digest: *digest,
        }),
    }
}

/// Names everything that is there. Blocks.
fn find(outputs: &BTreeMap<PortName, OutputPort>, folder: &Folder) -> Result<Vec<(Found, Scan)>, Failure> {
    gather_artifacts(folder)?;
    let mut all = Vec::new();
    for (name, port) in outputs {
        let path = folder
            .output(name.as_str(), port)
            .expect("a path that leads elsewhere was refused before the process started");
        let kind = match port.port_type {
            PortType::File => ArtifactKind::Blob,
            PortType::Folder | PortType::Literal => ArtifactKind::Tree,
        };
        if let Some(found) = find_one(folder, name, (path, kind), port.optional)? {
            all.push(found);
        }
    }
    let name: PortName = ARTIFACTS.parse().expect("the name keeps the grammar");
    let path = folder.output_folder(ARTIFACTS);
    if !outputs.contains_key(&name) && path.is_dir() {
        all.extend(find_one(folder, &name, (path, ArtifactKind::Tree), true)?);
    }
    Ok(all)
}

fn find_one(
    folder: &Folder,
    name: &PortName,
    (path, kind): (PathBuf, ArtifactKind),
    optional: bool,
) -> Result<Option<(Found, Scan)>, Failure> {
    let output = name.to_string();
    match collect_within(folder.root(), &path, kind) {
        Ok(scan) => {
            let found = Found {
                name: name.clone(),
                path,
                reference: scan.reference,
                tree: scan.tree.clone(),
            };
            Ok(Some((found, scan)))
        }
        Err(ScanError::NotFound { .. }) if optional => Ok(None),
        Err(error @ ScanError::NotFound { .. }) => Err(Failure::with_message(
            FailureReason::OutputMissing { output },
            crate::error::chain(&error),
        )),
        Err(error) => Err(Failure::with_message(
            FailureReason::OutputRefused { output },
            crate::error::chain(&error),
        )),
    }
}

/// Puts what is in `./outputs` and `./logs` below the output `artifacts`, beside what the step may have put there itself.
fn gather_artifacts(folder: &Folder) -> Result<(), Failure> {
    let to = folder.output_folder(ARTIFACTS);
    for (from, name) in [(folder.work_outputs(), "outputs"), (folder.work_logs(), "logs")] {
        // A link in its place is not followed: what it leads to is not the step's to give.
        if !is_folder(&from) || is_empty(&from) {
            continue;
        }
        match fs::symlink_metadata(&to) {
            Ok(found) if !found.is_dir() => return Err(in_the_way(Path::new(ARTIFACTS))),
            Ok(_) => {}
            Err(_) => fs::create_dir_all(&to).map_err(|e| disk(&e))?,
        }
        merge(from, to.join(name), Path::new(name))?;
    }
    Ok(())
}

/// Moves what is in one folder into another. Folders of both are joined; nothing is overwritten, and no link is followed.
fn merge(from: PathBuf, to: PathBuf, shown: &Path) -> Result<(), Failure> {
    let mut waiting = vec![(from, to, shown.to_owned())];
    while let Some((from, to, shown)) = waiting.pop() {
        match fs::symlink_metadata(&to) {
            Err(_) => fs::rename(&from, &to).map_err(|e| disk(&e))?,
            Ok(found) if found.is_dir() && is_folder(&from) => {
                for entry in fs::read_dir(&from).map_err(|e| disk(&e))? {
                    let name = entry.map_err(|e| disk(&e))?.file_name();
                    waiting.push((from.join(&name), to.join(&name), shown.join(&name)));
                }
            }
            Ok(_) => return Err(in_the_way(&shown)),
        }
    }
    Ok(())
}

fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

fn in_the_way(shown: &Path) -> Failure {
    Failure::with_message(
        FailureReason::OutputRefused {
            output: ARTIFACTS.to_owned(),
        },
        format!(
            "`{}` is in the output `{ARTIFACTS}` and in the working folder: the step wrote it to both, and neither replaces the other",
            shown.display()
        ),
    )
}
