//! What was typed. These types parse and document the command line and do nothing: what an argument means is decided in `settings`,
//! what happens is in `commands`. Every flag is defined once, here; help, completions and error messages follow from it.

mod access;
mod assets;
mod author;
mod broker;
mod compute;
mod data;
mod datastores;
mod describing;
mod drafts;
mod ends;
mod enrolment;
mod experiments;
mod inspect;
mod mailings;
mod metrics;
mod operate;
mod projects;
mod publish;
mod remarks;
mod schedules;
mod secrets;
mod webhooks;

pub(crate) use access::{AuditArgs, AuditCommand, LoginArgs, LogoutArgs, TokenCommand, TokenCreateArgs};
pub(crate) use assets::{
    AssetAddArgs, AssetCommand, AssetDescribeArgs, AssetGetArgs, AssetLabelArgs, AssetListArgs,
    AssetRemoveArgs, AssetRenameArgs, AssetStageArgs, AssetUnlabelArgs, LineageArgs,
};
pub(crate) use author::{
    GraphArgs, InitArgs, PlanArgs, RunArgs, Staying, Submission, SubmitArgs, ValidateArgs,
};
pub(crate) use broker::{BrokerCommand, BrokerSetupArgs, ClassArg};
pub(crate) use compute::ComputeCommand;
pub(crate) use data::{ArtifactsCommand, ArtifactsSweepArgs, CacheCommand, JournalCommand, RecoverArgs};
pub(crate) use datastores::{DatastoreAddArgs, DatastoreCommand};
pub(crate) use describing::DescriptionArgs;
pub(crate) use drafts::{
    DraftCreateArgs, DraftEditArgs, DraftPublishArgs, DraftSaid, DraftSubmitArgs, DraftsCommand,
};
pub(crate) use enrolment::{JoinTokenCommand, JoinTokenCreateArgs, QuarantineArgs};
pub(crate) use experiments::{
    ExperimentCommand, ExperimentCreateArgs, ExperimentDescribeArgs, ExperimentListArgs, ExperimentRenameArgs,
};
pub(crate) use inspect::{ExplainArgs, LogsArgs, QueueCommand, RunsCommand, RunsListArgs, StreamChoice};
pub(crate) use mailings::{MailingAddArgs, MailingCommand};
pub(crate) use metrics::{MetricsArgs, RunsCompareArgs};
pub(crate) use operate::{
    BenchArgs, ClusterArgs, CompletionsArgs, ConfigCommand, ConfineArgs, DirArgs, DoctorArgs, DoorArgs,
    FileArgs, HelpArgs, ServeArgs, SuperviseArgs, UpArgs, WorkerCommand,
};
pub(crate) use projects::{
    ProjectCommand, ProjectCreateArgs, ProjectDeleteArgs, ProjectRoleArgs, QuotaArgs, TeamCommand,
};
pub(crate) use publish::{
    PipelineArgs, PipelinesCommand, PipelinesDefaultArgs, PipelinesStartArgs, PublishArgs,
};
pub(crate) use remarks::{RunsCommentArgs, RunsDescribeArgs, RunsTagArgs};
pub(crate) use schedules::{ScheduleCommand, ScheduleCreateArgs};
pub(crate) use secrets::{SecretCommand, SecretSetArgs};
pub(crate) use webhooks::{WebhookAddArgs, WebhookCommand};

use crate::output::humane;
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tidemill_protocol::time::Millis;

/// The top-level help: clap has no groups for commands, so the list is written here and a test holds it to the commands that exist.
const TEMPLATE: &str = "\
{about}

{usage-heading} tidemill [OPTIONS] <COMMAND>

Run something:
  run          Run a pipeline on this machine and wait for it
  up           Start coordinator, worker and API on this machine
  submit       Hand a pipeline to a coordinator
  publish      Freeze a pipeline under a name, to be started by anybody
  pipelines    List, show, start, enable and disable published pipelines
  drafts       Keep pipelines to change, submit and publish
  schedule     Start published pipelines by themselves, again and again

Write pipelines:
  init         Write a small pipeline to start from
  validate     Report every problem of a pipeline file
  plan         Say which steps would run, which are reused, and why
  graph        Draw a pipeline or a run
  schema       Print the JSON Schema of pipeline files

Look at runs:
  runs         List, show, watch, cancel, retry and compare runs
  logs         Print or follow what steps wrote
  metrics      List the metrics that steps logged
  experiment   List, show, make, rename and delete experiments
  explain      Say why a step stands as it does, or what an error code means
  artifacts    List, fetch, print and compare outputs
  cache        Say why a step was or was not reused

Names and versions:
  data         Name, version, label and fetch files that steps read
  model        Name, version, label and fetch models
  component    Name and version steps that pipelines share
  environment  Name and version the software around steps
  datastore    Name places outside the store in which data lie
  lineage      Say what something was made of, and what was made of it

Operate:
  serve        Run the coordinator of a cluster
  worker       Start workers, let them join, drain or quarantine them
  compute      Show compute targets with their workers and what waits
  queue        Show queues and backlogs side by side
  broker       Set up RabbitMQ's users and rights
  journal      Verify, export, repair or recover a coordinator's journal
  token        Make, list and revoke the tokens of a coordinator
  project      Group runs, with roles, quotas and a fair share of the machines
  team         Name groups of people who have roles together
  secret       Set, list and remove the secrets that steps are given
  webhook      Tell addresses when runs and steps end
  mailing      Mail people when runs and steps end
  audit        Say who changed what, and who was refused
  login        Keep a token for a coordinator
  logout       Forget the token for a coordinator
  doctor       Check this machine and its connections
  bench        Measure what this machine can do
  config       Show settings and where each comes from

Beside that:
  help         Print a command's help, or explain exit codes, names or formats
  completions  Print a completion script for your shell
  version      Print the version

Options:
{options}{after-help}";

const EXAMPLES: &str = "\
EXAMPLES
  tidemill init && tidemill run pipeline.yml   a first pipeline
  tidemill run pipeline.yml -p epochs=3        the same with another parameter
  tidemill up                                  a service for many runs
  tidemill logs last/train -f                  follow a step of the newest run
  tidemill explain last/train                  why it waits, runs or failed

EXIT CODES
  0 good   1 failure   2 usage or invalid pipeline   3 cancelled or timed out
  4 not allowed   5 the run ended badly   6 not found   7 conflict
  8 unreachable   9 another coordinator took over   130 Ctrl-C   143 SIGTERM
  `tidemill help exit-codes` says more.";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(about = "Run machine-learning pipelines on one machine or on a cluster of unlike ones")]
#[command(name = "tidemill", version, help_template = TEMPLATE, after_help = EXAMPLES)]
#[command(
    disable_help_subcommand = true,
    max_term_width = 80,
    propagate_version = false
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub(crate) struct Global {
    /// How to print: table, wide, json, yaml, jsonl, csv or name
    #[arg(
        short,
        long,
        value_name = "FORMAT",
        global = true,
        hide_possible_values = true
    )]
    pub(crate) output: Option<Format>,
    /// Print ids only, and no progress
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Leave the titles of tables and of csv out
    #[arg(long, global = true)]
    pub(crate) no_headers: bool,
    /// Show times in UTC [default: in the zone of this machine]
    #[arg(long, global = true)]
    pub(crate) utc: bool,
    /// Never ask anything
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// Say more: causes of errors; twice, the log of every part
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
    /// When to colour: auto, always or never
    #[arg(long, value_name = "WHEN", global = true, hide_possible_values = true)]
    pub(crate) color: Option<Color>,
    /// The coordinator's address [default: the one on this machine]
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) url: Option<String>,
    /// A file with the token for the coordinator [default: that of `tidemill login`]
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) token_file: Option<PathBuf>,
    /// Certificates (PEM) that vouch for an https:// coordinator too
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) api_ca: Option<PathBuf>,
    /// Let tokens and passwords travel unencrypted to and from other machines
    #[arg(long, global = true)]
    pub(crate) insecure_plaintext: bool,
    /// Where this machine keeps runs, artifacts and caches
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) state_dir: Option<PathBuf>,
    /// One more settings file, above all others
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
}

/// The forms in which data is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// For people
    #[default]
    Table,
    /// For people with a wide screen
    Wide,
    /// As the API gives it
    Json,
    /// The same as YAML
    Yaml,
    /// One JSON value a line
    Jsonl,
    /// One row an item, with commas between
    Csv,
    /// Ids, one a line
    Name,
    /// A drawing for Graphviz; of `graph` only
    #[value(hide = true)]
    Dot,
    /// A drawing for Markdown pages; of `graph` only
    #[value(hide = true)]
    Mermaid,
    /// A finished drawing; of `graph` only
    #[value(hide = true)]
    Svg,
}

/// When to colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a pipeline on this machine and wait for it
    Run(RunArgs),
    /// Start coordinator, worker and API on this machine
    Up(UpArgs),
    /// Hand a pipeline to a coordinator
    Submit(SubmitArgs),
    /// Freeze a pipeline under a name, to be started by anybody
    Publish(PublishArgs),
    /// List, show, start, enable and disable published pipelines
    #[command(subcommand)]
    Pipelines(PipelinesCommand),
    /// Keep pipelines to change, submit and publish
    #[command(subcommand)]
    Drafts(DraftsCommand),
    /// Start published pipelines by themselves, again and again
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Write a small pipeline to start from
    Init(InitArgs),
    /// Report every problem of a pipeline file
    Validate(ValidateArgs),
    /// Say which steps would run, which are reused, and why
    Plan(PlanArgs),
    /// Draw a pipeline or a run
    Graph(GraphArgs),
    /// Print the JSON Schema of pipeline files
    #[command(after_help = "EXAMPLES\n  tidemill schema > pipeline.schema.json")]
    Schema,
    /// List, show, watch, cancel, retry and compare runs
    #[command(subcommand)]
    Runs(RunsCommand),
    /// Print or follow what steps wrote
    Logs(LogsArgs),
    /// List the metrics that steps logged
    Metrics(MetricsArgs),
    /// List, show, make, rename and delete experiments
    #[command(subcommand)]
    Experiment(ExperimentCommand),
    /// Say why a step stands as it does, or what an error code means
    Explain(ExplainArgs),
    /// List, fetch, print and compare outputs
    #[command(subcommand)]
    Artifacts(ArtifactsCommand),
    /// Say why a step was or was not reused
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Name, version, label and fetch files that steps read
    #[command(subcommand)]
    Data(AssetCommand),
    /// Name, version, label and fetch models
    #[command(subcommand)]
    Model(AssetCommand),
    /// Name and version steps that pipelines share
    #[command(subcommand)]
    Component(AssetCommand),
    /// Name and version the software around steps
    #[command(subcommand)]
    Environment(AssetCommand),
    /// Name places outside the store in which data lie
    #[command(subcommand)]
    Datastore(DatastoreCommand),
    /// Say what something was made of, and what was made of it
    Lineage(LineageArgs),
    /// Run the coordinator of a cluster
    Serve(ServeArgs),
    /// Start workers, let them join, drain or quarantine them
    #[command(subcommand)]
    Worker(WorkerCommand),
    /// Show compute targets with their workers and what waits
    #[command(subcommand)]
    Compute(ComputeCommand),
    /// Show queues and backlogs side by side
    #[command(subcommand)]
    Queue(QueueCommand),
    /// Set up RabbitMQ's users and rights
    #[command(subcommand)]
    Broker(BrokerCommand),
    /// Verify, export, repair or recover a coordinator's journal
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Make, list and revoke the tokens of a coordinator
    #[command(subcommand)]
    Token(TokenCommand),
    /// Group runs, with roles, quotas and a fair share of the machines
    #[command(subcommand)]
    Project(ProjectCommand),
    /// Name groups of people who have roles together
    #[command(subcommand)]
    Team(TeamCommand),
    /// Set, list and remove the secrets that steps are given
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Tell addresses when runs and steps end
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// Mail people when runs and steps end
    #[command(subcommand)]
    Mailing(MailingCommand),
    /// Say who changed what, and who was refused
    Audit(AuditArgs),
    /// Keep a token for a coordinator
    Login(LoginArgs),
    /// Forget the token for a coordinator
    Logout(LogoutArgs),
    /// Check this machine and its connections
    Doctor(DoctorArgs),
    /// Measure what this machine can do
    Bench(BenchArgs),
    /// Show settings and where each comes from
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a command's help, or explain exit codes, names or formats
    Help(HelpArgs),
    /// Print a completion script for your shell
    Completions(CompletionsArgs),
    /// Print the version
    #[command(after_help = "EXAMPLES\n  tidemill version\n  tidemill version -o json")]
    Version,
    /// Parent of a worker's steps; started by the worker
    #[command(hide = true)]
    Supervise(SuperviseArgs),
    /// Gives files up and becomes a step's program; started by the parent of a worker's steps
    #[command(hide = true)]
    Confine(ConfineArgs),
    /// Does what tidemill does itself for a step; started by the parent of a worker's steps
    #[command(hide = true)]
    Perform(FileArgs),
    /// Opens a journal and says whether that went well; started by the coordinator
    #[command(hide = true)]
    JournalProbe(DirArgs),
}

/// How careful somebody is with what cannot be taken back.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Caution {
    /// Do it without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Say what would be done, and do nothing
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
}

/// A length of time.
fn length(text: &str) -> Result<Millis, String> {
    humane::parse_length(text).ok_or_else(|| "write it as 90s, 30m, 12h or 7d".to_owned())
}

/// A `NAME=VALUE` argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    /// Left of the first `=`.
    pub(crate) name: String,
    /// Right of it.
    pub(crate) value: String,
}

impl std::str::FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => Ok(Self {
                name: name.trim().to_owned(),
                value: value.to_owned(),
            }),
            _ => Err("write it as NAME=VALUE".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
