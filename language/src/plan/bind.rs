//! Binding: every input of every pipeline and step gets its value, its source, or nothing when it may go without.

use super::PlanRequest;
use super::expand::{Expansion, Leaf};
use super::problems::ProblemList;
use crate::diagnostic::{Code, did_you_mean};
use crate::literal::{accept, shown};
use std::collections::{BTreeMap, BTreeSet};
use tidemill_protocol::artifact::ArtifactKind;
use tidemill_protocol::datastore::Datastore;
use tidemill_protocol::key::InputValue;
use tidemill_protocol::name::{Name, PortName};
use tidemill_protocol::plan::{InputBinding, InputMode, InputPort, PortType};
use tidemill_protocol::spec::{
    BindingSource, BindingSpec, DataType, InputSpec, InputType, PipelineSpec, StepSpec, TextPart, ValueSpec,
};

/// An input with its value or source, and how it is handed over.
#[derive(Debug, Clone)]
pub(super) struct Input {
    pub(super) binding: InputBinding,
    pub(super) port: InputPort,
}

/// The bound inputs of one pipeline or step.
pub(super) type Inputs = BTreeMap<PortName, Input>;

pub(super) struct Binder<'a, 's> {
    spec: &'s PipelineSpec,
    expansion: &'a Expansion<'s>,
    problems: &'a mut ProblemList,
    scopes: Vec<Inputs>,
    /// Of each scope the inputs that have no value because of a problem: what is bound to one of them has none for the same reason.
    refused: Vec<BTreeSet<PortName>>,
    leaves: Vec<Inputs>,
}

/// What stands at a place: where it is in messages, and the pipeline whose inputs and steps it sees.
struct Site<'p> {
    path: &'p dyn Fn() -> String,
    instance: usize,
}

impl<'a, 's> Binder<'a, 's> {
    pub(super) fn new(
        spec: &'s PipelineSpec,
        expansion: &'a Expansion<'s>,
        problems: &'a mut ProblemList,
    ) -> Self {
        Self {
            spec,
            expansion,
            problems,
            scopes: Vec::with_capacity(expansion.instances.len()),
            refused: Vec::with_capacity(expansion.instances.len()),
            leaves: Vec::with_capacity(expansion.leaves.len()),
        }
    }

    /// Binds everything, outer pipelines first.
    pub(super) fn bind(&mut self, request: &PlanRequest) {
        let (root, refused) = self.root(request);
        self.scopes.push(root);
        self.refused.push(refused);
        for instance in self.expansion.instances.iter().skip(1) {
            let Some((parent, step)) = instance.parent else {
                continue;
            };
            let path = instance.prefix.trim_end_matches('.');
            let (inputs, refused) = self.inputs(&instance.component.inputs, step, parent, path);
            self.scopes.push(inputs);
            self.refused.push(refused);
        }
        for leaf in &self.expansion.leaves {
            let Leaf {
                path,
                step,
                component,
                instance,
            } = leaf;
            let (inputs, _) = self.inputs(&component.inputs, step, *instance, path.as_str());
            self.leaves.push(inputs);
        }
    }

    /// The inputs of the leaves and those of the pipelines.
    pub(super) fn finish(self) -> (Vec<Inputs>, Vec<Inputs>) {
        (self.leaves, self.scopes)
    }

    fn root(&mut self, request: &PlanRequest) -> (Inputs, BTreeSet<PortName>) {
        let declared = &self.expansion.instances[0].component.inputs;
        for name in request.parameters.keys() {
            if !declared.contains_key(name.as_str()) {
                let help = did_you_mean(name, declared.keys().map(PortName::as_str));
                let message = format!("the pipeline has no input `{}`", shown(name));
                self.problems
                    .add_with_help(Code::UnknownParameter, "inputs", message, help);
            }
        }
        let (mut inputs, mut refused) = (Inputs::new(), BTreeSet::new());
        for (name, input) in declared {
            let path = || format!("inputs.{name}");
            let site = Site {
                path: &path,
                instance: usize::MAX,
            };
            let noted = self.problems.len();
            let bound = match request.parameters.get(name.as_str()) {
                Some(text) => self.literal(text, input, &site),
                None => match self.spec.inputs.get(name) {
                    Some(binding) => self.bound(binding, input, &site),
                    None => self.default(input, &site),
                },
            };
            match bound {
                Some(bound) => {
                    inputs.insert(name.clone(), bound);
                }
                // A value that was refused has left a problem behind already.
                None if self.problems.len() > noted => drop(refused.insert(name.clone())),
                None if input.optional => {}
                None => {
                    self.missing(name, &site);
                    refused.insert(name.clone());
                }
            }
        }
        (inputs, refused)
    }

    /// What an input of a pipeline or step is bound to, if that has no value because of a problem that was noted already.
    fn is_refused(&self, binding: Option<&BindingSpec>, instance: usize) -> bool {
        let Some(refused) = self.refused.get(instance).filter(|refused| !refused.is_empty()) else {
            return false;
        };
        match binding.map(|binding| &binding.source) {
            Some(BindingSource::Parent(name)) => refused.contains(name),
            Some(BindingSource::Text(parts)) => parts
                .iter()
                .any(|part| matches!(part, TextPart::Parent(name) if refused.contains(name))),
            _ => false,
        }
    }

    fn inputs(
        &mut self,
        declared: &BTreeMap<PortName, InputSpec>,
        step: &StepSpec,
        instance: usize,
        path: &str,
    ) -> (Inputs, BTreeSet<PortName>) {
        let (mut inputs, mut refused) = (Inputs::new(), BTreeSet::new());
        for (name, input) in declared {
            let path = || format!("{path}.inputs.{name}");
            let site = Site {
                path: &path,
                instance,
            };
            let noted = self.problems.len();
            let binding = step.inputs.get(name);
            if self.is_refused(binding, instance) {
                refused.insert(name.clone());
                continue;
            }
            let bound = binding.and_then(|binding| self.bound(binding, input, &site));
            let bound = bound.or_else(|| self.default(input, &site));
            match bound {
                Some(bound) => {
                    inputs.insert(name.clone(), bound);
                }
                // A value that was refused has left a problem behind already.
                None if self.problems.len() > noted => drop(refused.insert(name.clone())),
                None if input.optional => {}
                None => {
                    self.missing(name, &site);
                    refused.insert(name.clone());
                }
            }
        }
        (inputs, refused)
    }

    fn missing(&mut self, name: &PortName, site: &Site<'_>) {
        let message = format!("the required input `{name}` has no value");
        let help = (site.instance == usize::MAX).then(|| format!("give it one: `-p {name}=VALUE`"));
        self.problems
            .add_with_help(Code::MissingInput, &(site.path)(), message, help);
    }

    fn default(&mut self, input: &InputSpec, site: &Site<'_>) -> Option<Input> {
        let value = input.default.as_ref()?;
        self.value(value, input, site)
    }

    /// What a binding gives; nothing when it leads to an input that has nothing, or when a problem was noted.
    fn bound(&mut self, binding: &BindingSpec, input: &InputSpec, site: &Site<'_>) -> Option<Input> {
        let mut found = match &binding.source {
            BindingSource::Value(value) => self.value(value, input, site)?,
            BindingSource::Parent(name) => {
                let outer = self.scopes.get(site.instance)?.get(name)?.clone();
                match (&outer.binding, input.input_type) {
                    (InputBinding::Value(InputValue::Literal(literal)), _) => {
                        let text = literal.text.clone();
                        self.literal(&text, input, site)?
                    }
                    _ => outer,
                }
            }
            BindingSource::Text(parts) => {
                let text = self.text(parts, site)?;
                self.literal(&text, input, site)?
            }
            BindingSource::Step(source) => {
                let Some((output, data_type)) = self.expansion.output(site.instance, source) else {
                    let message = format!(
                        "there is no output `{}` of a step `{}`",
                        source.output, source.step
                    );
                    self.problems.add(Code::UnknownOutput, &(site.path)(), message);
                    return None;
                };
                Input {
                    binding: InputBinding::Step(output),
                    port: port(data_type),
                }
            }
        };
        let from_step = matches!(found.binding, InputBinding::Step(_));
        // What an artifact is, its content says; of an output that is still to come, the author may say it.
        if let (true, Some(data_type)) = (from_step, binding.data_type) {
            found.port.port_type = port(data_type).port_type;
        }
        // An address's type is what its author says of it.
        if let (BindingSource::Value(ValueSpec::Uri(address)), Some(data_type)) =
            (&binding.source, binding.data_type)
        {
            found = address_input(
                address,
                &self.spec.datastores,
                InputType::Data(data_type),
                input.mode,
            );
        }
        let is_brought = match &found.binding {
            InputBinding::Value(InputValue::Uri(_)) => found.port.mode != InputMode::Direct,
            InputBinding::Value(InputValue::Literal(_)) => false,
            InputBinding::Value(InputValue::Artifact(_)) | InputBinding::Step(_) => true,
        };
        if is_brought {
            found.port.mode = binding.mode.or(input.mode).unwrap_or_default();
        }
        Some(found)
    }

    fn value(&mut self, value: &ValueSpec, input: &InputSpec, site: &Site<'_>) -> Option<Input> {
        match value {
            ValueSpec::Literal(text) => self.literal(text, input, site),
            ValueSpec::Uri(address) => Some(address_input(
                address,
                &self.spec.datastores,
                input.input_type,
                input.mode,
            )),
            ValueSpec::Content(index) => {
                let Some(artifact) = self.spec.contents.get(*index as usize) else {
                    self.problems.add(
                        Code::BadSpec,
                        &(site.path)(),
                        "the content of this input is missing",
                    );
                    return None;
                };
                let port_type = match artifact.kind {
                    ArtifactKind::Blob => PortType::File,
                    ArtifactKind::Tree => PortType::Folder,
                };
                Some(Input {
                    binding: InputBinding::Value(InputValue::Artifact(*artifact)),
                    port: InputPort {
                        port_type,
                        mode: input.mode.unwrap_or_default(),
                    },
                })
            }
        }
    }

    /// A literal as this input takes it: of its type, or as an address when it takes files.
    fn literal(&mut self, text: &str, input: &InputSpec, site: &Site<'_>) -> Option<Input> {
        let refusal = match input.input_type {
            InputType::Literal(literal_type) => match accept(text, literal_type, input) {
                Ok(literal) => {
                    return Some(Input {
                        binding: InputBinding::Value(InputValue::Literal(literal)),
                        port: InputPort {
                            port_type: PortType::Literal,
                            mode: InputMode::ReadOnly,
                        },
                    });
                }
                Err(refusal) => refusal,
            },
            // Names of a catalog are replaced before a run is planned; here they stand for what nobody has looked up.
            InputType::Data(_)
                if text.starts_with("azureml:") || (text.contains("://") && !text.starts_with("file:")) =>
            {
                return Some(address_input(
                    text,
                    &self.spec.datastores,
                    input.input_type,
                    input.mode,
                ));
            }
            InputType::Data(data_type) => crate::literal::Refusal {
                code: Code::WrongType,
                message: format!(
                    "`{}` is a literal, but the input takes `{}`",
                    shown(text),
                    data_type.as_str()
                ),
                help: Some(
                    "name local data in the pipeline file (`type` and `path`), or give an address".to_owned(),
                ),
            },
        };
        self.problems
            .add_with_help(refusal.code, &(site.path)(), refusal.message, refusal.help);
        None
    }

    fn text(&mut self, parts: &[TextPart], site: &Site<'_>) -> Option<String> {
        let mut text = String::new();
        for part in parts {
            let name = match part {
                TextPart::Text(part) => {
                    text.push_str(part);
                    continue;
                }
                TextPart::Parent(name) => name,
            };
            let Some(part) = literal_of(self.scopes.get(site.instance)?, name.as_str()) else {
                let message = format!("`{name}` has no literal value that could be part of a text");
                self.problems.add(Code::WrongType, &(site.path)(), message);
                return None;
            };
            text.push_str(&part);
        }
        Some(text)
    }
}

/// The literal text of an input, if it has one.
pub(super) fn literal_of(inputs: &Inputs, name: &str) -> Option<std::sync::Arc<str>> {
    match &inputs.get(name)?.binding {
        InputBinding::Value(InputValue::Literal(literal)) => Some(literal.text.clone()),
        InputBinding::Value(InputValue::Uri(address)) => Some(address.clone()),
        InputBinding::Value(InputValue::Artifact(_)) | InputBinding::Step(_) => None,
    }
}

/// An address: of one file over HTTP, or of files in a datastore of the pipeline, which its worker brings unless the author wants it otherwise; any other is
/// received by the process as it is.
fn address_input(
    address: &str,
    datastores: &BTreeMap<Name, Datastore>,
    input_type: InputType,
    mode: Option<InputMode>,
) -> Input {
    let is_http = ["http://", "https://"]
        .iter()
        .any(|scheme| address.starts_with(scheme));
    let is_file = input_type == InputType::Data(DataType::UriFile);
    let is_stored = !is_http && datastores.values().any(|store| store.path_of(address).is_some());
    Input {
        binding: InputBinding::Value(InputValue::Uri(address.into())),
        port: InputPort {
            port_type: if is_stored && !is_file {
                PortType::Folder
            } else {
                PortType::File
            },
            mode: if is_stored || (is_http && is_file) {
                mode.unwrap_or_default()
            } else {
                InputMode::Direct
            },
        },
    }
}

fn port(data_type: DataType) -> InputPort {
    InputPort {
        port_type: match data_type {
            DataType::UriFile => PortType::File,
            _ => PortType::Folder,
        },
        mode: InputMode::default(),
    }
}

/// The pipeline's parameters as bound.
pub(super) fn parameters(scopes: &[Inputs]) -> BTreeMap<PortName, InputValue> {
    let root = scopes.first().into_iter().flatten();
    root.filter_map(|(name, input)| match &input.binding {
        InputBinding::Value(value) => Some((name.clone(), value.clone())),
        InputBinding::Step(_) => None,
    })
    .collect()
}
