//! Steps that tidemill does itself: `copy` and `register_model`. They are written inline only; what they take and give is fixed, so all that their author says is from
//! where, to where, and under which name. Where a copy goes is settled when it is planned, because it may hold parameters.

use super::Loader;
use super::artifacts;
use super::binding::{Bound, Scope};
use super::declared::{own_outputs, unknown_input};
use super::ports::OutputNode;
use crate::diagnostic::{Code, did_you_mean};
use crate::fields::Fields;
use std::collections::BTreeMap;
use tidemill_protocol::compute::Resources;
use tidemill_protocol::name::{Name, PortName};
use tidemill_protocol::plan::{Builtin, Environment, Registration};
use tidemill_protocol::spec::{
    BindingSource, BindingSpec, ComponentBody, ComponentSpec, DataType, InputSpec, InputType, OtherSpec,
    OutputSpec, ValueSpec,
};

const COPY: &str = "copy";
const REGISTER_MODEL: &str = "register_model";
/// The file that says what was copied.
const REPORT_FILE: &str = "report.json";
const MODEL_TYPES: [&str; 3] = ["custom_model", "mlflow_model", "triton_model"];

/// A kind's name as a constant, if there is such a kind.
pub(super) fn kind(text: &str) -> Option<&'static str> {
    [COPY, REGISTER_MODEL].into_iter().find(|kind| *kind == text)
}

/// The one input of a kind, and its one output.
fn ports(kind: &str) -> (&'static str, &'static str) {
    match kind {
        COPY => (Builtin::SOURCE, Builtin::REPORT),
        _ => (Builtin::MODEL, Builtin::MODEL),
    }
}

/// The component that a step of this kind amounts to, before anything is known of what it takes.
fn blank(kind: &str, wanted: DataType, settings: String) -> ComponentSpec {
    let (input, _) = ports(kind);
    let input = (
        input.parse().expect("the name keeps the grammar"),
        InputSpec {
            input_type: InputType::Data(wanted),
            ..unknown_input()
        },
    );
    ComponentSpec {
        name: None,
        version: None,
        display_name: String::new(),
        inputs: BTreeMap::from([input]),
        outputs: BTreeMap::new(),
        deterministic: false,
        body: ComponentBody::Other(OtherSpec {
            kind: kind.to_owned(),
            settings,
            code: None,
            environment: Environment::default(),
            environment_variables: BTreeMap::new(),
            secrets: BTreeMap::new(),
            resources: Resources::default(),
            timeout: None,
        }),
    }
}

impl Loader<'_> {
    /// Makes the outputs of a step what they are, whatever of them is written down.
    pub(super) fn builtin_outputs(
        &mut self,
        kind: &str,
        fields: &mut Fields<'_>,
        outputs: &mut BTreeMap<PortName, OutputNode>,
    ) {
        let (_, own) = ports(kind);
        for (name, node) in &*outputs {
            if name.as_str() != own && name.as_str() != artifacts::NAME {
                let path = format!("{}.outputs.{name}", fields.path);
                let message = format!("a `{kind}` step has the output `{own}` and no other");
                self.findings.add(Code::UnknownOutput, node.place, &path, message);
            }
        }
        let name: PortName = own.parse().expect("the name keeps the grammar");
        let place = fields.place();
        let node = outputs.entry(name).or_insert_with(|| OutputNode {
            place,
            spec: OutputSpec {
                data_type: DataType::UriFile,
                file_name: None,
                optional: false,
                description: String::new(),
            },
            typed: true,
            fills: None,
            registration: None,
        });
        node.typed = true;
        if kind == COPY {
            node.spec.data_type = DataType::UriFile;
            node.spec.file_name = Some(REPORT_FILE.to_owned());
        } else {
            node.spec.data_type = self.model_type(fields);
            node.registration = self.model_registration(fields, node.spec.data_type);
        }
    }

    fn model_type(&mut self, fields: &mut Fields<'_>) -> DataType {
        let Some((text, node)) = fields.text_node("model_type", &mut self.findings) else {
            return DataType::CustomModel;
        };
        let found = DataType::parse(text).filter(|found| found.is_model());
        found.unwrap_or_else(|| {
            let message = format!("`{text}` is no type of model");
            self.findings
                .add(Code::BadValue, node.place, &fields.path_of("model_type"), message)
                .help_with(did_you_mean(text, MODEL_TYPES));
            DataType::CustomModel
        })
    }

    /// The version that the model becomes.
    fn model_registration(&mut self, fields: &mut Fields<'_>, model_type: DataType) -> Option<Registration> {
        let version = self.version_of(fields, "version");
        let label = self.version_of(fields, "label");
        let alias = self.version_of(fields, "alias");
        if let (true, true, Some(place)) = (label.is_some(), alias.is_some(), fields.key_place("alias")) {
            self.findings
                .add(
                    Code::BadValue,
                    place,
                    &fields.path_of("alias"),
                    "`alias` and `label` are two words for the same",
                )
                .help_text("keep one of them");
        }
        // What other systems keep apart as properties are tags here.
        let mut tags = self.texts(fields, "properties");
        tags.extend(self.texts(fields, "tags"));
        let description = fields.text("description", &mut self.findings);
        let description = description.unwrap_or_default().to_owned();
        let (text, node) = fields.required_text("name", &mut self.findings)?;
        let name = text.parse::<Name>();
        let name = name.map_err(|error| {
            let path = fields.path_of("name");
            self.findings
                .add(Code::BadName, node.place, &path, error.to_string());
        });
        Some(Registration {
            name: name.ok()?,
            version,
            label: label.or(alias),
            data_type: Some(model_type.as_str().to_owned()),
            description,
            tags,
        })
    }

    fn texts(&mut self, fields: &mut Fields<'_>, key: &'static str) -> BTreeMap<String, String> {
        let pairs = fields.pairs(key, &mut self.findings).iter();
        pairs
            .map(|entry| {
                let value = entry.value.text().unwrap_or_default();
                (entry.key.to_string(), value.to_owned())
            })
            .collect()
    }

    /// The component that a step amounts to, and what is bound to it.
    pub(super) fn builtin_step(
        &mut self,
        kind: &'static str,
        fields: &mut Fields<'_>,
        outputs: &mut BTreeMap<PortName, OutputNode>,
        scope: &Scope<'_>,
    ) -> (Option<u32>, BTreeMap<PortName, BindingSpec>) {
        let (own_input, own_output) = ports(kind);
        let wanted = outputs
            .get(own_output)
            .map_or(DataType::UriFolder, |node| match kind {
                COPY => DataType::UriFolder,
                _ => node.spec.data_type,
            });
        let settings = self.builtin_settings(kind, wanted, fields, scope);
        let mut component = blank(kind, wanted, settings);
        if let ComponentBody::Other(other) = &mut component.body {
            other.resources = self.resources(fields).unwrap_or_default();
        }
        let entries = fields.pairs("inputs", &mut self.findings);
        let path = fields.path_of("inputs");
        let mut bound = self.bindings(entries, &path, scope, Some(&component));
        self.only_input(kind, fields, &bound);
        if !entries.iter().any(|entry| &*entry.key == own_input) {
            let message = format!("a `{kind}` step needs the input `{own_input}`");
            let help = format!("inputs:\n  {own_input}: ${{{{parent.jobs.STEP.outputs.NAME}}}}");
            self.findings
                .add(Code::MissingInput, fields.place(), &fields.path, message)
                .help_text(&help);
        }
        let found = bound.remove(own_input);
        if let Some(found) = &found {
            self.takes_files((kind, wanted), found, (&mut component, &mut *outputs), &path);
        }
        // Whether a place outside still holds what was copied there, and whether an address still leads to the same, nobody can know.
        let is_content = found.as_ref().is_some_and(|found| {
            matches!(
                found.binding.source,
                BindingSource::Step(_) | BindingSource::Value(ValueSpec::Content(_))
            )
        });
        let asked = fields.boolean("is_deterministic", &mut self.findings);
        component.deterministic = asked.unwrap_or(kind == REGISTER_MODEL && is_content);
        component.outputs = own_outputs(outputs);
        let inputs = found.map(|found| {
            (
                own_input.parse().expect("the name keeps the grammar"),
                found.binding,
            )
        });
        let component = self.intern(component);
        (Some(component), inputs.into_iter().collect())
    }

    /// What is bound must be files, and a model that is a file stays one.
    fn takes_files(
        &mut self,
        (kind, wanted): (&str, DataType),
        found: &Bound,
        (component, outputs): (&mut ComponentSpec, &mut BTreeMap<PortName, OutputNode>),
        path: &str,
    ) {
        let InputType::Data(data_type) = found.value_type else {
            let message = format!("a `{kind}` step takes files, and this is a literal");
            self.findings.add(Code::WrongType, found.place, path, message);
            return;
        };
        for input in component.inputs.values_mut() {
            input.input_type = InputType::Data(data_type);
        }
        if kind == COPY || data_type != DataType::UriFile {
            return;
        }
        if wanted != DataType::CustomModel {
            let message = format!("a `{}` is a folder, and this is a file", wanted.as_str());
            self.findings
                .add(Code::WrongType, found.place, path, message)
                .help_text("a file can be a `custom_model`");
        }
        if let Some(node) = outputs.get_mut(Builtin::MODEL) {
            node.spec.data_type = DataType::UriFile;
        }
    }

    fn only_input(&mut self, kind: &str, fields: &Fields<'_>, bound: &BTreeMap<PortName, Bound>) {
        let (own, _) = ports(kind);
        for (name, found) in bound.iter().filter(|(name, _)| name.as_str() != own) {
            let path = format!("{}.inputs.{name}", fields.path);
            let message = format!("a `{kind}` step has the input `{own}` and no other");
            self.findings
                .add(Code::UnknownInput, found.key_place, &path, message);
        }
    }

    /// What the planner has to know, as canonical JSON.
    fn builtin_settings(
        &mut self,
        kind: &str,
        model_type: DataType,
        fields: &mut Fields<'_>,
        scope: &Scope<'_>,
    ) -> String {
        let settings = if kind == COPY {
            let destination = self.destination(fields, scope).unwrap_or_default();
            serde_json::json!({ "destination": destination })
        } else {
            serde_json::json!({ "model_type": model_type.as_str() })
        };
        settings.to_string()
    }
}
