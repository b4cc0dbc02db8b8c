//! The steps of a pipeline together: their names, what fills the pipeline's outputs, and that no step waits for itself.

use super::Loader;
use super::binding::Scope;
use super::step::{Draft, ReadStep};
use crate::diagnostic::{Code, Place, did_you_mean};
use crate::order;
use crate::yaml::Entry;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use tidemill_protocol::ids::StepPath;
use tidemill_protocol::name::PortName;
use tidemill_protocol::plan::{Registration, STEPS_PER_FILE_MAX};
use tidemill_protocol::spec::{BindingSource, GraphSpec, InputSpec, OutputRef, OutputSpec, TargetSpec};

/// The interface of the pipeline whose steps are read.
pub(super) struct Around<'a> {
    pub(super) folder: &'a Path,
    pub(super) inputs: &'a BTreeMap<PortName, InputSpec>,
    pub(super) outputs: &'a BTreeMap<PortName, OutputSpec>,
    /// How the pipeline's own outputs are registered.
    pub(super) registers: &'a BTreeMap<PortName, Registration>,
    pub(super) default_target: Option<TargetSpec>,
    pub(super) place: Place,
}

impl Loader<'_> {
    /// Reads the steps of a pipeline.
    pub(super) fn graph(&mut self, jobs: &[Entry], around: &Around<'_>) -> GraphSpec {
        let mut graph = GraphSpec {
            steps: Vec::with_capacity(jobs.len()),
            outputs: BTreeMap::new(),
            default_target: around.default_target.clone(),
        };
        if jobs.is_empty() {
            self.findings
                .add(
                    Code::MissingKey,
                    around.place,
                    "jobs",
                    "the pipeline has no steps",
                )
                .help_text("add them under `jobs:`");
        }
        self.steps += jobs.len();
        if self.steps > STEPS_PER_FILE_MAX {
            let message = format!("the pipeline has more than {STEPS_PER_FILE_MAX} steps");
            self.findings
                .add(Code::TooManySteps, around.place, "jobs", message);
            return graph;
        }
        let drafts: Vec<Draft<'_>> = jobs
            .iter()
            .filter_map(|entry| self.draft(entry, "jobs", around.folder, around.outputs))
            .collect();
        let scope = Scope {
            folder: around.folder,
            inputs: around.inputs,
            outputs: around.outputs,
            steps: drafts
                .iter()
                .map(|draft| (draft.name.clone(), self.gives(draft)))
                .collect(),
        };
        let mut places = Vec::with_capacity(drafts.len());
        for draft in drafts {
            if self.findings.is_full() {
                return graph;
            }
            if let Some(read) = self.step(draft, &scope) {
                places.push(read.place);
                self.fill(&mut graph, read, &scope, around.registers);
            }
        }
        self.declare_read_artifacts(&mut graph);
        for (name, _) in scope
            .outputs
            .iter()
            .filter(|(name, _)| !graph.outputs.contains_key(*name))
        {
            self.findings
                .add(
                    Code::UnfilledOutput,
                    around.place,
                    &format!("outputs.{name}"),
                    format!("no step fills the output `{name}`"),
                )
                .help_text(&format!(
                    "bind it at a step:\noutputs:\n  NAME: ${{{{parent.outputs.{name}}}}}"
                ));
        }
        self.no_circle(&graph, &places);
        graph
    }

    /// Adds a step to the graph, and the pipeline's outputs that it fills.
    fn fill(
        &mut self,
        graph: &mut GraphSpec,
        mut read: ReadStep,
        scope: &Scope<'_>,
        registers: &BTreeMap<PortName, Registration>,
    ) {
        for (own, filled, place) in read.fills {
            let path = format!("jobs.{}.outputs.{own}", read.step.name);
            let Some((port, _)) = scope.outputs.get_key_value(filled.as_str()) else {
                self.findings
                    .add(
                        Code::UnknownOutput,
                        place,
                        &path,
                        format!("the pipeline has no output `{filled}`"),
                    )
                    .help_with(did_you_mean(&filled, scope.outputs.keys().map(PortName::as_str)));
                continue;
            };
            if let Some(first) = graph.outputs.get(port) {
                let message = format!(
                    "the output `{filled}` of the pipeline is filled by the step `{}` already",
                    first.step
                );
                self.findings.add(Code::OutputFilledTwice, place, &path, message);
                continue;
            }
            if let Some(registration) = registers.get(port) {
                read.step
                    .registers
                    .entry(own.clone())
                    .or_insert_with(|| registration.clone());
            }
            let source = OutputRef {
                step: read.step.name.clone(),
                output: own,
            };
            graph.outputs.insert(port.clone(), source);
        }
        graph.steps.push(read.step);
    }

    fn no_circle(&mut self, graph: &GraphSpec, places: &[Place]) {
        let index: HashMap<&StepPath, usize> = graph
            .steps
            .iter()
            .enumerate()
            .map(|(i, step)| (&step.name, i))
            .collect();
        let before: Vec<Vec<usize>> = graph
            .steps
            .iter()
            .map(|step| {
                let data = step.inputs.values().filter_map(|binding| match &binding.source {
                    BindingSource::Step(output) => Some(&output.step),
                    _ => None,
                });
                data.chain(&step.depends_on)
                    .filter_map(|name| index.get(name).copied())
                    .collect()
            })
            .collect();
        let Some(mut circle) = order::cycle(&before) else {
            return;
        };
        // The drawing starts with the step that stands first in the file.
        let first = circle
            .iter()
            .enumerate()
            .min_by_key(|(_, step)| **step)
            .map_or(0, |(at, _)| at);
        circle.rotate_left(first);
        let drawn = order::drawn(circle.iter().map(|step| graph.steps[*step].name.as_str()));
        let place = circle
            .first()
            .and_then(|step| places.get(*step))
            .copied()
            .unwrap_or_default();
        self.findings
            .add(
                Code::Cycle,
                place,
                "jobs",
                format!("steps wait for each other in a circle: {drawn}"),
            )
            .label("part of the circle")
            .help_text("remove one of the inputs or `depends_on` entries that close it");
    }
}
