//! The files of registered versions, at `registered/MODEL/VERSION/…`: read from the folder that was registered.

use super::shown;
use crate::api::mlflow::fault::Fault;
use crate::handle::CoordinatorHandle;
use crate::tracking::{Listed, StoredFile};
use std::collections::BTreeSet;
use tidemill_protocol::artifact::Tree;
use tidemill_protocol::catalog::{AssetBody, Location};

/// The part of a path below the folder of registered versions, if it is one of theirs.
pub(in crate::api::mlflow) fn below(path: &str) -> Option<&str> {
    path.trim_matches('/').strip_prefix("registered/")
}

/// The folder of the version that a path names, and the path in it.
async fn folder<'p>(handle: &CoordinatorHandle, path: &'p str) -> Result<(Tree, &'p str), Fault> {
    let missing = || {
        Fault::missing(format!(
            "there is no registered version with files at `registered/{path}`"
        ))
    };
    let mut parts = path.splitn(3, '/');
    let (name, version) = (
        parts.next().unwrap_or_default(),
        parts.next().ok_or_else(missing)?,
    );
    let (name, version) = (shown::name_of(name)?, shown::version_of(version)?);
    let found = handle
        .look(move |sight| shown::version(sight, &name, &version))
        .await?;
    let found = found.ok_or_else(missing)?;
    let AssetBody::Model(files) = &*found.kept.body else {
        return Err(missing());
    };
    let Location::Content(content) = &files.location else {
        return Err(missing());
    };
    let tree = handle.inner.store.get_tree(&content.digest).await?;
    Ok((tree, parts.next().unwrap_or_default()))
}

/// A file of a registered version.
pub(in crate::api::mlflow) async fn file(
    handle: &CoordinatorHandle,
    path: &str,
) -> Result<StoredFile, Fault> {
    let (tree, inner) = folder(handle, path).await?;
    let found = tree.entries.iter().find(|entry| entry.path.as_str() == inner);
    let found = found.ok_or_else(|| Fault::missing(format!("there is no artifact `registered/{path}`")))?;
    Ok(StoredFile {
        blob: found.digest,
        size_bytes: found.size_bytes,
    })
}

/// What is in a folder of a registered version.
pub(in crate::api::mlflow) async fn list(
    handle: &CoordinatorHandle,
    path: &str,
) -> Result<Vec<Listed>, Fault> {
    let (tree, inner) = folder(handle, path).await?;
    let prefix = if inner.is_empty() {
        String::new()
    } else {
        format!("{inner}/")
    };
    let mut folders = BTreeSet::new();
    let mut listed = Vec::new();
    for entry in &tree.entries {
        let Some(rest) = entry.path.as_str().strip_prefix(&prefix) else {
            continue;
        };
        match rest.split_once('/') {
            None => listed.push(Listed {
                name: rest.to_owned(),
                size_bytes: Some(entry.size_bytes),
            }),
            Some((name, _)) if folders.insert(name.to_owned()) => {
                listed.push(Listed {
                    name: name.to_owned(),
                    size_bytes: None,
                });
            }
            Some(_) => {}
        }
    }
    Ok(listed)
}
