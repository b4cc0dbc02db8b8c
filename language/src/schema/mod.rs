//! Our JSON Schema: a superset of the Azure ML pipeline format, for editors (and for anybody who wants to check a file without us).
//! It says what shapes are allowed; whether names resolve, only loading can say.

#[cfg(test)]
mod keys;
mod parts;
mod steps;

use serde_json::{Value, json};

/// The JSON Schema (draft 2020-12) of pipeline, component and environment files. Its root accepts a pipeline file; `$defs/component` and
/// `$defs/environment` describe the other two.
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://tidemill.dev/schema/pipeline.json",
        "title": "tidemill pipeline",
        "description": "A pipeline: steps, and the data that runs between them.",
        "anyOf": [
            { "$ref": "#/$defs/pipeline" },
            { "$ref": "#/$defs/single_step" },
        ],
        "$defs": definitions(),
    })
}

fn definitions() -> Value {
    let mut all = serde_json::Map::new();
    for group in [parts::definitions(), steps::definitions()] {
        if let Value::Object(group) = group {
            all.extend(group);
        }
    }
    all.insert("pipeline".to_owned(), pipeline());
    Value::Object(all)
}

fn pipeline() -> Value {
    let mut properties = json!({
        "type": { "const": "pipeline", "description": "What the file is." },
        "experiment_name": { "type": "string", "description": "The experiment under which runs are filed." },
        "compute": { "$ref": "#/$defs/compute" },
        "settings": { "$ref": "#/$defs/settings" },
        "inputs": { "$ref": "#/$defs/declared_inputs" },
        "outputs": { "$ref": "#/$defs/declared_outputs" },
        "jobs": { "$ref": "#/$defs/jobs" },
        "component": { "$ref": "#/$defs/component_reference" },
        "services": {},
        "queue_settings": {},
        "parent_job_name": {},
    });
    parts::extend(&mut properties, parts::about());
    json!({
        "type": "object",
        "description": "A pipeline file.",
        "properties": properties,
        "patternProperties": { "^(x-|<<$)": {} },
        "additionalProperties": false,
        "anyOf": [{ "required": ["jobs"] }, { "required": ["type", "component"] }],
        "not": { "required": ["jobs", "component"] },
    })
}
