//! Planning: a spec and parameters become a plan. Pure, and trusting nothing: the spec may come from anywhere, so every index, name and
//! expression in it is checked again here, and everything is bounded.
//!
//! [`expand`] flattens nested pipelines, [`bind`] gives every input its value or its source, [`edges`] works out what waits for what, and
//! [`template`] makes what steps share; what tidemill does itself is in [`builtin`]; [`size`] sees to it that a step fits a message.

mod bind;
mod builtin;
mod edges;
mod expand;
mod expanded;
mod problems;
mod size;
mod template;

use bind::Binder;
use expand::Expansion;
use problems::ProblemList;
use std::collections::BTreeMap;
use std::sync::Arc;
use template::Templates;
use tidemill_protocol::api::Problem;
use tidemill_protocol::datastore::Datastore;
use tidemill_protocol::name::Name;
use tidemill_protocol::plan::{Plan, PlannedStep, StepOutput};
use tidemill_protocol::project::default_project;
use tidemill_protocol::spec::{
    ComponentBody, ComponentSpec, GraphSpec, OutputRef, PipelineSpec, SPEC_FORMAT, StepOverrides, StepSpec,
    TargetSpec,
};

use crate::diagnostic::Code;

/// What the only step of a component that is checked is called.
const ONLY_STEP: &str = "component";

/// What a submission says beside the pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanRequest {
    /// Values for the pipeline's inputs, as text; the declared types decide how each is read.
    pub parameters: BTreeMap<String, String>,
    /// What people call the run; the pipeline's display name when absent.
    pub display_name: Option<String>,
    /// The experiment; the pipeline's when absent.
    pub experiment: Option<String>,
    /// Labels beside the pipeline's own, which they replace when equally named.
    pub tags: BTreeMap<String, String>,
    /// Added to every step's priority.
    pub priority: i32,
    /// Run every step, whatever is known.
    pub force_rerun: bool,
    /// The datastores that there are, for addresses that lie in one without naming it. None where nobody could be asked: then none is missed.
    pub datastores: Option<BTreeMap<Name, Datastore>>,
}

/// Plans one run: binds the parameters, expands nested pipelines, and resolves every name. Reports every problem at once.
pub fn plan(spec: &PipelineSpec, request: &PlanRequest) -> Result<Plan, Vec<Problem>> {
    let mut problems = ProblemList::default();
    if spec.format != SPEC_FORMAT {
        let message = format!(
            "the pipeline has format {}, this version reads {SPEC_FORMAT}",
            spec.format
        );
        problems.add(Code::BadSpec, "", message);
        return Err(problems.into_list());
    }
    let experiment = experiment(spec, request, &mut problems);
    let Some(expansion) = Expansion::of(spec, &mut problems) else {
        return Err(problems.into_list());
    };
    let mut binder = Binder::new(spec, &expansion, &mut problems);
    binder.bind(request);
    let (bound, scopes) = binder.finish();
    let edges = edges::find(&expansion, &bound, &mut problems);
    let mut templates = Templates::new(spec, &expansion, request);
    let mut steps = Vec::with_capacity(expansion.leaves.len());
    for (index, (inputs, after)) in bound.into_iter().zip(edges.after).enumerate() {
        let template = templates.of(index, &inputs, &scopes, &edges.when, &mut problems);
        let path = expansion.leaves[index].path.as_str();
        size::check(path, templates.bytes(template), &inputs, &mut problems);
        steps.push(PlannedStep {
            path: expansion.leaves[index].path.clone(),
            template,
            inputs: inputs
                .into_iter()
                .map(|(name, input)| (name, input.binding))
                .collect(),
            after,
        });
    }
    let outputs = outputs(spec, &expansion);
    if !problems.is_empty() {
        return Err(problems.into_list());
    }
    let mut tags = spec.tags.clone();
    tags.extend(request.tags.clone());
    Ok(Plan {
        pipeline: spec.name.clone(),
        display_name: request
            .display_name
            .clone()
            .unwrap_or_else(|| spec.display_name.clone()),
        experiment,
        project: default_project(),
        description: spec.description.clone(),
        tags,
        parameters: bind::parameters(&scopes),
        on_step_failure: spec.on_step_failure,
        force_rerun: spec.force_rerun || request.force_rerun,
        templates: templates.finish(),
        steps,
        outputs,
        warnings: spec.warnings.clone(),
        assets: spec.assets.clone(),
        spec: None,
    })
}

/// What is wrong with a pipeline whatever values its parameters will have.
pub fn check(spec: &PipelineSpec) -> Vec<Problem> {
    let mut problems = plan(spec, &PlanRequest::default()).err().unwrap_or_default();
    problems.retain(|problem| problem.code != Code::MissingInput.as_str());
    problems
}

/// What is wrong with a component whatever is bound to it: its root may be of any kind, and is checked as the only step of a pipeline.
pub fn check_component(spec: &PipelineSpec) -> Vec<Problem> {
    let step = StepSpec {
        name: ONLY_STEP.parse().expect("a legal name"),
        component: spec.root,
        display_name: String::new(),
        inputs: BTreeMap::new(),
        registers: BTreeMap::new(),
        depends_on: Vec::new(),
        overrides: StepOverrides::default(),
    };
    let graph = GraphSpec {
        steps: vec![step],
        outputs: BTreeMap::new(),
        default_target: Some(TargetSpec::Name(spec.name.clone())),
    };
    let around = ComponentSpec {
        name: None,
        version: None,
        display_name: String::new(),
        inputs: BTreeMap::new(),
        outputs: BTreeMap::new(),
        deterministic: true,
        body: ComponentBody::Graph(graph),
    };
    let mut whole = spec.clone();
    whole.root = u32::try_from(whole.components.len()).unwrap_or(u32::MAX);
    whole.components.push(Arc::new(around));
    check(&whole)
}

fn experiment(spec: &PipelineSpec, request: &PlanRequest, problems: &mut ProblemList) -> Name {
    match request.experiment.as_deref().map(str::parse::<Name>) {
        Some(Ok(name)) => name,
        Some(Err(error)) => {
            problems.add(Code::BadName, "experiment", error.to_string());
            spec.experiment.clone()
        }
        None => spec.experiment.clone(),
    }
}

/// Which step outputs are the pipeline's own.
fn outputs(
    spec: &PipelineSpec,
    expansion: &Expansion<'_>,
) -> BTreeMap<tidemill_protocol::name::PortName, StepOutput> {
    let _ = spec;
    let root = &expansion.instances[0];
    let resolved = root
        .graph
        .outputs
        .iter()
        .filter_map(|(name, source): (_, &OutputRef)| {
            let (output, _) = expansion.output(0, source)?;
            Some((name.clone(), output))
        });
    resolved.collect()
}
