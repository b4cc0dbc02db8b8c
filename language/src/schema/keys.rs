//! That the schema and the loader know the same keys. The loader says of each mapping that it read which keys it asked for, and refuses every other;
//! the schema lists them. A key known to one of them alone fails here.

use super::schema;
use crate::load::keys_asked;
use std::collections::BTreeSet;

/// One of everything.
const EVERYTHING: &str = "
type: pipeline
inputs:
  declared: {type: string, default: a}
outputs:
  output: {type: uri_folder}
settings: {force_rerun: false}
jobs:
  command:
    type: command
    command: x
    environment: {image: python, conda_file: {dependencies: [python=3.10]}}
    resources: {cpus: 1}
    distribution: {type: mpi}
    limits: {timeout: 1}
    retry: {max: 1}
    checkpoint: {every: 60s}
    inputs:
      bound: {value: 1}
    outputs:
      output: ${{parent.outputs.output}}
  sweep:
    type: sweep
    trial: {command: x}
    search_space: {}
    objective: {}
  parallel:
    type: parallel
    task: {type: run_function}
  spark:
    type: spark
    entry: {file: x.py}
  automl:
    type: automl
    task: regression
    training_data: {path: https://example.org/t}
  data_transfer:
    type: data_transfer
    task: copy_data
  copy:
    type: copy
    inputs: {source: https://example.org/t}
    destination: file:///t
  register_model:
    type: register_model
    inputs: {model: https://example.org/t}
    name: m
  of_command:
    type: command
    component: {type: command, command: x}
  of_sweep:
    component: {type: sweep, trial: {command: x}, search_space: {}, objective: {}}
  of_parallel:
    component: {type: parallel, task: {type: run_function}}
  of_spark:
    component: {type: spark, entry: {file: x.py}}
  of_automl:
    component: {type: automl, task: regression, training_data: x}
  of_data_transfer:
    component: {type: data_transfer, task: copy_data}
  of_pipeline:
    component: {type: pipeline, jobs: {inner: {command: x}}}
";

/// Where each definition of the schema is met in that file.
const PLACES: [(&str, &str); 27] = [
    ("pipeline", ""),
    ("settings", "settings"),
    ("declared_input", "inputs.declared"),
    ("output", "outputs.output"),
    ("command_step", "jobs.command"),
    ("inline_environment", "jobs.command.environment"),
    ("resources", "jobs.command.resources"),
    ("distribution", "jobs.command.distribution"),
    ("limits", "jobs.command.limits"),
    ("retry", "jobs.command.retry"),
    ("checkpoint", "jobs.command.checkpoint"),
    ("bound_input", "jobs.command.inputs.bound"),
    ("sweep_step", "jobs.sweep"),
    ("parallel_step", "jobs.parallel"),
    ("spark_step", "jobs.spark"),
    ("automl_step", "jobs.automl"),
    ("data_transfer_step", "jobs.data_transfer"),
    ("copy_step", "jobs.copy"),
    ("register_model_step", "jobs.register_model"),
    ("component_step", "jobs.of_command"),
    ("command_component", "jobs.of_command.component"),
    ("sweep_component", "jobs.of_sweep.component"),
    ("parallel_component", "jobs.of_parallel.component"),
    ("spark_component", "jobs.of_spark.component"),
    ("automl_component", "jobs.of_automl.component"),
    ("data_transfer_component", "jobs.of_data_transfer.component"),
    ("pipeline_component", "jobs.of_pipeline.component"),
];

/// The keys of a definition, wherever in it its object stands. What is `false` may not be there.
fn listed(definition: &str) -> BTreeSet<String> {
    let schema = schema();
    let found = &schema["$defs"][definition];
    let alternatives = found["anyOf"].as_array().into_iter().flatten();
    let object = std::iter::once(found)
        .chain(alternatives)
        .find_map(|one| one["properties"].as_object());
    let object = object.unwrap_or_else(|| panic!("`{definition}` is no object of the schema"));
    let keys = object
        .iter()
        .filter(|(_, value)| **value != serde_json::Value::Bool(false));
    keys.map(|(key, _)| key.clone()).collect()
}

#[test]
fn the_schema_and_the_loader_know_the_same_keys() {
    let asked = keys_asked(EVERYTHING);
    let mut differences = Vec::new();
    for (definition, path) in PLACES {
        let mut loader: BTreeSet<String> = asked
            .iter()
            .filter(|(found, _)| found == path)
            .flat_map(|(_, keys)| keys.iter().map(ToString::to_string))
            .collect();
        assert!(!loader.is_empty(), "nothing was read at `{path}`");
        if definition.ends_with("_step") && definition != "component_step" {
            // With `component`, it is another kind of step.
            loader.remove("component");
        }
        let schema = listed(definition);
        for key in schema.difference(&loader) {
            differences.push(format!("{definition}: `{key}` is in the schema alone"));
        }
        for key in loader.difference(&schema) {
            differences.push(format!("{definition}: `{key}` is in the loader alone"));
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
}
