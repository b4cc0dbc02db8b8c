//! What a plan needs of the secrets: those that it names must be there before a run of it begins.

use super::state::Secrets;
use std::collections::BTreeSet;
use tidemill_language::{Code, Severity};
use tidemill_protocol::api::Problem;
use tidemill_protocol::name::Name;
use tidemill_protocol::plan::{Plan, StepTemplate};

/// Most problems that are said at once.
const PROBLEMS_MAX: usize = 100;

/// Whether any step of the plan names a secret.
pub(crate) fn names_any(plan: &Plan) -> bool {
    plan.templates
        .iter()
        .any(|template| wanted_by(template).next().is_some())
}

/// The secrets that a step's attempts are given: those of its process, and those with which its inputs are brought.
pub(crate) fn wanted_by(template: &StepTemplate) -> impl Iterator<Item = (&str, &Name)> {
    let own = template
        .work
        .secrets
        .iter()
        .map(|(variable, wanted)| (variable.as_str(), &wanted.secret));
    let reads = template.rules.reads.iter().flat_map(|store| &store.secrets);
    own.chain(reads.map(|(option, secret)| (option.as_str(), secret)))
}

/// The secrets that a plan names and nobody has set: each once, at the first step that names it.
pub(crate) fn missing(plan: &Plan, secrets: &Secrets) -> Vec<Problem> {
    let mut said = BTreeSet::new();
    let mut problems = Vec::new();
    for step in &plan.steps {
        for (variable, name) in wanted_by(plan.template(step)) {
            if secrets.get(name).is_some() || problems.len() >= PROBLEMS_MAX || !said.insert(name) {
                continue;
            }
            problems.push(Problem {
                code: Code::UnknownSecret.as_str().to_owned(),
                severity: Severity::Error.as_str().to_owned(),
                message: format!("the coordinator has no secret `{name}`"),
                help: Some(format!("set it with `tidemill secret set {name}`")),
                file: None,
                line: None,
                column: None,
                path: format!("{}.secrets.{variable}", step.path),
            });
        }
    }
    problems
}
