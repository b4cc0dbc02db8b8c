//! Arguments of every `describe`: a description and tags.

use super::Pair;
use clap::Args;

/// What is to be said of a thing.
#[derive(Debug, Args)]
pub(crate) struct DescriptionArgs {
    /// What people should know
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// A tag to set; may be given several times
    #[arg(short = 't', long = "tag", value_name = "NAME=VALUE")]
    pub(crate) tags: Vec<Pair>,
    /// A tag to remove; may be given several times
    #[arg(long = "untag", value_name = "NAME")]
    pub(crate) untag: Vec<String>,
}
