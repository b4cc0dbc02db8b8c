//! Arguments of the verbs with which people say something of a run after its submission.

use super::Pair;
use clap::Args;

/// `tidemill runs tag`.
#[derive(Debug, Args)]
pub(crate) struct RunsTagArgs {
    /// An id, a unique prefix of one, `last`, or @ and its name
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// Tags to set
    #[arg(value_name = "NAME=VALUE", required_unless_present = "remove")]
    pub(crate) tags: Vec<Pair>,
    /// Remove this tag; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) remove: Vec<String>,
}

/// `tidemill runs describe`.
#[derive(Debug, Args)]
pub(crate) struct RunsDescribeArgs {
    /// An id, a unique prefix of one, `last`, or @ and its name
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// What to call it
    #[arg(long, value_name = "TEXT", required_unless_present = "text")]
    pub(crate) name: Option<String>,
    /// What to say of it
    #[arg(value_name = "TEXT")]
    pub(crate) text: Option<String>,
}

/// `tidemill runs comment`.
#[derive(Debug, Args)]
pub(crate) struct RunsCommentArgs {
    /// An id, a unique prefix of one, `last`, or @ and its name
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// What to say
    #[arg(value_name = "TEXT", required_unless_present = "remove")]
    pub(crate) text: Option<String>,
    /// Give the comment with this number the text
    #[arg(long, value_name = "N", conflicts_with = "remove")]
    pub(crate) edit: Option<u32>,
    /// Remove the comment with this number
    #[arg(long, value_name = "N", conflicts_with = "text")]
    pub(crate) remove: Option<u32>,
}
