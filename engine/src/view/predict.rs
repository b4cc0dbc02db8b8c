//! What a plan would do if it were submitted now, and which part of each key changed since the pipeline last ran. Pure; nothing is submitted.

use crate::engine::Engine;
use crate::graph::{Graph, predecessors};
use crate::inputs;
use crate::run::Run;
use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::digest::{CanonicalHasher, Digest};
use tidemill_protocol::ids::{StepIndex, StepPath, StepRef};
use tidemill_protocol::key::{InputValue, StepKey, step_key};
use tidemill_protocol::name::PortName;
use tidemill_protocol::plan::{InputBinding, Plan, StepTemplate, When};
use tidemill_protocol::wire::Success;

/// How many runs back an earlier run of a step is looked for.
const EARLIER_RUNS_MAX: usize = 8;

/// What would happen to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Its result is known and would be taken over.
    Reuse,
    /// It would be executed.
    Run,
    /// That depends on what steps before it produce, or on how they end.
    Undecided,
}

/// What would happen to a step, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prediction {
    /// The step's place in the plan.
    pub step: StepIndex,
    /// What would happen.
    pub decision: Decision,
    /// Its key, when every input is known.
    pub key: Option<StepKey>,
    /// For a step that would be reused: whose result it takes.
    pub source: Option<StepRef>,
    /// For a step that would run: the step that does the same work now, whose result it would wait for.
    pub under_way: Option<StepRef>,
    /// The steps before it that leave an input unknown.
    pub waits_for: Vec<StepIndex>,
    /// Whether reuse is switched off for it.
    pub reuse_off: bool,
    /// The same step in the newest earlier run of the pipeline that reached it.
    pub earlier: Option<StepRef>,
    /// For a step that would run: the parts of its key that differ from that earlier one.
    pub changes: Vec<PartChange>,
}

/// A part of a key that differs, or that only one of two keys has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartChange {
    /// As in `KeyPart::part`.
    pub part: String,
    /// What it was.
    pub before: Option<PartValue>,
    /// What it is.
    pub now: Option<PartValue>,
}

/// A part of a key as it can be compared and looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartValue {
    /// Its digest.
    pub digest: Digest,
    /// The file or folder that it is the digest of, if it is one.
    pub artifact: Option<ArtifactRef>,
}

/// The parts of a step's key by name, as far as its inputs are known.
pub fn key_parts<'a>(
    template: &StepTemplate,
    inputs: impl Iterator<Item = (&'a PortName, &'a InputValue)>,
) -> BTreeMap<String, PartValue> {
    let work = template.work.parts().into_iter().map(|part| {
        let artifact = template.work.code.filter(|_| part.part == "code");
        (
            part.part,
            PartValue {
                digest: part.digest,
                artifact,
            },
        )
    });
    let inputs = inputs.map(|(name, value)| (format!("input {name}"), part_value(value)));
    work.chain(inputs).collect()
}

fn part_value(value: &InputValue) -> PartValue {
    let text = |domain, text: &str| PartValue {
        digest: CanonicalHasher::new(domain).text(text).finish(),
        artifact: None,
    };
    match value {
        InputValue::Literal(literal) => text("literal", &literal.text),
        InputValue::Artifact(artifact) => PartValue {
            digest: artifact.digest,
            artifact: Some(*artifact),
        },
        InputValue::Uri(uri) => text("uri", uri),
    }
}

/// Predicts every step of a sound plan, in plan order.
pub fn predict(engine: &Engine, plan: &Arc<Plan>) -> Vec<Prediction> {
    let graph = Graph::new(Arc::clone(plan));
    let mut predictor = Predictor {
        engine,
        plan,
        graph: &graph,
        earlier: Earlier::new(engine, plan),
        results: vec![None; plan.steps.len()],
        predictions: vec![None; plan.steps.len()],
    };
    for step in in_order(&graph) {
        predictor.predict(step);
    }
    predictor.predictions.into_iter().flatten().collect()
}

/// The steps so that each comes after those before it.
fn in_order(graph: &Graph) -> Vec<StepIndex> {
    let steps = (0..graph.len()).map(StepIndex);
    let mut waiting_for: Vec<usize> = steps
        .clone()
        .map(|step| predecessors(graph.planned(step)).count())
        .collect();
    let mut order: Vec<StepIndex> = steps.filter(|step| waiting_for[step.as_usize()] == 0).collect();
    let mut next = 0;
    while let Some(step) = order.get(next).copied() {
        next += 1;
        for after in graph.dependants(step) {
            let count = &mut waiting_for[after.as_usize()];
            *count -= 1;
            if *count == 0 {
                order.push(after);
            }
        }
    }
    order
}

struct Predictor<'a> {
    engine: &'a Engine,
    plan: &'a Plan,
    graph: &'a Graph,
    earlier: Earlier<'a>,
    /// Per step, the result that it would take over.
    results: Vec<Option<Arc<Success>>>,
    predictions: Vec<Option<Prediction>>,
}

impl<'a> Predictor<'a> {
    fn predict(&mut self, step: StepIndex) {
        let graph = self.graph;
        let template = graph.template(step);
        let reuse_off = self.plan.force_rerun || !template.rules.cache;
        let mut prediction = Prediction {
            step,
            decision: Decision::Undecided,
            key: None,
            source: None,
            under_way: None,
            waits_for: Vec::new(),
            reuse_off,
            earlier: None,
            changes: Vec::new(),
        };
        let inputs = self.inputs(step, &mut prediction.waits_for);
        if prediction.waits_for.is_empty() {
            let key = step_key(&template.fixed, inputs.iter().map(|(name, value)| (*name, value)));
            prediction.key = Some(key);
            self.decide(&mut prediction, key);
        } else if reuse_off {
            prediction.decision = Decision::Run;
        }
        if template.rules.when == When::OnFailure {
            prediction.decision = Decision::Undecided;
        }
        if prediction.decision != Decision::Reuse {
            let path = &graph.planned(step).path;
            if let Some((run, before)) = self.earlier.find(path) {
                prediction.earlier = Some(run.step_ref(before));
                let now = key_parts(template, inputs.iter().map(|(name, value)| (*name, value)));
                let unknown = self.unknown_parts(step, &inputs);
                prediction.changes = changes(&parts_of(run, before), &now);
                prediction
                    .changes
                    .retain(|change| !unknown.contains(&change.part));
            }
        }
        self.predictions[step.as_usize()] = Some(prediction);
    }

    fn decide(&mut self, prediction: &mut Prediction, key: StepKey) {
        if prediction.reuse_off {
            prediction.decision = Decision::Run;
        } else if let Some(result) = self.engine.cached(&key) {
            prediction.decision = Decision::Reuse;
            prediction.source = Some(result.source);
            self.results[prediction.step.as_usize()] = Some(Arc::clone(&result.success));
        } else {
            prediction.decision = Decision::Run;
            prediction.under_way = self
                .engine
                .work
                .leader(&key)
                .map(|place| self.engine.ref_of(place));
        }
    }

    /// The inputs that are known; notes the steps that leave one unknown.
    fn inputs(&self, step: StepIndex, waits_for: &mut Vec<StepIndex>) -> Vec<(&'a PortName, InputValue)> {
        let graph: &'a Graph = self.graph;
        let mut inputs = Vec::new();
        for (name, binding) in &graph.planned(step).inputs {
            match binding {
                InputBinding::Value(value) => inputs.push((name, value.clone())),
                InputBinding::Step(source) => match &self.results[source.step.as_usize()] {
                    Some(success) => inputs.extend(
                        success
                            .outputs
                            .get(&source.output)
                            .map(|a| (name, InputValue::Artifact(*a))),
                    ),
                    None if waits_for.contains(&source.step) => {}
                    None => waits_for.push(source.step),
                },
            }
        }
        inputs
    }

    /// Parts about which nothing can be said yet.
    fn unknown_parts(&self, step: StepIndex, known: &[(&PortName, InputValue)]) -> Vec<String> {
        let inputs = self.graph.planned(step).inputs.iter();
        let unknown = inputs.filter(|(name, _)| !known.iter().any(|(other, _)| *other == name));
        unknown.map(|(name, _)| format!("input {name}")).collect()
    }
}

/// Earlier runs of the same pipeline, newest first, each with its steps by name once it is needed.
struct Earlier<'a> {
    runs: Vec<&'a Run>,
    names: Vec<BTreeMap<&'a StepPath, StepIndex>>,
}

impl<'a> Earlier<'a> {
    fn new(engine: &'a Engine, plan: &Plan) -> Self {
        let runs = engine
            .runs_of_pipeline(&plan.pipeline, None)
            .take(EARLIER_RUNS_MAX)
            .collect();
        Self {
            runs,
            names: Vec::new(),
        }
    }

    /// The newest earlier run in which a step of this name got a key.
    fn find(&mut self, path: &StepPath) -> Option<(&'a Run, StepIndex)> {
        for (place, run) in self.runs.iter().copied().enumerate() {
            if self.names.len() == place {
                self.names.push(
                    run.indexes()
                        .map(|step| (&run.graph.planned(step).path, step))
                        .collect(),
                );
            }
            let step = self.names[place].get(path).copied();
            if let Some(step) = step.filter(|step| run.state(*step).key.is_some()) {
                return Some((run, step));
            }
        }
        None
    }
}

fn parts_of(run: &Run, step: StepIndex) -> BTreeMap<String, PartValue> {
    let inputs = inputs::known(run, step);
    key_parts(
        run.graph.template(step),
        inputs.iter().map(|(name, value)| (*name, value)),
    )
}

fn changes(before: &BTreeMap<String, PartValue>, now: &BTreeMap<String, PartValue>) -> Vec<PartChange> {
    let names = now
        .keys()
        .chain(before.keys().filter(|name| !now.contains_key(*name)));
    let pairs = names.map(|name| (name, before.get(name).copied(), now.get(name).copied()));
    let differing =
        pairs.filter(|(_, before, now)| before.map(|part| part.digest) != now.map(|part| part.digest));
    differing
        .map(|(name, before, now)| PartChange {
            part: name.clone(),
            before,
            now,
        })
        .collect()
}

impl Engine {
    /// The parts of a step's key as far as its inputs are known; none when there is no such step.
    pub fn parts_of(&self, step: StepRef) -> Option<BTreeMap<String, PartValue>> {
        let place = self.place_of(step)?;
        Some(parts_of(self.at(place.run), place.step))
    }

    /// The parts in which the keys of two steps differ; none when one does not exist.
    pub fn compare(&self, before: StepRef, now: StepRef) -> Option<Vec<PartChange>> {
        Some(changes(&self.parts_of(before)?, &self.parts_of(now)?))
    }

    /// The same step in the newest run of its pipeline before its own that reached it. Looks at a few runs only.
    pub fn earlier(&self, step: StepRef) -> Option<StepRef> {
        let run = self.run(step.run)?;
        let path = &run.planned(step.step)?.path;
        let runs = self
            .runs_of_pipeline(&run.plan().pipeline, Some(step.run))
            .take(EARLIER_RUNS_MAX);
        runs.into_iter().find_map(|earlier| {
            let found = earlier.find(path)?;
            earlier.state(found).key.map(|_| earlier.step_ref(found))
        })
    }
}
