//! Declarations of inputs and outputs.

use super::Loader;
use super::site::Site;
use crate::diagnostic::{Code, Place, did_you_mean};
use crate::expression::{Reference, single};
use crate::fields::Fields;
use crate::literal;
use crate::yaml::{Entry, Node, Scalar, ScalarKind};
use std::collections::BTreeMap;
use std::path::Path;
use tidemill_protocol::catalog::Version;
use tidemill_protocol::literal::LiteralType;
use tidemill_protocol::name::{Name, PortName};
use tidemill_protocol::plan::{InputMode, Registration};
use tidemill_protocol::spec::{DataType, InputSpec, InputType, OutputSpec, ValueSpec};

const TYPES: [&str; 10] = [
    "string",
    "integer",
    "number",
    "boolean",
    "uri_file",
    "uri_folder",
    "mltable",
    "mlflow_model",
    "custom_model",
    "triton_model",
];
const MODES: [&str; 8] = [
    "ro_mount",
    "rw_mount",
    "mount",
    "download",
    "upload",
    "direct",
    "eval_mount",
    "eval_download",
];

fn input_type(text: &str) -> Option<InputType> {
    let literal = match text {
        "string" | "str" => LiteralType::String,
        "integer" | "int" => LiteralType::Integer,
        "number" | "float" => LiteralType::Number,
        "boolean" | "bool" => LiteralType::Boolean,
        other => return DataType::parse(other).map(InputType::Data),
    };
    Some(InputType::Literal(literal))
}

/// The type that a literal has when nobody declares it.
pub(super) fn inferred(scalar: &Scalar) -> LiteralType {
    match scalar.kind() {
        ScalarKind::Boolean => LiteralType::Boolean,
        ScalarKind::Integer => LiteralType::Integer,
        ScalarKind::Number => LiteralType::Number,
        ScalarKind::Null | ScalarKind::Text => LiteralType::String,
    }
}

/// An output as a step writes it.
pub(super) struct OutputNode {
    /// Where its name stands.
    pub(super) place: Place,
    pub(super) spec: OutputSpec,
    /// Whether the type was written down.
    pub(super) typed: bool,
    /// The pipeline's output that it fills, with its place.
    pub(super) fills: Option<(String, Place)>,
    pub(super) registration: Option<Registration>,
}

impl Loader<'_> {
    /// The name of an input or output.
    pub(super) fn port_name(&mut self, entry: &Entry, path: &str) -> Option<PortName> {
        entry
            .key
            .parse()
            .map_err(|error| {
                self.findings
                    .add(Code::BadName, entry.key_place, path, format!("{error}"));
            })
            .ok()
    }

    /// The inputs that a pipeline or component declares. Values may be given in place of declarations.
    pub(super) fn inputs(
        &mut self,
        entries: &[Entry],
        path: &str,
        folder: &Path,
    ) -> BTreeMap<PortName, InputSpec> {
        let mut inputs = BTreeMap::new();
        for entry in entries {
            let path = format!("{path}.{}", entry.key);
            let Some(name) = self.port_name(entry, &path) else {
                continue;
            };
            if let Some(input) = self.input(&entry.value, &path, folder) {
                inputs.insert(name, input);
            }
        }
        inputs
    }

    fn input(&mut self, node: &Node, path: &str, folder: &Path) -> Option<InputSpec> {
        let mut input = InputSpec::of(InputType::Literal(LiteralType::String));
        if node.is_null() {
            return Some(input);
        }
        if let Some(scalar) = node.scalar() {
            input.input_type = InputType::Literal(inferred(scalar));
            input.default = Some(ValueSpec::Literal(scalar.text.to_string()));
            return Some(input);
        }
        let mut fields = Fields::open(node, path, &mut self.findings)?;
        let declared = self.declared_type(&mut fields);
        input.optional = fields.boolean("optional", &mut self.findings).unwrap_or(false);
        input.mode = self.input_mode(&mut fields);
        input.min = fields.text("min", &mut self.findings).map(str::to_owned);
        input.max = fields.text("max", &mut self.findings).map(str::to_owned);
        input.choices = fields
            .items("enum")
            .iter()
            .filter_map(Node::text)
            .map(str::to_owned)
            .collect();
        if let Some(text) = fields.text("description", &mut self.findings) {
            text.clone_into(&mut input.description);
        }
        let default = ["default", "value", "path"].map(|key| fields.text_node(key, &mut self.findings));
        let located = default[2].is_some();
        let value = default.into_iter().flatten().next();
        fields.ignore(&["datastore", "pattern"], &mut self.findings);
        fields.finish(Code::UnknownKey, &mut self.findings);
        input.input_type = declared.unwrap_or(match value {
            Some((_, node)) if !located => {
                InputType::Literal(node.scalar().map_or(LiteralType::String, inferred))
            }
            _ => InputType::Data(DataType::UriFolder),
        });
        if let Some((text, node)) = value {
            let site = Site {
                folder,
                place: node.place,
                path,
            };
            self.default_value(&mut input, text, site, declared.is_some());
        }
        Some(input)
    }

    /// A declared default, or the value that a pipeline gives to its input.
    fn default_value(&mut self, input: &mut InputSpec, text: &str, site: Site<'_>, declared: bool) {
        match input.input_type {
            InputType::Literal(literal_type) => match literal::accept(text, literal_type, input) {
                Ok(_) => input.default = Some(ValueSpec::Literal(text.to_owned())),
                Err(refusal) => {
                    self.findings
                        .add(refusal.code, site.place, site.path, refusal.message)
                        .help_with(refusal.help);
                }
            },
            InputType::Data(data_type) => {
                let Some(found) = self.data_location(text, data_type, site) else {
                    return;
                };
                let data_type = match found.data_type {
                    Some(registered) if !declared => registered,
                    _ => data_type,
                };
                self.check_kind(&found.value, data_type, declared, site);
                input.input_type = InputType::Data(self.fitting(&found.value, data_type, declared));
                input.default = Some(found.value);
            }
        }
    }

    /// The type of a local path that was not declared: what the path is.
    pub(super) fn fitting(&self, value: &ValueSpec, data_type: DataType, declared: bool) -> DataType {
        match value {
            ValueSpec::Content(id)
                if !declared && data_type == DataType::UriFolder && !self.contents.is_folder(*id) =>
            {
                DataType::UriFile
            }
            _ => data_type,
        }
    }

    pub(super) fn check_kind(
        &mut self,
        value: &ValueSpec,
        data_type: DataType,
        declared: bool,
        site: Site<'_>,
    ) {
        let ValueSpec::Content(id) = value else { return };
        let folder = self.contents.is_folder(*id);
        let wrong = match data_type {
            DataType::UriFile => folder,
            DataType::CustomModel => false,
            _ => !folder,
        };
        if wrong && declared {
            let (is, kind) = (if folder { "a folder" } else { "a file" }, data_type.as_str());
            self.findings
                .add(
                    Code::TypeMismatch,
                    site.place,
                    site.path,
                    format!("the type is `{kind}`, but the path is {is}"),
                )
                .help_text("the step receives what is there");
        }
    }

    fn declared_type(&mut self, fields: &mut Fields<'_>) -> Option<InputType> {
        let (text, node) = fields.text_node("type", &mut self.findings)?;
        let found = input_type(text);
        if found.is_none() {
            self.findings
                .add(
                    Code::BadValue,
                    node.place,
                    &fields.path_of("type"),
                    format!("`{text}` is no type of input"),
                )
                .help_with(did_you_mean(text, TYPES));
        }
        found
    }

    /// How an input is handed over.
    pub(super) fn input_mode(&mut self, fields: &mut Fields<'_>) -> Option<InputMode> {
        let (text, node) = fields.text_node("mode", &mut self.findings)?;
        match text {
            "ro_mount" | "mount" | "eval_mount" => Some(InputMode::ReadOnly),
            "download" | "rw_mount" | "eval_download" | "upload" => Some(InputMode::Copy),
            "direct" => Some(InputMode::Direct),
            _ => {
                self.bad_mode(text, node, &fields.path);
                None
            }
        }
    }

    fn bad_mode(&mut self, text: &str, node: &Node, path: &str) {
        self.findings
            .add(Code::BadValue, node.place, path, format!("`{text}` is no mode"))
            .help_with(did_you_mean(text, MODES));
    }

    /// An output: declared by a component or pipeline, or written at a step.
    pub(super) fn output(&mut self, entry: &Entry, path: &str) -> Option<OutputNode> {
        let (name, node) = (&*entry.key, &entry.value);
        let mut output = OutputNode {
            place: entry.key_place,
            spec: OutputSpec {
                data_type: DataType::UriFolder,
                file_name: None,
                optional: false,
                description: String::new(),
            },
            typed: false,
            fills: None,
            registration: None,
        };
        if node.is_null() {
            return Some(output);
        }
        if let Some(text) = node.text() {
            self.output_location(&mut output, name, text, node, path);
            return Some(output);
        }
        let mut fields = Fields::open(node, path, &mut self.findings)?;
        if let Some((text, node)) = fields.text_node("type", &mut self.findings) {
            match DataType::parse(text) {
                Some(found) => {
                    output.spec.data_type = found;
                    output.typed = true;
                }
                None => {
                    self.findings
                        .add(
                            Code::BadValue,
                            node.place,
                            path,
                            format!("`{text}` is no type of output"),
                        )
                        .help_with(did_you_mean(text, TYPES[4..].iter().copied()));
                }
            }
        }
        if let Some((mode, node)) = fields.text_node("mode", &mut self.findings)
            && !MODES.contains(&mode)
        {
            self.bad_mode(mode, node, path);
        }
        if let Some((text, node)) = fields.text_node("path", &mut self.findings) {
            self.output_location(&mut output, name, text, node, path);
        }
        output.registration = self.registration(&mut fields);
        if let Some(registration) = output.registration.as_mut().filter(|_| output.typed) {
            registration.data_type = Some(output.spec.data_type.as_str().to_owned());
        }
        output.spec.optional = fields.boolean("optional", &mut self.findings).unwrap_or(false);
        if let Some(text) = fields.text("description", &mut self.findings) {
            text.clone_into(&mut output.spec.description);
        }
        fields.ignore(&["early_available", "tags", "properties"], &mut self.findings);
        fields.finish(Code::UnknownKey, &mut self.findings);
        Some(output)
    }

    /// Where an output goes: into one of the pipeline's outputs, or to a location of its own, which only names its file.
    fn output_location(&mut self, output: &mut OutputNode, name: &str, text: &str, node: &Node, path: &str) {
        match single(text) {
            Some(Ok(Reference::ParentOutput(parent))) => {
                output.fills = Some((parent, node.place));
            }
            Some(Ok(_)) => {
                self.findings
                    .add(
                        Code::MisplacedExpression,
                        node.place,
                        path,
                        "an output can only be bound to an output of the pipeline",
                    )
                    .help_text("write `${{parent.outputs.NAME}}`");
            }
            Some(Err(bad)) => {
                self.findings
                    .add(Code::BadExpression, node.place, path, bad.message)
                    .help_with(bad.help);
            }
            None => {
                output.spec.file_name = file_name(text, name);
                self.warn_once(
                    Code::OutputLocation,
                    node.place,
                    path,
                    "outputs are kept in the artifact store; their own locations are not written to"
                        .to_owned(),
                    "fetch an output with `tidemill artifacts get`, or add a step that copies it",
                );
            }
        }
    }

    fn registration(&mut self, fields: &mut Fields<'_>) -> Option<Registration> {
        let version = self.version_of(fields, "version");
        let label = self.version_of(fields, "label");
        let (text, node) = fields.text_node("name", &mut self.findings)?;
        match text.parse::<Name>() {
            Ok(name) => Some(Registration {
                name,
                version,
                label,
                data_type: None,
                description: String::new(),
                tags: BTreeMap::new(),
            }),
            Err(error) => {
                self.findings
                    .add(Code::BadName, node.place, &fields.path, format!("{error}"));
                None
            }
        }
    }
}

impl Loader<'_> {
    /// A version or label, which have one grammar.
    pub(super) fn version_of(&mut self, fields: &mut Fields<'_>, key: &'static str) -> Option<String> {
        let (text, node) = fields.text_node(key, &mut self.findings)?;
        match text.parse::<Version>() {
            Ok(_) => Some(text.to_owned()),
            Err(error) => {
                let path = fields.path_of(key);
                self.findings
                    .add(Code::BadName, node.place, &path, format!("{error}"));
                None
            }
        }
    }
}

/// The file that an output's location names, when it names one.
fn file_name(location: &str, output: &str) -> Option<String> {
    let last = location.rsplit('/').next()?;
    let last = last
        .replace("${{output_name}}", output)
        .replace("${{ output_name }}", output);
    let plain = last.contains('.') && !last.starts_with('.') && !last.contains("${{");
    plain.then_some(last)
}
