//! Parts of pipelines that stand in files of their own, read for themselves: a component, an environment. Where a pipeline names them, they are read by
//! `component` and `environment`.

use super::explain::Origin;
use super::pipeline::slug;
use super::{Loader, Reading};
use crate::diagnostic::Problems;
use crate::files::{Disk, Files};
use crate::workspace::Workspace;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tidemill_protocol::name::Name;
use tidemill_protocol::plan::{Environment, OnStepFailure};
use tidemill_protocol::spec::{PipelineSpec, SPEC_FORMAT};

/// Reads a component file and everything it refers to: a pipeline whose root is the component, to be kept and never to be run by itself.
pub fn read_component(file: &Path, workspace: &Workspace) -> Reading {
    read_component_from(&Disk, file, workspace)
}

/// The same with files from elsewhere: from these, and from nowhere else.
pub fn read_component_from(files: &dyn Files, file: &Path, workspace: &Workspace) -> Reading {
    let mut loader = Loader::new(files, workspace);
    let root = loader.whole_component_file(file);
    let spec = root.map(|root| {
        let component = loader.component(root);
        let name = component.name.as_deref().and_then(slug);
        let name = name.unwrap_or_else(|| name_by_file(file));
        PipelineSpec {
            format: SPEC_FORMAT,
            display_name: match component.display_name.as_str() {
                "" => name.to_string(),
                text => text.to_owned(),
            },
            experiment: name.clone(),
            name,
            description: String::new(),
            tags: BTreeMap::new(),
            on_step_failure: OnStepFailure::Stop,
            force_rerun: false,
            root,
            inputs: BTreeMap::new(),
            components: Vec::new(),
            contents: Vec::new(),
            computes: workspace.computes.clone(),
            warnings: Vec::new(),
            assets: Vec::new(),
            datastores: BTreeMap::new(),
        }
    });
    loader.reading(spec)
}

/// Reads an environment file, or a bare conda file, and what it refers to.
pub fn load_environment(file: &Path, workspace: &Workspace) -> Result<Environment, Problems> {
    let mut loader = Loader::new(&Disk, workspace);
    let environment = loader.whole_environment_file(file);
    loader.findings.finish()?;
    Ok(environment.expect("an environment that was not read left an error behind"))
}

impl Loader<'_> {
    fn whole_component_file(&mut self, file: &Path) -> Option<u32> {
        let node = self.tree(file, None)?;
        self.origin = self.findings.file(node.place.file).map(|source| Origin {
            file: source,
            root: Arc::new(node.clone()),
        });
        // A pipeline component that leads back to this very file is told so.
        self.opening.extend(self.files.canonical(file));
        self.component_body(&node, folder_of(file), "")
    }

    fn whole_environment_file(&mut self, file: &Path) -> Option<Environment> {
        let node = self.tree(file, None)?;
        self.environment_in(&node, folder_of(file), "")
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

fn name_by_file(file: &Path) -> Name {
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    let name = stem.and_then(slug);
    name.unwrap_or_else(|| "component".parse().expect("a legal name"))
}
