//! Decisions about files that are logged.

use super::Decided;
use crate::tracking::command::TrackingRejection;
use crate::tracking::fact::{StoredFile, TrackingFact};
use crate::tracking::limits::{FILES_MAX, check_room};
use crate::tracking::state::Tracking;
use tidemill_protocol::name::ArtifactPath;

/// Puts a file at a path.
pub(super) fn store(tracking: &Tracking, by: &str, path: &str, file: StoredFile) -> Decided {
    if let Err(error) = path.parse::<ArtifactPath>() {
        return Err(TrackingRejection::Invalid(error.to_string()));
    }
    let files = tracking.files();
    if files.get(path) == Some(&file) {
        return Ok(Vec::new());
    }
    if files.is_in_the_way(path) {
        let message = format!("`{path}` cannot be a file: it is a folder, or one of its folders is a file");
        return Err(TrackingRejection::Invalid(message));
    }
    check_room("artifacts", files.len() + 1, FILES_MAX)?;
    Ok(vec![TrackingFact::FileStored {
        path: path.to_owned(),
        file,
        by: by.to_owned(),
    }])
}

/// Removes a file, or a folder with what is in it.
pub(super) fn remove(tracking: &Tracking, by: &str, path: &str) -> Decided {
    let files = tracking.files();
    if files.get(path).is_none() && files.below(path).next().is_none() {
        return Err(TrackingRejection::UnknownFile(path.to_owned()));
    }
    Ok(vec![TrackingFact::FilesRemoved {
        path: path.to_owned(),
        by: by.to_owned(),
    }])
}
