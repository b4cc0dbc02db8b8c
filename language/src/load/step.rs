//! One step of a graph. A step is read twice: first what it is and what it gives ([`Draft`]), then, when all its siblings are known,
//! what it takes.

use super::Loader;
use super::artifacts;
use super::binding::{Bound, Scope};
use super::builtin;
use super::declared::{declared, own_outputs, unknown_input};
use super::other::{self, AUTOML_DATA};
use super::ports::OutputNode;
use crate::diagnostic::{Code, Place, did_you_mean};
use crate::fields::Fields;
use crate::shell::Interface;
use crate::yaml::{Entry, Value};
use std::collections::BTreeMap;
use std::path::Path;
use tidemill_protocol::ids::StepPath;
use tidemill_protocol::name::PortName;
use tidemill_protocol::plan::Registration;
use tidemill_protocol::spec::{BindingSpec, ComponentBody, ComponentSpec, InputSpec, OutputSpec, StepSpec};

const KINDS: [&str; 9] = [
    "command",
    "pipeline",
    "sweep",
    "parallel",
    "spark",
    "automl",
    "data_transfer",
    "copy",
    "register_model",
];
/// Kinds of the grammar that exist elsewhere and not here.
const REFUSED: [&str; 6] = [
    "do_while",
    "if_else",
    "parallel_for",
    "import",
    "finetuning",
    "base",
];

/// Keys of steps that say nothing about running them.
const TOLERATED: [&str; 9] = [
    "description",
    "tags",
    "properties",
    "$schema",
    "name",
    "version",
    "comment",
    "experiment_name",
    "identity",
];

/// The component of a step, what is bound to its inputs, and whether the step is written inline.
type Taken = (Option<u32>, BTreeMap<PortName, BindingSpec>, bool);

/// What a step is.
pub(super) enum Shape {
    /// It uses a component.
    Component(u32),
    /// A command written inline.
    Command,
    /// Another kind written inline.
    Other(&'static str),
    /// What tidemill does itself.
    Builtin(&'static str),
    /// A sweep over a component.
    Sweep(u32),
    /// It could not be read; an error was noted.
    Broken,
}

/// A step of which it is known what it is and gives.
pub(super) struct Draft<'n> {
    pub(super) name: StepPath,
    pub(super) place: Place,
    fields: Fields<'n>,
    shape: Shape,
    outputs: BTreeMap<PortName, OutputNode>,
}

/// A step that was read, and what the graph must know beside it.
pub(super) struct ReadStep {
    pub(super) step: StepSpec,
    pub(super) place: Place,
    /// The pipeline's outputs that it fills: its own output, the pipeline's, and where that is written.
    pub(super) fills: Vec<(PortName, String, Place)>,
}

impl Loader<'_> {
    /// Reads what a step is and what it gives.
    pub(super) fn draft<'n>(
        &mut self,
        entry: &'n Entry,
        path: &str,
        folder: &Path,
        pipeline: &BTreeMap<PortName, OutputSpec>,
    ) -> Option<Draft<'n>> {
        let path = format!("{path}.{}", entry.key);
        let name = match entry.key.parse::<StepPath>() {
            Ok(name) if !entry.key.contains('.') => name,
            _ => {
                self.findings
                    .add(
                        Code::BadName,
                        entry.key_place,
                        &path,
                        format!("`{}` cannot be the name of a step", entry.key),
                    )
                    .help_text("use letters, digits, `_` and `-`, not starting with `-`");
                return None;
            }
        };
        let mut fields = Fields::open(&entry.value, path, &mut self.findings)?;
        let shape = self.shape(&mut fields, folder);
        let mut outputs = BTreeMap::new();
        for output in fields.pairs("outputs", &mut self.findings) {
            let path = format!("{}.outputs.{}", fields.path, output.key);
            let Some(name) = self.port_name(output, &path) else {
                continue;
            };
            if let Some(mut node) = self.output(output, &path) {
                let filled = node
                    .fills
                    .as_ref()
                    .and_then(|(filled, _)| pipeline.get(filled.as_str()));
                if let (Some(filled), false) = (filled, node.typed) {
                    node.spec.data_type = filled.data_type;
                }
                outputs.insert(name, node);
            }
        }
        if let Shape::Builtin(kind) = shape {
            self.builtin_outputs(kind, &mut fields, &mut outputs);
        }
        Some(Draft {
            name,
            place: entry.key_place,
            fields,
            shape,
            outputs,
        })
    }

    fn shape(&mut self, fields: &mut Fields<'_>, folder: &Path) -> Shape {
        let kind = fields.text_node("type", &mut self.findings);
        if let Some((text, node)) = kind
            && !KINDS.contains(&text)
        {
            let found = if REFUSED.contains(&text) {
                self.findings
                    .add(
                        Code::Unsupported,
                        node.place,
                        &fields.path,
                        format!("`{text}` steps are not supported"),
                    )
                    .help_text("use `when` for conditions and `depends_on` for order")
            } else {
                self.findings
                    .add(
                        Code::BadValue,
                        node.place,
                        &fields.path,
                        format!("`{text}` is no kind of step"),
                    )
                    .help_with(did_you_mean(text, KINDS))
            };
            found.label("this kind");
            return Shape::Broken;
        }
        if let Some(node) = fields.get("component") {
            let path = fields.path_of("component");
            return self
                .component_ref(node, folder, &path)
                .map_or(Shape::Broken, Shape::Component);
        }
        let has = |fields: &mut Fields<'_>, key| fields.get(key).is_some();
        match kind.map(|(text, _)| text) {
            Some("sweep") => self.sweep_shape(fields, folder),
            Some("pipeline") => {
                self.findings
                    .add(
                        Code::MissingKey,
                        fields.place(),
                        &fields.path,
                        "a `pipeline` step needs the key `component`",
                    )
                    .help_text(
                        "put its steps in a component file of their own and name it: `component: ./file.yml`",
                    );
                Shape::Broken
            }
            Some("command") => Shape::Command,
            Some(text) => {
                let own = builtin::kind(text).map(Shape::Builtin);
                own.or_else(|| other::kind(text).map(Shape::Other))
                    .unwrap_or(Shape::Broken)
            }
            None if has(fields, "command") => Shape::Command,
            None if has(fields, "trial") => self.sweep_shape(fields, folder),
            None if has(fields, "entry") => Shape::Other("spark"),
            None => self.says_nothing(fields),
        }
    }

    fn says_nothing(&mut self, fields: &Fields<'_>) -> Shape {
        let message = format!(
            "the step `{}` has neither a `command` nor a `component`",
            crate::fields::last(&fields.path)
        );
        self.findings
            .add(Code::MissingKey, fields.place(), &fields.path, message)
            .help_text("add `command: …`, or `component: ./file.yml`");
        Shape::Broken
    }

    /// A sweep's trial is a component, or a command written inline with the step's own inputs.
    fn sweep_shape(&mut self, fields: &mut Fields<'_>, folder: &Path) -> Shape {
        match fields.get("trial") {
            Some(node) if node.text().is_some() => {
                let path = fields.path_of("trial");
                self.component_ref(node, folder, &path)
                    .map_or(Shape::Broken, Shape::Sweep)
            }
            _ => Shape::Other("sweep"),
        }
    }

    /// What a draft gives; none when that is not known.
    pub(super) fn gives(&self, draft: &Draft<'_>) -> Option<BTreeMap<PortName, OutputSpec>> {
        let mut outputs = match draft.shape {
            Shape::Component(index) | Shape::Sweep(index) => self.component(index).outputs.clone(),
            Shape::Command | Shape::Builtin(_) | Shape::Other(_) => own_outputs(&draft.outputs),
            Shape::Broken => return None,
        };
        if !self.is_pipeline(&draft.shape) {
            artifacts::declare(&mut outputs);
        }
        Some(outputs)
    }

    fn is_pipeline(&self, shape: &Shape) -> bool {
        let Shape::Component(index) = shape else {
            return false;
        };
        matches!(self.component(*index).body, ComponentBody::Graph(_))
    }

    /// Reads the rest of a step.
    pub(super) fn step(&mut self, mut draft: Draft<'_>, scope: &Scope<'_>) -> Option<ReadStep> {
        let (component, inputs, inline) = self.bound_component(&mut draft, scope)?;
        let fields = &mut draft.fields;
        let display_name = fields.text("display_name", &mut self.findings);
        let display_name = display_name.unwrap_or_default().to_owned();
        let overrides = self.overrides(fields, inline, scope);
        if let (Some(index), Some(place)) = (component, fields.key_place("secrets")) {
            self.only_for_processes(index, place, &fields.path_of("secrets"));
        }
        let depends_on = self.depends_on(fields, scope);
        for key in TOLERATED {
            let _ = fields.get(key);
        }
        fields.ignore(
            &["services", "queue_settings", "outputs_to_register"],
            &mut self.findings,
        );
        draft.fields.finish(Code::UnknownKey, &mut self.findings);
        let mut fills = Vec::new();
        let mut registers: BTreeMap<PortName, Registration> = BTreeMap::new();
        for (name, node) in draft.outputs {
            if let Some((filled, place)) = node.fills {
                fills.push((name.clone(), filled, place));
            }
            if let Some(registration) = node.registration {
                registers.insert(name, registration);
            }
        }
        let step = StepSpec {
            name: draft.name,
            component: component?,
            display_name,
            inputs,
            registers,
            depends_on,
            overrides,
        };
        Some(ReadStep {
            step,
            place: draft.place,
            fills,
        })
    }

    /// The component of a step and what is bound to its inputs, and whether the step is written inline.
    fn bound_component(&mut self, draft: &mut Draft<'_>, scope: &Scope<'_>) -> Option<Taken> {
        let fields = &mut draft.fields;
        let entries = fields.pairs("inputs", &mut self.findings);
        let inputs_path = fields.path_of("inputs");
        Some(match draft.shape {
            Shape::Broken => return None,
            Shape::Component(index) => {
                let component = self.component(index);
                let bound = self.bindings(entries, &inputs_path, scope, Some(&component));
                let inputs = self.suited(bound, entries, &component, draft.place, &fields.path);
                self.known_outputs(&draft.outputs, &component, &fields.path);
                (Some(index), inputs, false)
            }
            Shape::Sweep(index) => self.sweep_step(index, fields, entries, scope),
            Shape::Builtin(kind) => {
                let (component, inputs) = self.builtin_step(kind, fields, &mut draft.outputs, scope);
                (component, inputs, true)
            }
            Shape::Command | Shape::Other(_) => {
                let mut bound = self.bindings(entries, &inputs_path, scope, None);
                if matches!(draft.shape, Shape::Other("automl")) {
                    self.automl_data(fields, scope, &mut bound);
                }
                let component = self.inline(&draft.shape, fields, &bound, &draft.outputs, scope);
                let inputs = bound.into_iter().map(|(name, found)| (name, found.binding));
                (component, inputs.collect(), true)
            }
        })
    }

    /// Outputs written at a step must be outputs of its component.
    fn known_outputs(
        &mut self,
        outputs: &BTreeMap<PortName, OutputNode>,
        component: &ComponentSpec,
        path: &str,
    ) {
        let is_pipeline = matches!(component.body, ComponentBody::Graph(_));
        for (name, node) in outputs {
            let is_artifacts = !is_pipeline && name.as_str() == artifacts::NAME;
            if !component.outputs.contains_key(name) && !is_artifacts {
                self.findings
                    .add(
                        Code::UnknownOutput,
                        node.place,
                        &format!("{path}.outputs.{name}"),
                        format!("the component declares no output `{name}`"),
                    )
                    .help_with(did_you_mean(
                        name.as_str(),
                        component.outputs.keys().map(PortName::as_str),
                    ));
            }
        }
    }

    /// Data that an `automl` step names outside of `inputs` becomes inputs of it.
    fn automl_data(
        &mut self,
        fields: &mut Fields<'_>,
        scope: &Scope<'_>,
        bound: &mut BTreeMap<PortName, Bound>,
    ) {
        let data: Vec<Entry> = AUTOML_DATA
            .iter()
            .filter_map(|key| {
                let node = fields.get(key)?;
                Some(Entry {
                    key: (*key).into(),
                    key_place: fields.key_place(key)?,
                    value: node.clone(),
                })
            })
            .collect();
        bound.extend(self.bindings(&data, &fields.path.clone(), scope, None));
    }

    /// A step over a component with some inputs swept: those need no binding.
    fn sweep_step(
        &mut self,
        index: u32,
        fields: &mut Fields<'_>,
        entries: &[Entry],
        scope: &Scope<'_>,
    ) -> Taken {
        let trial = self.component(index);
        let mut open = ComponentSpec::clone(&trial);
        let swept = fields.get("search_space");
        if let Some(Value::Map(spaces)) = swept.map(|node| &node.value) {
            for space in spaces {
                if open.inputs.remove(&*space.key).is_none() {
                    self.findings
                        .add(
                            Code::UnknownInput,
                            space.key_place,
                            &fields.path_of("search_space"),
                            format!("the trial has no input `{}`", space.key),
                        )
                        .help_with(did_you_mean(
                            &space.key,
                            trial.inputs.keys().map(PortName::as_str),
                        ));
                }
            }
        }
        let bound = self.bindings(entries, &fields.path_of("inputs"), scope, Some(&trial));
        let inputs = self.suited(bound, entries, &open, fields.place(), &fields.path.clone());
        let interface = Interface {
            inputs: &trial.inputs,
            outputs: &trial.outputs,
        };
        let mut body = self.other_body("sweep", fields, scope.folder, interface, Some(scope));
        other::take_trial(&mut body, &trial);
        open.body = ComponentBody::Other(body);
        (Some(self.intern(open)), inputs, true)
    }

    /// The anonymous component of a step that is written inline.
    fn inline(
        &mut self,
        shape: &Shape,
        fields: &mut Fields<'_>,
        bound: &BTreeMap<PortName, Bound>,
        outputs: &BTreeMap<PortName, OutputNode>,
        scope: &Scope<'_>,
    ) -> Option<u32> {
        let mut inputs: BTreeMap<PortName, InputSpec> = bound
            .iter()
            .map(|(name, found)| (name.clone(), declared(found, scope)))
            .collect();
        // An input whose binding is wrong has left an error behind; its name is no second one.
        for entry in fields.pairs("inputs", &mut self.findings) {
            if let (false, Ok(name)) = (entry.value.is_null(), entry.key.parse::<PortName>()) {
                inputs.entry(name).or_insert_with(unknown_input);
            }
        }
        let outputs = own_outputs(outputs);
        let deterministic = fields
            .boolean("is_deterministic", &mut self.findings)
            .unwrap_or(true);
        let interface = Interface {
            inputs: &inputs,
            outputs: &outputs,
        };
        let body = match shape {
            Shape::Other(kind) => {
                let mut body = self.other_body(kind, fields, scope.folder, interface, Some(scope));
                if *kind == "sweep"
                    && let Some(mut trial) = fields.fields("trial", &mut self.findings)
                {
                    body.code = self.code_of(&mut trial, scope.folder);
                    let environment = trial.get("environment");
                    let environment =
                        environment.and_then(|node| self.environment(node, scope.folder, "environment"));
                    body.environment = environment.unwrap_or_default();
                }
                ComponentBody::Other(body)
            }
            _ => ComponentBody::Command(self.command_body(fields, scope.folder, interface)?),
        };
        Some(self.intern(ComponentSpec {
            name: None,
            version: None,
            display_name: String::new(),
            inputs,
            outputs,
            deterministic,
            body,
        }))
    }
}
