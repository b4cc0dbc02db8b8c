//! Arguments of the verbs with which workers become known, or of no account.

use clap::{Args, Subcommand};
use tidemill_protocol::access::TokenId;
use tidemill_protocol::name::Name;

/// `tidemill worker token …`.
#[derive(Debug, Subcommand)]
pub(crate) enum JoinTokenCommand {
    /// Make a token by which one worker joins, and print it, this once
    #[command(after_help = "\
A worker that joins by it is known by a key of its own from then on. From the
first one on, nothing is believed that no enrolled worker has signed.

EXAMPLES
  tidemill worker token create -q > join.token
  tidemill worker token create --compute gpu-a100 --class gpu --expires 10m
  tidemill worker start --join join.token --coordinator-url https://…")]
    Create(JoinTokenCreateArgs),
    /// List the join tokens, without their secrets
    #[command(
        visible_alias = "ls",
        after_help = "EXAMPLES\n  tidemill worker token list\n  tidemill worker token list -o json"
    )]
    List,
    /// Take join tokens back; workers that have joined stay
    #[command(after_help = "EXAMPLES\n  tidemill worker token revoke k7dm2x9qpa4w")]
    Revoke(JoinTokenRevokeArgs),
}

/// `tidemill worker token create`.
#[derive(Debug, Args)]
pub(crate) struct JoinTokenCreateArgs {
    /// Let the worker serve this compute target only; may be given several times [default: any]
    #[arg(long = "compute", value_name = "NAME")]
    pub(crate) compute: Vec<Name>,
    /// Let in only a worker of this class: its name begins with it and a dot
    #[arg(long, value_name = "CLASS")]
    pub(crate) class: Option<Name>,
    /// How long it is good, at most 30d [default: 1h]
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<String>,
}

/// `tidemill worker token revoke`.
#[derive(Debug, Args)]
pub(crate) struct JoinTokenRevokeArgs {
    /// The join tokens
    #[arg(value_name = "ID", required = true)]
    pub(crate) ids: Vec<TokenId>,
}

/// `tidemill worker quarantine`.
#[derive(Debug, Args)]
pub(crate) struct QuarantineArgs {
    /// The workers
    #[arg(value_name = "WORKER", required = true)]
    pub(crate) workers: Vec<String>,
    /// Why, for whoever looks at them next
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) caution: super::Caution,
}
