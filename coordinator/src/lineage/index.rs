//! What was gathered, by what leads from one thing to another. The neighbours of each kind of node, one step before it and one after it, are here; how far one
//! goes is in `walk`.

use super::asset_key::AssetKey;
use super::gather::{Gathered, RunRecord, Source, StepRecord};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::catalog::AssetKind;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::StepRef;
use tidemill_protocol::status::StepStatus;

/// One thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    /// A content.
    Artifact(Digest),
    /// A version.
    Asset(AssetKey),
    /// A step, by its place among those that were gathered.
    Step(usize),
    /// A run, likewise.
    Run(usize),
    /// An address.
    Address(Arc<str>),
}

/// A neighbour, and as what it is one.
pub(super) type Neighbour = (Node, String);

/// Everything that was gathered, by what leads to it and away from it.
#[derive(Debug)]
pub(crate) struct Index {
    pub(super) gathered: Gathered,
    pub(super) artifacts: BTreeMap<Digest, ArtifactRef>,
    producers: BTreeMap<Digest, Vec<(usize, String)>>,
    consumers: BTreeMap<Node, Vec<(usize, String)>>,
    named: BTreeMap<Node, Vec<AssetKey>>,
    assets: BTreeMap<AssetKey, Node>,
    steps: BTreeMap<StepRef, usize>,
    steps_of: BTreeMap<usize, Vec<usize>>,
    runs_of: BTreeMap<AssetKey, Vec<usize>>,
    takers: BTreeMap<StepRef, Vec<usize>>,
}

impl Index {
    /// Puts what was gathered in order.
    pub(crate) fn new(gathered: Gathered) -> Self {
        let mut index = Self {
            artifacts: BTreeMap::new(),
            producers: BTreeMap::new(),
            consumers: BTreeMap::new(),
            named: BTreeMap::new(),
            assets: BTreeMap::new(),
            steps: BTreeMap::new(),
            steps_of: BTreeMap::new(),
            runs_of: BTreeMap::new(),
            takers: BTreeMap::new(),
            gathered: Gathered::default(),
        };
        for (place, step) in gathered.steps.iter().enumerate() {
            index.add_step(place, step, &gathered.runs[step.run]);
        }
        for (place, run) in gathered.runs.iter().enumerate() {
            for key in made_of(run) {
                index.runs_of.entry(key).or_default().push(place);
            }
        }
        for asset in &gathered.assets {
            let content = asset.content.map(|artifact| {
                index.artifacts.insert(artifact.digest, artifact);
                Node::Artifact(artifact.digest)
            });
            if let Some(node) = content.or_else(|| asset.address.clone().map(Node::Address)) {
                index
                    .named
                    .entry(node.clone())
                    .or_default()
                    .push(asset.key.clone());
                index.assets.insert(asset.key.clone(), node);
            }
        }
        index.gathered = gathered;
        index
    }

    fn add_step(&mut self, place: usize, step: &StepRecord, run: &RunRecord) {
        let reference = StepRef {
            run: run.id,
            step: step.index,
        };
        self.steps.insert(reference, place);
        self.steps_of.entry(step.run).or_default().push(place);
        if let Some(source) = step.reused_from {
            self.takers.entry(source).or_default().push(place);
        }
        for (name, artifact) in &step.outputs {
            self.artifacts.insert(artifact.digest, *artifact);
            let producers = self.producers.entry(artifact.digest).or_default();
            producers.push((place, name.clone()));
        }
        for (name, source) in &step.inputs {
            if let Source::Content(artifact) = source {
                self.artifacts.insert(artifact.digest, *artifact);
            }
            let consumers = self.consumers.entry(input_node(source, run)).or_default();
            consumers.push((place, name.clone()));
        }
        if let Some(key) = environment_of(step, run) {
            let consumers = self.consumers.entry(Node::Asset(key)).or_default();
            consumers.push((place, "environment".to_owned()));
        }
    }

    /// The place of a step.
    pub(crate) fn step(&self, step: StepRef) -> Option<Node> {
        self.steps.get(&step).copied().map(Node::Step)
    }

    /// What leads to a node.
    pub(super) fn before(&self, node: &Node) -> Vec<Neighbour> {
        match node {
            Node::Artifact(digest) => self.producers_of(digest),
            Node::Asset(key) => {
                let content = self.assets.get(key).cloned();
                content
                    .into_iter()
                    .map(|node| (node, "content".to_owned()))
                    .collect()
            }
            Node::Step(place) => self.before_step(*place),
            Node::Run(place) => made_of(&self.gathered.runs[*place])
                .map(|key| (Node::Asset(key.clone()), key.kind.to_string()))
                .collect(),
            Node::Address(_) => Vec::new(),
        }
    }

    /// What a node leads to.
    pub(super) fn after(&self, node: &Node) -> Vec<Neighbour> {
        let consumers = self.consumers.get(node).into_iter().flatten();
        let mut after: Vec<Neighbour> = consumers
            .map(|(place, name)| (Node::Step(*place), name.clone()))
            .collect();
        match node {
            Node::Artifact(_) | Node::Address(_) => {
                let named = self.named.get(node).into_iter().flatten();
                after.extend(named.map(|key| (Node::Asset(key.clone()), "content".to_owned())));
            }
            Node::Asset(key) => {
                let runs = self.runs_of.get(key).into_iter().flatten();
                after.extend(runs.map(|place| (Node::Run(*place), key.kind.to_string())));
            }
            Node::Step(place) => {
                let step = &self.gathered.steps[*place];
                let outputs = step.outputs.iter();
                after.extend(outputs.map(|(name, artifact)| (Node::Artifact(artifact.digest), name.clone())));
                let reference = self.reference(*place);
                let takers = self.takers.get(&reference).into_iter().flatten();
                after.extend(takers.map(|taker| (Node::Step(*taker), "reused".to_owned())));
            }
            Node::Run(place) => {
                let steps = self.steps_of.get(place).into_iter().flatten();
                after.extend(steps.map(|step| (Node::Step(*step), "step".to_owned())));
            }
        }
        after
    }

    fn reference(&self, place: usize) -> StepRef {
        let step = &self.gathered.steps[place];
        StepRef {
            run: self.gathered.runs[step.run].id,
            step: step.index,
        }
    }

    /// The steps that made a content themselves; where none of them is known, those that took it over.
    fn producers_of(&self, digest: &Digest) -> Vec<Neighbour> {
        let all = self.producers.get(digest).map(Vec::as_slice).unwrap_or_default();
        let executed = |place: usize| self.gathered.steps[place].status != StepStatus::Reused;
        let any_executed = all.iter().any(|(place, _)| executed(*place));
        let made = all.iter().filter(|(place, _)| !any_executed || executed(*place));
        made.map(|(place, name)| (Node::Step(*place), name.clone()))
            .collect()
    }

    fn before_step(&self, place: usize) -> Vec<Neighbour> {
        let step = &self.gathered.steps[place];
        let run = &self.gathered.runs[step.run];
        let inputs = step.inputs.iter();
        let mut before: Vec<Neighbour> = inputs
            .map(|(name, source)| (input_node(source, run), name.clone()))
            .collect();
        before.extend(environment_of(step, run).map(|key| (Node::Asset(key), "environment".to_owned())));
        let source = step.reused_from.and_then(|source| self.steps.get(&source));
        before.extend(source.map(|place| (Node::Step(*place), "reused".to_owned())));
        if made_of(run).next().is_some() {
            before.push((Node::Run(step.run), "step".to_owned()));
        }
        before
    }
}

/// An input as its run knows it: the version that the pipeline took it from, else the content or the address.
fn input_node(source: &Source, run: &RunRecord) -> Node {
    let used = run.uses.iter().find(|(used, _)| match source {
        Source::Content(artifact) => used
            .content
            .is_some_and(|content| content.digest == artifact.digest),
        Source::Address(address) => used.uri.as_deref() == Some(address),
    });
    match (used, source) {
        (Some((_, key)), _) => Node::Asset(key.clone()),
        (None, Source::Content(artifact)) => Node::Artifact(artifact.digest),
        (None, Source::Address(address)) => Node::Address(Arc::clone(address)),
    }
}

/// The version of the catalog that a step's environment is.
fn environment_of(step: &StepRecord, run: &RunRecord) -> Option<AssetKey> {
    let name = step.environment.as_deref()?;
    let mut used = run
        .uses
        .iter()
        .filter(|(used, _)| used.kind == AssetKind::Environment);
    let found = used.find(|(used, _)| {
        name.strip_prefix(used.name.as_str())
            .and_then(|rest| rest.strip_prefix(':'))
            == Some(used.version.as_str())
    });
    found.map(|(_, key)| key.clone())
}

/// The components and the published pipeline that a run as a whole was made of.
fn made_of(run: &RunRecord) -> impl Iterator<Item = AssetKey> + '_ {
    let components = run
        .uses
        .iter()
        .filter(|(used, _)| used.kind == AssetKind::Component);
    components.map(|(_, key)| key.clone()).chain(run.pipeline.clone())
}
