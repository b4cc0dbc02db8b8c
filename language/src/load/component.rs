//! Components: found by file, by registered name or written inline, and read.

use super::Loader;
use super::catalog::Lookup;
use super::graph::Around;
use super::other;
use super::paths::{is_yaml, local_path};
use super::site::Site;
use crate::diagnostic::{Code, Place, did_you_mean};
use crate::fields::Fields;
use crate::shell::Interface;
use crate::workspace::AssetName;
use crate::yaml::{Entry, Node};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tidemill_protocol::catalog::AssetKind;
use tidemill_protocol::name::PortName;
use tidemill_protocol::plan::Registration;
use tidemill_protocol::spec::{ComponentBody, ComponentSpec, NESTING_MAX, OutputSpec, TargetSpec};

const KINDS: [&str; 7] = [
    "command",
    "pipeline",
    "sweep",
    "parallel",
    "spark",
    "automl",
    "data_transfer",
];

/// Keys of components that say nothing about running them.
const TOLERATED: [&str; 6] = [
    "$schema",
    "description",
    "tags",
    "properties",
    "identity",
    "additional_includes",
];
/// Keys of components that mean something elsewhere.
const IGNORED: [&str; 5] = [
    "services",
    "queue_settings",
    "successful_return_code",
    "meta",
    "compute",
];

impl Loader<'_> {
    /// The component that a `component:` key names or holds.
    pub(super) fn component_ref(&mut self, node: &Node, folder: &Path, path: &str) -> Option<u32> {
        let Some(text) = node.text() else {
            return self.component_body(node, folder, path);
        };
        let looks_local = text.starts_with(['.', '/', '~']) || is_yaml(text);
        let local = text.starts_with("file:") || (looks_local && !text.starts_with("azureml:"));
        if local {
            return self.component_file(&folder.join(local_path(text)), node.place, path);
        }
        let asset = AssetName::parse(text);
        if let Some(file) = asset.and_then(|asset| asset.find(&self.workspace.components).cloned()) {
            return self.component_file(&file, node.place, path);
        }
        let site = Site {
            folder,
            place: node.place,
            path,
        };
        self.catalogued_component(text, asset, site)
    }

    fn catalogued_component(
        &mut self,
        text: &str,
        asset: Option<AssetName<'_>>,
        site: Site<'_>,
    ) -> Option<u32> {
        let absence = match self.look_up(&[AssetKind::Component], asset, site) {
            Lookup::Version(known) => return self.component_of(&known, site),
            Lookup::Refused => return None,
            Lookup::Absent(absence) => absence,
        };
        let name = asset.map_or(text, |asset| asset.name);
        let near = did_you_mean(name, self.workspace.components.keys().map(String::as_str));
        let help = absence.help(
            near,
            &format!("where its file is:\n[components]\n\"{name}\" = \"path/to/component.yml\""),
            &format!("`tidemill component add {name} FILE.yml`"),
        );
        self.findings
            .add(
                Code::UnknownComponent,
                site.place,
                site.path,
                format!("the component `{text}` is not known"),
            )
            .help_text(&help);
        None
    }

    /// Reads a component file, each file once.
    fn component_file(&mut self, file: &Path, from: Place, path: &str) -> Option<u32> {
        // Interior `.` segments only lengthen messages.
        let file: PathBuf = file.components().collect();
        let Ok(canonical) = self.files.canonical(&file) else {
            let help = self.sibling(&file).map(|near| format!("did you mean `{near}`?"));
            let message = format!("the component file `{}` does not exist", file.display());
            self.findings
                .add(Code::MissingPath, from, path, message)
                .help_with(help);
            return None;
        };
        if let Some(known) = self.component_files.get(&canonical) {
            return *known;
        }
        if let Some(at) = self.opening.iter().position(|open| *open == canonical) {
            let name = |file: &PathBuf| file.file_name().unwrap_or_default().display().to_string();
            let chain: Vec<String> = self.opening[at..].iter().chain([&canonical]).map(name).collect();
            let message = format!("the component leads back to itself: {}", chain.join(" → "));
            self.findings.add(Code::NestedTooDeep, from, path, message);
            return None;
        }
        if self.opening.len() >= NESTING_MAX {
            let message = format!("components are nested more than {NESTING_MAX} deep");
            self.findings.add(Code::NestedTooDeep, from, path, message);
            return None;
        }
        self.opening.push(canonical.clone());
        let found = self.tree(&file, Some(from)).and_then(|node| {
            let folder = file.parent().unwrap_or(Path::new(".")).to_owned();
            self.component_body(&node, &folder, "")
        });
        self.opening.pop();
        self.component_files.insert(canonical, found);
        found
    }

    /// Reads a component.
    pub(super) fn component_body(&mut self, node: &Node, folder: &Path, path: &str) -> Option<u32> {
        let mut fields = Fields::open(node, path, &mut self.findings)?;
        let kind = self.component_kind(&mut fields)?;
        let mut text = |fields: &mut Fields<'_>, key| fields.text(key, &mut self.findings).map(str::to_owned);
        let (name, version) = (text(&mut fields, "name"), text(&mut fields, "version"));
        let display_name = text(&mut fields, "display_name").unwrap_or_default();
        let deterministic = fields
            .boolean("is_deterministic", &mut self.findings)
            .unwrap_or(true);
        let entries = fields.pairs("inputs", &mut self.findings);
        let inputs = self.inputs(entries, &fields.path_of("inputs"), folder);
        let entries = fields.pairs("outputs", &mut self.findings);
        let (outputs, registers) = self.outputs(entries, &fields.path_of("outputs"));
        let interface = Interface {
            inputs: &inputs,
            outputs: &outputs,
        };
        let body = match kind {
            "command" => self
                .command_body(&mut fields, folder, interface)
                .map(ComponentBody::Command),
            "pipeline" => {
                let default_target = self.default_target(&mut fields);
                let place = fields.place();
                let jobs = fields.pairs("jobs", &mut self.findings);
                let around = Around {
                    folder,
                    inputs: &inputs,
                    outputs: &outputs,
                    registers: &registers,
                    default_target,
                    place,
                };
                Some(ComponentBody::Graph(self.graph(jobs, &around)))
            }
            kind => Some(ComponentBody::Other(self.other_body(
                kind,
                &mut fields,
                folder,
                interface,
                None,
            ))),
        };
        for key in TOLERATED {
            let _ = fields.get(key);
        }
        fields.ignore(&IGNORED, &mut self.findings);
        fields.finish(Code::UnknownKey, &mut self.findings);
        let body = body?;
        Some(self.intern(ComponentSpec {
            name,
            version,
            display_name,
            inputs,
            outputs,
            deterministic,
            body,
        }))
    }

    fn component_kind(&mut self, fields: &mut Fields<'_>) -> Option<&'static str> {
        let kind = fields.text_node("type", &mut self.findings);
        let flow = ["nodes", "flow"]
            .iter()
            .any(|key| fields.key_place(key).is_some());
        if flow && kind.is_none_or(|(text, _)| !KINDS.contains(&text)) {
            self.findings
                .add(
                    Code::Unsupported,
                    fields.place(),
                    &fields.path,
                    "this is a prompt flow, not a component",
                )
                .help_text(
                    "prompt flows do not run here; call the flow from a command component's own script",
                );
            return None;
        }
        match kind {
            Some((text, node)) => {
                let known = KINDS
                    .into_iter()
                    .find(|kind| *kind == text.trim_end_matches("_component"));
                if known.is_none() {
                    self.findings
                        .add(
                            Code::BadValue,
                            node.place,
                            &fields.path_of("type"),
                            format!("`{text}` is no kind of component"),
                        )
                        .help_with(did_you_mean(text, KINDS));
                }
                known
            }
            None if fields.get("command").is_some() => Some("command"),
            None if fields.get("jobs").is_some() => Some("pipeline"),
            None if fields.get("entry").is_some() => other::kind("spark"),
            None => {
                self.findings
                    .add(
                        Code::MissingKey,
                        fields.place(),
                        &fields.path,
                        "the component does not say what it is",
                    )
                    .help_text("add `type: command`, or what it is");
                None
            }
        }
    }

    /// Declared outputs, and how they are registered.
    pub(super) fn outputs(
        &mut self,
        entries: &[Entry],
        path: &str,
    ) -> (BTreeMap<PortName, OutputSpec>, BTreeMap<PortName, Registration>) {
        let mut outputs = BTreeMap::new();
        let mut registers = BTreeMap::new();
        for entry in entries {
            let path = format!("{path}.{}", entry.key);
            let Some(name) = self.port_name(entry, &path) else {
                continue;
            };
            let Some(node) = self.output(entry, &path) else {
                continue;
            };
            if let Some((_, place)) = node.fills {
                self.findings.add(
                    Code::MisplacedExpression,
                    place,
                    &path,
                    "a declared output is filled by a step, not by an expression",
                );
            }
            if let Some(registration) = node.registration {
                registers.insert(name.clone(), registration);
            }
            outputs.insert(name, node.spec);
        }
        (outputs, registers)
    }

    /// `settings` of a pipeline component, as far as they mean anything there.
    fn default_target(&mut self, fields: &mut Fields<'_>) -> Option<TargetSpec> {
        let mut settings = fields.fields("settings", &mut self.findings)?;
        let target = settings
            .get("default_compute")
            .and_then(|node| self.target(node, "settings.default_compute", None));
        for key in ["default_datastore", "continue_on_step_failure", "force_rerun"] {
            let _ = settings.get(key);
        }
        settings.finish(Code::UnknownSetting, &mut self.findings);
        target
    }
}
