//! Arguments of `tidemill webhook …`.

use super::ends::EndsArgs;
use clap::{Args, Subcommand};
use tidemill_protocol::name::Name;

/// `tidemill webhook …`.
#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Tell an address when runs or steps end
    #[command(after_help = "\
What is sent is signed with the secret, which `tidemill secret set` gives its
value. Places beside the public internet are told only where the coordinator's
setting `webhook_allow` opens them.

EXAMPLES
  tidemill webhook add chat https://chat.example.org/hook --secret chat-key
  tidemill webhook add pager https://pager.example.org/x --secret pager-key \\
      --run failed --run aborted --pipeline train
  tidemill webhook add steps https://example.org/s --secret k --step failed")]
    Add(Box<WebhookAddArgs>),
    /// List webhooks
    #[command(
        visible_alias = "ls",
        after_help = "EXAMPLES\n  tidemill webhook list\n  tidemill webhook list -o json"
    )]
    List,
    /// List what was sent last, and what came of it
    #[command(after_help = "EXAMPLES\n  tidemill webhook deliveries chat")]
    Deliveries(WebhookArgs),
    /// Send a signed test and say what came back
    #[command(after_help = "EXAMPLES\n  tidemill webhook test chat")]
    Test(WebhookArgs),
    /// Let webhooks tell nothing until they are resumed
    #[command(after_help = "\
What ends meanwhile is not told afterwards.

EXAMPLES
  tidemill webhook pause chat --reason 'the chat is moving'")]
    Pause(WebhookPauseArgs),
    /// Let paused webhooks tell again, from now on
    #[command(after_help = "EXAMPLES\n  tidemill webhook resume chat")]
    Resume(WebhooksArgs),
    /// Remove webhooks
    #[command(visible_alias = "rm", after_help = "EXAMPLES\n  tidemill webhook remove chat")]
    Remove(WebhooksArgs),
}

/// `tidemill webhook add`.
#[derive(Debug, Args)]
pub(crate) struct WebhookAddArgs {
    /// What to call it; one of this name becomes this
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
    /// The address
    #[arg(value_name = "URL")]
    pub(crate) address: String,
    /// The secret with which it is signed
    #[arg(long, value_name = "NAME")]
    pub(crate) secret: Name,
    #[command(flatten)]
    pub(crate) ends: EndsArgs,
}

/// One webhook.
#[derive(Debug, Args)]
pub(crate) struct WebhookArgs {
    /// The webhook
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
}

/// `tidemill webhook pause`.
#[derive(Debug, Args)]
pub(crate) struct WebhookPauseArgs {
    #[command(flatten)]
    pub(crate) webhooks: WebhooksArgs,
    /// Why, for whoever asks
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) reason: String,
}

/// Several webhooks.
#[derive(Debug, Args)]
pub(crate) struct WebhooksArgs {
    /// The webhooks
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<Name>,
}
