//! Arguments of `tidemill drafts …`.

use super::{Pair, Staying, Submission};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use tidemill_protocol::catalog::Version;
use tidemill_protocol::name::Name;

/// `tidemill drafts …`.
#[derive(Debug, Subcommand)]
pub(crate) enum DraftsCommand {
    /// Keep a pipeline to change: of a file, a run or a published pipeline
    #[command(after_help = "\
EXAMPLES
  tidemill drafts create tuning train.yml -p trees=50
  tidemill drafts create again --run last
  tidemill drafts create next --pipeline train --tag team=crm")]
    Create(Box<DraftCreateArgs>),
    /// List drafts
    #[command(
        visible_alias = "ls",
        after_help = "EXAMPLES\n  tidemill drafts list\n  tidemill drafts list --tag team=crm -o json"
    )]
    List(DraftsListArgs),
    /// Show a draft with its parameters
    #[command(after_help = "EXAMPLES\n  tidemill drafts show tuning")]
    Show(DraftArgs),
    /// Change a draft: its parameters, what is said of it, or its pipeline
    #[command(after_help = "\
EXAMPLES
  tidemill drafts edit tuning -p trees=60 --unset depth
  tidemill drafts edit tuning --file train.yml
  tidemill drafts edit tuning --experiment nightly --tag team=crm")]
    Edit(Box<DraftEditArgs>),
    /// Start a run of a draft
    #[command(after_help = "\
What is given here counts more than what the draft says, and changes nothing of it.

EXAMPLES
  tidemill drafts submit tuning --watch
  tidemill drafts submit tuning -p trees=70")]
    Submit(Box<DraftSubmitArgs>),
    /// Freeze a draft as a version of a pipeline; its parameters become the defaults
    #[command(after_help = "\
EXAMPLES
  tidemill drafts publish tuning
  tidemill drafts publish tuning --as train --label default")]
    Publish(DraftPublishArgs),
    /// Remove drafts; their runs and versions stay
    #[command(
        visible_alias = "rm",
        after_help = "EXAMPLES\n  tidemill drafts remove tuning"
    )]
    Remove(DraftRemoveArgs),
}

/// What is said of a draft.
#[derive(Debug, Args)]
pub(crate) struct DraftSaid {
    /// Set a parameter; may be given several times
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE")]
    pub(crate) parameters: Vec<Pair>,
    /// File its runs under this experiment
    #[arg(long, value_name = "NAME")]
    pub(crate) experiment: Option<String>,
    /// What to call its runs
    #[arg(long, value_name = "TEXT")]
    pub(crate) display_name: Option<String>,
    /// Label it and its runs; may be given several times
    #[arg(long = "tag", value_name = "NAME=VALUE")]
    pub(crate) tags: Vec<Pair>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Whether steps that do not depend on a failed one go on
    #[arg(long, value_name = "true|false")]
    pub(crate) continue_on_step_failure: Option<bool>,
}

/// `tidemill drafts create`.
#[derive(Debug, Args)]
pub(crate) struct DraftCreateArgs {
    /// What to call it
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
    /// The pipeline file
    #[arg(required_unless_present_any = ["run", "pipeline"], conflicts_with_all = ["run", "pipeline"])]
    pub(crate) file: Option<PathBuf>,
    /// What this run was submitted with
    #[arg(long, value_name = "RUN", conflicts_with = "pipeline")]
    pub(crate) run: Option<String>,
    /// A published pipeline
    #[arg(long, value_name = "NAME")]
    pub(crate) pipeline: Option<Name>,
    /// A version or label of it [default: the one labelled `default`]
    #[arg(long, value_name = "VERSION", requires = "pipeline")]
    pub(crate) version: Option<Version>,
    #[command(flatten)]
    pub(crate) said: DraftSaid,
    /// Put it in place of the draft of this name
    #[arg(long)]
    pub(crate) replace: bool,
}

/// `tidemill drafts list`.
#[derive(Debug, Args)]
pub(crate) struct DraftsListArgs {
    /// Only those with this tag
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) tag: Option<Pair>,
}

/// One draft.
#[derive(Debug, Args)]
pub(crate) struct DraftArgs {
    /// The draft
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
}

/// `tidemill drafts edit`.
#[derive(Debug, Args)]
pub(crate) struct DraftEditArgs {
    /// The draft
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
    /// Put this pipeline file in place of its pipeline
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) said: DraftSaid,
    /// Take a parameter away; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) unset: Vec<String>,
    /// Take a label away; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) untag: Vec<String>,
}

/// `tidemill drafts submit`.
#[derive(Debug, Args)]
pub(crate) struct DraftSubmitArgs {
    /// The draft
    #[arg(value_name = "DRAFT")]
    pub(crate) draft: Name,
    #[command(flatten)]
    pub(crate) submission: Submission,
    #[command(flatten)]
    pub(crate) staying: Staying,
    /// Submitting twice with the same key gives the same run
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
}

/// `tidemill drafts publish`.
#[derive(Debug, Args)]
pub(crate) struct DraftPublishArgs {
    /// The draft
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
    /// Under which name [default: the draft's]
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) published: Option<Name>,
    /// Its version [default: the next number]
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<Version>,
    /// Point this label at it; may be given several times
    #[arg(long = "label", value_name = "LABEL")]
    pub(crate) labels: Vec<Version>,
}

/// `tidemill drafts remove`.
#[derive(Debug, Args)]
pub(crate) struct DraftRemoveArgs {
    /// The drafts
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<Name>,
}
