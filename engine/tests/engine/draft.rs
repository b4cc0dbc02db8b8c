//! Plans in a few words: steps by name, each with its own work unless it is told otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_protocol::compute::Resources;
use tidemill_protocol::ids::StepIndex;
use tidemill_protocol::key::InputValue;
use tidemill_protocol::literal::Literal;
use tidemill_protocol::plan::{
    CheckpointRule, Command, Environment, Fragment, InputBinding, OnStepFailure, OutputPort, Plan,
    PlannedStep, PortType, RetryPolicy, StepKind, StepOutput, StepRules, StepTemplate, StepWork, When, Word,
};
use tidemill_protocol::time::Millis;

/// A plan being written.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) pipeline: &'static str,
    pub(crate) experiment: &'static str,
    pub(crate) project: &'static str,
    pub(crate) on_step_failure: OnStepFailure,
    pub(crate) force_rerun: bool,
    steps: Vec<DraftStep>,
}

/// A step being written.
#[derive(Debug, Clone)]
pub(crate) struct DraftStep {
    pub(crate) name: &'static str,
    pub(crate) work: &'static str,
    pub(crate) literal: &'static str,
    pub(crate) data: Vec<&'static str>,
    pub(crate) after: Vec<&'static str>,
    pub(crate) when: When,
    pub(crate) retries: u32,
    pub(crate) checkpoint: bool,
    pub(crate) priority: i32,
    pub(crate) cache: bool,
    pub(crate) target: &'static str,
    pub(crate) foreign: bool,
}

impl Draft {
    pub(crate) fn new() -> Self {
        Self {
            pipeline: "pipeline",
            experiment: "experiment",
            project: "default",
            on_step_failure: OnStepFailure::Continue,
            force_rerun: false,
            steps: Vec::new(),
        }
    }

    /// A step that reads the outputs of others.
    pub(crate) fn step(self, name: &'static str, data: &[&'static str]) -> Self {
        self.with(name, data, |_| {})
    }

    pub(crate) fn with(
        mut self,
        name: &'static str,
        data: &[&'static str],
        edit: impl FnOnce(&mut DraftStep),
    ) -> Self {
        let mut step = DraftStep {
            name,
            work: name,
            literal: "1",
            data: data.to_vec(),
            after: Vec::new(),
            when: When::OnSuccess,
            retries: 0,
            checkpoint: false,
            priority: 0,
            cache: true,
            target: "cpu",
            foreign: false,
        };
        edit(&mut step);
        self.steps.push(step);
        self
    }

    pub(crate) fn edit(mut self, name: &str, edit: impl FnOnce(&mut DraftStep)) -> Self {
        edit(
            self.steps
                .iter_mut()
                .find(|step| step.name == name)
                .expect("the step is drafted"),
        );
        self
    }

    pub(crate) fn plan(&self) -> Plan {
        let (templates, steps) = self.parts(&[], 0);
        Plan {
            pipeline: self.pipeline.parse().expect("a name"),
            display_name: String::new(),
            experiment: self.experiment.parse().expect("a name"),
            project: self.project.parse().expect("a name"),
            description: String::new(),
            tags: BTreeMap::new(),
            parameters: BTreeMap::new(),
            on_step_failure: self.on_step_failure,
            force_rerun: self.force_rerun,
            templates,
            steps,
            outputs: BTreeMap::new(),
            warnings: Vec::new(),
            assets: vec![],
            spec: None,
        }
    }

    /// Templates and steps that come after steps of these names.
    pub(crate) fn parts(
        &self,
        old: &[&str],
        old_templates: u32,
    ) -> (Vec<Arc<StepTemplate>>, Vec<PlannedStep>) {
        let names: Vec<&str> = old
            .iter()
            .copied()
            .chain(self.steps.iter().map(|step| step.name))
            .collect();
        let index = |name: &&str| {
            let place = names
                .iter()
                .position(|other| other == name)
                .expect("the step is drafted");
            StepIndex(u32::try_from(place).expect("small"))
        };
        let steps = (old_templates..).zip(&self.steps).map(|(template, step)| {
            let mut after: Vec<StepIndex> = step.after.iter().map(index).collect();
            after.sort_unstable();
            PlannedStep {
                path: step.name.parse().expect("a path"),
                template,
                inputs: inputs(step, index),
                after,
            }
        });
        (self.steps.iter().map(template).collect(), steps.collect())
    }
}

fn inputs(
    step: &DraftStep,
    index: impl Fn(&&'static str) -> StepIndex,
) -> Vec<(tidemill_protocol::name::PortName, InputBinding)> {
    let literal = InputBinding::Value(InputValue::Literal(Literal::string(step.literal)));
    let mut inputs = vec![("literal".parse().expect("a port name"), literal)];
    inputs.extend(step.data.iter().enumerate().map(|(place, before)| {
        let output = "out".parse().expect("a port name");
        let binding = InputBinding::Step(StepOutput {
            step: index(before),
            output,
        });
        (format!("x{place}").parse().expect("a port name"), binding)
    }));
    inputs
}

fn template(step: &DraftStep) -> Arc<StepTemplate> {
    let kind = if step.foreign {
        StepKind::Other {
            name: "sweep".into(),
            settings: "{}".into(),
        }
    } else {
        StepKind::Command(Command::Argv {
            words: vec![Word(vec![Fragment::Text(step.work.into())])],
        })
    };
    let port = OutputPort {
        port_type: PortType::File,
        file_name: None,
        optional: false,
    };
    let work = StepWork {
        kind,
        code: None,
        environment: Environment::default(),
        environment_variables: BTreeMap::new(),
        secrets: BTreeMap::new(),
        inputs: BTreeMap::new(),
        outputs: BTreeMap::from([("out".parse().expect("a port name"), port)]),
        distribution: None,
    };
    let rules = StepRules {
        display_name: String::new(),
        target: step.target.parse().expect("a name"),
        resources: Resources::default(),
        priority: step.priority,
        timeout: None,
        retry: RetryPolicy {
            retries_max: step.retries,
            ..RetryPolicy::default()
        },
        cache: step.cache,
        when: step.when,
        checkpoint: step.checkpoint.then_some(CheckpointRule {
            every: Millis(1_000),
            path: None,
        }),
        registers: BTreeMap::new(),
        reads: vec![],
    };
    Arc::new(StepTemplate::new(work, rules))
}
