//! What is meant: defaults, then files, then the environment, then arguments, resolved once. Everything below receives finished values and
//! never asks where they came from; [`Settings::origin`] remembers, for people.

mod environment;
mod files;
mod keys;
mod layers;
mod mail;
mod password;
mod resolve;
mod steps;
mod waits;

pub(crate) use environment::Environment;
pub(crate) use files::SettingsFile;
pub(crate) use keys::{KEYS, Key};
pub(crate) use password::without_password;
pub(crate) use resolve::Given;

use crate::args::{Color, Format};
use crate::exit::Exit;
use crate::failure::Failure;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tidemill_coordinator::enrolment::EnrolmentRule;
use tidemill_coordinator::{OpenLineageConfig, SmtpConfig};
use tidemill_protocol::destination::Destinations;
use tidemill_protocol::time::Millis;
use tidemill_worker::{Reach, RunAs, Sandbox, StepLimits};

/// Where the API of a machine's own coordinator is when nobody says.
pub(crate) const DEFAULT_PORT: u16 = 7470;

/// Where a value comes from, strongest last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody said.
    Default,
    /// A settings file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// The command line.
    Argument(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "${name}"),
            Self::Argument(flag) => f.write_str(flag),
        }
    }
}

/// A value with its origin.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// The value.
    pub(crate) value: toml::Value,
    /// Where it comes from.
    pub(crate) origin: Origin,
}

/// Whether and how a coordinator copies its journal to the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Archive {
    /// Not at all.
    Off,
    /// Within seconds.
    #[default]
    Async,
    /// Before it answers.
    Sync,
}

/// All settings, resolved.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub(crate) struct Settings {
    /// The coordinator, when somebody said which.
    pub(crate) url: Option<String>,
    /// Where this machine keeps things.
    pub(crate) state_dir: PathBuf,
    /// How data is printed.
    pub(crate) output: Format,
    /// Whether times are shown in UTC.
    pub(crate) utc: bool,
    /// Whether nobody is asked anything.
    pub(crate) no_input: bool,
    /// Whether lists have titles.
    pub(crate) has_headers: bool,
    /// When to colour.
    pub(crate) color: Color,
    /// Ids only, no progress.
    pub(crate) quiet: bool,
    /// How much to say of errors and of the log.
    pub(crate) verbose: u8,
    /// The log's filter.
    pub(crate) log: Option<String>,
    /// Whether the log is JSON.
    pub(crate) log_is_json: bool,
    /// How many steps run at once.
    pub(crate) slots: u32,
    /// Where the API listens.
    pub(crate) listen: SocketAddr,
    /// A file that holds the token for the coordinator.
    pub(crate) token_file: Option<PathBuf>,
    /// Whether tokens and passwords may travel in the clear, to other machines and from them.
    pub(crate) insecure_plaintext: bool,
    /// The files of the certificate and the key with which the API is served.
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
    /// Certificates that vouch for an https coordinator beside the system's own.
    pub(crate) api_ca: Option<PathBuf>,
    /// The cluster's RabbitMQ.
    pub(crate) queue_url: Option<String>,
    /// Certificates that vouch for the cluster's RabbitMQ beside the system's own.
    pub(crate) queue_ca: Option<PathBuf>,
    /// The management API of the cluster's RabbitMQ.
    pub(crate) queue_management_url: Option<String>,
    /// What the names of queues start with.
    pub(crate) queue_prefix: String,
    /// The object store; none means a folder in `state_dir`.
    pub(crate) store_url: Option<String>,
    /// What files say to the object store beside its address.
    pub(crate) store_options: BTreeMap<String, String>,
    /// Whether and how the coordinator copies its journal to the store; none when nobody said so.
    pub(crate) archive: Option<Archive>,
    /// The file of the coordinator's secret key, where it is not in `state_dir`.
    pub(crate) signing_key: Option<PathBuf>,
    /// The file of the key that opens secrets, where it is not in `state_dir`.
    pub(crate) secrets_key: Option<PathBuf>,
    /// Where a coordinator tells what its runs read and made.
    pub(crate) openlineage: Option<OpenLineageConfig>,
    /// The compute targets that the worker serves, each `NAME` or `NAME:TYPE`.
    pub(crate) compute: Vec<String>,
    /// The type of targets that name none.
    pub(crate) compute_type: String,
    /// The worker's name.
    pub(crate) worker_id: Option<String>,
    /// The coordinator's public key, or `@FILE`.
    pub(crate) coordinator_key: Option<String>,
    /// A file with the token by which the worker joins.
    pub(crate) join_token_file: Option<PathBuf>,
    /// Whether the coordinator believes workers without a key of their own.
    pub(crate) worker_enrolment: EnrolmentRule,
    /// How far the worker's steps are shut in.
    pub(crate) sandbox: Sandbox,
    /// What a strict sandbox leaves open beside the system.
    pub(crate) sandbox_reach: Reach,
    /// As whom the worker's steps run.
    pub(crate) run_as: RunAs,
    /// What each step may use.
    pub(crate) step_limits: StepLimits,
    /// How long the building of an environment may take.
    pub(crate) environment_timeout: Duration,
    /// How long a stopped step has to save what it has.
    pub(crate) stop_grace: Duration,
    /// How long outputs wait for a store that does not take them, when somebody says.
    pub(crate) upload_deadline: Option<Duration>,
    /// A file whose appearance says that this machine is about to be taken away.
    pub(crate) preemption_notice: Option<PathBuf>,
    /// How long a silent worker is waited for.
    pub(crate) lease: Millis,
    /// Largest size of the worker's cache in bytes.
    pub(crate) cache_bytes_max: u64,
    /// Places beside the public internet from which the worker fetches inputs.
    pub(crate) fetch_allow: Destinations,
    /// Places beside the public internet that webhooks may be told at.
    pub(crate) webhook_allow: Destinations,
    /// Where datastores may be beside the public internet.
    pub(crate) datastore_allow: Destinations,
    /// The mail server, if there is one.
    pub(crate) smtp: Option<SmtpConfig>,
    /// Where steps log to tracking; none when nobody said so, `off` for nowhere.
    pub(crate) tracking_url: Option<String>,
    /// Bytes that stay free on the disk of the state folder.
    pub(crate) disk_reserve: u64,
    /// Who sits at the keyboard.
    pub(crate) user: String,
    /// The files that were read, weakest first; pipelines' tables stand in them too.
    pub(crate) files: Vec<SettingsFile>,
    /// What the environment said, for the few places that ask for an agreed variable.
    pub(crate) environment: Environment,
    origins: BTreeMap<&'static str, Setting>,
}

impl Settings {
    /// Resolves everything for a command that looks at `project` (the folder of the pipeline file, or the current one).
    pub(crate) fn resolve(environment: Environment, given: &Given, project: &Path) -> Result<Self, Failure> {
        resolve::resolve(environment, given, project)
    }

    /// The value of a setting as somebody gave it, with its origin; none when nobody did.
    pub(crate) fn origin(&self, name: &str) -> Option<&Setting> {
        self.origins.get(name)
    }

    /// Where the address comes from, in words.
    pub(crate) fn url_origin(&self) -> Origin {
        self.origin("url")
            .map_or(Origin::Default, |setting| setting.origin.clone())
    }

    /// The same with everything kept in another folder, the artifacts too.
    pub(crate) fn apart(&self, state_dir: PathBuf) -> Self {
        Self {
            state_dir,
            store_url: None,
            ..self.clone()
        }
    }

    /// The object store's address, the local one when nobody named another.
    pub(crate) fn store_url(&self) -> String {
        self.store_url
            .clone()
            .unwrap_or_else(|| format!("file://{}", self.state_dir.join("store").display()))
    }
}

/// The known word nearest to this one, if it is near.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// A usage failure about one setting.
fn invalid(key: &str, setting: &Setting, wanted: &str) -> Failure {
    let value = match &setting.value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Failure::new(
        Exit::Usage,
        format!("`{key}` cannot be `{value}` (from {}): {wanted}", setting.origin),
    )
}
