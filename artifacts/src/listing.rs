//! What lies in a store that is not ours, by name and stamp: whoever keeps one listing and compares it with the next knows what has changed, without reading a byte of it.

use crate::error::{Result, StoreError};
use crate::guard::Guard;
use crate::open::{StoreConfig, connect, public_url};
use crate::remote::FILES_MAX;
use futures_util::StreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStore};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_protocol::digest::Digest;

/// Files below a path, each with what is another when its content was written anew: its length with the store's own tag, or with the time at which it was written.
pub type Listing = BTreeMap<String, String>;

/// Lists every file below a path of the store at this address, as far as the guard lets reach it; nothing is made where nothing is.
///
/// # Errors
/// When the address or an option is wrong, the store does not answer, or there are more than 100,000 files.
pub async fn list_files(config: &StoreConfig, path: &str, guard: &Guard) -> Result<Listing> {
    let objects = open(config, guard)?;
    let shown = public_url(&config.url);
    let prefix = ObjectPath::parse(path.trim_matches('/')).map_err(|error| StoreError::Address {
        url: format!("{shown}/{path}"),
        reason: error.to_string(),
    })?;
    let mut listed = objects.list(Some(&prefix));
    let mut files = Listing::new();
    while let Some(found) = listed.next().await {
        let found = found.map_err(|error| StoreError::backend("list", &prefix, error))?;
        let Some(below) = found.location.prefix_match(&prefix) else {
            continue;
        };
        let parts: Vec<String> = below.map(|part| part.as_ref().to_owned()).collect();
        // The marker of the folder itself.
        if parts.is_empty() {
            continue;
        }
        if files.len() >= FILES_MAX {
            return Err(StoreError::TooLarge {
                object: format!("{shown}/{prefix}"),
                size_bytes: files.len() as u64 + 1,
                limit_bytes: FILES_MAX as u64,
            });
        }
        files.insert(parts.join("/"), stamp(&found));
    }
    Ok(files)
}

/// A folder is only read: where it is not, it is not made.
fn open(config: &StoreConfig, guard: &Guard) -> Result<Arc<dyn ObjectStore>> {
    let Some(folder) = config.url.strip_prefix("file://") else {
        return Ok(connect(config, Some(guard))?.objects);
    };
    let files = LocalFileSystem::new_with_prefix(folder);
    let files = files.map_err(|error| StoreError::backend("open", &ObjectPath::default(), error))?;
    Ok(Arc::new(files))
}

fn stamp(found: &ObjectMeta) -> String {
    let (size, written) = (found.size, found.last_modified.timestamp_millis());
    let text = match &found.e_tag {
        Some(tag) => format!("{size} {tag}"),
        None => format!("{size} {written}"),
    };
    Digest::of(text.as_bytes()).short()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_protocol::destination::Destinations;

    fn config(folder: &std::path::Path) -> StoreConfig {
        StoreConfig {
            url: format!("file://{}", folder.display()),
            options: BTreeMap::new(),
        }
    }

    #[tokio::test]
    async fn what_is_written_anew_has_another_stamp_and_the_rest_keeps_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("in/a", "1");
        write("in/deep/b", "2");
        write("beside/c", "3");
        let guard = Guard::new(Destinations::default());
        let before = list_files(&config(dir.path()), "in/", &guard).await.unwrap();
        let names: Vec<&str> = before.keys().map(String::as_str).collect();
        assert_eq!(names, ["a", "deep/b"]);
        assert_eq!(
            before,
            list_files(&config(dir.path()), "in", &guard).await.unwrap()
        );
        write("in/deep/b", "longer");
        let after = list_files(&config(dir.path()), "in", &guard).await.unwrap();
        assert_eq!(before["a"], after["a"]);
        assert_ne!(before["deep/b"], after["deep/b"]);
        assert_eq!(
            list_files(&config(dir.path()), "", &guard).await.unwrap().len(),
            3
        );
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing");
        let guard = Guard::new(Destinations::default());
        assert!(list_files(&config(&missing), "", &guard).await.is_err());
        assert!(!missing.exists());
        assert_eq!(
            list_files(&config(dir.path()), "nothing", &guard)
                .await
                .unwrap()
                .len(),
            0
        );
    }
}
