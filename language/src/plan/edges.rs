//! What waits for what: data edges, `depends_on`, and what both mean for nested pipelines.
//!
//! A step that depends on a nested pipeline waits for its last steps; a nested pipeline that depends on something has its first steps wait,
//! and its `when` is theirs. "First" and "last" are meant inside: first are the steps that wait for nothing inside, last those for which no
//! step inside waits that a failure would hold up.

use super::bind::Inputs;
use super::expand::{Expansion, Node};
use super::problems::ProblemList;
use crate::diagnostic::Code;
use crate::order;
use std::collections::HashMap;
use std::ops::Range;
use tidemill_protocol::ids::StepIndex;
use tidemill_protocol::plan::{InputBinding, When};

/// Most edges of a plan.
const EDGES_MAX: usize = 2_000_000;

pub(super) struct Edges {
    /// For each leaf the leaves before it without data, sorted.
    pub(super) after: Vec<Vec<StepIndex>>,
    /// For each leaf when it runs.
    pub(super) when: Vec<When>,
}

struct Finder<'a, 's> {
    expansion: &'a Expansion<'s>,
    /// For each leaf everything before it.
    before: Vec<Vec<usize>>,
    /// How many of those, from the front, are data edges.
    data: Vec<usize>,
    last: HashMap<usize, Vec<usize>>,
    edges: usize,
}

pub(super) fn find(expansion: &Expansion<'_>, bound: &[Inputs], problems: &mut ProblemList) -> Edges {
    let before: Vec<Vec<usize>> = bound
        .iter()
        .map(|inputs| {
            let mut sources: Vec<usize> = inputs
                .values()
                .filter_map(|input| match &input.binding {
                    InputBinding::Step(source) => Some(source.step.as_usize()),
                    InputBinding::Value(_) => None,
                })
                .collect();
            sources.sort_unstable();
            sources.dedup();
            sources
        })
        .collect();
    let mut finder = Finder {
        expansion,
        data: before.iter().map(Vec::len).collect(),
        edges: before.iter().map(Vec::len).sum(),
        before,
        last: HashMap::new(),
    };
    // Inner pipelines first: what is first and last in them must be known to those around them.
    for instance in (0..expansion.instances.len()).rev() {
        finder.ordering(instance, problems);
    }
    if let Some(mut circle) = order::cycle(&finder.before) {
        let first = circle
            .iter()
            .enumerate()
            .min_by_key(|(_, leaf)| **leaf)
            .map_or(0, |(at, _)| at);
        circle.rotate_left(first);
        let drawn = order::drawn(circle.iter().map(|leaf| expansion.leaves[*leaf].path.as_str()));
        let help = "remove one of the inputs or `depends_on` entries that close the circle".to_owned();
        problems.add_with_help(
            Code::Cycle,
            "jobs",
            format!("steps wait for each other in a circle: {drawn}"),
            Some(help),
        );
    }
    let when = (0..expansion.leaves.len())
        .map(|leaf| finder.when(leaf))
        .collect();
    Edges {
        after: finder.after(),
        when,
    }
}

impl Finder<'_, '_> {
    /// The `depends_on` edges among the steps of one pipeline.
    fn ordering(&mut self, instance: usize, problems: &mut ProblemList) {
        let graph = self.expansion.instances[instance].graph;
        for (at, step) in graph.steps.iter().enumerate() {
            for name in &step.depends_on {
                let Some(source) = self.expansion.node(instance, name.as_str()) else {
                    let path = format!(
                        "{}{}.depends_on",
                        self.expansion.instances[instance].prefix, step.name
                    );
                    problems.add(Code::UnknownStep, &path, format!("there is no step `{name}`"));
                    continue;
                };
                let sources = match source {
                    Node::Leaf(leaf) => vec![leaf],
                    Node::Graph(nested) => self.last_of(nested),
                };
                let waiting = match self.expansion.instances[instance].nodes[at] {
                    Node::Leaf(leaf) => vec![leaf],
                    Node::Graph(nested) => self.first_of(&self.expansion.instances[nested].range),
                };
                self.edges += sources.len() * waiting.len();
                if self.edges > EDGES_MAX {
                    problems.add(
                        Code::TooManySteps,
                        "jobs",
                        format!("the pipeline has more than {EDGES_MAX} edges"),
                    );
                    return;
                }
                for leaf in waiting {
                    self.before[leaf].extend(&sources);
                }
            }
        }
    }

    fn is_first(&self, leaf: usize, range: &Range<usize>) -> bool {
        !self.before[leaf].iter().any(|before| range.contains(before))
    }

    fn first_of(&self, range: &Range<usize>) -> Vec<usize> {
        range.clone().filter(|leaf| self.is_first(*leaf, range)).collect()
    }

    fn last_of(&mut self, instance: usize) -> Vec<usize> {
        if let Some(known) = self.last.get(&instance) {
            return known.clone();
        }
        let range = self.expansion.instances[instance].range.clone();
        let mut held_up = vec![false; range.len()];
        for leaf in range.clone() {
            let when = self.expansion.leaves[leaf]
                .step
                .overrides
                .when
                .unwrap_or_default();
            if when == When::OnSuccess {
                for before in self.before[leaf].iter().filter(|before| range.contains(before)) {
                    held_up[before - range.start] = true;
                }
            }
        }
        let last: Vec<usize> = range
            .clone()
            .filter(|leaf| !held_up[leaf - range.start])
            .collect();
        self.last.insert(instance, last.clone());
        last
    }

    /// When a leaf runs: as it says itself, else as the pipelines say in which it is a first step.
    fn when(&self, leaf: usize) -> When {
        let own = self.expansion.leaves[leaf].step.overrides.when;
        if let Some(own) = own {
            return own;
        }
        let mut instance = &self.expansion.instances[self.expansion.leaves[leaf].instance];
        while let Some((parent, step)) = instance.parent {
            if !self.is_first(leaf, &instance.range) {
                break;
            }
            if let Some(when) = step.overrides.when {
                return when;
            }
            instance = &self.expansion.instances[parent];
        }
        When::default()
    }

    fn after(self) -> Vec<Vec<StepIndex>> {
        let pairs = self.before.into_iter().zip(self.data);
        pairs
            .map(|(before, data)| {
                let (data, order) = before.split_at(data);
                let mut after: Vec<StepIndex> = order
                    .iter()
                    .filter(|leaf| data.binary_search(leaf).is_err())
                    .filter_map(|leaf| u32::try_from(*leaf).ok().map(StepIndex))
                    .collect();
                after.sort_unstable();
                after.dedup();
                after
            })
            .collect()
    }
}
