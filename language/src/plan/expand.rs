//! Flattening: nested pipelines become leaves with dotted paths. The leaves of one nested pipeline stand side by side, so that "inside it"
//! is a range of indices.

use super::problems::ProblemList;
use crate::diagnostic::Code;
use std::collections::HashMap;
use std::ops::Range;
use tidemill_protocol::ids::{StepIndex, StepPath};
use tidemill_protocol::name::PortName;
use tidemill_protocol::plan::{STEPS_PER_RUN_MAX, StepOutput};
use tidemill_protocol::spec::{
    ComponentBody, ComponentSpec, DataType, GraphSpec, NESTING_MAX, OutputRef, PipelineSpec, StepSpec,
};

/// A step that is executed.
pub(super) struct Leaf<'s> {
    pub(super) path: StepPath,
    pub(super) step: &'s StepSpec,
    pub(super) component: &'s ComponentSpec,
    /// The pipeline that holds it.
    pub(super) instance: usize,
}

/// One use of a pipeline: the root, or a step whose component is one.
pub(super) struct Instance<'s> {
    pub(super) graph: &'s GraphSpec,
    pub(super) component: &'s ComponentSpec,
    /// The step that it is, and the pipeline that holds that step; none for the root.
    pub(super) parent: Option<(usize, &'s StepSpec)>,
    /// Its path with a dot behind, empty for the root.
    pub(super) prefix: String,
    /// What each of its steps became.
    pub(super) nodes: Vec<Node>,
    names: HashMap<&'s str, usize>,
    /// Its leaves.
    pub(super) range: Range<usize>,
}

#[derive(Clone, Copy)]
pub(super) enum Node {
    Leaf(usize),
    Graph(usize),
}

pub(super) struct Expansion<'s> {
    pub(super) leaves: Vec<Leaf<'s>>,
    /// The root first, and every pipeline before those inside it.
    pub(super) instances: Vec<Instance<'s>>,
}

impl<'s> Expansion<'s> {
    pub(super) fn of(spec: &'s PipelineSpec, problems: &mut ProblemList) -> Option<Self> {
        let root = spec.components.get(spec.root as usize);
        let Some((root, ComponentBody::Graph(graph))) = root.map(|root| (root, &root.body)) else {
            problems.add(Code::BadSpec, "", "the pipeline's root is no pipeline");
            return None;
        };
        let mut expansion = Self {
            leaves: Vec::new(),
            instances: Vec::new(),
        };
        let first = expansion.instance(graph, root, None, String::new());
        expansion.fill(spec, first, 0, problems);
        if expansion.leaves.is_empty() && problems.is_empty() {
            problems.add(Code::MissingKey, "jobs", "the pipeline has no steps");
        }
        problems.is_empty().then_some(expansion)
    }

    fn instance(
        &mut self,
        graph: &'s GraphSpec,
        component: &'s ComponentSpec,
        parent: Option<(usize, &'s StepSpec)>,
        prefix: String,
    ) -> usize {
        self.instances.push(Instance {
            graph,
            component,
            parent,
            prefix,
            nodes: Vec::with_capacity(graph.steps.len()),
            names: graph
                .steps
                .iter()
                .enumerate()
                .map(|(at, step)| (step.name.as_str(), at))
                .collect(),
            range: self.leaves.len()..self.leaves.len(),
        });
        self.instances.len() - 1
    }

    /// Expands the steps of an instance. Recursion goes as deep as pipelines are nested, which is capped.
    fn fill(&mut self, spec: &'s PipelineSpec, instance: usize, depth: usize, problems: &mut ProblemList) {
        let graph = self.instances[instance].graph;
        if self.instances[instance].names.len() != graph.steps.len() {
            let prefix = &self.instances[instance].prefix;
            problems.add(Code::BadSpec, prefix, "two steps have the same name");
        }
        for step in &graph.steps {
            if self.leaves.len() >= STEPS_PER_RUN_MAX || self.instances.len() >= STEPS_PER_RUN_MAX {
                let message = format!(
                    "the pipeline has more than {STEPS_PER_RUN_MAX} steps once nested pipelines are expanded"
                );
                problems.add(Code::TooManySteps, "jobs", message);
                return;
            }
            let text = format!("{}{}", self.instances[instance].prefix, step.name);
            let Ok(path) = text.parse::<StepPath>() else {
                problems.add(Code::BadName, &text, "the step's path is too long");
                return;
            };
            let Some(component) = spec.components.get(step.component as usize) else {
                problems.add(Code::BadSpec, &text, "the step's component is missing");
                continue;
            };
            let node = if let ComponentBody::Graph(inner) = &component.body {
                if depth >= NESTING_MAX {
                    let message = format!("pipelines are nested more than {NESTING_MAX} deep");
                    problems.add(Code::NestedTooDeep, &text, message);
                    return;
                }
                let nested = self.instance(inner, component, Some((instance, step)), format!("{text}."));
                self.fill(spec, nested, depth + 1, problems);
                Node::Graph(nested)
            } else {
                self.leaves.push(Leaf {
                    path,
                    step,
                    component,
                    instance,
                });
                Node::Leaf(self.leaves.len() - 1)
            };
            self.instances[instance].nodes.push(node);
        }
        self.instances[instance].range.end = self.leaves.len();
    }

    /// What a step of an instance became.
    pub(super) fn node(&self, instance: usize, name: &str) -> Option<Node> {
        let instance = &self.instances[instance];
        let at = instance.names.get(name)?;
        instance.nodes.get(*at).copied()
    }

    /// The leaf whose output an output of an instance's step is, and what it holds.
    pub(super) fn output(&self, instance: usize, source: &OutputRef) -> Option<(StepOutput, DataType)> {
        let (mut instance, mut source) = (instance, source);
        // Each turn goes one pipeline deeper, and nesting is capped.
        loop {
            match self.node(instance, source.step.as_str())? {
                Node::Leaf(index) => {
                    let declared = self.leaves[index].component.outputs.get(&source.output)?;
                    let output = StepOutput {
                        step: StepIndex(u32::try_from(index).ok()?),
                        output: source.output.clone(),
                    };
                    return Some((output, declared.data_type));
                }
                Node::Graph(nested) => {
                    source = self.instances[nested].graph.outputs.get(&source.output)?;
                    instance = nested;
                }
            }
        }
    }

    /// How outputs are registered by the pipelines around the leaves: leaf, its output, registration.
    pub(super) fn outer_registrations(
        &self,
    ) -> Vec<(usize, PortName, &'s tidemill_protocol::plan::Registration)> {
        let mut found = Vec::new();
        for (index, instance) in self.instances.iter().enumerate() {
            let Some((parent, step)) = instance.parent else {
                continue;
            };
            for (output, registration) in &step.registers {
                let source = OutputRef {
                    step: step.name.clone(),
                    output: output.clone(),
                };
                if let Some((leaf, _)) = self.output(parent, &source) {
                    found.push((leaf.step.as_usize(), leaf.output, registration));
                }
            }
            debug_assert!(index > parent, "a pipeline stands before those inside it");
        }
        found
    }
}
