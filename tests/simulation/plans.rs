//! From a script to a plan, and what the process of each work would write.

use crate::scenario::{RunScript, StepScript};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef};
use tidemill_protocol::compute::Resources;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::StepIndex;
use tidemill_protocol::key::InputValue;
use tidemill_protocol::literal::Literal;
use tidemill_protocol::name::PortName;
use tidemill_protocol::plan::{
    CheckpointRule, Command, Environment, Fragment, InputBinding, OutputPort, Plan, PlannedStep, PortType,
    RetryPolicy, StepKind, StepOutput, StepRules, StepTemplate, StepWork, Word,
};
use tidemill_protocol::time::Millis;
use tidemill_protocol::wire::StepTask;

pub(crate) fn output() -> PortName {
    "out".parse().expect("a port name")
}

/// The plan of a run. Each step has a template of its own; equal works have equal digests all the same.
pub(crate) fn plan(script: &RunScript) -> Arc<Plan> {
    let (templates, steps) = parts(&script.steps, 0, 0);
    Arc::new(Plan {
        pipeline: "simulated".parse().expect("a name"),
        display_name: String::new(),
        experiment: format!("experiment-{}", script.submitter)
            .parse()
            .expect("a name"),
        project: script.project.parse().expect("a name"),
        description: String::new(),
        tags: BTreeMap::new(),
        parameters: BTreeMap::new(),
        on_step_failure: script.on_step_failure,
        force_rerun: script.force_rerun,
        templates,
        steps,
        outputs: BTreeMap::new(),
        warnings: Vec::new(),
        assets: vec![],
        spec: None,
    })
}

/// Templates and steps for scripts whose first is the step number `first` and whose first template is the number `first_template`.
pub(crate) fn parts(
    scripts: &[StepScript],
    first: usize,
    first_template: usize,
) -> (Vec<Arc<StepTemplate>>, Vec<PlannedStep>) {
    let steps = scripts.iter().enumerate().map(|(place, script)| PlannedStep {
        path: format!("step-{}", first + place).parse().expect("a step path"),
        template: u32::try_from(first_template + place).expect("small"),
        inputs: inputs(script),
        after: script
            .after
            .iter()
            .filter(|before| !script.data.contains(before))
            .map(|before| index(*before))
            .collect(),
    });
    (scripts.iter().map(template).collect(), steps.collect())
}

fn index(place: usize) -> StepIndex {
    StepIndex(u32::try_from(place).expect("small"))
}

fn inputs(script: &StepScript) -> Vec<(PortName, InputBinding)> {
    let literal = Literal::integer(i64::try_from(script.literal).expect("small"));
    let mut inputs = vec![(
        "p".parse().expect("a port name"),
        InputBinding::Value(InputValue::Literal(literal)),
    )];
    inputs.extend(script.data.iter().enumerate().map(|(place, before)| {
        let source = StepOutput {
            step: index(*before),
            output: output(),
        };
        (
            format!("x{place}").parse().expect("a port name"),
            InputBinding::Step(source),
        )
    }));
    inputs
}

fn template(script: &StepScript) -> Arc<StepTemplate> {
    let kind = if script.foreign {
        StepKind::Other {
            name: "sweep".into(),
            settings: script.work.to_string(),
        }
    } else {
        StepKind::Command(Command::Argv {
            words: vec![Word(vec![Fragment::Text(work_name(script.work))])],
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
        outputs: BTreeMap::from([(output(), port)]),
        distribution: None,
    };
    let rules = StepRules {
        // The rules are not part of the key: here the process learns how often it is to fail.
        display_name: script.fails.to_string(),
        target: script.target.parse().expect("a name"),
        resources: Resources::default(),
        priority: script.priority,
        timeout: None,
        retry: RetryPolicy {
            retries_max: script.retries,
            backoff: Millis(500),
            ..RetryPolicy::default()
        },
        cache: script.cache,
        when: script.when,
        checkpoint: (script.literal == 1).then_some(CheckpointRule {
            every: Millis(1_000),
            path: None,
        }),
        registers: BTreeMap::new(),
        reads: vec![],
    };
    Arc::new(StepTemplate::new(work, rules))
}

fn work_name(work: u64) -> String {
    format!("work-{work}")
}

/// Whether this execution fails through its own fault.
pub(crate) fn fails(task: &StepTask) -> bool {
    let fails: u32 = task
        .template
        .rules
        .display_name
        .parse()
        .expect("a number was planned");
    task.attempt.attempt <= fails
}

/// The bytes' name that an execution of this task writes: a third of the works always writes the same, a third writes what follows from its inputs,
/// and a third never writes the same twice.
pub(crate) fn written(task: &StepTask, execution: u64) -> ArtifactRef {
    let StepKind::Command(Command::Argv { words }) = &task.template.work.kind else {
        panic!("a task was made out for a kind that nobody can execute: {task:?}");
    };
    let [Word(fragments)] = words.as_slice() else {
        panic!("one word was planned")
    };
    let [Fragment::Text(name)] = fragments.as_slice() else {
        panic!("one text was planned")
    };
    let work: u64 = name.trim_start_matches("work-").parse().expect("a work's number");
    let content = match work % 3 {
        0 => name.clone(),
        1 => format!("{name} of {}", task.key),
        _ => format!("{name} of {} in execution {execution}", task.key),
    };
    artifact(&content)
}

/// An artifact with this content.
pub(crate) fn artifact(content: &str) -> ArtifactRef {
    ArtifactRef {
        kind: ArtifactKind::Blob,
        digest: Digest::of(content.as_bytes()),
        size_bytes: content.len() as u64,
        files: 1,
    }
}
