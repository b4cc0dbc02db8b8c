//! Arguments of `tidemill mailing …`.

use super::ends::EndsArgs;
use clap::{Args, Subcommand};
use tidemill_protocol::mailing::EmailAddress;
use tidemill_protocol::name::Name;

/// `tidemill mailing …`.
#[derive(Debug, Subcommand)]
pub(crate) enum MailingCommand {
    /// Mail people when runs or steps end
    #[command(after_help = "\
Mail goes through the server of the coordinator's settings: `smtp_host`,
`smtp_from` and what goes with them. A mail says which run and step it was, why
it failed, and the last lines of its log.

EXAMPLES
  tidemill mailing add on-call ada@example.org eve@example.org --run failed
  tidemill mailing add train-team team@example.org --pipeline train \\
      --run failed --run aborted --run succeeded
  tidemill mailing add steps ada@example.org --step failed --experiment churn")]
    Add(Box<MailingAddArgs>),
    /// List mailings
    #[command(
        visible_alias = "ls",
        after_help = "EXAMPLES\n  tidemill mailing list\n  tidemill mailing list -o json"
    )]
    List,
    /// List what was sent last, and what came of it
    #[command(after_help = "EXAMPLES\n  tidemill mailing deliveries on-call")]
    Deliveries(MailingArgs),
    /// Send everybody a test and say what came of it
    #[command(after_help = "EXAMPLES\n  tidemill mailing test on-call")]
    Test(MailingArgs),
    /// Let mailings tell nothing until they are resumed
    #[command(after_help = "\
What ends meanwhile is not told afterwards.

EXAMPLES
  tidemill mailing pause on-call --reason 'the cluster is moving'")]
    Pause(MailingPauseArgs),
    /// Let paused mailings tell again, from now on
    #[command(after_help = "EXAMPLES\n  tidemill mailing resume on-call")]
    Resume(MailingsArgs),
    /// Remove mailings
    #[command(
        visible_alias = "rm",
        after_help = "EXAMPLES\n  tidemill mailing remove on-call"
    )]
    Remove(MailingsArgs),
}

/// `tidemill mailing add`.
#[derive(Debug, Args)]
pub(crate) struct MailingAddArgs {
    /// What to call it; one of this name becomes this
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
    /// The addresses of those who are told
    #[arg(value_name = "ADDRESS", required = true)]
    pub(crate) to: Vec<EmailAddress>,
    #[command(flatten)]
    pub(crate) ends: EndsArgs,
}

/// One mailing.
#[derive(Debug, Args)]
pub(crate) struct MailingArgs {
    /// The mailing
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
}

/// `tidemill mailing pause`.
#[derive(Debug, Args)]
pub(crate) struct MailingPauseArgs {
    #[command(flatten)]
    pub(crate) mailings: MailingsArgs,
    /// Why, for whoever asks
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) reason: String,
}

/// Several mailings.
#[derive(Debug, Args)]
pub(crate) struct MailingsArgs {
    /// The mailings
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<Name>,
}
