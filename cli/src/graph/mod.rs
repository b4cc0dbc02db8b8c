//! Pipelines and runs as drawings: nodes and edges here, one file for each language they are written in. The layout is pure and knows nothing of
//! pipelines.

mod dot;
mod layout;
mod mermaid;
mod svg;

pub(crate) use dot::dot;
pub(crate) use mermaid::mermaid;
pub(crate) use svg::svg;

use crate::output::humane;
use serde::Serialize;
use std::collections::BTreeMap;
use tidemill_protocol::api::{LineageNode, LineageView, RunView};
use tidemill_protocol::artifact::ArtifactKind;
use tidemill_protocol::plan::{InputBinding, Plan};
use tidemill_protocol::status::StepStatus;

/// A drawing's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Graph {
    /// What it shows.
    pub(crate) title: String,
    /// The steps.
    pub(crate) nodes: Vec<Node>,
    /// What leads from one to another; places in `nodes`.
    pub(crate) edges: Vec<Edge>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Node {
    /// Its name.
    pub(crate) name: String,
    /// Its compute target.
    pub(crate) target: String,
    /// How it stands, in the drawing of a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<StepStatus>,
}

/// What leads from one step to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Edge {
    /// Where it begins.
    pub(crate) from: usize,
    /// Where it ends.
    pub(crate) to: usize,
    /// The data that pass; empty for mere order.
    pub(crate) label: String,
}

impl Graph {
    /// The drawing of a plan.
    pub(crate) fn of_plan(plan: &Plan) -> Self {
        let mut edges = Vec::new();
        for (to, step) in plan.steps.iter().enumerate() {
            let mut data: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
            for (_, binding) in &step.inputs {
                if let InputBinding::Step(source) = binding {
                    let names = data.entry(source.step.as_usize()).or_default();
                    if !names.contains(&source.output.as_str()) {
                        names.push(source.output.as_str());
                    }
                }
            }
            for after in &step.after {
                data.entry(after.as_usize()).or_default();
            }
            edges.extend(data.into_iter().map(|(from, names)| Edge {
                from,
                to,
                label: names.join(", "),
            }));
        }
        let nodes = plan.steps.iter().map(|step| Node {
            name: step.path.to_string(),
            target: plan.templates[step.template as usize].rules.target.to_string(),
            status: None,
        });
        Self {
            title: plan.display_name.clone(),
            nodes: nodes.collect(),
            edges,
        }
    }

    /// The drawing of a lineage.
    pub(crate) fn of_lineage(lineage: &LineageView) -> Self {
        let places: BTreeMap<&str, usize> = lineage
            .nodes
            .iter()
            .enumerate()
            .map(|(place, node)| (node.id.as_str(), place))
            .collect();
        let edges = lineage.edges.iter().filter_map(|edge| {
            Some(Edge {
                from: *places.get(edge.from.as_str())?,
                to: *places.get(edge.to.as_str())?,
                label: edge.role.clone(),
            })
        });
        let nodes = lineage.nodes.iter().map(|node| Node {
            name: short_name(node),
            target: String::new(),
            status: node.status,
        });
        Self {
            title: lineage.roots.join(", "),
            nodes: nodes.collect(),
            edges: edges.collect(),
        }
    }

    /// The drawing of a run.
    pub(crate) fn of_run(run: &RunView) -> Self {
        let places: BTreeMap<_, _> = run
            .steps_list
            .iter()
            .enumerate()
            .map(|(place, step)| (&step.path, place))
            .collect();
        let mut edges = Vec::new();
        for (to, step) in run.steps_list.iter().enumerate() {
            for source in &step.depends_on {
                let Some(from) = places.get(source).copied() else {
                    continue;
                };
                let prefix = format!("{source}.");
                let names: Vec<&str> = step
                    .inputs
                    .iter()
                    .filter_map(|input| input.source.strip_prefix(&prefix))
                    .collect();
                let label = names.join(", ");
                edges.push(Edge { from, to, label });
            }
        }
        let nodes = run.steps_list.iter().map(|step| Node {
            name: step.path.to_string(),
            target: step.target.to_string(),
            status: Some(step.status),
        });
        Self {
            title: run.summary.display_name.clone(),
            nodes: nodes.collect(),
            edges,
        }
    }
}

/// A thing of a lineage in a few words: ids and digests are cut.
pub(crate) fn short_name(node: &LineageNode) -> String {
    match (&node.artifact, &node.run, &node.step) {
        (Some(artifact), _, _) => {
            let what = match artifact.kind {
                ArtifactKind::Blob => "file",
                ArtifactKind::Tree => "folder",
            };
            format!("{what} {}", artifact.digest.short())
        }
        (_, Some(run), Some(step)) => format!("{}/{step}", humane::short_run(run)),
        (_, Some(run), None) => format!("run {}", humane::short_run(run)),
        _ => node.name.clone(),
    }
}

#[cfg(test)]
pub(crate) fn example() -> Graph {
    let node = |name: &str, status| Node {
        name: name.to_owned(),
        target: "cpu".to_owned(),
        status,
    };
    let edge = |from, to, label: &str| Edge {
        from,
        to,
        label: label.to_owned(),
    };
    Graph {
        title: "digits".to_owned(),
        nodes: vec![
            node("prepare", Some(StepStatus::Reused)),
            node("train.forest", Some(StepStatus::Succeeded)),
            node("train.svm", Some(StepStatus::Failed)),
            node("compare \"all\"", None),
        ],
        edges: vec![
            edge(0, 1, "data"),
            edge(0, 2, "data"),
            edge(1, 3, "model"),
            edge(2, 3, ""),
            edge(0, 3, "data"),
        ],
    }
}
