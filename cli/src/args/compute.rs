//! Arguments of `tidemill compute …`.

use clap::{Args, Subcommand};
use tidemill_protocol::name::Name;

/// `tidemill compute …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ComputeCommand {
    /// List compute targets with what waits for each and who serves it
    #[command(visible_alias = "ls")]
    #[command(after_help = "EXAMPLES\n  tidemill compute list\n  tidemill compute list -o json")]
    List,
    /// Show a compute target with its workers
    #[command(after_help = "EXAMPLES\n  tidemill compute show gpu\n  tidemill compute show gpu -o json")]
    Show(ComputeArg),
}

/// One compute target.
#[derive(Debug, Args)]
pub(crate) struct ComputeArg {
    /// The name that steps ask for
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
}
