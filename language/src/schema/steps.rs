//! The schema of steps and components.

use super::parts::{about, extend, object};
use serde_json::{Value, json};

/// The keys of each kind beside those that all have.
fn of_kind(kind: &str) -> Value {
    let limits = json!({ "type": "object" });
    match kind {
        "command" => json!({
            "command": { "type": "string", "minLength": 1, "description": "A command line; `${{inputs.x}}` and `${{outputs.y}}` stand for values and paths." },
            "distribution": { "$ref": "#/$defs/distribution" },
            "limits": { "$ref": "#/$defs/limits" },
            "additional_includes": {},
        }),
        "sweep" => json!({
            "trial": { "anyOf": [{ "type": "string" }, { "type": "object" }] },
            "search_space": { "type": "object" },
            "sampling_algorithm": {},
            "objective": { "type": "object" },
            "early_termination": {},
            "limits": limits,
        }),
        "parallel" => json!({
            "task": { "type": "object" },
            "mini_batch_size": {}, "partition_keys": {}, "input_data": {}, "logging_level": {}, "retry_settings": {},
            "mini_batch_error_threshold": {}, "error_threshold": {}, "max_concurrency_per_instance": {},
            "limits": limits,
            // Those of its task.
            "code": false,
            "environment": false,
        }),
        "spark" => json!({
            "entry": { "type": ["object", "string"] },
            "args": {}, "conf": {}, "py_files": {}, "jars": {}, "files": {}, "archives": {},
            "limits": limits,
        }),
        "automl" => json!({
            "task": { "type": "string" },
            "training_data": { "$ref": "#/$defs/bound_input" },
            "validation_data": { "$ref": "#/$defs/bound_input" },
            "test_data": { "$ref": "#/$defs/bound_input" },
            "primary_metric": {}, "target_column_name": {}, "training": {}, "featurization": {}, "forecasting": {},
            "forecasting_settings": {}, "n_cross_validations": {}, "log_verbosity": {}, "sweep": {}, "search_space": {},
            "training_parameters": {}, "validation_data_size": {}, "test_data_size": {}, "weight_column_name": {},
            "cv_split_column_names": {},
            "limits": limits,
        }),
        _ => {
            json!({ "task": { "type": "string" }, "source": {}, "sink": {}, "data_copy_mode": {}, "limits": limits })
        }
    }
}

fn required(kind: &str) -> &'static [&'static str] {
    match kind {
        "command" => &["command"],
        "sweep" => &["trial", "search_space", "objective"],
        "spark" => &["entry"],
        "automl" => &["task", "training_data"],
        _ => &["task"],
    }
}

/// The steps that tidemill does itself: they are written inline only, and nothing of theirs is a process of their author's.
fn own_step(kind: &str) -> Value {
    let mut properties = step();
    extend(
        &mut properties,
        json!({
            "type": { "const": kind },
            "resources": { "$ref": "#/$defs/resources" },
            "is_deterministic": { "type": "boolean" },
            "services": {},
            "queue_settings": {},
        }),
    );
    let (description, own, required) = if kind == "copy" {
        let destination = json!({ "destination": {
            "type": "string",
            "minLength": 1,
            "description": "Where to: `azureml://datastores/NAME/paths/PATH`, or an address in a datastore. May hold `${{parent.inputs.NAME}}`.",
        }});
        let description = "Copies files to a datastore: the input `source` to `destination`.";
        (description, destination, json!(["type", "inputs", "destination"]))
    } else {
        let model = json!({
            "model_type": { "enum": ["custom_model", "mlflow_model", "triton_model"], "description": "The layout of the model; `custom_model` when absent." },
            "label": { "$ref": "#/$defs/text", "description": "A label that is to point at the version." },
            "alias": { "$ref": "#/$defs/text", "description": "Another word for `label`." },
        });
        let description = "Makes files a version of a model: the input `model` under `name`.";
        (description, model, json!(["type", "inputs", "name"]))
    };
    extend(&mut properties, own);
    let mut schema = object(description, &properties);
    schema["required"] = required;
    schema
}

/// What software and machines a step uses.
fn around() -> Value {
    json!({
        "code": { "type": "string", "description": "The folder in which the process starts." },
        "environment": { "$ref": "#/$defs/environment" },
        "environment_variables": { "$ref": "#/$defs/environment_variables" },
        "secrets": { "$ref": "#/$defs/secrets" },
        "resources": { "$ref": "#/$defs/resources" },
        "is_deterministic": { "type": "boolean" },
        "services": {},
        "queue_settings": {},
    })
}

/// What a step of any kind may say.
fn step() -> Value {
    let mut properties = json!({
        "inputs": { "$ref": "#/$defs/bound_inputs" },
        "outputs": { "$ref": "#/$defs/declared_outputs" },
        "compute": { "$ref": "#/$defs/compute" },
        "depends_on": { "$ref": "#/$defs/depends_on" },
        "retry": { "$ref": "#/$defs/retry" },
        "timeout": { "$ref": "#/$defs/duration" },
        "priority": { "type": "integer", "minimum": -1_000_000, "maximum": 1_000_000 },
        "cache": { "type": "boolean", "description": "Whether results are reused." },
        "checkpoint": { "$ref": "#/$defs/checkpoint" },
        "when": { "$ref": "#/$defs/when" },
        "comment": {},
        "experiment_name": {},
        "outputs_to_register": {},
    });
    extend(&mut properties, about());
    properties
}

const KINDS: [&str; 6] = ["command", "sweep", "parallel", "spark", "automl", "data_transfer"];

pub(super) fn definitions() -> Value {
    let mut all = json!({
        "jobs": {
            "type": "object",
            "minProperties": 1,
            "description": "The steps by name.",
            "propertyNames": { "pattern": "^([A-Za-z0-9_][A-Za-z0-9_-]*|<<)$" },
            "additionalProperties": { "$ref": "#/$defs/step" },
        },
        "component_reference": {
            "description": "A component file, a registered component, or one written here.",
            "anyOf": [{ "type": "string", "minLength": 1 }, { "$ref": "#/$defs/component" }],
        },
        "component_step": component_step(),
        "pipeline_component": pipeline_component(),
    });
    let (mut steps, mut components, mut single) = (
        vec![json!({ "$ref": "#/$defs/component_step" })],
        Vec::new(),
        Vec::new(),
    );
    for kind in KINDS {
        let (step, component) = (inline_step(kind), component(kind));
        let mut alone = step.clone();
        extend(
            &mut alone["properties"],
            json!({ "settings": { "$ref": "#/$defs/settings" } }),
        );
        extend(
            &mut all,
            json!({ format!("{kind}_step"): step, format!("{kind}_component"): component, format!("{kind}_file"): alone }),
        );
        steps.push(json!({ "$ref": format!("#/$defs/{kind}_step") }));
        components.push(json!({ "$ref": format!("#/$defs/{kind}_component") }));
        single.push(json!({ "$ref": format!("#/$defs/{kind}_file") }));
    }
    for kind in ["copy", "register_model"] {
        extend(&mut all, json!({ format!("{kind}_step"): own_step(kind) }));
        steps.push(json!({ "$ref": format!("#/$defs/{kind}_step") }));
    }
    components.push(json!({ "$ref": "#/$defs/pipeline_component" }));
    extend(
        &mut all,
        json!({
            "step": { "anyOf": steps },
            "component": { "anyOf": components },
            "single_step": { "anyOf": single, "description": "A file that is one step by itself." },
        }),
    );
    all
}

/// The key that says the kind; `command` and `sweep` steps show it by their other keys.
fn with_type(mut schema: Value, kind: &str) -> Value {
    let implied = matches!(kind, "command" | "sweep" | "spark");
    let own = required(kind).iter().copied();
    let needed: Vec<&str> = own.chain((!implied).then_some("type")).collect();
    extend(&mut schema["properties"], json!({ "type": { "const": kind } }));
    schema["required"] = json!(needed);
    schema
}

fn inline_step(kind: &str) -> Value {
    let mut properties = step();
    extend(&mut properties, around());
    extend(&mut properties, of_kind(kind));
    with_type(
        object(&format!("A `{kind}` step written inline."), &properties),
        kind,
    )
}

fn component_step() -> Value {
    let mut properties = step();
    extend(&mut properties, around());
    extend(
        &mut properties,
        json!({
            "type": { "enum": ["command", "pipeline", "sweep", "parallel", "spark", "automl", "data_transfer"] },
            "component": { "$ref": "#/$defs/component_reference" },
            "distribution": { "$ref": "#/$defs/distribution" },
            "limits": { "$ref": "#/$defs/limits" },
        }),
    );
    extend(&mut properties, json!({ "code": false }));
    let mut schema = object("A step that uses a component.", &properties);
    schema["required"] = json!(["component"]);
    schema
}

fn component(kind: &str) -> Value {
    let mut properties = json!({
        "inputs": { "$ref": "#/$defs/declared_inputs" },
        "outputs": { "$ref": "#/$defs/declared_outputs" },
        "successful_return_code": {},
        "meta": {},
        "compute": {},
        "additional_includes": {},
    });
    extend(&mut properties, about());
    extend(&mut properties, around());
    extend(&mut properties, of_kind(kind));
    with_type(object(&format!("A `{kind}` component."), &properties), kind)
}

fn pipeline_component() -> Value {
    let mut properties = json!({
        "type": { "const": "pipeline" },
        "inputs": { "$ref": "#/$defs/declared_inputs" },
        "outputs": { "$ref": "#/$defs/declared_outputs" },
        "jobs": { "$ref": "#/$defs/jobs" },
        "settings": { "$ref": "#/$defs/settings" },
        "is_deterministic": { "type": "boolean" },
        "services": {}, "queue_settings": {}, "successful_return_code": {}, "meta": {}, "compute": {}, "additional_includes": {},
    });
    extend(&mut properties, about());
    let mut schema = object("A pipeline component.", &properties);
    schema["required"] = json!(["jobs"]);
    schema
}
