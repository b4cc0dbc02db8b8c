//! Arguments of `tidemill secret …`. None of them is a value: arguments are seen by everybody on the machine and stay in the shell's history.

use clap::{Args, Subcommand};
use tidemill_protocol::name::Name;

/// `tidemill secret …`.
#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Give a secret a value: typed unseen, or from standard input
    #[command(after_help = "\
The value takes the place of the one before, for every step that starts from now
on. Pipelines name the secret under `secrets:`; no command prints it again.

EXAMPLES
  tidemill secret set warehouse-password
  tidemill secret set warehouse-password < password.txt
  vault read -field=key secret/tls | tidemill secret set tls-key --exact")]
    Set(SecretSetArgs),
    /// List the secrets, without their values
    #[command(
        visible_alias = "ls",
        after_help = "EXAMPLES\n  tidemill secret list\n  tidemill secret list -o json"
    )]
    List,
    /// Forget secrets; steps that have them keep them
    #[command(
        visible_alias = "rm",
        after_help = "EXAMPLES\n  tidemill secret remove warehouse-password"
    )]
    Remove(SecretRemoveArgs),
}

/// `tidemill secret set`.
#[derive(Debug, Args)]
pub(crate) struct SecretSetArgs {
    /// What pipelines call it
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
    /// Keep a line end at the end of the value
    #[arg(long)]
    pub(crate) exact: bool,
}

/// `tidemill secret remove`.
#[derive(Debug, Args)]
pub(crate) struct SecretRemoveArgs {
    /// The secrets
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<Name>,
}
