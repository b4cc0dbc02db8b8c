//! Arguments of `tidemill experiment …`.

use super::{DescriptionArgs, Pair};
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
    /// Make an experiment; a run makes the one that it names by itself
    #[command(after_help = "\
EXAMPLES
  tidemill experiment create churn --description 'who leaves' --tag owner=ada")]
    Create(ExperimentCreateArgs),
    /// Give an experiment another name; its runs stay in it
    #[command(after_help = "\
EXAMPLES
  tidemill experiment rename churn 'Who leaves?'")]
    Rename(ExperimentRenameArgs),
    /// Delete an experiment; it can be restored, and its runs stay
    #[command(after_help = "\
EXAMPLES
  tidemill experiment delete churn
  tidemill experiment list --deleted")]
    Delete(ExperimentArg),
    /// Bring a deleted experiment back
    #[command(after_help = "\
EXAMPLES
  tidemill experiment restore churn")]
    Restore(ExperimentArg),
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

/// `create`.
#[derive(Debug, Args)]
pub(crate) struct ExperimentCreateArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// What people should know
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// A tag to set; may be given several times
    #[arg(short = 't', long = "tag", value_name = "NAME=VALUE")]
    pub(crate) tags: Vec<Pair>,
}

/// `rename`.
#[derive(Debug, Args)]
pub(crate) struct ExperimentRenameArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The new one
    #[arg(value_name = "NEW_NAME")]
    pub(crate) new_name: String,
}
