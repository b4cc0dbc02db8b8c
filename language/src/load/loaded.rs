//! A pipeline that was loaded but whose local files and folders are not yet named by content.

use super::explain::Origin;
use crate::diagnostic::{Code, Diagnostic, Problems, Severity};
use crate::files::{Disk, Files, SourceKind, SourceRole};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidemill_protocol::api::Problem;
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::name::PortName;
use tidemill_protocol::spec::{BindingSource, BindingSpec, InputType, PipelineSpec, ValueSpec};

/// Names a local file or folder of a loaded pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// A local file or folder that the pipeline needs. The caller hashes and uploads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalSource {
    /// Its name in this pipeline.
    pub id: SourceId,
    /// Where it is, absolute.
    pub path: PathBuf,
    /// What it is for.
    pub role: SourceRole,
    /// File or folder; it existed as such when the pipeline was loaded.
    pub kind: SourceKind,
}

/// A pipeline that was loaded without an error.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The local files and folders it needs, no path twice in the same role.
    pub sources: Vec<LocalSource>,
    /// What is worth knowing though nothing is wrong.
    pub warnings: Vec<Diagnostic>,
    pub(super) spec: PipelineSpec,
    pub(super) origin: Origin,
    /// Contents that are in the store already, by number; the numbers of all contents have no gap.
    pub(super) known: BTreeMap<u32, ArtifactRef>,
}

impl Loaded {
    /// Takes in the contents of the sources.
    ///
    /// # Panics
    /// When a source's content is missing from `contents`.
    #[must_use]
    pub fn finish(mut self, contents: &BTreeMap<SourceId, ArtifactRef>) -> PipelineSpec {
        let named = |source: &LocalSource| {
            *contents
                .get(&source.id)
                .expect("the caller gives the content of every source")
        };
        self.spec.contents = self.all_contents(named);
        self.spec
    }

    /// Takes local data out of the parameters of a submission: a parameter for an input that takes files, whose text is no address and no name of a catalog, names a
    /// file or folder, relative to `folder`. What is taken becomes a source; everything else stays a parameter.
    pub fn take_local_data(
        &mut self,
        parameters: &mut BTreeMap<String, String>,
        folder: &Path,
    ) -> Result<(), Vec<Problem>> {
        self.take_data_from(&Disk, parameters, folder)
    }

    /// The same with files from elsewhere.
    pub fn take_data_from(
        &mut self,
        files: &dyn Files,
        parameters: &mut BTreeMap<String, String>,
        folder: &Path,
    ) -> Result<(), Vec<Problem>> {
        let root = Arc::clone(&self.spec.components[self.spec.root as usize]);
        let mut problems = Vec::new();
        parameters.retain(|name, text| {
            let Some((port, input)) = root.inputs.get_key_value(name.as_str()) else {
                return true;
            };
            let is_named = text.contains("://") || text.starts_with("azureml:");
            if is_named || !matches!(input.input_type, InputType::Data(_)) {
                return true;
            }
            let number = self.sources.len() + self.known.len();
            match local_source(files, &folder.join(&*text), number) {
                Ok(source) => self.give(port.clone(), source),
                Err(message) => problems.push(missing(name, message)),
            }
            false
        });
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }

    /// Every content in the order of their numbers.
    fn all_contents(&self, named: impl Fn(&LocalSource) -> ArtifactRef) -> Vec<ArtifactRef> {
        let local = self.sources.iter().map(|source| (source.id.0, named(source)));
        let known = self.known.iter().map(|(id, artifact)| (*id, *artifact));
        let all: BTreeMap<u32, ArtifactRef> = local.chain(known).collect();
        all.into_values().collect()
    }

    fn give(&mut self, port: PortName, source: LocalSource) {
        let same = |known: &&LocalSource| known.path == source.path && known.role == source.role;
        let id = self.sources.iter().find(same).map_or(source.id, |known| known.id);
        if id == source.id {
            self.sources.push(source);
        }
        let binding = BindingSpec {
            source: BindingSource::Value(ValueSpec::Content(id.0)),
            data_type: None,
            mode: None,
        };
        self.spec.inputs.insert(port, binding);
    }

    /// What planning found wrong, with its places in the pipeline's file.
    pub fn explain(&self, problems: Vec<Problem>) -> Problems {
        self.origin.explain(problems)
    }

    /// The pipeline with stand-ins for its contents (the digests of their paths): to draw or to check, never to submit.
    pub fn outline(&self) -> PipelineSpec {
        let stand_in = |source: &LocalSource| ArtifactRef {
            kind: match source.kind {
                SourceKind::File => ArtifactKind::Blob,
                SourceKind::Folder => ArtifactKind::Tree,
            },
            digest: Digest::of(source.path.as_os_str().as_encoded_bytes()),
            size_bytes: 0,
            files: 0,
        };
        PipelineSpec {
            contents: self.all_contents(stand_in),
            ..self.spec.clone()
        }
    }
}

/// A file or folder that exists, as the source of this number.
fn local_source(files: &dyn Files, path: &Path, number: usize) -> Result<LocalSource, String> {
    let found = files.source(path, SourceRole::Data);
    let (path, kind) = match found {
        Ok((path, Some(kind))) => (path, kind),
        Ok((_, None)) => {
            return Err(format!("`{}` is neither a file nor a folder", path.display()));
        }
        Err(error) => return Err(format!("cannot read `{}`: {error}", path.display())),
    };
    Ok(LocalSource {
        id: SourceId(u32::try_from(number).expect("sources are far fewer than u32 counts")),
        path,
        role: SourceRole::Data,
        kind,
    })
}

fn missing(input: &str, message: String) -> Problem {
    Problem {
        code: Code::MissingPath.as_str().to_owned(),
        severity: Severity::Error.as_str().to_owned(),
        message,
        help: Some("give the path of a file or folder, or an address".to_owned()),
        file: None,
        line: None,
        column: None,
        path: format!("inputs.{input}"),
    }
}
