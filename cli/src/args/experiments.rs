//! Arguments of `tidemill experiment …`.

use super::DescriptionArgs;
use clap::{Args, Subcommand};

/// `tidemill experiment …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ExperimentCommand {
    /// List experiments with how many runs are in each, by name
    #[command(visible_alias = "ls")]
    #[command(after_help = "\
EXAMPLES
  tidemill experiment list
  tidemill experiment list --prefix churn -o json")]
    List(ExperimentListArgs),
    /// Show an experiment with its last run
    #[command(after_help = "\
EXAMPLES
  tidemill experiment show churn
  tidemill runs list --experiment churn      # its runs")]
    Show(ExperimentArg),
    /// Change the text and the tags of an experiment
    #[command(after_help = "\
EXAMPLES
  tidemill experiment describe churn --description 'who leaves'
  tidemill experiment describe churn --tag owner=ada --untag draft")]
    Describe(ExperimentDescribeArgs),
}

/// `list`.
#[derive(Debug, Args)]
pub(crate) struct ExperimentListArgs {
    /// Only names that begin so
    #[arg(long, value_name = "TEXT")]
    pub(crate) prefix: Option<String>,
    /// Also those that were deleted
    #[arg(long)]
    pub(crate) deleted: bool,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
}

/// One experiment.
#[derive(Debug, Args)]
pub(crate) struct ExperimentArg {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// `describe`.
#[derive(Debug, Args)]
pub(crate) struct ExperimentDescribeArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) said: DescriptionArgs,
}
