//! Arguments of the verbs with which people run the service itself.

use super::enrolment::{JoinTokenCommand, QuarantineArgs};
use clap::{Args, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;
use tidemill_protocol::time::Millis;
use tidemill_worker::StepLimits;

/// `tidemill up`.
#[derive(Debug, Args)]
#[command(after_help = "\
EXAMPLES
  tidemill up
  tidemill up --port 8000 --slots 4
  tidemill up & tidemill submit pipeline.yml --watch")]
pub(crate) struct UpArgs {
    /// The port on 127.0.0.1 [default: 7470]
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// How many steps run at once [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) slots: Option<u32>,
    #[command(flatten)]
    pub(crate) door: DoorArgs,
}

/// How the API is protected on its way.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct DoorArgs {
    /// Serve over TLS with this certificate (PEM, the chain after it)
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's key (PEM), readable by its owner only
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
}

/// Where the queues and the artifacts of a cluster are.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct ClusterArgs {
    /// RabbitMQ, as `amqp://user:password@host:5672/vhost`; `amqps://` for TLS; several nodes' separated by commas
    #[arg(long, visible_alias = "broker-url", value_name = "URL")]
    pub(crate) queue_url: Option<String>,
    /// Certificates (PEM) that vouch for an `amqps://` RabbitMQ beside the system's
    #[arg(long, value_name = "FILE")]
    pub(crate) queue_ca: Option<PathBuf>,
    /// What the names of queues start with [default: tidemill]
    #[arg(long, value_name = "NAME")]
    pub(crate) queue_prefix: Option<String>,
    /// Artifacts, as `s3://bucket/path`, `az://container/path`, `gs://bucket/path` or `file:///path`
    #[arg(long, value_name = "URL")]
    pub(crate) store_url: Option<String>,
}

/// `tidemill serve`.
#[derive(Debug, Args)]
#[command(after_help = "\
EXAMPLES
  tidemill serve --queue-url amqps://me:secret@mq:5671 --store-url s3://ml/tm
  tidemill serve --listen 127.0.0.1:7470 --state-dir /var/lib/tidemill
  TIDEMILL_QUEUE_URL=amqp://… TIDEMILL_STORE_URL=s3://… tidemill serve

  tidemill serve --standby --signing-key /etc/tidemill/coordinator.key

Credentials of the store come from the usual variables (AWS_…, AZURE_…,
GOOGLE_…).")]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// Follow the coordinator that is active, and take over when it is gone
    #[arg(long)]
    pub(crate) standby: bool,
    /// Copy the journal to the store: off, async or sync [default: async]
    #[arg(long, value_name = "MODE")]
    pub(crate) archive: Option<String>,
    /// The secret key that signs tasks [default: coordinator.key in the state
    /// folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) signing_key: Option<PathBuf>,
    /// The key that opens the secrets [default: secrets.key in the state folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) secrets_key: Option<PathBuf>,
    /// Where the API listens [default: 127.0.0.1:7470]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    #[command(flatten)]
    pub(crate) door: DoorArgs,
}

/// `tidemill worker …`.
#[derive(Debug, Subcommand)]
pub(crate) enum WorkerCommand {
    /// Serve compute targets until told to stop
    #[command(after_help = "\
EXAMPLES
  tidemill worker start --compute gpu-a100 --type gpu --slots 4 \\
      --queue-url amqp://guest:guest@mq:5672 --store-url s3://ml/tidemill \\
      --coordinator-url http://127.0.0.1:7470
  tidemill worker start --compute cpu --compute big:cpu --coordinator-key @key.pub
  tidemill worker start --config /etc/tidemill/worker.toml
  tidemill worker start --join join.token --coordinator-url https://… --compute cpu

$TIDEMILL_JOIN_TOKEN holds a join token instead of --join.

SIGTERM or Ctrl-C drains: what runs is finished, nothing new is taken. A second
one stops the daemon; its steps go on and the next start takes them up again.")]
    Start(Box<WorkerStartArgs>),
    /// List the workers of which the coordinator has heard
    #[command(
        visible_alias = "ls",
        after_help = "EXAMPLES\n  tidemill worker list\n  tidemill worker list -o json"
    )]
    List,
    /// Let workers finish what they have and take nothing new
    #[command(after_help = "\
EXAMPLES
  tidemill worker drain gpu-box-1
  tidemill worker drain gpu-box-1 --wait --timeout 12h && reboot")]
    Drain(WorkerDrainArgs),
    /// Say that workers' machines are about to be taken away: their steps stop, save checkpoints and go elsewhere
    #[command(after_help = "EXAMPLES\n  tidemill worker preempt spot-7")]
    Preempt(WorkersCautionArgs),
    /// Let drained workers take tasks again
    #[command(after_help = "EXAMPLES\n  tidemill worker resume gpu-box-1")]
    Resume(WorkersArg),
    /// Make, list and revoke the tokens by which workers join
    #[command(subcommand)]
    Token(JoinTokenCommand),
    /// Let nothing count that workers do: their steps go elsewhere, their reports change nothing
    #[command(
        after_help = "EXAMPLES\n  tidemill worker quarantine gpu-box-1 --reason 'wrong results since Monday'"
    )]
    Quarantine(QuarantineArgs),
    /// Let quarantined workers count again
    #[command(after_help = "EXAMPLES\n  tidemill worker release gpu-box-1")]
    Release(WorkersArg),
    /// Forget the keys of workers: they have to join again
    #[command(
        visible_alias = "rm",
        after_help = "EXAMPLES\n  tidemill worker remove gpu-box-1"
    )]
    Remove(WorkersCautionArgs),
}

/// The hidden verb that is the parent of a worker's steps.
#[derive(Debug, Args)]
pub(crate) struct SuperviseArgs {
    /// The folder in which it runs
    pub(crate) dir: PathBuf,
    /// How far the steps are shut in
    #[arg(long, default_value = "basic", value_parser = sandbox)]
    pub(crate) sandbox: tidemill_worker::Sandbox,
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
    #[command(flatten)]
    pub(crate) limits: LimitsArgs,
}

/// What each attempt may use.
#[derive(Debug, Args)]
pub(crate) struct LimitsArgs {
    /// Processes of an attempt
    #[arg(long = "processes", value_name = "N", default_value_t = StepLimits::default().processes)]
    processes: u64,
    /// Open files of a process
    #[arg(long = "open-files", value_name = "N", default_value_t = StepLimits::default().open_files)]
    open_files: u64,
    /// Length of a file
    #[arg(long = "file-bytes", value_name = "N", default_value_t = StepLimits::default().file_bytes)]
    file_bytes: u64,
}

impl From<LimitsArgs> for StepLimits {
    fn from(args: LimitsArgs) -> Self {
        Self {
            processes: args.processes,
            open_files: args.open_files,
            file_bytes: args.file_bytes,
        }
    }
}

/// The hidden verb that becomes a step's program.
#[derive(Debug, Args)]
pub(crate) struct ConfineArgs {
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
    /// The program's `HOME`
    #[arg(long)]
    pub(crate) home: PathBuf,
    /// The user and group that the program runs as
    #[arg(long, value_name = "ID")]
    pub(crate) user: Option<u32>,
    /// The program's path, the name that it is called by, its arguments
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<OsString>,
}

/// What a strict sandbox leaves open beside the system.
#[derive(Debug, Args)]
pub(crate) struct ReachArgs {
    /// A file or folder to read
    #[arg(long = "readable", value_name = "PATH")]
    readable: Vec<PathBuf>,
    /// A file or folder to write
    #[arg(long = "writable", value_name = "PATH")]
    writable: Vec<PathBuf>,
}

impl From<ReachArgs> for tidemill_worker::Reach {
    fn from(args: ReachArgs) -> Self {
        Self {
            readable: args.readable,
            writable: args.writable,
        }
    }
}

fn sandbox(word: &str) -> Result<tidemill_worker::Sandbox, String> {
    tidemill_worker::Sandbox::parse(word).ok_or_else(|| "not `strict`, `basic` or `off`".to_owned())
}

/// `tidemill worker start`.
#[derive(Debug, Args)]
pub(crate) struct WorkerStartArgs {
    /// Serve this compute target, optionally with its type; may be given several times
    #[arg(long = "compute", value_name = "NAME[:TYPE]")]
    pub(crate) compute: Vec<String>,
    /// The type of the targets that name none [default: cpu]
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) compute_type: Option<String>,
    /// How many steps run at once [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) slots: Option<u32>,
    /// The worker's name [default: made from the host's name and kept]
    #[arg(long, value_name = "NAME")]
    pub(crate) worker_id: Option<String>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// The coordinator's public key, in hexadecimal or as @FILE
    #[arg(long, value_name = "KEY")]
    pub(crate) coordinator_key: Option<String>,
    /// Ask the coordinator at this address for its key (and for the store's address)
    #[arg(long, value_name = "URL")]
    pub(crate) coordinator_url: Option<String>,
    /// Join by the token in this file, once
    #[arg(long, value_name = "FILE")]
    pub(crate) join: Option<PathBuf>,
    /// Largest size of the cache of inputs, e.g. 20GiB
    #[arg(long, value_name = "SIZE")]
    pub(crate) cache_size: Option<String>,
}

/// `tidemill worker drain`.
#[derive(Debug, Args)]
pub(crate) struct WorkerDrainArgs {
    #[command(flatten)]
    pub(crate) workers: WorkersArg,
    /// Stay until they have finished what they have
    #[arg(long)]
    pub(crate) wait: bool,
    /// Wait so long at most; the exit code is then 3
    #[arg(long, value_name = "TIME", value_parser = super::length, requires = "wait")]
    pub(crate) timeout: Option<Millis>,
}

/// `tidemill worker preempt` and `remove`.
#[derive(Debug, Args)]
pub(crate) struct WorkersCautionArgs {
    #[command(flatten)]
    pub(crate) workers: WorkersArg,
    #[command(flatten)]
    pub(crate) caution: super::Caution,
}

/// Workers by name.
#[derive(Debug, Args)]
pub(crate) struct WorkersArg {
    /// The workers
    #[arg(value_name = "WORKER", required = true)]
    pub(crate) workers: Vec<String>,
}

/// `tidemill doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
EXAMPLES
  tidemill doctor
  tidemill doctor --queue-url amqp://guest:guest@mq:5672 --store-url s3://ml/tm")]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

/// `tidemill bench`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES\n  tidemill bench\n  tidemill bench --steps 5000\n  tidemill bench -o json")]
pub(crate) struct BenchArgs {
    /// How many steps to run
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(10..=10_000))]
    pub(crate) steps: u32,
}

/// `tidemill config …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every setting
    #[command(after_help = "EXAMPLES\n  tidemill config show\n  tidemill config show --origin")]
    Show(ConfigShowArgs),
}

/// `tidemill config show`.
#[derive(Debug, Args)]
pub(crate) struct ConfigShowArgs {
    /// Say where each comes from
    #[arg(long)]
    pub(crate) origin: bool,
}

/// `tidemill completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
EXAMPLES
  tidemill completions bash > /etc/bash_completion.d/tidemill
  tidemill completions zsh > ~/.zfunc/_tidemill")]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

/// `tidemill help`.
#[derive(Debug, Args)]
#[command(after_help = "\
EXAMPLES
  tidemill help exit-codes
  tidemill help names
  tidemill help formats
  tidemill help runs list")]
pub(crate) struct HelpArgs {
    /// A command, or one of the topics exit-codes, names and formats
    #[arg(value_name = "COMMAND|TOPIC")]
    pub(crate) subject: Vec<String>,
}

/// A file, for the hidden verbs.
#[derive(Debug, Args)]
pub(crate) struct FileArgs {
    /// The file
    pub(crate) file: PathBuf,
}

/// A folder, for the hidden verbs.
#[derive(Debug, Args)]
pub(crate) struct DirArgs {
    /// The folder
    pub(crate) dir: PathBuf,
}
