//! Copies files to a place outside of the artifact store: a folder of this machine, or a bucket. What is there under the same names is replaced, what is there beside it
//! stays; so the same copy once more changes nothing.

use super::{CopyErrand, PerformError};
use std::fs;
use std::path::{Path, PathBuf};
use tidemill_artifacts::{Brought, FetchLimits, RemoteStore, StoreConfig, public_url};

/// Files of one copy at most.
const FILES_MAX: usize = 100_000;
/// What is added to a file's name until it is whole.
const UNFINISHED: &str = ".tidemill-copy";

/// Makes the copy and writes its report.
pub(super) fn copy(errand: &CopyErrand) -> Result<String, PerformError> {
    let files = listed(&errand.source, &errand.path)?;
    let copied = if errand.url.starts_with("file://") {
        into_folder(&files)?
    } else {
        into_bucket(errand, files)?
    };
    let root = public_url(&errand.url);
    let between = if root.ends_with('/') { "" } else { "/" };
    let destination = format!("{root}{between}{}", errand.path);
    let (count, bytes) = (copied.files, copied.size_bytes);
    let report = serde_json::json!({"destination": destination, "files": count, "bytes": bytes});
    let written = fs::write(&errand.report, format!("{report}\n"));
    written.map_err(PerformError::file("write", &errand.report))?;
    Ok(format!("copied {count} files, {bytes} bytes to {destination}"))
}

/// The files that are to be copied, each with its path at the destination, in order. Links are followed: what they lead to is what the step before it wrote.
fn listed(source: &Path, path: &str) -> Result<Vec<(PathBuf, String)>, PerformError> {
    let found = fs::metadata(source).map_err(PerformError::file("read", source))?;
    if found.is_file() {
        return Ok(vec![(source.to_owned(), path.to_owned())]);
    }
    let mut files = Vec::new();
    let mut waiting = vec![(source.to_owned(), path.to_owned())];
    while let Some((folder, path)) = waiting.pop() {
        for entry in fs::read_dir(&folder).map_err(PerformError::file("list", &folder))? {
            let from = entry.map_err(PerformError::file("list", &folder))?.path();
            let name = from.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| PerformError::Name(from.clone()))?;
            let path = match path.as_str() {
                "" => name.to_owned(),
                path => format!("{path}/{name}"),
            };
            let found = fs::metadata(&from).map_err(PerformError::file("read", &from))?;
            if found.is_dir() {
                waiting.push((from, path));
            } else if found.is_file() {
                files.push((from, path));
            }
            if files.len() + waiting.len() > FILES_MAX {
                return Err(PerformError::TooMany(FILES_MAX));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Copies to this machine: beside its place first, then into it, so that nobody reads half a file.
fn into_folder(files: &[(PathBuf, String)]) -> Result<Brought, PerformError> {
    let mut size_bytes = 0;
    for (from, path) in files {
        let to = Path::new("/").join(path);
        let folder = to.parent().unwrap_or(&to);
        fs::create_dir_all(folder).map_err(PerformError::file("make", folder))?;
        let mut beside = to.clone().into_os_string();
        beside.push(UNFINISHED);
        let beside = PathBuf::from(beside);
        let copied = put(from, &beside).and_then(|size| fs::rename(&beside, &to).map(|()| size));
        if copied.is_err() {
            // It may not be there at all.
            fs::remove_file(&beside).ok();
        }
        size_bytes += copied.map_err(PerformError::file("write", &to))?;
    }
    Ok(Brought {
        files: files.len() as u64,
        size_bytes,
    })
}

/// The bytes alone, on the disk: rights are those of a new file, because a step's inputs are read-only.
fn put(from: &Path, to: &Path) -> std::io::Result<u64> {
    let mut source = fs::File::open(from)?;
    let mut target = fs::File::create(to)?;
    let size = std::io::copy(&mut source, &mut target)?;
    target.sync_all()?;
    Ok(size)
}

fn into_bucket(errand: &CopyErrand, files: Vec<(PathBuf, String)>) -> Result<Brought, PerformError> {
    let mut options = errand.options.clone();
    for (option, file) in &errand.secrets {
        let value = fs::read(file).map_err(PerformError::file("read", file))?;
        let value = String::from_utf8(value).map_err(|_| PerformError::Secret(option.clone()))?;
        options.insert(option.clone(), value);
    }
    let config = StoreConfig {
        url: errand.url.clone(),
        options,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(PerformError::Unreadable)?;
    // A step's own process: it reaches what steps reach.
    let store = RemoteStore::open(&config, FetchLimits::default(), None)?;
    Ok(runtime.block_on(store.send(files))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_folder_is_copied_twice_and_what_lies_beside_it_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (source, to) = (dir.path().join("in"), dir.path().join("out"));
        fs::create_dir_all(source.join("deep")).unwrap();
        fs::create_dir_all(&to).unwrap();
        fs::write(source.join("a"), "1").unwrap();
        fs::write(source.join("deep/b"), "22").unwrap();
        fs::write(to.join("other"), "stays").unwrap();
        let errand = CopyErrand {
            source,
            url: "file:///".into(),
            path: to.to_str().unwrap().trim_start_matches('/').to_owned(),
            options: BTreeMap::new(),
            secrets: BTreeMap::new(),
            report: dir.path().join("report.json"),
        };
        for _ in 0..2 {
            let said = copy(&errand).unwrap();
            assert!(said.starts_with("copied 2 files, 3 bytes to file:///"), "{said}");
        }
        let mut names: Vec<_> = fs::read_dir(&to)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["a", "deep", "other"]);
        assert_eq!(fs::read_to_string(to.join("deep/b")).unwrap(), "22");
        let report: serde_json::Value = serde_json::from_slice(&fs::read(&errand.report).unwrap()).unwrap();
        assert_eq!(
            (report["files"].as_u64(), report["bytes"].as_u64()),
            (Some(2), Some(3))
        );
    }
}
