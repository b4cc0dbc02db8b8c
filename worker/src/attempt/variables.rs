//! The environment of a step's process. Nothing is inherited from the daemon; what is here is all there is.

use super::command::Values;
use super::folder::Folder;
use crate::environments::{Ready, listings};
use crate::slots::Grant;
use std::collections::BTreeMap;
use std::path::Path;
use tidemill_protocol::wire::StepTask;

/// Makes the variables: the worker's base, then tidemill's, then the author's, then those that nobody may change. `PATH` is the author's or the base's,
/// with the environment's programs before it; `PYTHONPATH` with what puts listings in order.
pub(crate) fn variables(
    base: &BTreeMap<String, String>,
    task: &StepTask,
    grant: &Grant,
    environment: &Ready,
    folder: &Folder,
    listings_folder: &Path,
) -> BTreeMap<String, String> {
    let mut all = base.clone();
    let threads = grant.cpus.to_string();
    for name in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"] {
        all.insert(name.into(), threads.clone());
    }
    all.insert("PYTHONUNBUFFERED".into(), "1".into());
    all.insert("TMPDIR".into(), text(&folder.temporary()));
    if !grant.gpu_ids.is_empty() {
        // By name: numbers depend on the order in which CUDA counts.
        all.insert("CUDA_VISIBLE_DEVICES".into(), grant.gpu_ids.join(","));
    }
    all.extend(azure_names(task));
    all.extend(task.template.work.environment_variables.clone());
    if let Some(folder) = &environment.folder {
        let path = all.get("PATH").cloned().unwrap_or_default();
        all.insert("PATH".into(), format!("{}:{path}", text(&folder.join("bin"))));
        all.insert("VIRTUAL_ENV".into(), text(folder));
        all.remove("PYTHONHOME");
    }
    let others = all.get("PYTHONPATH").map(String::as_str);
    let search_path = listings::search_path(&text(listings_folder), others);
    all.insert("PYTHONPATH".into(), search_path);
    all.extend(own_names(task, folder));
    all
}

/// Names that scripts written for Azure ML look up.
fn azure_names(task: &StepTask) -> [(String, String); 4] {
    [
        ("AZUREML_RUN_ID", format!("{}.{}", task.attempt.run, task.path)),
        ("AZUREML_ROOT_RUN_ID", task.attempt.run.to_string()),
        ("AZUREML_ARM_PROJECT_NAME", task.experiment.to_string()),
        ("AZUREML_EXPERIMENT_NAME", task.experiment.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}

fn own_names(task: &StepTask, folder: &Folder) -> Vec<(String, String)> {
    let id = &task.attempt;
    let mut own = vec![
        ("TIDEMILL_RUN_ID", id.run.to_string()),
        ("TIDEMILL_STEP", task.path.to_string()),
        ("TIDEMILL_ATTEMPT", id.attempt.to_string()),
        ("TIDEMILL_PIPELINE", task.pipeline.to_string()),
        ("TIDEMILL_EXPERIMENT", task.experiment.to_string()),
        ("TIDEMILL_TARGET", task.template.rules.target.to_string()),
        // The same for every attempt at the step: what a step uses towards others so that its effect happens once.
        ("TIDEMILL_IDEMPOTENCY_KEY", format!("{}/{}", id.run, task.path)),
        ("TIDEMILL_WORK_DIR", text(&folder.work())),
    ];
    if let Some(trace) = &task.trace_parent {
        own.push(("TRACEPARENT", trace.clone()));
    }
    own.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The variables that carry inputs and outputs, in the author's case, and under the names that Azure ML gives them.
pub(crate) fn value_variables(values: &Values) -> Vec<(String, String)> {
    let named = |ours: &str, theirs: &str, name: &str, value: &str| {
        [
            (format!("{ours}_{name}"), value.to_owned()),
            (format!("{theirs}_{name}"), value.to_owned()),
        ]
    };
    let inputs = values
        .inputs
        .iter()
        .flat_map(|(n, v)| named("TIDEMILL_INPUT", "AZURE_ML_INPUT", n.as_str(), v));
    let outputs = values
        .outputs
        .iter()
        .flat_map(|(n, v)| named("TIDEMILL_OUTPUT", "AZURE_ML_OUTPUT", n.as_str(), v));
    inputs.chain(outputs).collect()
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str()
        .expect("the state folder is UTF-8 (checked at the start) and so is every name below it")
        .to_owned()
}
