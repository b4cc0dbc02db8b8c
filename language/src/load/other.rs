//! Steps of kinds whose executors are not built in: they are read whole, checked as far as their references go, and kept as settings.

use super::Loader;
use super::binding::Scope;
use crate::diagnostic::{Code, Place};
use crate::expression::{Piece, Reference, pieces};
use crate::fields::Fields;
use crate::shell::Interface;
use crate::yaml::{Node, Value};
use serde_json::{Map, Value as Json};
use std::path::Path;
use tidemill_protocol::plan::StepKind;
use tidemill_protocol::spec::{ComponentBody, ComponentSpec, OtherSpec};

/// The kinds, each with its keys.
const KINDS: [(&str, &[&str]); 5] = [
    (
        "sweep",
        &[
            "search_space",
            "sampling_algorithm",
            "objective",
            "early_termination",
            "trial",
        ],
    ),
    (
        "parallel",
        &[
            "task",
            "mini_batch_size",
            "partition_keys",
            "input_data",
            "logging_level",
            "retry_settings",
            "mini_batch_error_threshold",
            "error_threshold",
            "max_concurrency_per_instance",
        ],
    ),
    (
        "spark",
        &["entry", "args", "conf", "py_files", "jars", "files", "archives"],
    ),
    (
        "automl",
        &[
            "task",
            "primary_metric",
            "target_column_name",
            "training",
            "featurization",
            "forecasting",
            "forecasting_settings",
            "n_cross_validations",
            "log_verbosity",
            "sweep",
            "search_space",
            "training_parameters",
            "validation_data_size",
            "test_data_size",
            "weight_column_name",
            "cv_split_column_names",
        ],
    ),
    ("data_transfer", &["task", "source", "sink", "data_copy_mode"]),
];

/// Data that `automl` steps take outside of `inputs`.
pub(super) const AUTOML_DATA: [&str; 3] = ["training_data", "validation_data", "test_data"];

/// A kind's name as a constant, if there is such a kind.
pub(super) fn kind(text: &str) -> Option<&'static str> {
    KINDS.iter().map(|(kind, _)| *kind).find(|kind| *kind == text)
}

impl Loader<'_> {
    /// Reads the settings of a step or component of another kind. `trial` is the component that a sweep repeats.
    pub(super) fn other_body(
        &mut self,
        kind: &'static str,
        fields: &mut Fields<'_>,
        folder: &Path,
        interface: Interface<'_>,
        scope: Option<&Scope<'_>>,
    ) -> OtherSpec {
        self.warn_once(
            Code::ExecutorMissing,
            fields.place(),
            &fields.path,
            format!("`{kind}` steps load and plan, but their executor is not built in yet: such a step fails when it is reached"),
            &format!("what runs today is {}", StepKind::instead_of(kind)),
        );
        let mut settings = Map::new();
        let keys = KINDS
            .iter()
            .find(|(name, _)| *name == kind)
            .map_or(&[][..], |(_, keys)| *keys);
        for key in keys {
            if let Some(node) = fields.get(key) {
                settings.insert((*key).to_owned(), node.to_json());
                self.check_references(node, &fields.path_of(key), interface, scope);
            }
        }
        if kind == "automl" {
            // Of a step they are inputs, which are read elsewhere.
            for key in AUTOML_DATA {
                let _ = fields.get(key);
            }
        }
        if let Some(node) = fields.get("limits") {
            settings.insert("limits".to_owned(), node.to_json());
        }
        if let Some(node) = fields.get("resources") {
            settings.insert("resources".to_owned(), node.to_json());
        }
        let resources = self.resources(fields).unwrap_or_default();
        let (code, environment) = if kind == "parallel" {
            self.parallel_task(fields, folder)
        } else {
            let code = self.code_of(fields, folder);
            let environment = fields.get("environment");
            let path = fields.path_of("environment");
            (
                code,
                environment.and_then(|node| self.environment(node, folder, &path)),
            )
        };
        self.required_settings(kind, fields);
        let environment_variables = self.environment_variables(fields);
        OtherSpec {
            kind: kind.to_owned(),
            settings: Json::Object(settings).to_string(),
            code,
            environment: environment.unwrap_or_default(),
            secrets: self.secrets(fields, &environment_variables),
            environment_variables,
            resources,
            timeout: None,
        }
    }

    fn required_settings(&mut self, kind: &str, fields: &mut Fields<'_>) {
        let required: &[&'static str] = match kind {
            "sweep" => &["trial", "search_space", "objective"],
            "parallel" => &["task"],
            "spark" => &["entry"],
            "automl" => &["task", "training_data"],
            _ => &["task"],
        };
        for key in required {
            if fields.get(key).is_none() {
                let message = format!("a `{kind}` step needs the key `{key}`");
                self.findings
                    .add(Code::MissingKey, fields.place(), &fields.path, message);
            }
        }
    }

    /// The code and environment of a parallel step stand in its task.
    fn parallel_task(
        &mut self,
        fields: &mut Fields<'_>,
        folder: &Path,
    ) -> (Option<u32>, Option<tidemill_protocol::plan::Environment>) {
        let Some(mut task) = fields.fields("task", &mut self.findings) else {
            return (None, None);
        };
        let code = self.code_of(&mut task, folder);
        let environment = task.get("environment");
        let environment =
            environment.and_then(|node| self.environment(node, folder, &task.path_of("environment")));
        for key in [
            "type",
            "entry_script",
            "program_arguments",
            "args",
            "append_row_to",
            "model",
        ] {
            let _ = task.get(key);
        }
        task.finish(Code::UnknownKey, &mut self.findings);
        (code, environment)
    }

    /// Checks every expression below a setting.
    fn check_references(
        &mut self,
        node: &Node,
        path: &str,
        interface: Interface<'_>,
        scope: Option<&Scope<'_>>,
    ) {
        match &node.value {
            Value::List(items) => items
                .iter()
                .for_each(|item| self.check_references(item, path, interface, scope)),
            Value::Map(entries) => {
                for entry in entries {
                    self.check_references(&entry.value, &format!("{path}.{}", entry.key), interface, scope);
                }
            }
            Value::Scalar(scalar) => {
                // Optional blocks only bracket expressions; the brackets do not disturb their reading.
                match pieces(&scalar.text) {
                    Ok(pieces) => {
                        for piece in pieces {
                            if let Piece::Reference(reference, _) = piece {
                                self.check_reference(&reference, node.place, path, interface, scope);
                            }
                        }
                    }
                    Err(bad) => self.bad_expression(bad, node.place, path),
                }
            }
        }
    }

    fn check_reference(
        &mut self,
        reference: &Reference,
        place: Place,
        path: &str,
        interface: Interface<'_>,
        scope: Option<&Scope<'_>>,
    ) {
        match (reference, scope) {
            (Reference::Input(name), _) if !interface.inputs.contains_key(name.as_str()) => {
                self.findings.add(
                    Code::UnknownInput,
                    place,
                    path,
                    format!("there is no input `{name}`"),
                );
            }
            (Reference::Output(name), _) if !interface.outputs.contains_key(name.as_str()) => {
                self.findings.add(
                    Code::UnknownOutput,
                    place,
                    path,
                    format!("there is no output `{name}`"),
                );
            }
            (Reference::ParentInput(name), Some(scope)) => {
                self.parent_input(name, place, path, scope);
            }
            (Reference::StepOutput { step, output }, Some(scope)) => {
                self.step_output(step, output, place, path, scope);
            }
            _ => {}
        }
    }
}

/// Takes the trial of a sweep into its settings: code and environment are those of the trial.
pub(super) fn take_trial(body: &mut OtherSpec, trial: &ComponentSpec) {
    let ComponentBody::Command(command) = &trial.body else {
        return;
    };
    body.code = command.code;
    body.environment = command.environment.clone();
    body.environment_variables = command.environment_variables.clone();
    body.resources = command.resources.clone();
    if let Ok(Json::Object(mut settings)) = serde_json::from_str(&body.settings) {
        settings.insert(
            "trial".to_owned(),
            serde_json::json!({ "command": command.command }),
        );
        body.settings = Json::Object(settings).to_string();
    }
}
