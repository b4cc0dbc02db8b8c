//! Arguments of the verbs around named things with versions. Data, models, components and environments have the same verbs: the noun is the kind.

use super::{Caution, DescriptionArgs, Pair};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use tidemill_protocol::catalog::{AssetKind, AssetRef, ModelStage, Version};
use tidemill_protocol::name::Name;
use tidemill_protocol::spec::DataType;

/// `tidemill data …`, `tidemill model …`, `tidemill component …`, `tidemill environment …`.
#[derive(Debug, Subcommand)]
pub(crate) enum AssetCommand {
    /// List what there is of this kind, by name
    #[command(visible_alias = "ls")]
    #[command(after_help = "\
EXAMPLES
  tidemill model list
  tidemill data list --prefix sales -o json
  tidemill model list -l team=vision -q")]
    List(AssetListArgs),
    /// Show one version: what it is, where it came from, how it stands
    #[command(after_help = "\
EXAMPLES
  tidemill model show churn
  tidemill model show churn@champion
  tidemill data show iris:3 -o json")]
    Show(AssetArg),
    /// List the versions of one, the newest first
    #[command(after_help = "\
EXAMPLES
  tidemill model versions churn
  tidemill model versions churn -o wide")]
    Versions(AssetNameArg),
    /// Add a version, and the thing itself if it is the first
    #[command(after_help = "\
EXAMPLES
  tidemill data add iris ./iris.csv
  tidemill data add sales s3://lake/sales/ --type uri_folder
  tidemill model add churn --from last/train/model --label champion
  tidemill component add prep ./prep.yml --version 1.2.0
  tidemill environment add sklearn ./environment.yml

Local files and folders are uploaded; of an address only the address is kept.
The same again under the same version changes nothing.")]
    Add(AssetAddArgs),
    /// Fetch the files of a version of data or of a model
    #[command(after_help = "\
EXAMPLES
  tidemill model get churn@champion ./model
  tidemill data get iris:3")]
    Get(AssetGetArgs),
    /// Point a label at a version
    #[command(after_help = "\
EXAMPLES
  tidemill model label churn:7 champion
  tidemill model label churn@candidate champion")]
    Label(AssetLabelArgs),
    /// Remove a label
    #[command(after_help = "EXAMPLES\n  tidemill model unlabel churn champion")]
    Unlabel(AssetUnlabelArgs),
    /// Change the text and the tags of one, or of one version of it
    #[command(after_help = "\
EXAMPLES
  tidemill model describe churn --description 'who leaves' --tag owner=ada
  tidemill model describe churn:7 --untag draft")]
    Describe(AssetDescribeArgs),
    /// Bring a version of a model into a stage of the registry
    #[command(after_help = "\
EXAMPLES
  tidemill model stage churn:7 production
  tidemill model stage churn:7 production --archive-existing
  tidemill model stage churn@candidate staging

The stages are those of MLflow's registry: none, staging, production and
archived. They say nothing about whether a version may be used.")]
    Stage(AssetStageArgs),
    /// Give one another name; the old one goes on to mean it
    #[command(after_help = "\
EXAMPLES
  tidemill model rename churn leavers
  tidemill data rename iris flowers")]
    Rename(AssetRenameArgs),
    /// Let a version be used again without a word
    #[command(after_help = "EXAMPLES\n  tidemill model enable churn:7")]
    Enable(AssetArg),
    /// Let a version be used, and tell whoever does to change
    #[command(after_help = "EXAMPLES\n  tidemill data deprecate iris:1")]
    Deprecate(AssetArg),
    /// Refuse new uses of a version; what was made with it stays
    #[command(after_help = "EXAMPLES\n  tidemill data disable iris:1")]
    Disable(AssetArg),
    /// Remove a version with the labels that point at it
    #[command(visible_alias = "rm")]
    #[command(after_help = "\
EXAMPLES
  tidemill data remove iris:1
  tidemill data remove iris:1 --dry-run")]
    Remove(AssetRemoveArgs),
}

/// `list`.
#[derive(Debug, Args)]
pub(crate) struct AssetListArgs {
    /// Only names that begin so
    #[arg(long, value_name = "TEXT")]
    pub(crate) prefix: Option<String>,
    /// Only with this tag
    #[arg(short = 'l', long = "tag", value_name = "NAME[=VALUE]")]
    pub(crate) tag: Option<String>,
    /// In this order
    #[arg(
        long,
        value_name = "FIELD",
        allow_hyphen_values = true,
        help = "Order by name, created_at, created_by or versions; with - before it the\nother way round [default: name]"
    )]
    pub(crate) sort: Option<String>,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
}

/// One version.
#[derive(Debug, Args)]
pub(crate) struct AssetArg {
    /// A name, with a version or a label behind it [default: the latest]
    #[arg(value_name = "NAME[:VERSION|@LABEL]")]
    pub(crate) asset: AssetRef,
}

/// One name.
#[derive(Debug, Args)]
pub(crate) struct AssetNameArg {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
}

/// `add`.
#[derive(Debug, Args)]
pub(crate) struct AssetAddArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
    /// A file, a folder or an address; of components and environments their
    /// YAML file
    #[arg(
        value_name = "PATH|ADDRESS",
        required_unless_present = "from",
        conflicts_with = "from"
    )]
    pub(crate) source: Option<String>,
    /// An output of a step that ended well
    #[arg(long, value_name = "RUN/STEP/OUTPUT")]
    pub(crate) from: Option<String>,
    /// What the files mean [default: by what is there]
    #[arg(
        long = "type",
        value_name = "TYPE",
        value_parser = data_type,
        long_help = "What the files mean: uri_file, uri_folder, mltable, mlflow_model,\ncustom_model or triton_model [default: by what is there]"
    )]
    pub(crate) data_type: Option<DataType>,
    /// Its version [default: the next number]
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<Version>,
    /// Point this label at it; may be given several times
    #[arg(long = "label", value_name = "LABEL")]
    pub(crate) labels: Vec<Version>,
    /// A tag for it; may be given several times
    #[arg(short = 't', long = "tag", value_name = "NAME=VALUE")]
    pub(crate) tags: Vec<Pair>,
    /// What people should know of it
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) description: String,
}

fn data_type(text: &str) -> Result<DataType, String> {
    DataType::parse(text).ok_or_else(|| {
        "one of uri_file, uri_folder, mltable, mlflow_model, custom_model, triton_model".to_owned()
    })
}

/// `get`.
#[derive(Debug, Args)]
pub(crate) struct AssetGetArgs {
    /// A name, with a version or a label behind it [default: the latest]
    #[arg(value_name = "NAME[:VERSION|@LABEL]")]
    pub(crate) asset: AssetRef,
    /// Where to write it [default: its name in this folder]
    #[arg(value_name = "PATH")]
    pub(crate) to: Option<PathBuf>,
    /// Overwrite what is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// `label`.
#[derive(Debug, Args)]
pub(crate) struct AssetLabelArgs {
    /// The version, itself or by another label [default: the latest]
    #[arg(value_name = "NAME[:VERSION|@LABEL]")]
    pub(crate) asset: AssetRef,
    /// The label
    #[arg(value_name = "LABEL")]
    pub(crate) label: Version,
}

/// `unlabel`.
#[derive(Debug, Args)]
pub(crate) struct AssetUnlabelArgs {
    /// Whose label
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
    /// The label
    #[arg(value_name = "LABEL")]
    pub(crate) label: Version,
}

/// `stage`.
#[derive(Debug, Args)]
pub(crate) struct AssetStageArgs {
    /// The version, itself or by a label [default: the latest]
    #[arg(value_name = "NAME[:VERSION|@LABEL]")]
    pub(crate) asset: AssetRef,
    /// none, staging, production or archived
    #[arg(value_name = "STAGE")]
    pub(crate) stage: ModelStage,
    /// Archive the other versions in that stage
    #[arg(long)]
    pub(crate) archive_existing: bool,
}

/// `rename`.
#[derive(Debug, Args)]
pub(crate) struct AssetRenameArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
    /// Its new name
    #[arg(value_name = "NEW NAME")]
    pub(crate) to: Name,
}

/// `describe`.
#[derive(Debug, Args)]
pub(crate) struct AssetDescribeArgs {
    /// A name, with a version or a label for one version of it
    #[arg(value_name = "NAME[:VERSION|@LABEL]")]
    pub(crate) asset: AssetRef,
    #[command(flatten)]
    pub(crate) said: DescriptionArgs,
}

/// `tidemill lineage`.
#[derive(Debug, Args)]
#[command(after_help = "\
EXAMPLES
  tidemill lineage churn@champion --up
  tidemill lineage iris:3 --kind data --down
  tidemill lineage last/train/model
  tidemill lineage last/train -o mermaid
  tidemill lineage churn -o dot | dot -Tsvg > churn.svg

-o also takes `dot` (Graphviz) and `mermaid` (Markdown pages).")]
pub(crate) struct LineageArgs {
    /// What it is about: a name in the catalog, a step or its output, or a
    /// digest
    #[arg(value_name = "NAME|RUN/STEP/OUTPUT|DIGEST")]
    pub(crate) subject: String,
    /// Only what it was made of
    #[arg(long, conflicts_with = "down")]
    pub(crate) up: bool,
    /// Only what was made of it
    #[arg(long)]
    pub(crate) down: bool,
    /// Which kind of thing a name means, where several have it
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<AssetKind>,
    /// So many edges away at most
    #[arg(long, value_name = "N")]
    pub(crate) depth: Option<u32>,
    /// So many things at most
    #[arg(short = 'n', long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    pub(crate) limit: u32,
}

/// `remove`.
#[derive(Debug, Args)]
pub(crate) struct AssetRemoveArgs {
    /// The version, itself or by a label
    #[arg(value_name = "NAME:VERSION|@LABEL")]
    pub(crate) asset: AssetRef,
    #[command(flatten)]
    pub(crate) caution: Caution,
}
