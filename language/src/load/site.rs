//! Places of values, and what was found at a location: words of the files here that read data, components and environments. Finding is in `paths` and `catalog`.

use crate::diagnostic::Place;
use std::path::Path;
use tidemill_protocol::spec::{DataType, ValueSpec};

/// Where a value is written: the folder that relative paths count from, the place, and the path in the words of the file.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    pub(super) folder: &'a Path,
    pub(super) place: Place,
    pub(super) path: &'a str,
}

/// A data location that was found, and the type that its registration says, if it does.
pub(super) struct Found {
    pub(super) value: ValueSpec,
    pub(super) data_type: Option<DataType>,
}
