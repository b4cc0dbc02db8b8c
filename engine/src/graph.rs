//! The graph of a run: the plan as submitted, the steps added since, and who comes after whom. How steps stand is not here.
//!
//! Edges are kept as one list per run, threaded through by the step that they leave: eight bytes an edge, and steps can be appended.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_protocol::ids::StepIndex;
use tidemill_protocol::plan::{InputBinding, Plan, PlannedStep, StepTemplate};

const END: u32 = u32::MAX;

/// The steps of a run and the edges between them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub(crate) struct Graph {
    plan: Arc<Plan>,
    added_templates: Vec<Arc<StepTemplate>>,
    added_steps: Vec<PlannedStep>,
    /// Per step, the first edge that leaves it.
    #[serde(skip)]
    first: Vec<u32>,
    /// Target and next edge of the same step.
    #[serde(skip)]
    edges: Vec<(StepIndex, u32)>,
}

/// What is written of a graph: the edges follow from the rest.
#[derive(Deserialize)]
struct Stored {
    plan: Arc<Plan>,
    added_templates: Vec<Arc<StepTemplate>>,
    added_steps: Vec<PlannedStep>,
}

impl From<Stored> for Graph {
    fn from(stored: Stored) -> Self {
        let mut graph = Self::new(stored.plan);
        graph.append(stored.added_templates, stored.added_steps);
        graph
    }
}

impl Graph {
    pub(crate) fn new(plan: Arc<Plan>) -> Self {
        let mut graph = Self {
            plan,
            added_templates: Vec::new(),
            added_steps: Vec::new(),
            first: Vec::new(),
            edges: Vec::new(),
        };
        graph.thread_from(0);
        graph
    }

    /// Appends steps whose edges name steps that exist then. Edges leave old steps and new ones alike.
    pub(crate) fn append(&mut self, templates: Vec<Arc<StepTemplate>>, steps: Vec<PlannedStep>) {
        let from = self.len();
        self.added_templates.extend(templates);
        self.added_steps.extend(steps);
        self.thread_from(from);
    }

    fn thread_from(&mut self, from: u32) {
        self.first.resize(self.len() as usize, END);
        let mut before_it = Vec::new();
        for index in from..self.len() {
            let after = StepIndex(index);
            before_it.extend(predecessors(self.planned(after)));
            for before in before_it.drain(..) {
                let edge = u32::try_from(self.edges.len()).expect("a run has fewer than 2^32 edges");
                let first = &mut self.first[before.as_usize()];
                self.edges.push((after, *first));
                *first = edge;
            }
        }
    }

    pub(crate) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.plan.steps.len() + self.added_steps.len()).expect("a run's steps are limited")
    }

    pub(crate) fn get(&self, step: StepIndex) -> Option<&PlannedStep> {
        let index = step.as_usize();
        let planned = self.plan.steps.len();
        if index < planned {
            self.plan.steps.get(index)
        } else {
            self.added_steps.get(index - planned)
        }
    }

    pub(crate) fn planned(&self, step: StepIndex) -> &PlannedStep {
        self.get(step)
            .expect("an edge or state names a step of its own run")
    }

    pub(crate) fn templates_len(&self) -> usize {
        self.plan.templates.len() + self.added_templates.len()
    }

    pub(crate) fn templates(&self) -> impl Iterator<Item = &Arc<StepTemplate>> {
        self.plan.templates.iter().chain(&self.added_templates)
    }

    pub(crate) fn template(&self, step: StepIndex) -> &Arc<StepTemplate> {
        let index = self.planned(step).template as usize;
        let planned = self.plan.templates.len();
        let template = if index < planned {
            self.plan.templates.get(index)
        } else {
            self.added_templates.get(index - planned)
        };
        template.expect("submission checked that every template exists")
    }

    /// The first edge that leaves `step`, for [`Self::edge`].
    pub(crate) fn first_edge(&self, step: StepIndex) -> u32 {
        self.first[step.as_usize()]
    }

    /// Where an edge leads, and the next edge of the same step; none at the end of the list. A cursor and no iterator, so that the engine may change
    /// steps between two edges.
    pub(crate) fn edge(&self, edge: u32) -> Option<(StepIndex, u32)> {
        self.edges.get(edge as usize).copied()
    }

    /// The steps that have an edge from `step`, each once.
    pub(crate) fn dependants(&self, step: StepIndex) -> impl Iterator<Item = StepIndex> + '_ {
        let mut cursor = self.first_edge(step);
        std::iter::from_fn(move || {
            let (target, next) = self.edge(cursor)?;
            cursor = next;
            Some(target)
        })
    }
}

/// The steps before this one, by data or order, each once, in no order of note.
pub(crate) fn predecessors(step: &PlannedStep) -> impl Iterator<Item = StepIndex> + '_ {
    let data = step
        .inputs
        .iter()
        .enumerate()
        .filter_map(|(place, (_, binding))| {
            let before = source(binding)?;
            // Inputs are few: looking back is cheaper than a set.
            let seen = step.inputs[..place]
                .iter()
                .any(|(_, earlier)| source(earlier) == Some(before));
            (!seen).then_some(before)
        });
    let order = step.after.iter().copied().filter(|before| {
        !step
            .inputs
            .iter()
            .any(|(_, binding)| source(binding) == Some(*before))
    });
    data.chain(order)
}

fn source(binding: &InputBinding) -> Option<StepIndex> {
    match binding {
        InputBinding::Step(output) => Some(output.step),
        InputBinding::Value(_) => None,
    }
}

/// Finds a circle among `steps`, the first of which has the place `from`; edges to earlier places cannot be part of one. Iterative.
/// Answers with a step of the circle.
pub(crate) fn find_circle(from: u32, steps: &[PlannedStep]) -> Option<StepIndex> {
    let mut waiting_for = vec![0_u32; steps.len()];
    let mut dependants: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (place, step) in (0_u32..).zip(steps) {
        for before in predecessors(step).filter_map(|before| before.0.checked_sub(from)) {
            waiting_for[place as usize] += 1;
            dependants.entry(before).or_default().push(place);
        }
    }
    let mut free: Vec<u32> = (0_u32..)
        .zip(&waiting_for)
        .filter(|(_, count)| **count == 0)
        .map(|(place, _)| place)
        .collect();
    while let Some(place) = free.pop() {
        for after in dependants.remove(&place).unwrap_or_default() {
            let count = &mut waiting_for[after as usize];
            *count -= 1;
            if *count == 0 {
                free.push(after);
            }
        }
    }
    let blocked = waiting_for.iter().position(|count| *count > 0)?;
    Some(StepIndex(
        from + u32::try_from(blocked).expect("a run's steps are limited"),
    ))
}
