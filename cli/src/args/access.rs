//! Arguments of the verbs around rights: tokens, and being known to a coordinator.

use crate::output::humane::Since;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use tidemill_protocol::access::{Scope, TokenId};
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Millis;

/// `tidemill token …`.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and print it, this once
    #[command(after_help = "\
From the first token on, every request over a port needs one. Whoever can read
the state folder needs none on the coordinator's own machine.

EXAMPLES
  tidemill token create --scope admin --subject ada
  tidemill token create --scope submitter --person ada --expires 30d
  tidemill token create --scope submitter --team vision --project cars
  tidemill token create --scope reader --subject prometheus -q > prometheus.token")]
    Create(TokenCreateArgs),
    /// List the tokens, without their secrets
    #[command(
        visible_alias = "ls",
        after_help = "EXAMPLES\n  tidemill token list\n  tidemill token list -o json"
    )]
    List,
    /// Take tokens back, at once
    #[command(after_help = "\
EXAMPLES
  tidemill token revoke k7dm2x9qpa4w
  tidemill token revoke k7dm2x9qpa4w --dry-run")]
    Revoke(TokenRevokeArgs),
}

/// `tidemill token create`.
#[derive(Debug, Args)]
pub(crate) struct TokenCreateArgs {
    /// What it allows: reader, submitter, operator or admin
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Scope,
    /// Whose it is: a person's or a system's name [default: you]
    #[arg(long, visible_alias = "person", value_name = "NAME")]
    pub(crate) subject: Option<String>,
    /// Make it a team's, for a service of theirs
    #[arg(long, value_name = "NAME", conflicts_with = "subject")]
    pub(crate) team: Option<Name>,
    /// Let it start and change runs in this project only
    #[arg(long, value_name = "NAME")]
    pub(crate) project: Option<Name>,
    /// How long it is good, e.g. 12h or 30d [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = super::length)]
    pub(crate) expires: Option<Millis>,
}

/// `tidemill token revoke`.
#[derive(Debug, Args)]
pub(crate) struct TokenRevokeArgs {
    /// The tokens
    #[arg(value_name = "ID", required = true)]
    pub(crate) ids: Vec<TokenId>,
    #[command(flatten)]
    pub(crate) caution: super::Caution,
}

/// `tidemill audit`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
EXAMPLES
  tidemill audit
  tidemill audit --since 7d --who ada
  tidemill audit --decision refused -o json
  tidemill audit verify
  tidemill audit export audit-2026-11.jsonl")]
pub(crate) struct AuditArgs {
    /// What else to do with it
    #[command(subcommand)]
    pub(crate) command: Option<AuditCommand>,
    /// From when on, e.g. 2h, 7d or 2026-11-01 [default: 1d]
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Since>,
    /// Only what this subject, or the token with this id, asked for
    #[arg(long, value_name = "WHO")]
    pub(crate) who: Option<String>,
    /// Only entries that are admitted, accepted, refused or failed
    #[arg(long, value_name = "WORD", value_parser = ["admitted", "accepted", "refused", "failed"], hide_possible_values = true)]
    pub(crate) decision: Option<String>,
}

/// `tidemill audit …`.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Check that no entry was changed, removed or moved
    #[command(after_help = "\
Reads the state folder of this machine, or a file that `audit export` wrote. It
needs no coordinator and disturbs none.

EXAMPLES
  tidemill audit verify
  tidemill audit verify audit-2026-11.jsonl")]
    Verify {
        /// What `tidemill audit export` wrote [default: the state folder]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Copy every entry into a file, byte for byte
    #[command(after_help = "EXAMPLES\n  tidemill audit export audit-2026-11.jsonl")]
    Export {
        /// The new file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// `tidemill login`.
#[derive(Debug, Args)]
#[command(after_help = "\
The token is kept in credentials.json in your configuration folder, where only
you can read it. $TIDEMILL_TOKEN and --token-file are stronger.

EXAMPLES
  tidemill login https://coordinator.example:7470
  tidemill login https://coordinator.example:7470 --token-stdin < token.txt")]
pub(crate) struct LoginArgs {
    /// The coordinator's address [default: the one in the settings]
    #[arg(value_name = "URL")]
    pub(crate) server: Option<String>,
    /// Read the token from standard input instead of asking for it
    #[arg(long)]
    pub(crate) token_stdin: bool,
}

/// `tidemill logout`.
#[derive(Debug, Args)]
#[command(after_help = "\
The token itself stays good: `tidemill token revoke` ends it.

EXAMPLES
  tidemill logout https://coordinator.example:7470")]
pub(crate) struct LogoutArgs {
    /// The coordinator's address [default: the one in the settings]
    #[arg(value_name = "URL")]
    pub(crate) server: Option<String>,
}
