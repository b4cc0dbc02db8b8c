//! Loading: a pipeline file and all it refers to become a `PipelineSpec`.
//!
//! `pipeline` reads the file itself, `graph` its steps, `component` what they refer to, `catalog` what only a catalog knows; `ports`, `binding`, `artifacts`, `paths`,
//! `environment`, `command`, `builtin`, `destination`, `other`, `rules` and `secrets` read the parts; `schedule` reads the file around a pipeline that is started by itself, and `trigger` when. All of them note problems and go on, so that one reading finds them all.

mod artifacts;
mod binding;
mod builtin;
mod catalog;
mod check;
mod checkpoint;
mod command;
mod component;
mod conda;
mod contents;
mod declared;
mod destination;
mod environment;
mod explain;
mod graph;
mod loaded;
mod other;
mod part;
mod paths;
mod pipeline;
mod ports;
mod rules;
mod schedule;
mod secrets;
mod site;
mod step;
mod trigger;
mod units;

pub use loaded::{Loaded, LocalSource, SourceId};
pub use part::{load_environment, read_component, read_component_from};
pub use schedule::{LoadedSchedule, ScheduledJob, load_schedule};

use contents::Contents;
use explain::Origin;

use crate::diagnostic::{Code, Findings, Place, Problems};
use crate::files::{Disk, Files};
use crate::workspace::{Wanted, Workspace};
use crate::yaml::{Node, parse, read_text};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidemill_protocol::catalog::AssetUse;
use tidemill_protocol::codec;
use tidemill_protocol::datastore::Datastore;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::name::Name;
use tidemill_protocol::plan::Environment;
use tidemill_protocol::spec::{ComponentSpec, PipelineSpec};

/// What reading a file gave.
#[derive(Debug)]
pub struct Reading {
    /// The pipeline, or every problem.
    pub outcome: Result<Loaded, Problems>,
    /// Names that the workspace does not know and a catalog may: each of them is a problem above. Whoever can ask a catalog lets the workspace
    /// [learn](Workspace::learn) what it says and reads again.
    pub wanted: BTreeSet<Wanted>,
}

/// Reads a pipeline file of this machine and everything it refers to. All problems are reported together; warnings alone do not stop it.
pub fn load(file: &Path, workspace: &Workspace) -> Result<Loaded, Problems> {
    read(file, workspace).outcome
}

/// The same with the names that only a catalog may know.
pub fn read(file: &Path, workspace: &Workspace) -> Reading {
    read_from(&Disk, file, workspace)
}

/// [`load`] with files from elsewhere: from these, and from nowhere else.
pub fn load_from(files: &dyn Files, file: &Path, workspace: &Workspace) -> Result<Loaded, Problems> {
    read_from(files, file, workspace).outcome
}

/// [`read`] with files from elsewhere: from these, and from nowhere else.
pub fn read_from(files: &dyn Files, file: &Path, workspace: &Workspace) -> Reading {
    let mut loader = Loader::new(files, workspace);
    let spec = loader.pipeline_file(file);
    loader.reading(spec)
}

/// What is gathered while files are read.
pub(crate) struct Loader<'w> {
    workspace: &'w Workspace,
    files: &'w dyn Files,
    findings: Findings,
    components: Vec<Arc<ComponentSpec>>,
    /// Components by what they are: equal ones are kept once.
    interned: HashMap<Digest, u32>,
    /// Component files that were read; none for those with errors.
    component_files: HashMap<PathBuf, Option<u32>>,
    /// Component files that are being read, outermost first.
    opening: Vec<PathBuf>,
    contents: Contents,
    /// Versions that were taken from a catalog.
    assets: Vec<AssetUse>,
    /// Datastores that a coordinator defined.
    datastores: BTreeMap<Name, Datastore>,
    /// Names that only a catalog may know and of which nobody was asked.
    wanted: BTreeSet<Wanted>,
    environments: HashMap<String, Option<Environment>>,
    conda_files: HashMap<PathBuf, Option<tidemill_protocol::plan::PythonEnvironment>>,
    /// Warnings that are given once, whatever number of steps they concern.
    once: HashSet<String>,
    steps: usize,
    /// The pipeline's own file, when it could be read.
    origin: Option<Origin>,
}

/// The keys that reading a pipeline asks each of its mappings for, by path.
#[cfg(test)]
pub(crate) fn keys_asked(text: &str) -> Vec<(String, Vec<&'static str>)> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pipeline.yml");
    std::fs::write(&file, text).unwrap();
    let workspace = Workspace::default();
    let mut loader = Loader::new(&Disk, &workspace);
    loader.pipeline_file(&file);
    loader.findings.into_keys()
}

impl<'w> Loader<'w> {
    fn new(files: &'w dyn Files, workspace: &'w Workspace) -> Self {
        Self {
            workspace,
            files,
            findings: Findings::default(),
            components: Vec::new(),
            interned: HashMap::new(),
            component_files: HashMap::new(),
            opening: Vec::new(),
            contents: Contents::default(),
            assets: Vec::new(),
            datastores: BTreeMap::new(),
            wanted: BTreeSet::new(),
            environments: HashMap::new(),
            conda_files: HashMap::new(),
            once: HashSet::new(),
            steps: 0,
            origin: None,
        }
    }
}

impl Loader<'_> {
    fn reading(mut self, spec: Option<PipelineSpec>) -> Reading {
        let wanted = std::mem::take(&mut self.wanted);
        Reading {
            outcome: self.loaded(spec),
            wanted,
        }
    }

    /// What was read, unless there is an error.
    fn loaded(self, spec: Option<PipelineSpec>) -> Result<Loaded, Problems> {
        let warnings = self.findings.finish()?;
        let mut spec = spec.expect("a pipeline that was not read left an error behind");
        spec.components = self.components;
        spec.warnings = warnings.iter().map(ToString::to_string).collect();
        spec.assets = self.assets;
        spec.datastores = self.datastores;
        Ok(Loaded {
            sources: self.contents.sources,
            known: self.contents.known,
            warnings,
            spec,
            origin: self
                .origin
                .expect("a pipeline without an error was read from a file"),
        })
    }

    /// Reads and parses a file; `from` is the place that asked for it.
    fn tree(&mut self, path: &Path, from: Option<Place>) -> Option<Node> {
        let (file, text) = read_text(self.files, path, &mut self.findings, from)?;
        parse(file, &text, &mut self.findings)
    }

    /// Keeps a component once.
    fn intern(&mut self, component: ComponentSpec) -> u32 {
        let digest = Digest::of(&codec::encode(&component));
        *self.interned.entry(digest).or_insert_with(|| {
            self.components.push(Arc::new(component));
            u32::try_from(self.components.len() - 1).expect("steps are capped far below u32")
        })
    }

    fn component(&self, index: u32) -> Arc<ComponentSpec> {
        Arc::clone(&self.components[index as usize])
    }

    /// Notes a warning unless the same was noted before.
    fn warn_once(&mut self, code: Code, place: Place, path: &str, message: String, help: &str) {
        if self.once.insert(format!("{}{message}", code.as_str())) {
            self.findings.add(code, place, path, message).help_text(help);
        }
    }
}
