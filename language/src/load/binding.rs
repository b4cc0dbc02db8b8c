//! What a step binds to its inputs.

use super::Loader;
use super::ports::inferred;
use super::site::Site;
use crate::diagnostic::{Code, Place, did_you_mean};
use crate::expression::{BadExpression, Piece, Reference, has_expression, pieces, single};
use crate::fields::Fields;
use crate::yaml::{Entry, Node};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use tidemill_protocol::ids::StepPath;
use tidemill_protocol::name::PortName;
use tidemill_protocol::spec::{
    BindingSource, BindingSpec, ComponentSpec, DataType, InputSpec, InputType, OutputRef, OutputSpec,
    TextPart, ValueSpec,
};

/// What the steps of a graph can see.
pub(super) struct Scope<'a> {
    /// The folder that relative paths count from.
    pub(super) folder: &'a Path,
    /// The inputs of the pipeline around them.
    pub(super) inputs: &'a BTreeMap<PortName, InputSpec>,
    /// The outputs of the pipeline around them.
    pub(super) outputs: &'a BTreeMap<PortName, OutputSpec>,
    /// The outputs of each step; none for a step whose outputs could not be read.
    pub(super) steps: HashMap<StepPath, Option<BTreeMap<PortName, OutputSpec>>>,
}

/// A binding with its place and the type of what is bound.
pub(super) struct Bound {
    pub(super) binding: BindingSpec,
    pub(super) place: Place,
    pub(super) key_place: Place,
    pub(super) value_type: InputType,
}

impl Loader<'_> {
    /// Reads the bindings of a step; `component` is what it binds to, unless it is written inline.
    pub(super) fn bindings(
        &mut self,
        entries: &[Entry],
        path: &str,
        scope: &Scope<'_>,
        component: Option<&ComponentSpec>,
    ) -> BTreeMap<PortName, Bound> {
        let mut bound = BTreeMap::new();
        for entry in entries {
            if self.findings.is_full() {
                break;
            }
            let path = format!("{path}.{}", entry.key);
            let Some(name) = self.port_name(entry, &path) else {
                continue;
            };
            if entry.value.is_null() {
                continue;
            }
            let wanted = component
                .and_then(|c| c.inputs.get(&name))
                .map(|input| input.input_type);
            let found = self.binding(&entry.value, &path, scope, wanted);
            if let Some((binding, bound_type)) = found {
                let found = Bound {
                    binding,
                    place: entry.value.place,
                    key_place: entry.key_place,
                    value_type: bound_type,
                };
                bound.insert(name, found);
            }
        }
        bound
    }

    fn binding(
        &mut self,
        node: &Node,
        path: &str,
        scope: &Scope<'_>,
        wanted: Option<InputType>,
    ) -> Option<(BindingSpec, InputType)> {
        let mut binding = BindingSpec {
            source: BindingSource::Text(Vec::new()),
            data_type: None,
            mode: None,
        };
        if let Some(scalar) = node.scalar() {
            let assumed = wanted.unwrap_or(InputType::Literal(inferred(scalar)));
            let (source, bound_type) = self.source(node, path, scope, assumed)?;
            binding.source = source;
            return Some((binding, bound_type));
        }
        let mut fields = Fields::open(node, path, &mut self.findings)?;
        let declared = fields.text_node("type", &mut self.findings);
        binding.mode = self.input_mode(&mut fields);
        let [location, value, default] = ["path", "value", "default"].map(|key| fields.get(key));
        let value = match location {
            Some(location) => Some((location, true)),
            None => value.or(default).map(|value| (value, false)),
        };
        fields.ignore(&["optional", "description"], &mut self.findings);
        fields.finish(Code::UnknownKey, &mut self.findings);
        if let Some((text, node)) = declared {
            binding.data_type = DataType::parse(text);
            if binding.data_type.is_none() && !["string", "integer", "number", "boolean"].contains(&text) {
                self.findings.add(
                    Code::BadValue,
                    node.place,
                    path,
                    format!("`{text}` is no type of input"),
                );
            }
        }
        let Some((value, located)) = value else {
            self.findings.add(
                Code::MissingKey,
                node.place,
                path,
                "an input written as a mapping needs `path` (or `value`)",
            );
            return None;
        };
        let assumed = if located {
            InputType::Data(binding.data_type.unwrap_or(DataType::UriFolder))
        } else {
            wanted.unwrap_or_else(|| {
                InputType::Literal(
                    value
                        .scalar()
                        .map_or(tidemill_protocol::literal::LiteralType::String, inferred),
                )
            })
        };
        let (source, mut bound_type) = self.source(value, path, scope, assumed)?;
        if let (InputType::Data(_), Some(declared)) = (bound_type, binding.data_type) {
            bound_type = InputType::Data(declared);
        }
        binding.source = source;
        Some((binding, bound_type))
    }

    /// The source that a scalar names. `assumed` says how to read one without expressions.
    fn source(
        &mut self,
        node: &Node,
        path: &str,
        scope: &Scope<'_>,
        assumed: InputType,
    ) -> Option<(BindingSource, InputType)> {
        let Some(text) = node.text() else {
            self.findings.add(
                Code::WrongShape,
                node.place,
                path,
                format!("an input must be a value, not {}", node.shape()),
            );
            return None;
        };
        match single(text) {
            Some(Ok(reference)) => return self.referred(&reference, node, path, scope),
            Some(Err(bad)) => {
                self.bad_expression(bad, node.place, path);
                return None;
            }
            None => {}
        }
        if has_expression(text) {
            return self.text_parts(text, node, path, scope, assumed);
        }
        match assumed {
            InputType::Literal(_) => {
                Some((BindingSource::Value(ValueSpec::Literal(text.to_owned())), assumed))
            }
            InputType::Data(wanted) => {
                let site = Site {
                    folder: scope.folder,
                    place: node.place,
                    path,
                };
                let found = self.data_location(text, wanted, site)?;
                let fitting = found
                    .data_type
                    .unwrap_or_else(|| self.fitting(&found.value, wanted, false));
                Some((BindingSource::Value(found.value), InputType::Data(fitting)))
            }
        }
    }

    pub(super) fn bad_expression(&mut self, bad: BadExpression, place: Place, path: &str) {
        self.findings
            .add(Code::BadExpression, place, path, bad.message)
            .help_with(bad.help);
    }

    fn referred(
        &mut self,
        reference: &Reference,
        node: &Node,
        path: &str,
        scope: &Scope<'_>,
    ) -> Option<(BindingSource, InputType)> {
        match reference {
            Reference::ParentInput(name) => {
                let (port, input) = self.parent_input(name, node.place, path, scope)?;
                Some((BindingSource::Parent(port), input))
            }
            Reference::StepOutput { step, output } => {
                let (reference, data_type) = self.step_output(step, output, node.place, path, scope)?;
                Some((BindingSource::Step(reference), InputType::Data(data_type)))
            }
            Reference::Input(name) => {
                self.misplaced(
                    node,
                    path,
                    &format!("write `${{{{parent.inputs.{name}}}}}` for an input of the pipeline"),
                );
                None
            }
            _ => {
                self.misplaced(
                    node,
                    path,
                    "an input can take `${{parent.inputs.NAME}}` or `${{parent.jobs.STEP.outputs.NAME}}`",
                );
                None
            }
        }
    }

    fn misplaced(&mut self, node: &Node, path: &str, help: &str) {
        let message = format!("`{}` has no meaning here", node.text().unwrap_or_default());
        self.findings
            .add(Code::MisplacedExpression, node.place, path, message)
            .help_text(help);
    }

    /// An input of the surrounding pipeline.
    pub(super) fn parent_input(
        &mut self,
        name: &str,
        place: Place,
        path: &str,
        scope: &Scope<'_>,
    ) -> Option<(PortName, InputType)> {
        let found = scope.inputs.get_key_value(name);
        if found.is_none() {
            self.findings
                .add(
                    Code::UnknownInput,
                    place,
                    path,
                    format!("the pipeline has no input `{name}`"),
                )
                .help_with(did_you_mean(name, scope.inputs.keys().map(PortName::as_str)));
        }
        found.map(|(port, input)| (port.clone(), input.input_type))
    }

    /// An output of another step.
    pub(super) fn step_output(
        &mut self,
        step: &str,
        output: &str,
        place: Place,
        path: &str,
        scope: &Scope<'_>,
    ) -> Option<(OutputRef, DataType)> {
        let known = step
            .parse::<StepPath>()
            .ok()
            .and_then(|name| scope.steps.get_key_value(&name));
        let Some((name, outputs)) = known else {
            self.findings
                .add(
                    Code::UnknownStep,
                    place,
                    path,
                    format!("there is no step `{step}`"),
                )
                .help_with(did_you_mean(step, scope.steps.keys().map(StepPath::as_str)));
            return None;
        };
        // Outputs that could not be read have left an error behind already.
        let outputs = outputs.as_ref()?;
        let Some((port, spec)) = outputs.get_key_value(output) else {
            self.findings
                .add(
                    Code::UnknownOutput,
                    place,
                    path,
                    format!("the step `{step}` has no output `{output}`"),
                )
                .help_with(did_you_mean(output, outputs.keys().map(PortName::as_str)));
            return None;
        };
        let reference = OutputRef {
            step: name.clone(),
            output: port.clone(),
        };
        Some((reference, spec.data_type))
    }

    fn text_parts(
        &mut self,
        text: &str,
        node: &Node,
        path: &str,
        scope: &Scope<'_>,
        assumed: InputType,
    ) -> Option<(BindingSource, InputType)> {
        let pieces = match pieces(text) {
            Ok(pieces) => pieces,
            Err(bad) => {
                self.bad_expression(bad, node.place, path);
                return None;
            }
        };
        let mut parts = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => parts.push(TextPart::Text(text.to_owned())),
                Piece::Reference(Reference::ParentInput(name), _) => {
                    let (port, _) = self.parent_input(&name, node.place, path, scope)?;
                    parts.push(TextPart::Parent(port));
                }
                Piece::Reference(_, spelling) => {
                    self.findings
                        .add(
                            Code::MisplacedExpression,
                            node.place,
                            path,
                            format!("`{spelling}` cannot be part of a longer text"),
                        )
                        .help_text("only literals (`${{parent.inputs.NAME}}`) can be put together");
                    return None;
                }
            }
        }
        Some((BindingSource::Text(parts), assumed))
    }
}
