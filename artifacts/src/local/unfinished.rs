//! Unfinished files in a local store: what a killed process left on its way to a name.

use super::folder::LocalFolder;
use crate::error::{Result, StoreError};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use tidemill_protocol::time::{Millis, Timestamp};

impl LocalFolder {
    /// Removes files on their way to a name that nobody has touched for `grace`: our own under `tmp/` and `object_store`'s
    /// `name#1` beside their names. Gives their number and bytes.
    pub(crate) fn sweep_unfinished(
        &self,
        now: Timestamp,
        grace: Millis,
        dry_run: bool,
    ) -> Result<(u64, u64)> {
        let mut swept = (0, 0);
        let mut waiting = vec![self.root.clone()];
        while let Some(folder) = waiting.pop() {
            let failed = |error| StoreError::file("list", &folder, error);
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(failed)?,
            };
            for entry in entries {
                let entry = entry.map_err(failed)?;
                // A file that vanished meanwhile has been finished or removed.
                let Ok(metadata) = entry.metadata() else {
                    continue;
                };
                let path = entry.path();
                if metadata.is_dir() {
                    waiting.push(path);
                } else if self.is_unfinished(&path) && is_older(&metadata, now, grace) {
                    swept = (swept.0 + 1, swept.1 + metadata.len());
                    if !dry_run {
                        fs::remove_file(&path).map_err(|error| StoreError::file("remove", &path, error))?;
                    }
                }
            }
        }
        Ok(swept)
    }

    fn is_unfinished(&self, path: &Path) -> bool {
        let staged_by_object_store = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.rsplit_once('#'))
            .is_some_and(|(_, number)| number.bytes().all(|byte| byte.is_ascii_digit()));
        staged_by_object_store || path.starts_with(self.tmp())
    }
}

fn is_older(metadata: &Metadata, now: Timestamp, grace: Millis) -> bool {
    let changed = u64::try_from(metadata.ctime()).unwrap_or(0).saturating_mul(1000);
    now.since(Timestamp(changed)) >= grace
}
