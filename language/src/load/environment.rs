//! Environments: registered names, environment files, and those written inline.

use super::Loader;
use super::catalog::Lookup;
use super::paths::{is_yaml, local_path};
use super::site::Site;
use crate::diagnostic::{Code, did_you_mean};
use crate::fields::Fields;
use crate::workspace::AssetName;
use crate::yaml::Node;
use std::path::Path;
use tidemill_protocol::catalog::AssetKind;
use tidemill_protocol::plan::{Environment, PythonEnvironment};

impl Loader<'_> {
    /// The environment that a step or component asks for.
    pub(super) fn environment(&mut self, node: &Node, folder: &Path, path: &str) -> Option<Environment> {
        let site = Site {
            folder,
            place: node.place,
            path,
        };
        let Some(text) = node.text() else {
            return self.inline_environment(node, site);
        };
        let key = format!("{}\0{text}", folder.display());
        if let Some(known) = self.environments.get(&key) {
            return known.clone();
        }
        let found = self.named_environment(text, site);
        self.environments.insert(key, found.clone());
        found
    }

    fn named_environment(&mut self, text: &str, site: Site<'_>) -> Option<Environment> {
        let is_file = text.starts_with("file:") || is_yaml(text);
        if is_file && !text.starts_with("azureml:") {
            return self.environment_file(&site.folder.join(local_path(text)), site);
        }
        let asset = AssetName::parse(text);
        let Some((asset, entry)) = asset.and_then(|asset| Some((asset, self.workspace.environment(&asset)?)))
        else {
            let absence = match self.look_up(&[AssetKind::Environment], asset, site) {
                Lookup::Version(known) => return self.environment_of(&known),
                Lookup::Refused => return None,
                Lookup::Absent(absence) => absence,
            };
            let name = asset.map_or(text, |asset| asset.name);
            let near = did_you_mean(name, self.workspace.environment_names());
            let help = absence.help(
                near,
                &format!(
                    "what it holds:\n[environments.\"{name}\"]\npython = \"3.11\"\nrequirements = [\"numpy\"]"
                ),
                &format!("`tidemill environment add {name} FILE.yml`"),
            );
            self.findings
                .add(
                    Code::UnknownEnvironment,
                    site.place,
                    site.path,
                    format!("the environment `{text}` is not known"),
                )
                .help_text(&help);
            return None;
        };
        if let Some(file) = &entry.file {
            return self.environment_file(file, site);
        }
        let mut environment = entry.environment(asset.name);
        if let Some(conda) = &entry.conda_file {
            let read = self.conda_file(conda, site.place)?;
            environment.python = Some(merged(environment.python, read));
        }
        Some(environment)
    }

    fn environment_file(&mut self, path: &Path, site: Site<'_>) -> Option<Environment> {
        let node = self.tree(path, Some(site.place))?;
        self.environment_in(&node, path.parent().unwrap_or(Path::new(".")), site.path)
    }

    /// The environment that a file holds; `path` is where it was asked for.
    pub(super) fn environment_in(&mut self, node: &Node, folder: &Path, path: &str) -> Option<Environment> {
        let inside = Site {
            folder,
            place: node.place,
            path,
        };
        // A bare conda file is an environment too.
        if node.get("dependencies").is_some() {
            return self.conda(node, folder).map(|python| Environment {
                python: Some(python),
                ..Environment::default()
            });
        }
        self.inline_environment(node, inside)
    }

    fn inline_environment(&mut self, node: &Node, site: Site<'_>) -> Option<Environment> {
        let mut fields = Fields::open(node, site.path, &mut self.findings)?;
        let name = fields.text("name", &mut self.findings).map(str::to_owned);
        let image = fields.text("image", &mut self.findings).map(str::to_owned);
        let mut python = self.conda_of(&mut fields, site.folder);
        let requirements = self.requirements_of(&mut fields, site.folder);
        let version = fields.python_versions("python", &mut self.findings);
        if version.is_some() || !requirements.is_empty() {
            let own = PythonEnvironment {
                version,
                requirements,
            };
            python = Some(match python {
                Some(conda) => merged(Some(own), conda),
                None => own,
            });
        }
        let built = fields.get("build");
        for key in [
            "$schema",
            "version",
            "description",
            "tags",
            "properties",
            "os_type",
            "inference_config",
            "type",
        ] {
            let _ = fields.get(key);
        }
        fields.finish(Code::UnknownKey, &mut self.findings);
        if built.is_some() && python.is_none() {
            self.warn_once(
                Code::EnvironmentApproximated,
                node.place,
                site.path,
                "images are not built from a Dockerfile: the step runs with what the worker has".to_owned(),
                "list the Python packages under `requirements:`",
            );
        } else if image.is_some() && python.is_none() {
            self.warn_once(
                Code::EnvironmentApproximated,
                node.place,
                site.path,
                "no container is started from the image: the step runs with what the worker has".to_owned(),
                "list the Python packages under `requirements:`, or start the worker in a container of that image",
            );
        }
        if built.is_none() && python.is_none() && image.is_none() && name.is_none() {
            self.findings
                .add(
                    Code::MissingKey,
                    node.place,
                    site.path,
                    "the environment is empty",
                )
                .help_text("give it an `image`, a `conda_file` or `requirements`");
        }
        Some(Environment { name, image, python })
    }

    /// `conda_file`: a path or the description itself.
    fn conda_of(&mut self, fields: &mut Fields<'_>, folder: &Path) -> Option<PythonEnvironment> {
        let node = fields.get("conda_file")?;
        match node.text() {
            Some(file) => self.conda_file(&folder.join(local_path(file)), node.place),
            None => self.conda(node, folder),
        }
    }

    /// `requirements`: a file, or the lines themselves.
    fn requirements_of(&mut self, fields: &mut Fields<'_>, folder: &Path) -> Vec<String> {
        let mut lines = Vec::new();
        let Some(node) = fields.get("requirements") else {
            return lines;
        };
        match node.text() {
            Some(file) => self.requirements_file(&folder.join(local_path(file)), node.place, &mut lines),
            None => lines.extend(
                fields
                    .items("requirements")
                    .iter()
                    .filter_map(Node::text)
                    .map(str::to_owned),
            ),
        }
        lines
    }
}

/// Two descriptions of one environment: the first one's version wins, the lines of both count.
fn merged(first: Option<PythonEnvironment>, second: PythonEnvironment) -> PythonEnvironment {
    match first {
        None => second,
        Some(mut first) => {
            first.version = first.version.or(second.version);
            first.requirements.extend(second.requirements);
            first
        }
    }
}
