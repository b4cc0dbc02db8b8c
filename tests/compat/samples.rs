//! The values that golden bytes are made of: small, fixed, and with every field in use at least once.

use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef};
use tidemill_protocol::compute::Resources;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::failure::{Failure, FailureReason};
use tidemill_protocol::ids::{AttemptId, FencingToken, RunId, StepIndex, StepRef, WorkerId};
use tidemill_protocol::key::{InputValue, StepKey};
use tidemill_protocol::literal::{Literal, LiteralType};
use tidemill_protocol::name::{Name, PortName};
use tidemill_protocol::plan::{
    Builtin, Command, CopyTo, Distribution, DistributionKind, Environment, Fragment, InputBinding, InputMode,
    InputPort, OnStepFailure, OutputPort, Plan, PlannedStep, PortType, PythonEnvironment, Registration,
    RetryPolicy, SecretForm, SecretUse, StepKind, StepOutput, StepRules, StepTemplate, StepWork, When, Word,
};
use tidemill_protocol::time::{Millis, Timestamp};
use tidemill_protocol::wire::{AttemptUsage, Success};

pub(crate) const TOKEN: FencingToken = FencingToken(41);
pub(crate) const MOMENT: Timestamp = Timestamp(1_795_000_000_123);

pub(crate) fn run() -> RunId {
    "0199a000-0000-7000-8000-000000000001".parse().expect("is a UUID")
}

pub(crate) fn step() -> StepRef {
    StepRef {
        run: run(),
        step: StepIndex(1),
    }
}

pub(crate) fn attempt() -> AttemptId {
    AttemptId {
        run: run(),
        step: StepIndex(1),
        attempt: 2,
    }
}

pub(crate) fn worker() -> WorkerId {
    name("gpu-box-1")
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().expect("is a name")
}

pub(crate) fn port(text: &str) -> PortName {
    text.parse().expect("is a name of a port")
}

pub(crate) fn key() -> StepKey {
    StepKey(Digest::of(b"key"))
}

pub(crate) fn file(content: &[u8]) -> ArtifactRef {
    ArtifactRef {
        kind: ArtifactKind::Blob,
        digest: Digest::of(content),
        size_bytes: content.len() as u64,
        files: 1,
    }
}

pub(crate) fn folder() -> ArtifactRef {
    ArtifactRef {
        kind: ArtifactKind::Tree,
        digest: Digest::of(b"tree"),
        size_bytes: 300,
        files: 3,
    }
}

pub(crate) fn usage() -> AttemptUsage {
    AttemptUsage {
        started_at: Some(MOMENT),
        process_ms: 1_200,
        preparing_ms: 30,
        storing_ms: 40,
        memory_peak_bytes: Some(1 << 20),
        stdout: Some(file(b"out")),
        stderr: None,
        notes: vec!["rw_mount was given as a copy".into()],
    }
}

pub(crate) fn success() -> Success {
    Success {
        outputs: BTreeMap::from([(port("model"), folder())]),
        manifest: Some(Digest::of(b"manifest")),
        usage: usage(),
    }
}

pub(crate) fn failure() -> Failure {
    Failure {
        reason: FailureReason::ExitCode { code: 3 },
        message: "it broke".into(),
        stderr_tail: "Traceback".into(),
    }
}

fn shell_work() -> StepWork {
    StepWork {
        kind: StepKind::Command(Command::Shell {
            script: "python train.py \"$TIDEMILL_INPUT_data\" && echo done".into(),
        }),
        code: Some(folder()),
        environment: Environment {
            name: Some("sklearn-1.5".into()),
            image: Some("docker.io/python:3.11".into()),
            python: Some(PythonEnvironment {
                version: Some("3.11".into()),
                requirements: vec!["numpy==2.1.3".into(), "scikit-learn==1.5.2".into()],
            }),
        },
        environment_variables: BTreeMap::from([("SEED".into(), "7".into())]),
        secrets: BTreeMap::new(),
        inputs: BTreeMap::from([
            (port("data"), input_port(PortType::Folder, InputMode::ReadOnly)),
            (port("rate"), input_port(PortType::Literal, InputMode::Copy)),
            (port("raw"), input_port(PortType::File, InputMode::Direct)),
        ]),
        outputs: BTreeMap::from([
            (port("model"), output_port(PortType::Folder, None)),
            (port("scores"), output_port(PortType::File, Some("scores.json"))),
        ]),
        distribution: Some(Distribution {
            kind: DistributionKind::Pytorch,
            processes_per_instance: 2,
            workers: 0,
            parameter_servers: 0,
        }),
    }
}

fn input_port(port_type: PortType, mode: InputMode) -> InputPort {
    InputPort { port_type, mode }
}

fn output_port(port_type: PortType, file_name: Option<&str>) -> OutputPort {
    OutputPort {
        port_type,
        file_name: file_name.map(str::to_owned),
        optional: file_name.is_some(),
    }
}

fn argv_work() -> StepWork {
    StepWork {
        kind: StepKind::Command(Command::Argv {
            words: vec![
                Word(vec![Fragment::Text("cp".into())]),
                Word(vec![Fragment::Input(port("raw"))]),
                Word(vec![Fragment::Output(port("copy")), Fragment::Text("/x".into())]),
            ],
        }),
        code: None,
        environment: Environment::default(),
        environment_variables: BTreeMap::new(),
        secrets: BTreeMap::new(),
        inputs: BTreeMap::from([(port("raw"), input_port(PortType::File, InputMode::ReadOnly))]),
        outputs: BTreeMap::from([(port("copy"), output_port(PortType::Folder, None))]),
        distribution: None,
    }
}

pub(crate) fn template_with_secrets() -> StepTemplate {
    let wanted = |secret: &str, form| SecretUse {
        secret: name(secret),
        form,
    };
    let work = StepWork {
        secrets: BTreeMap::from([
            ("DB_PASSWORD".into(), wanted("warehouse", SecretForm::Variable)),
            ("TLS_KEY".into(), wanted("tls-key", SecretForm::File)),
        ]),
        ..argv_work()
    };
    StepTemplate::new(work, rules())
}

pub(crate) fn built_in() -> [StepTemplate; 2] {
    let pairs = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    let copy = Builtin::Copy(CopyTo {
        url: "s3://lake/raw".into(),
        path: "models/7".into(),
        options: pairs("aws_region", "eu-1"),
        secrets: pairs("aws_secret_access_key", "TIDEMILL_COPY_SECRET_0"),
    });
    let register = Builtin::RegisterModel {
        model_type: "mlflow_model".into(),
    };
    [copy, register].map(|does| {
        let work = StepWork {
            kind: StepKind::Builtin(does),
            ..argv_work()
        };
        StepTemplate::new(work, rules())
    })
}

fn other_work() -> StepWork {
    StepWork {
        kind: StepKind::Other {
            name: "sweep".into(),
            settings: "{\"trials\":3}".into(),
        },
        ..argv_work()
    }
}

fn rules() -> StepRules {
    StepRules {
        display_name: "Train".into(),
        target: name("gpu-cluster"),
        resources: Resources {
            instance_count: 2,
            cpus: 4,
            memory_bytes: 1 << 33,
            gpus: 1,
        },
        priority: -5,
        timeout: Some(Millis(60_000)),
        retry: RetryPolicy {
            retries_max: 3,
            backoff: Millis(500),
            growth_percent: 150,
            backoff_max: Millis(9_000),
        },
        cache: false,
        when: When::Always,
        checkpoint: None,
        registers: BTreeMap::from([(
            port("model"),
            Registration {
                name: name("best"),
                version: Some("4".into()),
                label: None,
                data_type: None,
                description: String::new(),
                tags: BTreeMap::new(),
            },
        )]),
        reads: vec![],
    }
}

/// A template with every rule, and the kinds of work one after the other.
pub(crate) fn templates() -> Vec<Arc<StepTemplate>> {
    let works = [shell_work(), argv_work(), other_work()];
    works
        .map(|work| Arc::new(StepTemplate::new(work, rules())))
        .to_vec()
}

/// A binding of each kind.
pub(crate) fn steps() -> Vec<PlannedStep> {
    let value = |value| InputBinding::Value(value);
    let train = PlannedStep {
        path: "train.fit".parse().expect("is a path"),
        template: 0,
        inputs: vec![
            (port("data"), value(InputValue::Artifact(folder()))),
            (port("rate"), value(InputValue::Literal(literal()))),
            (port("raw"), value(InputValue::Uri("s3://bucket/raw".into()))),
        ],
        after: Vec::new(),
    };
    let copy = PlannedStep {
        path: "copy".parse().expect("is a path"),
        template: 1,
        inputs: vec![(
            port("raw"),
            InputBinding::Step(StepOutput {
                step: StepIndex(0),
                output: port("scores"),
            }),
        )],
        after: vec![StepIndex(0)],
    };
    vec![train, copy]
}

pub(crate) fn literal() -> Literal {
    Literal {
        literal_type: LiteralType::Number,
        text: "1e-3".into(),
    }
}

pub(crate) fn plan() -> Plan {
    Plan {
        pipeline: name("digits"),
        display_name: "Handwritten digits".into(),
        experiment: name("vision"),
        project: tidemill_protocol::project::default_project(),
        description: "three models".into(),
        tags: BTreeMap::from([("team".into(), "mill".into())]),
        parameters: BTreeMap::from([(port("rate"), InputValue::Literal(literal()))]),
        on_step_failure: OnStepFailure::Continue,
        force_rerun: true,
        templates: templates(),
        steps: steps(),
        outputs: BTreeMap::from([(
            port("model"),
            StepOutput {
                step: StepIndex(0),
                output: port("model"),
            },
        )]),
        warnings: vec!["`default_datestore` is not a setting".into()],
        assets: vec![],
        spec: None,
    }
}
