//! Arguments of the verbs with which people look at runs, steps and queues.

use super::Pair;
use super::metrics::RunsCompareArgs;
use super::remarks::{RunsCommentArgs, RunsDescribeArgs, RunsTagArgs};
use crate::output::humane::Since;
use crate::subject::Subject;
use clap::{Args, Subcommand, ValueEnum};
use tidemill_protocol::status::RunStatus;
use tidemill_protocol::time::Millis;

/// `tidemill runs …`.
#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// List runs, newest first
    #[command(visible_alias = "ls")]
    #[command(after_help = "\
EXAMPLES
  tidemill runs list
  tidemill runs list --status failed --since 2d
  tidemill runs list -l team=vision --limit 5 -o csv
  tidemill runs list --status failed --sort -finished_at
  tidemill runs list -q | xargs -n1 tidemill runs cancel")]
    List(RunsListArgs),
    /// Show one run and its steps
    #[command(after_help = "\
EXAMPLES
  tidemill runs show last
  tidemill runs show 0198c3 -o json")]
    Show(RunArg),
    /// Wait until runs have ended, showing nothing before
    #[command(after_help = "\
EXAMPLES
  tidemill runs wait last
  tidemill runs wait 0198c3 0198d1 --timeout 2h && deploy

The exit code is that of the first run that ended badly, or 3 when the time is
over.")]
    Wait(RunsWaitArgs),
    /// Follow a run until it ends
    #[command(after_help = "\
EXAMPLES
  tidemill runs watch last
  tidemill runs watch 0198c3 -o jsonl

Ctrl-C stops watching and the run goes on; a second one within two seconds asks
whether to cancel it. The exit code is 5 when the run ended badly.")]
    Watch(WatchArgs),
    /// Cancel runs
    #[command(after_help = "\
EXAMPLES
  tidemill runs cancel last
  tidemill runs cancel 0198c3 0198d1 --yes
  tidemill runs cancel @nightly --dry-run")]
    Cancel(RunsCancelArgs),
    /// Forget runs that have ended; `artifacts sweep` frees what only they named
    #[command(after_help = "\
EXAMPLES
  tidemill runs delete 0198c3 --dry-run
  tidemill runs delete 0198c3 0198d1 --yes")]
    Delete(RunsCancelArgs),
    /// Give the steps that ended badly another chance; what ended well stays
    #[command(after_help = "\
EXAMPLES
  tidemill runs retry last
  tidemill runs retry 0198c3 && tidemill runs watch 0198c3")]
    Retry(RunsArg),
    /// Say what differs between two runs
    #[command(after_help = "\
EXAMPLES
  tidemill runs diff 0198c3 last
  tidemill runs diff 0198c3 0198d1 -o json")]
    Diff(RunsDiffArgs),
    /// Show parameters, metrics and outputs of runs side by side
    #[command(after_help = "\
EXAMPLES
  tidemill runs compare 0198c3 0198d1 last
  tidemill runs compare 0198c3 last --all -o json")]
    Compare(RunsCompareArgs),
    /// Set or remove tags of a run, also after it has ended
    #[command(after_help = "\
EXAMPLES
  tidemill runs tag last stage=prod team=vision
  tidemill runs tag 0198c3 --remove stage
  tidemill runs list -l stage=prod")]
    Tag(RunsTagArgs),
    /// Change what a run is called, and what is said of it
    #[command(after_help = "\
EXAMPLES
  tidemill runs describe last --name nightly-2
  tidemill runs describe 0198c3 'The run behind the numbers of March'")]
    Describe(RunsDescribeArgs),
    /// Comment on a run; `runs show` shows the comments
    #[command(after_help = "\
EXAMPLES
  tidemill runs comment last 'loss diverges after epoch 12'
  tidemill runs comment 0198c3 --edit 1 'after epoch 13'
  tidemill runs comment 0198c3 --remove 1")]
    Comment(RunsCommentArgs),
}

/// `tidemill runs list`.
#[derive(Debug, Args)]
pub(crate) struct RunsListArgs {
    /// Only runs that stand like this
    #[arg(long, value_name = "STATUS", value_parser = run_status)]
    pub(crate) status: Option<RunStatus>,
    /// Only runs of this pipeline
    #[arg(long, value_name = "NAME")]
    pub(crate) pipeline: Option<String>,
    /// Only runs of this experiment
    #[arg(long, value_name = "NAME")]
    pub(crate) experiment: Option<String>,
    /// Only runs of this project
    #[arg(long, value_name = "NAME")]
    pub(crate) project: Option<String>,
    /// Only runs with this label; may be given several times
    #[arg(short = 'l', long = "tag", value_name = "NAME=VALUE")]
    pub(crate) tags: Vec<Pair>,
    /// Only runs submitted from then on, e.g. 2h, 7d or 2026-11-01
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Since>,
    /// In this order
    #[arg(
        long,
        value_name = "FIELD",
        allow_hyphen_values = true,
        help = "Order by submitted_at, finished_at, display_name or status; with - before\nit the other way round [default: -submitted_at]"
    )]
    pub(crate) sort: Option<String>,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
}

/// A run's status by its word.
pub(super) fn run_status(text: &str) -> Result<RunStatus, String> {
    RunStatus::ALL
        .iter()
        .copied()
        .find(|status| status.as_str() == text)
        .ok_or_else(|| {
            let words: Vec<&str> = RunStatus::ALL.iter().map(|s| s.as_str()).collect();
            format!("one of {}", words.join(", "))
        })
}

/// One run.
#[derive(Debug, Args)]
pub(crate) struct RunArg {
    /// An id, a unique prefix of one, `last`, or @ and its name
    #[arg(value_name = "RUN", default_value = "last")]
    pub(crate) run: String,
}

/// `tidemill runs watch`.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// An id, a unique prefix of one, `last`, or @ and its name
    #[arg(value_name = "RUN", default_value = "last")]
    pub(crate) run: String,
    /// Watch so long at most; the exit code is then 3 and the run goes on
    #[arg(long, value_name = "TIME", value_parser = super::length)]
    pub(crate) timeout: Option<Millis>,
}

/// `tidemill runs wait`.
#[derive(Debug, Args)]
pub(crate) struct RunsWaitArgs {
    #[command(flatten)]
    pub(crate) runs: RunsArg,
    /// Wait so long at most, for all of them
    #[arg(long, value_name = "TIME", value_parser = super::length)]
    pub(crate) timeout: Option<Millis>,
}

/// `tidemill runs cancel`.
#[derive(Debug, Args)]
pub(crate) struct RunsCancelArgs {
    #[command(flatten)]
    pub(crate) runs: RunsArg,
    #[command(flatten)]
    pub(crate) caution: super::Caution,
}

/// Several runs.
#[derive(Debug, Args)]
pub(crate) struct RunsArg {
    /// Ids, unique prefixes of them, `last`, or @ and a name
    #[arg(value_name = "RUN", required = true)]
    pub(crate) runs: Vec<String>,
}

/// `tidemill runs diff`.
#[derive(Debug, Args)]
pub(crate) struct RunsDiffArgs {
    /// The first run
    #[arg(value_name = "RUN")]
    pub(crate) left: String,
    /// The second run
    #[arg(value_name = "RUN", default_value = "last")]
    pub(crate) right: String,
}

/// `tidemill logs`.
#[derive(Debug, Args)]
#[command(after_help = "\
EXAMPLES
  tidemill logs last
  tidemill logs last/train -f
  tidemill logs 0198c3/train#2 --stream stderr")]
pub(crate) struct LogsArgs {
    /// A run, one step of it, or one attempt at that
    #[arg(value_name = "RUN[/STEP[#N]]", default_value = "last")]
    pub(crate) subject: Subject,
    /// Go on as the log grows
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Which stream: both, stdout or stderr
    #[arg(
        long,
        value_name = "STREAM",
        default_value = "both",
        hide_possible_values = true
    )]
    pub(crate) stream: StreamChoice,
    /// Which attempt [default: the newest]
    #[arg(long, value_name = "N")]
    pub(crate) attempt: Option<u32>,
    /// The bytes as they were written, also those that drive a terminal
    #[arg(long)]
    pub(crate) raw: bool,
}

/// Which of a step's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StreamChoice {
    /// Standard output and standard error, each on ours
    Both,
    /// Standard output
    Stdout,
    /// Standard error
    Stderr,
}

/// `tidemill explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
EXAMPLES
  tidemill explain last/train
  tidemill explain last
  tidemill explain TM0104")]
pub(crate) struct ExplainArgs {
    /// A step, a run (every step of it that is not done well), or an error code
    #[arg(value_name = "RUN[/STEP]|CODE")]
    pub(crate) subject: Subject,
}

/// `tidemill queue …`.
#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// List queues: the coordinator's backlog beside the broker's own figures
    #[command(
        visible_alias = "ls",
        after_help = "EXAMPLES\n  tidemill queue list\n  tidemill queue list -o json"
    )]
    List,
    /// The same again and again
    #[command(after_help = "EXAMPLES\n  tidemill queue watch\n  tidemill queue watch --every 5")]
    Watch(QueueWatchArgs),
}

/// `tidemill queue watch`.
#[derive(Debug, Args)]
pub(crate) struct QueueWatchArgs {
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) every: u64,
}
