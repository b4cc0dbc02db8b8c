//! Arguments of `tidemill publish` and `tidemill pipelines …`.

use super::{Pair, Staying, Submission};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use tidemill_protocol::catalog::Version;
use tidemill_protocol::name::Name;

/// `tidemill publish`.
#[derive(Debug, Args)]
#[command(after_help = "\
A version is frozen with its code, its files and its parameters. Publishing the
same again under the same version changes nothing; something else is refused.
With --run, what a run was submitted with is published, with the defaults of its
parameters.

EXAMPLES
  tidemill publish train.yml --name train
  tidemill publish train.yml --name train --version 2026-11 --label default
  tidemill publish --run last --name train")]
pub(crate) struct PublishArgs {
    /// The pipeline file
    #[arg(required_unless_present = "run", conflicts_with = "run")]
    pub(crate) file: Option<PathBuf>,
    /// Publish what this run was submitted with
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// What to call it [default: the pipeline's own name]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<Name>,
    /// Its version [default: the next number]
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<Version>,
    /// Point this label at it; may be given several times
    #[arg(long = "label", value_name = "LABEL")]
    pub(crate) labels: Vec<Version>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Tag the version; may be given several times
    #[arg(long = "tag", value_name = "NAME=VALUE")]
    pub(crate) tags: Vec<Pair>,
}

/// `tidemill pipelines …`.
#[derive(Debug, Subcommand)]
pub(crate) enum PipelinesCommand {
    /// List published pipelines
    #[command(
        visible_alias = "ls",
        after_help = "EXAMPLES\n  tidemill pipelines list\n  tidemill pipelines list -o json"
    )]
    List,
    /// Show a version with its parameters
    #[command(after_help = "\
EXAMPLES
  tidemill pipelines show train
  tidemill pipelines show train --version 3 -o json")]
    Show(PipelineArgs),
    /// Start a run of a published pipeline
    #[command(after_help = "\
Without --version, the version labelled `default` is started, or without such a
label the one that was published last.

EXAMPLES
  tidemill pipelines start train
  tidemill pipelines start train -p trees=50 --watch
  tidemill pipelines start train --version 3 --idempotency-key 2026-11-30")]
    Start(Box<PipelinesStartArgs>),
    /// Let versions be started again
    #[command(after_help = "EXAMPLES\n  tidemill pipelines enable train --version 3")]
    Enable(PipelineArgs),
    /// Let versions be started no more; runs that are there go on
    #[command(after_help = "\
Without --version, all versions.

EXAMPLES
  tidemill pipelines disable train --version 3
  tidemill pipelines disable train")]
    Disable(PipelineArgs),
    /// Say that versions should be used no more; they still start
    #[command(after_help = "EXAMPLES\n  tidemill pipelines deprecate train --version 3")]
    Deprecate(PipelineArgs),
    /// Choose the version that is started when nobody names one
    #[command(after_help = "EXAMPLES\n  tidemill pipelines set-default train 3")]
    SetDefault(PipelinesDefaultArgs),
}

/// A published pipeline, and perhaps one version of it.
#[derive(Debug, Args)]
pub(crate) struct PipelineArgs {
    /// The published pipeline
    #[arg(value_name = "NAME")]
    pub(crate) pipeline: Name,
    /// A version or a label
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<Version>,
}

/// `tidemill pipelines start`.
#[derive(Debug, Args)]
pub(crate) struct PipelinesStartArgs {
    #[command(flatten)]
    pub(crate) which: PipelineArgs,
    #[command(flatten)]
    pub(crate) submission: Submission,
    #[command(flatten)]
    pub(crate) staying: Staying,
    /// Starting twice with the same key gives the same run
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
}

/// `tidemill pipelines set-default`.
#[derive(Debug, Args)]
pub(crate) struct PipelinesDefaultArgs {
    /// The published pipeline
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
    /// The version, or a label of it
    #[arg(value_name = "VERSION")]
    pub(crate) version: Version,
}
