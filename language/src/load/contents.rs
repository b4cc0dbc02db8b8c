//! The contents that a pipeline brings along, by number: local files and folders, whose content is named later, and contents that are in the store already.

use super::loaded::{LocalSource, SourceId};
use crate::files::{SourceKind, SourceRole};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef};

/// What is gathered of contents while files are read.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Those on this machine.
    pub(super) sources: Vec<LocalSource>,
    /// Those in the store.
    pub(super) known: BTreeMap<u32, ArtifactRef>,
    local_ids: HashMap<(PathBuf, SourceRole), u32>,
    /// Whether each is a folder.
    folders: Vec<bool>,
}

impl Contents {
    /// The number of a local file or folder, which exists as what it is said to be.
    pub(super) fn local(&mut self, path: PathBuf, role: SourceRole, kind: SourceKind) -> u32 {
        if let Some(id) = self.local_ids.get(&(path.clone(), role)) {
            return *id;
        }
        let id = self.next(kind == SourceKind::Folder);
        self.local_ids.insert((path.clone(), role), id);
        self.sources.push(LocalSource {
            id: SourceId(id),
            path,
            role,
            kind,
        });
        id
    }

    /// The number of a content that is in the store.
    pub(super) fn known(&mut self, artifact: ArtifactRef) -> u32 {
        let same = self.known.iter().find(|(_, known)| **known == artifact);
        if let Some((id, _)) = same {
            return *id;
        }
        let id = self.next(artifact.kind == ArtifactKind::Tree);
        self.known.insert(id, artifact);
        id
    }

    /// Whether a content is a folder.
    pub(super) fn is_folder(&self, id: u32) -> bool {
        self.folders.get(id as usize).copied().unwrap_or(false)
    }

    fn next(&mut self, is_folder: bool) -> u32 {
        self.folders.push(is_folder);
        u32::try_from(self.folders.len() - 1).expect("contents are capped by the text that names them")
    }
}
