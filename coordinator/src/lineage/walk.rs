//! From what was asked about up to what it was made of, and down to what was made of it: breadth first, each thing once, within bounds.

use super::index::{Index, Node};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tidemill_protocol::api::{LineageEdge, LineageKind, LineageNode, LineageView};

/// How far one goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Whether to go up, to what something was made of.
    pub(crate) up: bool,
    /// Whether to go down, to what was made of it.
    pub(crate) down: bool,
    /// Edges from a root at most.
    pub(crate) depth_max: u32,
    /// Nodes at most.
    pub(crate) nodes_max: usize,
}

/// Walks from the roots.
pub(crate) fn walk(index: &Index, roots: &[Node], bounds: Bounds) -> LineageView {
    let mut walk = Walk {
        index,
        bounds,
        found: Vec::new(),
        depths: BTreeMap::new(),
        edges: BTreeSet::new(),
        truncated: index.gathered.is_cut,
    };
    for root in roots {
        walk.note(root, 0);
    }
    if bounds.up {
        walk.go(roots, true);
    }
    if bounds.down {
        walk.go(roots, false);
    }
    let nodes = walk.found.iter().map(|node| view(index, node, walk.depths[node]));
    let edges = walk.edges.iter().map(|(from, to, role)| LineageEdge {
        from: id(index, from),
        to: id(index, to),
        role: role.clone(),
    });
    LineageView {
        roots: roots.iter().map(|root| id(index, root)).collect(),
        nodes: nodes.collect(),
        edges: edges.collect(),
        truncated: walk.truncated,
    }
}

struct Walk<'a> {
    index: &'a Index,
    bounds: Bounds,
    /// In the order in which they were found.
    found: Vec<Node>,
    depths: BTreeMap<Node, u32>,
    edges: BTreeSet<(Node, Node, String)>,
    truncated: bool,
}

impl Walk<'_> {
    /// Goes one way only: what else was made of the same is not part of the answer.
    fn go(&mut self, roots: &[Node], up: bool) {
        let mut seen: BTreeSet<Node> = roots.iter().cloned().collect();
        let mut queue: VecDeque<(Node, u32)> = roots.iter().map(|root| (root.clone(), 0)).collect();
        while let Some((here, depth)) = queue.pop_front() {
            let neighbours = if up {
                self.index.before(&here)
            } else {
                self.index.after(&here)
            };
            for (next, role) in neighbours {
                if depth >= self.bounds.depth_max || !self.note(&next, depth + 1) {
                    self.truncated = true;
                    continue;
                }
                let (from, to) = if up {
                    (next.clone(), here.clone())
                } else {
                    (here.clone(), next.clone())
                };
                self.edges.insert((from, to, role));
                if seen.insert(next.clone()) {
                    queue.push_back((next, depth + 1));
                }
            }
        }
    }

    /// Notes a node; false when there is no room for it.
    fn note(&mut self, node: &Node, depth: u32) -> bool {
        if self.depths.contains_key(node) {
            return true;
        }
        if self.found.len() >= self.bounds.nodes_max {
            return false;
        }
        self.found.push(node.clone());
        self.depths.insert(node.clone(), depth);
        true
    }
}

fn id(index: &Index, node: &Node) -> String {
    match node {
        Node::Artifact(digest) => format!("artifact:{digest}"),
        Node::Asset(key) => format!("asset:{}/{}/{}", key.kind, key.name, key.version),
        Node::Step(place) => format!("step:{}", step_name(index, *place)),
        Node::Run(place) => format!("run:{}", index.gathered.runs[*place].id),
        Node::Address(address) => format!("address:{address}"),
    }
}

fn step_name(index: &Index, place: usize) -> String {
    let step = &index.gathered.steps[place];
    format!("{}/{}", index.gathered.runs[step.run].id, step.path)
}

fn view(index: &Index, node: &Node, depth: u32) -> LineageNode {
    let blank = |kind, name: String| LineageNode {
        id: id(index, node),
        kind,
        name,
        depth,
        run: None,
        step: None,
        status: None,
        artifact: None,
        asset_kind: None,
        asset: None,
        version: None,
    };
    match node {
        Node::Artifact(digest) => LineageNode {
            artifact: index.artifacts.get(digest).copied(),
            ..blank(LineageKind::Artifact, digest.to_string())
        },
        Node::Asset(key) => LineageNode {
            asset_kind: Some(key.kind),
            asset: Some(key.name.clone()),
            version: Some(key.version.clone()),
            ..blank(
                LineageKind::Asset,
                format!("{} {}:{}", key.kind, key.name, key.version),
            )
        },
        Node::Step(place) => {
            let step = &index.gathered.steps[*place];
            LineageNode {
                run: Some(index.gathered.runs[step.run].id),
                step: Some(step.path.clone()),
                status: Some(step.status),
                ..blank(LineageKind::Step, step_name(index, *place))
            }
        }
        Node::Run(place) => {
            let run = index.gathered.runs[*place].id;
            LineageNode {
                run: Some(run),
                ..blank(LineageKind::Run, run.to_string())
            }
        }
        Node::Address(address) => blank(LineageKind::Address, address.to_string()),
    }
}
