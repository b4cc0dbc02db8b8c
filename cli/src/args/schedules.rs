//! Arguments of `tidemill schedule …`.

use super::Pair;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use tidemill_protocol::catalog::Version;
use tidemill_protocol::name::Name;
use tidemill_protocol::schedule::{CatchUp, Overlap};
use tidemill_protocol::status::RunStatus;
use tidemill_protocol::time::Millis;

/// `tidemill schedule …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// Make a schedule: of a file, or of a published pipeline
    #[command(after_help = "\
FILE is an Azure ML schedule (`trigger:` and `create_job:`). The pipeline that it
names is published under the schedule's name. Without FILE, --pipeline names a
published pipeline, and --cron or --every says when.

EXAMPLES
  tidemill schedule create nightly.yml
  tidemill schedule create --name nightly --pipeline train --cron '30 2 * * *' \\
      --time-zone Europe/Berlin -p trees=50
  tidemill schedule create --name often --pipeline train --every 15m
  tidemill schedule create --name fresh --pipeline train --on-version iris \
      -p data='azureml:iris:${{trigger.version}}'
  tidemill schedule create --name after --pipeline report --on-run train
  tidemill schedule create --name files --pipeline train --poll 1m \\
      --on-change azureml://datastores/lake/paths/in -p rows='${{trigger.path}}'")]
    Create(Box<ScheduleCreateArgs>),
    /// List schedules
    #[command(
        visible_alias = "ls",
        after_help = "EXAMPLES\n  tidemill schedule list\n  tidemill schedule list -o json"
    )]
    List,
    /// Show a schedule and what became of its last moments
    #[command(after_help = "EXAMPLES\n  tidemill schedule show nightly")]
    Show(ScheduleArgs),
    /// Say when a schedule fires next
    #[command(
        after_help = "EXAMPLES\n  tidemill schedule next nightly\n  tidemill schedule next nightly -n 20"
    )]
    Next(ScheduleNextArgs),
    /// Say why a schedule does or does not fire
    #[command(after_help = "EXAMPLES\n  tidemill schedule explain nightly")]
    Explain(ScheduleArgs),
    /// Let schedules fire no more until they are resumed
    #[command(after_help = "EXAMPLES\n  tidemill schedule pause nightly --reason 'the source is down'")]
    Pause(SchedulePauseArgs),
    /// Let paused schedules fire again, from now on
    #[command(after_help = "EXAMPLES\n  tidemill schedule resume nightly")]
    Resume(SchedulesArgs),
    /// Remove schedules; their runs go on
    #[command(
        visible_alias = "rm",
        after_help = "EXAMPLES\n  tidemill schedule remove nightly"
    )]
    Remove(SchedulesArgs),
}

/// `tidemill schedule create`.
#[derive(Debug, Args)]
pub(crate) struct ScheduleCreateArgs {
    /// A schedule file
    #[arg(conflicts_with_all = ["pipeline", "version", "cron", "every", "on_version", "on_run", "on_change"])]
    pub(crate) file: Option<PathBuf>,
    /// What to call it [default: as the file says]
    #[arg(long, value_name = "NAME", required_unless_present = "file")]
    pub(crate) name: Option<Name>,
    /// The published pipeline that it starts
    #[arg(long, value_name = "NAME", required_unless_present = "file")]
    pub(crate) pipeline: Option<Name>,
    /// A version or label of it [default: the one labelled `default`]
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<Version>,
    /// When: minute, hour, day of the month, month, day of the week
    #[arg(long, value_name = "EXPRESSION", conflicts_with = "every")]
    pub(crate) cron: Option<String>,
    /// When: again and again after this time, at once for the first time
    #[arg(long, value_name = "TIME", value_parser = super::length, required_unless_present_any = ["file", "cron", "on_version", "on_run", "on_change"])]
    pub(crate) every: Option<Millis>,
    /// When: at each new version of this data asset
    #[arg(long, value_name = "DATA", conflicts_with_all = ["cron", "every", "on_run"])]
    pub(crate) on_version: Option<Name>,
    /// When: at each end of a run of this pipeline
    #[arg(long, value_name = "PIPELINE", conflicts_with_all = ["cron", "every"])]
    pub(crate) on_run: Option<Name>,
    /// When: files in a datastore have changed: `azureml://datastores/NAME/paths/PATH`
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["cron", "every", "on_version", "on_run"])]
    pub(crate) on_change: Option<String>,
    /// The time between two looks at them [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = super::length, requires = "on_change")]
    pub(crate) poll: Option<Millis>,
    /// Which ends count: succeeded (if none is named), failed, cancelled, aborted
    #[arg(long, value_name = "STATUS", requires = "on_run", value_parser = super::inspect::run_status)]
    pub(crate) on_outcome: Vec<RunStatus>,
    /// By whose clocks, e.g. Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE", conflicts_with = "file")]
    pub(crate) time_zone: Option<String>,
    /// Not before, e.g. 2026-12-01T08:00:00 by those clocks
    #[arg(long, value_name = "MOMENT", conflicts_with = "file")]
    pub(crate) start: Option<String>,
    /// Not after
    #[arg(long, value_name = "MOMENT", conflicts_with = "file")]
    pub(crate) end: Option<String>,
    /// Set a parameter of the pipeline; may be given several times
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE")]
    pub(crate) parameters: Vec<Pair>,
    /// File the runs under this experiment
    #[arg(long, value_name = "NAME")]
    pub(crate) experiment: Option<String>,
    /// Count the runs for this project
    #[arg(long, value_name = "NAME")]
    pub(crate) project: Option<Name>,
    /// Label the runs; may be given several times
    #[arg(long = "tag", value_name = "NAME=VALUE")]
    pub(crate) tags: Vec<Pair>,
    /// Moments that pass while no coordinator runs: none, last or all
    #[arg(long, value_name = "WHICH", hide_possible_values = true)]
    pub(crate) catch_up: Option<CatchUpChoice>,
    /// While a run of it goes on: skip, allow, queue or cancel-running
    #[arg(long, value_name = "WHAT", hide_possible_values = true)]
    pub(crate) overlap: Option<OverlapChoice>,
    /// Fire up to so much later, the same for the same moment
    #[arg(long, value_name = "TIME", value_parser = super::length)]
    pub(crate) jitter: Option<Millis>,
    /// Put it in place of the schedule of this name
    #[arg(long)]
    pub(crate) replace: bool,
}

/// Which moments are made up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CatchUpChoice {
    /// None
    None,
    /// The last
    Last,
    /// All, a hundred at most
    All,
}

impl From<CatchUpChoice> for CatchUp {
    fn from(choice: CatchUpChoice) -> Self {
        match choice {
            CatchUpChoice::None => Self::None,
            CatchUpChoice::Last => Self::Last,
            CatchUpChoice::All => Self::All,
        }
    }
}

/// What happens while a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OverlapChoice {
    /// Nothing is started
    Skip,
    /// Another run is started
    Allow,
    /// The run is started afterwards
    Queue,
    /// The run that goes on is cancelled
    CancelRunning,
}

impl From<OverlapChoice> for Overlap {
    fn from(choice: OverlapChoice) -> Self {
        match choice {
            OverlapChoice::Skip => Self::Skip,
            OverlapChoice::Allow => Self::Allow,
            OverlapChoice::Queue => Self::Queue,
            OverlapChoice::CancelRunning => Self::CancelRunning,
        }
    }
}

/// One schedule.
#[derive(Debug, Args)]
pub(crate) struct ScheduleArgs {
    /// The schedule
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
}

/// `tidemill schedule next`.
#[derive(Debug, Args)]
pub(crate) struct ScheduleNextArgs {
    /// The schedule
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
    /// How many moments
    #[arg(short = 'n', long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) count: u32,
}

/// `tidemill schedule pause`.
#[derive(Debug, Args)]
pub(crate) struct SchedulePauseArgs {
    #[command(flatten)]
    pub(crate) schedules: SchedulesArgs,
    /// Why, for whoever asks
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) reason: String,
}

/// Several schedules.
#[derive(Debug, Args)]
pub(crate) struct SchedulesArgs {
    /// The schedules
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<Name>,
}
