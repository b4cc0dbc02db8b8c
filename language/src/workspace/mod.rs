//! The workspace: what registered names (environments, compute names, datastores, data assets, components) mean here. Filled from the
//! tables of `tidemill.toml` files over built-in ones.

mod asset;
mod builtin;
mod catalog;
mod curated;
mod tables;

pub(crate) use asset::AssetName;
pub use catalog::{Answer, Known, Wanted};

use crate::diagnostic::Diagnostic;
use catalog::Catalog;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tidemill_protocol::api::Problem;
use tidemill_protocol::name::Name;
use tidemill_protocol::plan::{Environment, PythonEnvironment};
use tidemill_protocol::spec::DataType;

/// What registered names mean here. The default holds the built-in tables only.
#[derive(Debug, Clone)]
pub struct Workspace {
    pub(crate) environments: BTreeMap<String, EnvironmentEntry>,
    pub(crate) computes: BTreeMap<String, Name>,
    pub(crate) datastores: BTreeMap<String, Location>,
    pub(crate) data: BTreeMap<String, DataEntry>,
    pub(crate) components: BTreeMap<String, PathBuf>,
    /// Where steps run when neither they nor their pipeline say it.
    pub(crate) default_compute: Name,
    /// What a catalog said of the names that the tables do not know.
    pub(crate) catalog: Catalog,
}

/// What an environment's name means.
#[derive(Debug, Clone, Default)]
pub(crate) struct EnvironmentEntry {
    pub(crate) image: Option<String>,
    pub(crate) python: Option<String>,
    pub(crate) requirements: Vec<String>,
    pub(crate) conda_file: Option<PathBuf>,
    /// An environment file that says it all.
    pub(crate) file: Option<PathBuf>,
}

impl EnvironmentEntry {
    /// The environment, without what its files add.
    pub(crate) fn environment(&self, name: &str) -> Environment {
        let python = (self.python.is_some() || !self.requirements.is_empty()).then(|| PythonEnvironment {
            version: self.python.clone(),
            requirements: self.requirements.clone(),
        });
        Environment {
            name: Some(name.to_owned()),
            image: self.image.clone(),
            python,
        }
    }
}

/// Where files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// On this machine.
    Local(PathBuf),
    /// Behind an address.
    Url(String),
}

/// What a data asset's name means.
#[derive(Debug, Clone)]
pub(crate) struct DataEntry {
    pub(crate) location: Location,
    pub(crate) data_type: Option<DataType>,
}

impl Default for Workspace {
    fn default() -> Self {
        Self {
            environments: BTreeMap::new(),
            computes: builtin::computes(),
            datastores: BTreeMap::new(),
            data: BTreeMap::new(),
            components: BTreeMap::new(),
            default_compute: builtin::default_compute(),
            catalog: Catalog::default(),
        }
    }
}

impl Workspace {
    /// Reads the tables of `tidemill.toml` files, each with its path and text; later layers win over earlier ones, and all of them over the
    /// built-in tables. Relative paths count from the folder of their file. Sections that are not the workspace's are left alone.
    pub fn from_toml_layers(layers: &[(PathBuf, String)]) -> Result<Self, Vec<Problem>> {
        let mut workspace = Self::default();
        match tables::read(&mut workspace, layers) {
            Ok(()) => Ok(workspace),
            Err(problems) => Err(problems.iter().map(Diagnostic::to_problem).collect()),
        }
    }

    /// Takes in what a catalog said of a name that reading wanted.
    pub fn learn(&mut self, wanted: Wanted, answer: Answer) {
        self.catalog.learn(wanted, answer);
    }

    /// What an environment's name means: the workspace's own entry, else a built-in one.
    pub(crate) fn environment(&self, asset: &AssetName<'_>) -> Option<EnvironmentEntry> {
        asset
            .find(&self.environments)
            .cloned()
            .or_else(|| builtin::environment(asset.name))
    }

    /// Names of environments, for suggestions.
    pub(crate) fn environment_names(&self) -> impl Iterator<Item = &str> {
        self.environments
            .keys()
            .map(String::as_str)
            .chain(builtin::COMMON)
    }
}
