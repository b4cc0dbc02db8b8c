//! Arguments of `tidemill webhook …`.

use clap::{Args, Subcommand};
use tidemill_protocol::name::Name;
use tidemill_protocol::status::{RunStatus, StepStatus};

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
    /// Remove webhooks
    #[command(visible_alias = "rm", after_help = "EXAMPLES\n  tidemill webhook remove chat")]
    Remove(WebhookRemoveArgs),
}

/// `tidemill webhook add`.
#[derive(Debug, Args)]
pub(crate) struct WebhookAddArgs {
    /// What to call it; one of this name becomes this
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
    /// The address
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// The secret with which it is signed
    #[arg(long, value_name = "NAME")]
    pub(crate) secret: Name,
    /// Tell ends of runs like this; may be given several times [default: all]
    #[arg(long = "run", value_name = "STATUS", value_parser = super::inspect::run_status)]
    pub(crate) runs: Vec<RunStatus>,
    /// Tell ends of steps like this; may be given several times [default: none]
    #[arg(long = "step", value_name = "STATUS", value_parser = step_status)]
    pub(crate) steps: Vec<StepStatus>,
    /// Only of this pipeline
    #[arg(long, value_name = "NAME")]
    pub(crate) pipeline: Option<Name>,
}

fn step_status(text: &str) -> Result<StepStatus, String> {
    let ends = || {
        StepStatus::ALL
            .iter()
            .copied()
            .filter(|status| status.is_terminal())
    };
    ends().find(|status| status.as_str() == text).ok_or_else(|| {
        let words: Vec<&str> = ends().map(StepStatus::as_str).collect();
        format!("one of {}", words.join(", "))
    })
}

/// One webhook.
#[derive(Debug, Args)]
pub(crate) struct WebhookArgs {
    /// The webhook
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
}

/// `tidemill webhook remove`.
#[derive(Debug, Args)]
pub(crate) struct WebhookRemoveArgs {
    /// The webhooks
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<Name>,
}
