//! What a step executes: its command, code, environment, ports and distribution. All of it is part of the step key; the rules around it are in `rules`.

use super::{Builtin, SecretUse};
use crate::artifact::ArtifactRef;
use crate::digest::{CanonicalHasher, Digest};
use crate::name::PortName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is executed: every field is part of the step key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepWork {
    /// Which executor runs it, and what it is told.
    pub kind: StepKind,
    /// The folder in which the process starts (a private copy of it); none means an empty folder.
    #[serde(default)]
    pub code: Option<ArtifactRef>,
    /// The software around it.
    #[serde(default)]
    pub environment: Environment,
    /// Variables that the author sets for the process.
    #[serde(default)]
    pub environment_variables: BTreeMap<String, String>,
    /// Secrets that the process is given, by the environment variable through which it finds them. Their names only: a new value changes no key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretUse>,
    /// How each input that may be bound is handed over.
    #[serde(default)]
    pub inputs: BTreeMap<PortName, InputPort>,
    /// What the process must (or may) produce.
    #[serde(default)]
    pub outputs: BTreeMap<PortName, OutputPort>,
    /// How several processes of one step find each other.
    #[serde(default)]
    pub distribution: Option<Distribution>,
}

/// The parts of the step key that a person can be told about, each with its digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyPart {
    /// `command`, `code`, `environment`, `environment variable NAME`, `secret NAME`, `output NAME`, `input port NAME`, `distribution`, or `input NAME`.
    pub part: String,
    /// Its digest.
    pub digest: Digest,
}

impl StepWork {
    /// The named parts of this work, in a fixed order.
    pub fn parts(&self) -> Vec<KeyPart> {
        let part = |part: &str, digest| KeyPart {
            part: part.to_owned(),
            digest,
        };
        let mut parts = vec![
            part("command", record(&self.kind)),
            part(
                "code",
                self.code.map_or_else(|| record("none"), |code| code.digest),
            ),
            part("environment", self.environment.digest()),
        ];
        let variables = self.environment_variables.iter();
        parts.extend(variables.map(|(n, v)| part(&format!("environment variable {n}"), record(v))));
        parts.extend(
            self.secrets
                .iter()
                .map(|(n, s)| part(&format!("secret {n}"), record(s))),
        );
        parts.extend(
            self.inputs
                .iter()
                .map(|(n, p)| part(&format!("input port {n}"), record(p))),
        );
        parts.extend(
            self.outputs
                .iter()
                .map(|(n, p)| part(&format!("output {n}"), record(p))),
        );
        parts.push(part("distribution", record(&self.distribution)));
        parts
    }

    /// The digest of all parts together.
    pub fn digest(&self) -> Digest {
        let mut hasher = CanonicalHasher::new("tidemill/step-work/v1");
        for part in self.parts() {
            hasher.text(&part.part).digest(&part.digest);
        }
        hasher.finish()
    }
}

fn record<T: Serialize + ?Sized>(value: &T) -> Digest {
    Digest::of(&crate::codec::encode(value))
}

/// Which executor runs the step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StepKind {
    /// A process.
    Command(Command),
    /// What tidemill does itself.
    Builtin(Builtin),
    /// A kind whose executor is not built in yet (`sweep`, `parallel`, `spark`, `automl` …): it loads and plans, and fails with a clear reason
    /// when it is reached. The settings are kept as canonical JSON text, so that they are part of the key.
    Other {
        /// The kind's name in pipeline files.
        name: String,
        /// Its settings.
        settings: String,
    },
    /// A kind of a newer version.
    #[serde(other)]
    Unknown,
}

impl StepKind {
    /// What does the work of a kind without an executor, by the kind's name in pipeline files.
    pub fn instead_of(name: &str) -> &'static str {
        match name {
            "parallel" => {
                "a `command` step whose script goes through the batches, or several that each take a part"
            }
            "sweep" => "a `command` step for each combination, or one whose script searches by itself",
            "spark" => {
                "a `command` step that calls `spark-submit`, on a compute target whose workers have it"
            }
            "data_transfer" => {
                "a step of `type: copy`, which copies files, folders and outputs to a datastore"
            }
            "automl" => "a `command` step whose script runs an AutoML library",
            _ => "a `command` step",
        }
    }
}

/// A process to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "snake_case")]
pub enum Command {
    /// No shell: these words become the argument vector.
    Argv {
        /// The words; the first names the program.
        words: Vec<Word>,
    },
    /// A shell script. Values reach it only through environment variables (see [`Fragment::variable`]), never as text.
    Shell {
        /// The script.
        script: String,
    },
}

/// One argument, put together from fragments without spaces between them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Word(pub Vec<Fragment>);

/// A piece of an argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fragment {
    /// Text of the author's.
    Text(String),
    /// The value or path of an input.
    Input(PortName),
    /// The path of an output.
    Output(PortName),
}

impl Fragment {
    /// The environment variable that carries an input or output to the process; none for text. The name keeps the author's case.
    pub fn variable(&self) -> Option<String> {
        match self {
            Self::Text(_) => None,
            Self::Input(name) => Some(format!("TIDEMILL_INPUT_{name}")),
            Self::Output(name) => Some(format!("TIDEMILL_OUTPUT_{name}")),
        }
    }
}

/// The software around a step. All parts absent means the worker's own (`host`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Environment {
    /// The name by which the author asked for it, for display; not part of the key.
    pub name: Option<String>,
    /// A container image, used by workers that have a container runtime and are told to use it.
    pub image: Option<String>,
    /// A Python environment.
    pub python: Option<PythonEnvironment>,
}

/// A Python environment to be built once per worker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PythonEnvironment {
    /// The Python that it is built with, as [`PythonVersions`](super::PythonVersions) reads it: `3.11`, or a range like `>=3.8,<3.12`.
    pub version: Option<String>,
    /// Requirement lines in pip's format, in the author's order.
    pub requirements: Vec<String>,
}

impl Environment {
    /// The part of the step key that the environment is, and the name of a built environment.
    pub fn digest(&self) -> Digest {
        let mut hasher = CanonicalHasher::new("tidemill/environment/v1");
        hasher.optional(self.image.as_deref());
        match &self.python {
            None => hasher.number(0),
            Some(python) => {
                hasher
                    .number(1)
                    .optional(python.version.as_deref())
                    .number(python.requirements.len() as u64);
                for requirement in &python.requirements {
                    hasher.text(requirement);
                }
                &mut hasher
            }
        };
        hasher.finish()
    }
}

/// What an input or output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortType {
    /// A literal value (inputs only).
    Literal,
    /// One file.
    File,
    /// A folder.
    Folder,
}

/// How an input is handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputPort {
    /// What it is.
    pub port_type: PortType,
    /// How it is handed over.
    pub mode: InputMode,
}

/// How an artifact reaches the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputMode {
    /// Present and read-only before the process starts (`ro_mount`, and the default).
    #[default]
    ReadOnly,
    /// A private copy that the process may change (`download`, `rw_mount`).
    Copy,
    /// Only its location is passed (`direct`).
    Direct,
}

/// What the process produces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputPort {
    /// File or folder.
    pub port_type: PortType,
    /// Name of the file inside the output's folder, for outputs that are one file.
    #[serde(default)]
    pub file_name: Option<String>,
    /// Whether the step fails without it: a folder may stay empty, a file must exist.
    #[serde(default)]
    pub optional: bool,
}

/// How several processes of one step find each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// `pytorch`, `tensorflow` or `mpi`.
    pub kind: DistributionKind,
    /// Processes on each instance, at least 1 (`pytorch`, `mpi`).
    pub processes_per_instance: u32,
    /// Workers in all (`tensorflow`).
    #[serde(default)]
    pub workers: u32,
    /// Parameter servers (`tensorflow`).
    #[serde(default)]
    pub parameter_servers: u32,
}

/// The rendezvous convention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DistributionKind {
    /// `RANK`, `WORLD_SIZE`, `MASTER_ADDR` …
    Pytorch,
    /// `TF_CONFIG`.
    Tensorflow,
    /// An MPI launcher.
    Mpi,
}

#[cfg(test)]
mod tests {
    use super::super::SecretForm;
    use super::*;

    fn work(script: &str) -> StepWork {
        StepWork {
            kind: StepKind::Command(Command::Shell {
                script: script.into(),
            }),
            code: None,
            environment: Environment::default(),
            environment_variables: BTreeMap::new(),
            secrets: BTreeMap::new(),
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            distribution: None,
        }
    }

    #[test]
    fn each_part_of_the_work_changes_its_digest() {
        let base = work("true");
        let mut changed = vec![work("false")];
        let mut other = base.clone();
        other.environment_variables.insert("A".into(), "1".into());
        changed.push(other);
        let mut other = base.clone();
        let secret = SecretUse {
            secret: "db".parse().unwrap(),
            form: SecretForm::Variable,
        };
        other.secrets.insert("DB".into(), secret);
        changed.push(other);
        let mut other = base.clone();
        other.environment.python = Some(PythonEnvironment {
            version: None,
            requirements: vec!["numpy".into()],
        });
        changed.push(other);
        let mut other = base.clone();
        other.outputs.insert(
            "o".parse().unwrap(),
            OutputPort {
                port_type: PortType::Folder,
                file_name: None,
                optional: false,
            },
        );
        changed.push(other);
        for other in changed {
            assert_ne!(other.digest(), base.digest(), "{other:?}");
        }
    }

    #[test]
    fn the_name_of_an_environment_is_not_part_of_the_key() {
        let mut named = work("true");
        named.environment.name = Some("sklearn-1.5".into());
        assert_eq!(named.digest(), work("true").digest());
    }

    #[test]
    fn a_step_kind_survives_messagepack() {
        let kind = StepKind::Command(Command::Argv {
            words: vec![Word(vec![Fragment::Text("/bin/true".into())])],
        });
        assert_eq!(
            crate::codec::decode::<StepKind>(&crate::codec::encode(&kind)).unwrap(),
            kind
        );
    }
}
