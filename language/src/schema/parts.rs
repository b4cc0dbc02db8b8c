//! The parts of the schema that pipelines, components and steps share.

use serde_json::{Value, json};
use tidemill_protocol::plan::SECRETS_PER_STEP_MAX;

/// Adds the properties of `more`.
pub(super) fn extend(properties: &mut Value, more: Value) {
    if let (Value::Object(properties), Value::Object(more)) = (properties, more) {
        properties.extend(more);
    }
}

/// An object with these properties and no others, but the author's own (`x-…`) and merge keys.
pub(super) fn object(description: &str, properties: &Value) -> Value {
    json!({
        "type": "object",
        "description": description,
        "properties": properties,
        "patternProperties": { "^(x-|<<$)": {} },
        "additionalProperties": false,
    })
}

/// What names and describes a file or step.
pub(super) fn about() -> Value {
    json!({
        "$schema": { "type": "string" },
        "name": { "$ref": "#/$defs/text" },
        "version": { "$ref": "#/$defs/text" },
        "display_name": { "$ref": "#/$defs/text" },
        "description": { "$ref": "#/$defs/text" },
        "tags": { "type": "object" },
        "properties": { "type": "object" },
        "identity": {},
    })
}

pub(super) fn definitions() -> Value {
    let mut all = values();
    extend(&mut all, ports());
    extend(&mut all, rules());
    all
}

fn values() -> Value {
    json!({
        "text": { "type": ["string", "number", "boolean", "null"] },
        "scalar": { "type": ["string", "number", "boolean"] },
        "count": { "type": "integer", "minimum": 0 },
        "duration": {
            "description": "A length of time: a number of seconds, or e.g. `90s`, `1h30m`, `2d`.",
            "anyOf": [
                { "type": "number", "exclusiveMinimum": 0 },
                { "type": "string", "pattern": "^\\s*([0-9.]+|([0-9.]+(ms|s|sec|m|min|h|d)\\s*)+)\\s*$" },
            ],
        },
        "compute": {
            "type": "string",
            "minLength": 1,
            "description": "A compute target, `azureml:NAME`, or `${{parent.inputs.NAME}}`.",
            "pattern": "^(azureml:)?([A-Za-z0-9/]|\\$\\{\\{|<)",
        },
        "environment": {
            "description": "A registered environment, an environment file, or one written here.",
            "anyOf": [{ "type": "string", "minLength": 1 }, { "$ref": "#/$defs/inline_environment" }],
        },
        "inline_environment": object("The software around a step.", &json!({
            "$schema": { "type": "string" },
            "name": { "$ref": "#/$defs/text" },
            "version": { "$ref": "#/$defs/text" },
            "description": { "$ref": "#/$defs/text" },
            "tags": { "type": "object" },
            "properties": { "type": "object" },
            "os_type": {},
            "inference_config": {},
            "type": {},
            "image": { "type": "string" },
            "conda_file": { "type": ["string", "object"], "description": "A conda file, or its content." },
            "requirements": { "type": ["string", "array"], "description": "A requirements file, or its lines." },
            "python": { "$ref": "#/$defs/text", "description": "The Python version wanted." },
            "build": { "type": "object" },
        })),
        "environment_variables": {
            "type": "object",
            "propertyNames": { "pattern": "^(?!TIDEMILL_)[A-Za-z_][A-Za-z0-9_]*$" },
            "additionalProperties": { "$ref": "#/$defs/text" },
        },
        "secrets": {
            "type": "object",
            "description": "Secrets by the environment variable through which the step finds them: their names, never their values.",
            "maxProperties": SECRETS_PER_STEP_MAX,
            "propertyNames": { "pattern": "^((?!TIDEMILL_)[A-Za-z_][A-Za-z0-9_]*|<<)$" },
            "additionalProperties": { "anyOf": [{ "$ref": "#/$defs/secret_name" }, object("A secret, and how the step is given it.", &json!({
                "secret": { "$ref": "#/$defs/secret_name" },
                "as": { "enum": ["variable", "file"], "description": "`file`: the variable holds the path of a file that only the step may read." },
            }))] },
        },
        "secret_name": { "type": ["string", "integer"], "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$" },
    })
}

fn ports() -> Value {
    let mode = json!({ "enum": ["ro_mount", "rw_mount", "mount", "download", "upload", "direct", "eval_mount", "eval_download"] });
    let data = [
        "uri_file",
        "uri_folder",
        "path",
        "mltable",
        "mlflow_model",
        "custom_model",
        "triton_model",
    ];
    let literal = [
        "string", "str", "integer", "int", "number", "float", "boolean", "bool",
    ];
    let all: Vec<&str> = literal.into_iter().chain(data).collect();
    let port_names = json!({ "pattern": "^([A-Za-z_][A-Za-z0-9_]*|<<)$" });
    json!({
        "declared_inputs": { "type": ["object", "null"], "propertyNames": port_names, "additionalProperties": { "$ref": "#/$defs/declared_input" } },
        "declared_input": {
            "anyOf": [{ "$ref": "#/$defs/text" }, object("An input: its type, and its value or default.", &json!({
                "type": { "enum": all },
                "path": { "$ref": "#/$defs/scalar" },
                "value": { "$ref": "#/$defs/scalar" },
                "default": { "$ref": "#/$defs/text" },
                "optional": { "type": "boolean" },
                "min": { "$ref": "#/$defs/scalar" },
                "max": { "$ref": "#/$defs/scalar" },
                "enum": { "type": "array", "items": { "$ref": "#/$defs/scalar" } },
                "mode": mode,
                "description": { "$ref": "#/$defs/text" },
                "datastore": {},
                "pattern": {},
            }))],
        },
        "declared_outputs": { "type": ["object", "null"], "propertyNames": port_names, "additionalProperties": { "$ref": "#/$defs/output" } },
        "output": {
            "anyOf": [{ "type": ["string", "null"] }, object("An output.", &json!({
                "type": { "enum": data },
                "path": { "type": "string" },
                "mode": mode,
                "name": { "$ref": "#/$defs/text", "description": "Under which name it becomes a version in the catalog when the step has ended well." },
                "version": { "$ref": "#/$defs/text", "description": "Its version there; the next number when absent." },
                "label": { "$ref": "#/$defs/text", "description": "A label that is to point at it there." },
                "optional": { "type": "boolean", "description": "Whether the step may end well without it." },
                "description": { "$ref": "#/$defs/text" },
                "early_available": {},
                "tags": {},
                "properties": {},
            }))],
        },
        "bound_inputs": { "type": ["object", "null"], "propertyNames": port_names, "additionalProperties": { "$ref": "#/$defs/bound_input" } },
        "bound_input": {
            "anyOf": [{ "$ref": "#/$defs/text" }, object("What a step takes.", &json!({
                "type": { "enum": all },
                "path": { "$ref": "#/$defs/scalar" },
                "value": { "$ref": "#/$defs/scalar" },
                "default": { "$ref": "#/$defs/scalar" },
                "mode": mode,
                "optional": { "type": "boolean" },
                "description": { "$ref": "#/$defs/text" },
            }))],
        },
    })
}

fn rules() -> Value {
    json!({
        "settings": {
            "type": "object",
            "description": "What holds for all steps. Unknown settings only give a warning.",
            "properties": {
                "default_compute": { "$ref": "#/$defs/compute" },
                "default_datastore": { "type": "string" },
                "continue_on_step_failure": { "type": "boolean" },
                "force_rerun": { "type": "boolean" },
                "on_init": {},
                "on_finalize": {},
                "continue_run_on_failed_optional_input": {},
            },
        },
        "resources": object("What an attempt occupies.", &json!({
            "instance_count": { "type": "integer", "minimum": 1, "maximum": 1_000_000 },
            "cpus": { "$ref": "#/$defs/count" },
            "gpus": { "$ref": "#/$defs/count" },
            "memory": { "type": ["integer", "string"], "pattern": "^\\s*[0-9]+\\s*([kKmMgGtT]?[iI]?[bB]?)\\s*$" },
            "instance_type": {},
            "max_instance_count": {},
            "runtime_version": {},
            "shm_size": {},
            "docker_args": {},
            "properties": {},
            "locations": {},
        })),
        "distribution": object("How several processes of a step find each other.", &json!({
            "type": { "type": "string", "pattern": "^(?i:pytorch|tensorflow|mpi)$" },
            "process_count_per_instance": { "type": "integer", "minimum": 1, "maximum": 10_000 },
            "worker_count": { "$ref": "#/$defs/count" },
            "parameter_server_count": { "$ref": "#/$defs/count" },
        })),
        "limits": object("Limits of an attempt.", &json!({ "timeout": { "$ref": "#/$defs/duration" } })),
        "retry": {
            "description": "How often and when a failed attempt is followed by another.",
            "anyOf": [{ "type": "integer", "minimum": 0, "maximum": 100 }, object("Retries with pauses.", &json!({
                "max": { "type": "integer", "minimum": 0, "maximum": 100 },
                "backoff": { "$ref": "#/$defs/duration" },
                "factor": { "type": "number", "minimum": 1, "maximum": 100 },
                "backoff_max": { "$ref": "#/$defs/duration" },
            }))],
        },
        "checkpoint": {
            "description": "What an attempt saves in $TIDEMILL_CHECKPOINT is handed to the next one.",
            "anyOf": [{ "$ref": "#/$defs/duration" }, object("How often the folder is taken to the store, and where it is.", &json!({
                "every": { "$ref": "#/$defs/duration" },
                "path": { "type": "string", "minLength": 1 },
            }))],
        },
        "when": { "enum": ["on_success", "on_failure", "always"] },
        "depends_on": {
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
            "description": "Steps that must be over before this one, without any data passing.",
        },
    })
}
