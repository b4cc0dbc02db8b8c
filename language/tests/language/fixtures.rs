//! Finding, loading and planning the pipelines under `tests/fixtures`.

use std::path::{Path, PathBuf};
use tidemill_language::{Loaded, PlanRequest, Problems, Workspace, load, plan};
use tidemill_protocol::plan::{Plan, PlannedStep, StepTemplate};

/// The path of a fixture as it is shown in messages, the same on every machine.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new("tests/fixtures").join(name)
}

pub(crate) fn loaded(name: &str) -> Result<Loaded, Problems> {
    load(&path(name), &Workspace::default())
}

pub(crate) fn planned(name: &str) -> Plan {
    let loaded = loaded(name).unwrap_or_else(|problems| panic!("{name}: {problems}"));
    plan(&loaded.outline(), &PlanRequest::default()).unwrap_or_else(|problems| panic!("{name}: {problems:?}"))
}

/// Loads a pipeline that stands in the test itself.
pub(crate) fn loaded_text(text: &str) -> Result<Loaded, Problems> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.yml");
    std::fs::write(&file, text).unwrap();
    load(&file, &Workspace::default())
}

pub(crate) fn planned_text(text: &str) -> Plan {
    let loaded = loaded_text(text).unwrap_or_else(|problems| panic!("{problems}"));
    plan(&loaded.outline(), &PlanRequest::default()).unwrap_or_else(|problems| panic!("{problems:?}"))
}

pub(crate) fn step<'p>(plan: &'p Plan, path: &str) -> &'p PlannedStep {
    plan.steps
        .iter()
        .find(|step| step.path.as_str() == path)
        .unwrap_or_else(|| panic!("there is no step {path}"))
}

pub(crate) fn template<'p>(plan: &'p Plan, path: &str) -> &'p StepTemplate {
    plan.template(step(plan, path))
}

/// The names of the steps at these indices.
pub(crate) fn names(plan: &Plan, steps: &[tidemill_protocol::ids::StepIndex]) -> Vec<String> {
    steps
        .iter()
        .map(|step| plan.steps[step.as_usize()].path.to_string())
        .collect()
}

pub(crate) const GOOD: [&str; 11] = [
    "good/basics/hello.yml",
    "good/basics/data.yml",
    "good/basics/additions.yml",
    "good/basics/distribution.yml",
    "good/basics/single.yml",
    "good/basics/older.yml",
    "good/components/pipeline.yml",
    "good/components/kinds.yml",
    "good/nested/pipeline.yml",
    "good/nested/whole.yml",
    "good/nested/train_pipeline.yml",
];
