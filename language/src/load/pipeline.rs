//! The pipeline file itself.

use super::Loader;
use super::binding::Scope;
use super::explain::Origin;
use super::graph::Around;
use crate::diagnostic::{Code, did_you_mean};
use crate::fields::Fields;
use crate::yaml::{Entry, Node};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use tidemill_protocol::name::{NAME_BYTES_MAX, Name, PortName};
use tidemill_protocol::plan::OnStepFailure;
use tidemill_protocol::spec::{
    BindingSpec, ComponentBody, ComponentSpec, PipelineSpec, SPEC_FORMAT, TargetSpec,
};

/// Kinds of a file that is one step by itself.
const SINGLE: [&str; 6] = ["command", "sweep", "parallel", "spark", "automl", "data_transfer"];

/// What `settings` says.
struct Settings {
    default_target: TargetSpec,
    on_step_failure: OnStepFailure,
    force_rerun: bool,
}

impl Loader<'_> {
    /// Reads the pipeline file. None means that an error was noted.
    pub(super) fn pipeline_file(&mut self, file: &Path) -> Option<PipelineSpec> {
        let node = self.tree(file, None)?;
        let spec = self.pipeline(&node, file);
        self.origin = self.findings.file(node.place.file).map(|file| Origin {
            file,
            root: Arc::new(node),
        });
        spec
    }

    fn pipeline(&mut self, node: &Node, file: &Path) -> Option<PipelineSpec> {
        let folder = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let mut fields = Fields::open(node, "", &mut self.findings)?;
        let single = self.file_kind(&mut fields)?;
        let settings = self.settings(&mut fields);
        let target = settings.default_target.clone();
        let (root, inputs) = if single {
            (self.single_step(node, folder, target), BTreeMap::new())
        } else if let Some(component) = fields.get("component") {
            self.whole_component(component, &mut fields, folder, &target)
        } else {
            (self.own_graph(&mut fields, folder, target), BTreeMap::new())
        };
        let name = self.pipeline_name(&mut fields, file);
        let experiment = fields.text_node("experiment_name", &mut self.findings);
        let experiment = experiment.map_or_else(
            || name.clone(),
            |(text, _)| slug(text).unwrap_or_else(|| name.clone()),
        );
        let display_name = fields.text("display_name", &mut self.findings);
        let display_name = display_name.map_or_else(|| name.to_string(), str::to_owned);
        let description = fields
            .text("description", &mut self.findings)
            .unwrap_or_default()
            .to_owned();
        let tags = self.tags(&mut fields);
        for key in ["$schema", "version", "properties", "identity", "name"] {
            let _ = fields.get(key);
        }
        if !single {
            fields.ignore(
                &["services", "queue_settings", "parent_job_name"],
                &mut self.findings,
            );
            fields.finish(Code::UnknownKey, &mut self.findings);
        }
        Some(PipelineSpec {
            format: SPEC_FORMAT,
            name,
            display_name,
            experiment,
            description,
            tags,
            on_step_failure: settings.on_step_failure,
            force_rerun: settings.force_rerun,
            root: root?,
            inputs,
            components: Vec::new(),
            contents: Vec::new(),
            computes: self.workspace.computes.clone(),
            warnings: Vec::new(),
            assets: Vec::new(),
            datastores: BTreeMap::new(),
        })
    }

    /// Whether the file is a single step; none when it is neither that nor a pipeline.
    fn file_kind(&mut self, fields: &mut Fields<'_>) -> Option<bool> {
        let kind = fields.text_node("type", &mut self.findings);
        match kind {
            Some(("pipeline", _)) => Some(false),
            Some((text, _)) if SINGLE.contains(&text) => Some(true),
            Some((text, node)) => {
                self.findings
                    .add(
                        Code::BadValue,
                        node.place,
                        "type",
                        format!("`{text}` is no kind of pipeline file"),
                    )
                    .help_with(did_you_mean(text, SINGLE.into_iter().chain(["pipeline"])));
                None
            }
            None if fields.get("jobs").is_some() => Some(false),
            None if fields.get("command").is_some() => Some(true),
            None => {
                self.findings
                    .add(
                        Code::MissingKey,
                        fields.place(),
                        "",
                        "the file does not say what it is",
                    )
                    .help_text("a pipeline has `type: pipeline` and `jobs:`");
                None
            }
        }
    }

    /// A pipeline whose steps stand in this file.
    fn own_graph(&mut self, fields: &mut Fields<'_>, folder: &Path, target: TargetSpec) -> Option<u32> {
        let entries = fields.pairs("inputs", &mut self.findings);
        let inputs = self.inputs(entries, "inputs", folder);
        let entries = fields.pairs("outputs", &mut self.findings);
        let (outputs, registers) = self.outputs(entries, "outputs");
        let place = fields.key_place("jobs").unwrap_or_else(|| fields.place());
        if fields.get("jobs").is_some() && fields.fields("jobs", &mut self.findings).is_none() {
            return None;
        }
        let jobs = fields.pairs("jobs", &mut self.findings);
        let around = Around {
            folder,
            inputs: &inputs,
            outputs: &outputs,
            registers: &registers,
            default_target: Some(target),
            place,
        };
        let graph = self.graph(jobs, &around);
        Some(self.intern(ComponentSpec {
            name: None,
            version: None,
            display_name: String::new(),
            inputs,
            outputs,
            deterministic: true,
            body: ComponentBody::Graph(graph),
        }))
    }

    /// A file that is one step by itself becomes a pipeline of that step.
    fn single_step(&mut self, node: &Node, folder: &Path, target: TargetSpec) -> Option<u32> {
        let mut node = node.clone();
        if let crate::yaml::Value::Map(entries) = &mut node.value {
            entries.retain(|entry| &*entry.key != "settings");
        }
        let (inputs, outputs, registers) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let place = node.place;
        let entry = Entry {
            key: "main".into(),
            key_place: place,
            value: node,
        };
        let around = Around {
            folder,
            inputs: &inputs,
            outputs: &outputs,
            registers: &registers,
            default_target: Some(target),
            place,
        };
        let before = self.findings.errors();
        let graph = self.graph(&[entry], &around);
        (self.findings.errors() == before).then(|| {
            self.intern(ComponentSpec {
                name: None,
                version: None,
                display_name: String::new(),
                inputs: BTreeMap::new(),
                outputs: BTreeMap::new(),
                deterministic: true,
                body: ComponentBody::Graph(graph),
            })
        })
    }

    /// A pipeline that is a pipeline component with values for its inputs.
    fn whole_component(
        &mut self,
        component: &Node,
        fields: &mut Fields<'_>,
        folder: &Path,
        target: &TargetSpec,
    ) -> (Option<u32>, BTreeMap<PortName, BindingSpec>) {
        let Some(index) = self.component_ref(component, folder, "component") else {
            let _ = (fields.get("inputs"), fields.get("outputs"), fields.get("jobs"));
            return (None, BTreeMap::new());
        };
        let mut whole = ComponentSpec::clone(&self.component(index));
        let ComponentBody::Graph(graph) = &mut whole.body else {
            self.findings
                .add(
                    Code::Unsupported,
                    component.place,
                    "component",
                    "a whole pipeline can only be a pipeline component",
                )
                .help_text("put the component in a step: `jobs: { main: { component: … } }`");
            return (None, BTreeMap::new());
        };
        graph.default_target.get_or_insert_with(|| target.clone());
        let mut open = whole.clone();
        // Values may still come with the submission.
        open.inputs.values_mut().for_each(|input| input.optional = true);
        let (inputs, outputs) = (BTreeMap::new(), BTreeMap::new());
        let scope = Scope {
            folder,
            inputs: &inputs,
            outputs: &outputs,
            steps: HashMap::new(),
        };
        // An input with a type and no value is there for the reader: its value comes with the submission.
        let entries: Vec<Entry> = fields
            .pairs("inputs", &mut self.findings)
            .iter()
            .filter(|entry| !is_declaration(&entry.value))
            .cloned()
            .collect();
        let bound = self.bindings(&entries, "inputs", &scope, Some(&whole));
        let given = self.suited(bound, &entries, &open, component.place, "");
        let entries = fields.pairs("outputs", &mut self.findings);
        let (_, _) = self.outputs(entries, "outputs");
        if let Some(place) = fields.key_place("jobs") {
            let _ = fields.get("jobs");
            self.findings.add(
                Code::UnknownKey,
                place,
                "jobs",
                "a pipeline has either `component` or `jobs`, not both",
            );
        }
        (Some(self.intern(whole)), given)
    }

    fn settings(&mut self, fields: &mut Fields<'_>) -> Settings {
        let mut settings = Settings {
            default_target: TargetSpec::Name(self.workspace.default_compute.clone()),
            on_step_failure: OnStepFailure::Stop,
            force_rerun: false,
        };
        if let Some(target) = fields
            .get("compute")
            .and_then(|node| self.target(node, "compute", None))
        {
            settings.default_target = target;
        }
        let Some(mut own) = fields.fields("settings", &mut self.findings) else {
            return settings;
        };
        let target = own.get("default_compute");
        if let Some(target) = target.and_then(|node| self.target(node, "settings.default_compute", None)) {
            settings.default_target = target;
        }
        if own.boolean("continue_on_step_failure", &mut self.findings) == Some(true) {
            settings.on_step_failure = OnStepFailure::Continue;
        }
        settings.force_rerun = own.boolean("force_rerun", &mut self.findings).unwrap_or(false);
        let _ = own.get("default_datastore");
        own.ignore(
            &["on_init", "on_finalize", "continue_run_on_failed_optional_input"],
            &mut self.findings,
        );
        own.finish(Code::UnknownSetting, &mut self.findings);
        settings
    }

    /// The labels under `tags`.
    pub(super) fn tags(&mut self, fields: &mut Fields<'_>) -> BTreeMap<String, String> {
        let pairs = fields.pairs("tags", &mut self.findings).iter();
        pairs
            .map(|entry| {
                (
                    entry.key.to_string(),
                    entry.value.text().unwrap_or_default().to_owned(),
                )
            })
            .collect()
    }

    /// `name`, else the file's name; a file called `pipeline` goes by its folder.
    fn pipeline_name(&mut self, fields: &mut Fields<'_>, file: &Path) -> Name {
        if let Some((text, node)) = fields.text_node("name", &mut self.findings) {
            match text.parse() {
                Ok(name) => return name,
                Err(error) => {
                    self.findings.add(
                        Code::BadName,
                        node.place,
                        "name",
                        format!("the pipeline's {error}"),
                    );
                }
            }
        }
        let part = |part: Option<&std::ffi::OsStr>| part.and_then(|p| p.to_str()).map(str::to_owned);
        let stem = part(file.file_stem()).filter(|stem| !stem.eq_ignore_ascii_case("pipeline"));
        let folder = || part(self.files.canonical(file).ok()?.parent()?.file_name());
        stem.or_else(folder)
            .and_then(|text| slug(&text))
            .unwrap_or_else(|| "pipeline".parse().expect("a legal name"))
    }
}

fn is_declaration(node: &Node) -> bool {
    let has = |key| node.get(key).is_some_and(|value| !value.is_null());
    has("type") && !["path", "value", "default"].into_iter().any(has)
}

/// A text as a name: what a name cannot hold becomes `-`.
pub(super) fn slug(text: &str) -> Option<Name> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let kept: String = text
        .chars()
        .map(|c| if legal(c) { c } else { '-' })
        .take(NAME_BYTES_MAX)
        .collect();
    kept.trim_matches(['-', '.', '_']).parse().ok()
}
