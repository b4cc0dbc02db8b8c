//! Arguments of the verbs with which people write and start pipelines.

use super::Pair;
use clap::Args;
use std::path::PathBuf;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Millis;

/// What a submission is made of; shared by `run`, `submit` and `plan`.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What to run")]
pub(crate) struct Submission {
    /// Set a parameter of the pipeline; may be given several times
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE")]
    pub(crate) parameters: Vec<Pair>,
    /// What to call this run
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// File the run under this experiment
    #[arg(long, value_name = "NAME")]
    pub(crate) experiment: Option<String>,
    /// The project that the run belongs to [default: default]
    #[arg(long, value_name = "NAME")]
    pub(crate) project: Option<Name>,
    /// Label the run; may be given several times
    #[arg(long = "tag", value_name = "NAME=VALUE")]
    pub(crate) tags: Vec<Pair>,
    /// Added to the priority of every step
    #[arg(long, value_name = "N", default_value_t = 0, allow_hyphen_values = true)]
    pub(crate) priority: i32,
    /// Run every step, whatever is known from earlier runs
    #[arg(long, visible_alias = "no-cache")]
    pub(crate) force_rerun: bool,
}

/// Whether somebody stays until a run has ended; shared by the verbs that start one elsewhere.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Staying {
    /// Stay and show the run until it ends; the exit code is then the run's
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// Stay until the run ends and show nothing before
    #[arg(long, conflicts_with = "watch")]
    pub(crate) wait: bool,
    /// Stay so long at most; the exit code is then 3 and the run goes on
    #[arg(long, value_name = "TIME", value_parser = super::length)]
    pub(crate) timeout: Option<Millis>,
}

/// `tidemill run`.
#[derive(Debug, Args)]
#[command(after_help = "\
EXAMPLES
  tidemill run pipeline.yml
  tidemill run pipeline.yml -p epochs=3 -p rate=0.01
  tidemill run pipeline.yml --no-cache --slots 1
  tidemill run pipeline.yml -o json | jq .status

Ctrl-C cancels the run. The exit code is 5 when the run ended badly.")]
pub(crate) struct RunArgs {
    /// The pipeline file
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) submission: Submission,
    /// How many steps run at once [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) slots: Option<u32>,
}

/// `tidemill submit`.
#[derive(Debug, Args)]
#[command(after_help = "\
EXAMPLES
  tidemill submit pipeline.yml
  tidemill submit pipeline.yml -p epochs=3 --watch
  tidemill submit pipeline.yml --wait --timeout 2h -q
  tidemill submit pipeline.yml --idempotency-key nightly-2026-11-23
  tidemill --url https://tidemill.example.org submit pipeline.yml")]
pub(crate) struct SubmitArgs {
    /// The pipeline file
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) submission: Submission,
    #[command(flatten)]
    pub(crate) staying: Staying,
    /// Say what would run, as `tidemill plan` does, and submit nothing
    #[arg(long, conflicts_with_all = ["watch", "wait", "timeout"])]
    pub(crate) dry_run: bool,
    /// Submitting twice with the same key gives the same run
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
}

/// `tidemill plan`.
#[derive(Debug, Args)]
#[command(after_help = "\
EXAMPLES
  tidemill plan pipeline.yml
  tidemill plan pipeline.yml -p epochs=3
  tidemill plan pipeline.yml -o json | jq '.steps[] | .path, .decision'")]
pub(crate) struct PlanArgs {
    /// The pipeline file
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) submission: Submission,
}

/// `tidemill validate`.
#[derive(Debug, Args)]
#[command(after_help = "\
EXAMPLES
  tidemill validate pipeline.yml
  tidemill validate pipelines/*.yml
  tidemill validate pipeline.yml -o json

The exit code is 2 when a file has errors.")]
pub(crate) struct ValidateArgs {
    /// The pipeline files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// `tidemill graph`.
#[derive(Debug, Args)]
#[command(after_help = "\
EXAMPLES
  tidemill graph pipeline.yml -o svg > pipeline.svg
  tidemill graph last -o mermaid
  tidemill graph pipeline.yml -o dot | dot -Tpng > pipeline.png

-o takes `dot` (Graphviz), `mermaid` (Markdown pages; the default), `svg` (a
finished picture) and `json` (nodes and edges).")]
pub(crate) struct GraphArgs {
    /// A pipeline file, or a run: an id, a unique prefix of one, `last` or @NAME
    #[arg(value_name = "FILE|RUN")]
    pub(crate) subject: String,
    /// Set a parameter of the pipeline; may be given several times
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE")]
    pub(crate) parameters: Vec<Pair>,
}

/// `tidemill init`.
#[derive(Debug, Args)]
#[command(after_help = "\
EXAMPLES
  tidemill init
  tidemill init my-project
  tidemill init && tidemill run pipeline.yml")]
pub(crate) struct InitArgs {
    /// The folder to write into; made if it does not exist
    #[arg(default_value = ".")]
    pub(crate) folder: PathBuf,
    /// Overwrite files that exist
    #[arg(long)]
    pub(crate) force: bool,
}
