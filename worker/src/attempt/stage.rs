//! Brings a step's code and inputs into its folder, and makes the folders into which it writes. What could not be done to the letter becomes a note.

use super::command::Values;
use super::datastore::{self, Place, Unbrought};
use super::folder::Folder;
use super::variables::text;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use tidemill_artifacts::{
    Access, ArtifactStore, Cache, FetchError, Fetched, Fetcher, Guard, Materialized, ScanError, StoreError,
    bring_beneath, public_url, refusal,
};
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::failure::{Failure, FailureReason};
use tidemill_protocol::key::InputValue;
use tidemill_protocol::name::PortName;
use tidemill_protocol::plan::{InputMode, PortType};
use tidemill_protocol::secret::GivenSecrets;
use tidemill_protocol::wire::StepTask;

/// What was brought.
#[derive(Debug, Default)]
pub(crate) struct Staged {
    /// What inputs and outputs are to the process.
    pub values: Values,
    /// What could not be done to the letter.
    pub notes: Vec<String>,
    /// Inputs that may share bytes with the cache, to be looked at once more after the process.
    pub shared: Vec<Materialized>,
}

/// Where artifacts come from.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    /// The store.
    pub store: ArtifactStore,
    /// The worker's cache of it.
    pub cache: Cache,
    /// Who brings files from addresses.
    pub fetcher: Fetcher,
    /// Where datastores may be.
    pub datastores: Guard,
}

/// Brings everything.
pub(crate) async fn stage(
    task: &StepTask,
    folder: &Folder,
    sources: &Sources,
    given: &GivenSecrets,
) -> Result<Staged, Failure> {
    if let Some(code) = &task.template.work.code {
        folder.unmake_work().map_err(|e| disk(&e))?;
        sources
            .bring(code, &folder.work(), Access::Copy, "the step's code")
            .await?;
    }
    folder
        .make_work(task.template.work.code.is_some())
        .map_err(|e| disk(&e))?;
    let mut staged = Staged::default();
    for (name, value) in &task.inputs {
        let text = input(task, (folder, sources), given, (name, value), &mut staged).await?;
        staged.values.inputs.insert(name.clone(), text);
    }
    outputs(task, folder, &mut staged)?;
    if !(staged.values.inputs.is_empty() && staged.values.outputs.is_empty()) {
        let parameters = serde_json::json!({
            "inputs": staged.values.inputs,
            "outputs": staged.values.outputs,
        });
        fs::write(folder.parameters(), parameters.to_string()).map_err(|e| disk(&e))?;
    }
    Ok(staged)
}

async fn input(
    task: &StepTask,
    (folder, sources): (&Folder, &Sources),
    given: &GivenSecrets,
    (name, value): (&PortName, &InputValue),
    staged: &mut Staged,
) -> Result<String, Failure> {
    let port = task.template.work.inputs.get(name);
    let mode = port.map(|p| p.mode).unwrap_or_default();
    match value {
        InputValue::Literal(literal) => Ok(literal.text.to_string()),
        InputValue::Artifact(artifact) => {
            let access = match mode {
                InputMode::ReadOnly => Access::ReadOnly,
                InputMode::Copy => Access::Copy,
                InputMode::Direct => {
                    staged.notes.push(format!(
                        "input `{name}` asks for its location only and is an artifact: it was brought read-only"
                    ));
                    Access::ReadOnly
                }
            };
            let to = folder.input(name.as_str());
            fs::create_dir_all(to.parent().unwrap_or(&to)).map_err(|e| disk(&e))?;
            let what = format!("input `{name}`");
            staged
                .shared
                .push(sources.bring(artifact, &to, access, &what).await?);
            Ok(text(&to))
        }
        InputValue::Uri(uri) => {
            let is_data = port.is_some_and(|p| p.port_type != PortType::Literal);
            if !is_data || mode == InputMode::Direct {
                return Ok(uri.to_string());
            }
            // What lies in a folder cannot be asked of a web server.
            let is_file = port.is_some_and(|p| p.port_type == PortType::File);
            let reads = task.template.rules.reads.iter();
            let mut places = reads.filter_map(|store| {
                let path = store.path_of(uri).filter(|_| !store.is_folder())?;
                Some(Place { store, path, is_file })
            });
            if let Some(place) = places.next() {
                return from_datastore(name, place, (folder, sources), given, staged).await;
            }
            if is_file && (uri.starts_with("http://") || uri.starts_with("https://")) {
                return fetch(name, uri, mode, (folder, sources), staged).await;
            }
            if mode == InputMode::Copy
                && let Some(path) = local_path(uri)
            {
                return copied(task, (folder, sources), (name, uri, &path), staged).await;
            }
            location(name, uri, staged)
        }
    }
}

/// A file that is named by an address: fetched for this attempt, since nobody knows whether it is still what it was.
async fn fetch(
    name: &PortName,
    uri: &str,
    mode: InputMode,
    (folder, sources): (&Folder, &Sources),
    staged: &mut Staged,
) -> Result<String, Failure> {
    let to = folder.input(name.as_str());
    fs::create_dir_all(to.parent().unwrap_or(&to)).map_err(|e| disk(&e))?;
    let fetched = sources.fetcher.fetch(uri, &to).await;
    let fetched = fetched.map_err(|error| unfetched(name, &error))?;
    if mode != InputMode::Copy {
        let mut rights = fs::metadata(&to).map_err(|e| disk(&e))?.permissions();
        rights.set_readonly(true);
        fs::set_permissions(&to, rights).map_err(|e| disk(&e))?;
    }
    staged.notes.push(fetched_note(name, uri, &fetched));
    Ok(text(&to))
}

/// What was behind the address this time.
fn fetched_note(name: &PortName, uri: &str, fetched: &Fetched) -> String {
    let version = [("ETag", &fetched.etag), ("last changed", &fetched.last_modified)];
    let version = version
        .iter()
        .filter_map(|(what, value)| Some(format!(", {what} {}", value.as_ref()?)))
        .collect::<String>();
    format!(
        "input `{name}` was fetched from {}: {} bytes, {}{version}",
        public_url(uri),
        fetched.size_bytes,
        fetched.digest
    )
}

fn unfetched(name: &PortName, error: &FetchError) -> Failure {
    let reason = match error {
        FetchError::File(StoreError::File { source, .. }) => return disk(source),
        error if error.is_retryable() => FailureReason::StoreUnavailable,
        _ => FailureReason::InputUnreadable,
    };
    let help = match error {
        FetchError::Forbidden { .. } => {
            "; the worker's operator opens places of the own network with `fetch_allow`"
        }
        _ => "",
    };
    let message = format!("input `{name}`: {}{help}", crate::error::chain(error));
    Failure::with_message(reason, message)
}

/// A file or folder in a datastore.
async fn from_datastore(
    name: &PortName,
    place: Place<'_>,
    (folder, sources): (&Folder, &Sources),
    given: &GivenSecrets,
    staged: &mut Staged,
) -> Result<String, Failure> {
    let to = folder.input(name.as_str());
    fs::create_dir_all(to.parent().unwrap_or(&to)).map_err(|e| disk(&e))?;
    let brought = datastore::bring(place, &to, (sources.fetcher.limits(), &sources.datastores), given).await;
    let brought = brought.map_err(|error| match error {
        Unbrought::Secret(why) => {
            Failure::with_message(FailureReason::SecretMissing, format!("input `{name}`: {why}"))
        }
        Unbrought::Store(StoreError::File { source, .. }) => disk(&source),
        Unbrought::Store(error) if refusal(&error).is_some() => {
            let message = format!(
                "input `{name}`: {}; the worker's operator opens places of the own network with `datastore_allow`",
                crate::error::chain(&error)
            );
            Failure::with_message(FailureReason::InputUnreadable, message)
        }
        Unbrought::Store(error) => unreadable(&format!("input `{name}`"), &error),
    })?;
    staged.notes.push(format!(
        "input `{name}` was brought from {} in {}: {} files, {} bytes",
        place.path,
        public_url(&place.store.url),
        brought.files,
        brought.size_bytes
    ));
    Ok(text(&to))
}

/// A file or folder that is named by its place. Places on this machine are read by the step itself; others are its own business.
fn location(name: &PortName, uri: &str, staged: &mut Staged) -> Result<String, Failure> {
    let Some(path) = local_path(uri) else {
        staged.notes.push(format!(
            "input `{name}` is at {}, which this worker does not bring: its location was passed on",
            public_url(uri)
        ));
        return Ok(uri.to_owned());
    };
    fs::metadata(&path).map_err(|error| {
        let message = format!("input `{name}`: cannot read {}: {error}", path.display());
        Failure::with_message(FailureReason::InputUnreadable, message)
    })?;
    staged
        .notes
        .push(format!("input `{name}` was read in place at {}", path.display()));
    Ok(text(&path))
}

/// A copy of a file or folder of this machine. The worker reads what its steps may not, so it copies only from where an operator said.
async fn copied(
    task: &StepTask,
    (folder, sources): (&Folder, &Sources),
    (name, uri, path): (&PortName, &str, &Path),
    staged: &mut Staged,
) -> Result<String, Failure> {
    let reads = task.template.rules.reads.iter().filter(|store| store.is_folder());
    let holds = reads.filter_map(|store| Some((local_path(&store.url)?, store.path_of(uri)?)));
    // The innermost: no link leads out of that.
    let Some((root, inner)) = holds.min_by_key(|(_, inner)| inner.len()) else {
        let message = format!(
            "input `{name}`: {} lies in no datastore, so this worker makes no copy of it; an operator defines one with `tidemill datastore add NAME file:///…`, or leave `mode: download` away",
            path.display()
        );
        return Err(Failure::with_message(FailureReason::InputUnreadable, message));
    };
    let to = folder.input(name.as_str());
    fs::create_dir_all(to.parent().unwrap_or(&to)).map_err(|e| disk(&e))?;
    let (inner, target) = (inner.to_owned(), to.clone());
    let bytes_max = sources.fetcher.limits().bytes_max;
    let copying = tokio::task::spawn_blocking(move || bring_beneath(&root, &inner, &target, bytes_max));
    let brought = match copying.await {
        Ok(Ok(brought)) => brought,
        Ok(Err(error)) => return Err(uncopied(name, &error)),
        Err(_) => return Err(disk(&std::io::Error::other("the worker is ending"))),
    };
    staged.notes.push(format!(
        "input `{name}` was copied from {}: {} files, {} bytes",
        path.display(),
        brought.files,
        brought.size_bytes
    ));
    Ok(text(&to))
}

fn uncopied(name: &PortName, error: &ScanError) -> Failure {
    let reason = match error {
        ScanError::File { source, .. } if is_full(source) => FailureReason::DiskFull,
        _ => FailureReason::InputUnreadable,
    };
    Failure::with_message(reason, format!("input `{name}`: {}", crate::error::chain(error)))
}

fn local_path(uri: &str) -> Option<PathBuf> {
    let path = uri
        .strip_prefix("file://localhost/")
        .map(|rest| format!("/{rest}"))
        .or_else(|| uri.strip_prefix("file://").map(ToOwned::to_owned))
        .unwrap_or_else(|| uri.to_owned());
    path.starts_with('/').then(|| PathBuf::from(path))
}

/// Makes each output's folder, empty, and works out where in it the process writes.
fn outputs(task: &StepTask, folder: &Folder, staged: &mut Staged) -> Result<(), Failure> {
    for (name, port) in &task.template.work.outputs {
        let path = folder.output(name.as_str(), port).ok_or_else(|| {
            let output = name.to_string();
            let file = port.file_name.as_deref().unwrap_or_default();
            let message =
                format!("output `{name}`: {file:?} is not the name of a file in the output's folder");
            Failure::with_message(FailureReason::OutputRefused { output }, message)
        })?;
        fs::create_dir_all(folder.output_folder(name.as_str())).map_err(|e| disk(&e))?;
        staged.values.outputs.insert(name.clone(), text(&path));
    }
    Ok(())
}

impl Sources {
    pub(super) async fn bring(
        &self,
        artifact: &ArtifactRef,
        to: &Path,
        access: Access,
        what: &str,
    ) -> Result<Materialized, Failure> {
        let brought = self.cache.materialize(&self.store, artifact, to, access).await;
        brought.map_err(|error| {
            if error.is_data_loss() {
                lost(what, artifact, &error)
            } else {
                unreadable(what, &error)
            }
        })
    }
}

/// The coordinator looks for itself what is lost; then nobody takes over the result that it belongs to, so the way on is the same for everybody.
fn lost(what: &str, artifact: &ArtifactRef, error: &StoreError) -> Failure {
    let digest = artifact.digest.to_string();
    let message = format!(
        "{what}: {}; submit the run again: what is lost is made or uploaded anew",
        crate::error::chain(error)
    );
    Failure::with_message(FailureReason::InputLost { digest }, message)
}

fn unreadable(what: &str, error: &StoreError) -> Failure {
    // A store that cannot be reached is the machines' fault, damaged bytes are not mended by another try.
    let reason = match error {
        error if error.is_unreachable() => FailureReason::StoreUnavailable,
        StoreError::File { source, .. } if error.is_retryable() => return disk(source),
        _ => FailureReason::InputUnreadable,
    };
    Failure::with_message(reason, format!("{what}: {}", crate::error::chain(error)))
}

/// A failure of the worker's own disk.
pub(crate) fn disk(error: &std::io::Error) -> Failure {
    let reason = if is_full(error) {
        FailureReason::DiskFull
    } else {
        FailureReason::StoreFailed
    };
    Failure::with_message(reason, format!("the worker's disk: {error}"))
}

fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_on_this_machine_are_told_from_others() {
        assert_eq!(local_path("file:///data/x").unwrap(), Path::new("/data/x"));
        assert_eq!(
            local_path("file://localhost/data/x").unwrap(),
            Path::new("/data/x")
        );
        assert_eq!(local_path("/data/x").unwrap(), Path::new("/data/x"));
        for other in ["https://host/x", "s3://bucket/x", "file://host/x", "relative/x"] {
            assert!(local_path(other).is_none(), "{other}");
        }
    }
}
