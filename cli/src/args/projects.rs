//! Arguments of `tidemill project …` and `tidemill team …`.

use super::Caution;
use clap::{Args, Subcommand};
use tidemill_protocol::name::{Name, NameError};
use tidemill_protocol::project::Role;

/// `tidemill project …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ProjectCommand {
    /// Make a project, or describe it otherwise
    #[command(after_help = "\
EXAMPLES
  tidemill project create cars --description 'what cars see'
  tidemill project create cars --running-steps 8 --target gpu=2")]
    Create(Box<ProjectCreateArgs>),
    /// List projects with what they have and may have
    #[command(
        visible_alias = "ls",
        after_help = "EXAMPLES\n  tidemill project list\n  tidemill project list -o json"
    )]
    List,
    /// Show a project with its roles and its quota
    #[command(after_help = "EXAMPLES\n  tidemill project show cars")]
    Show(ProjectArg),
    /// Give a person or a team a role in a project
    #[command(after_help = "\
A reader looks, a submitter starts runs and ends their own, an operator ends
everybody's. Tokens with the scope operator or admin need no role.

EXAMPLES
  tidemill project set-role cars submitter --team vision
  tidemill project set-role cars operator --person ada
  tidemill project set-role cars none --person bob")]
    SetRole(ProjectRoleArgs),
    /// Bound what a project may have at once; what is left out is not bounded
    #[command(after_help = "\
EXAMPLES
  tidemill project set-quota cars --running-steps 8 --queued-runs 100
  tidemill project set-quota cars --running-steps 8 --target gpu=2
  tidemill project set-quota cars")]
    SetQuota(ProjectQuotaArgs),
    /// Remove projects with their roles and quotas; their runs stay
    #[command(
        visible_alias = "rm",
        after_help = "EXAMPLES\n  tidemill project delete cars\n  tidemill project delete cars --yes"
    )]
    Delete(ProjectDeleteArgs),
}

/// `tidemill project create`.
#[derive(Debug, Args)]
pub(crate) struct ProjectCreateArgs {
    /// What to call it
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
    /// What to say of it
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) description: String,
    #[command(flatten)]
    pub(crate) quota: QuotaArgs,
}

/// What a project may have at once.
#[derive(Debug, Clone, Args)]
pub(crate) struct QuotaArgs {
    /// Steps that run at once, or are on their way to a worker
    #[arg(long, value_name = "N")]
    pub(crate) running_steps: Option<u32>,
    /// The same on one compute target; may be given several times
    #[arg(long = "target", value_name = "TARGET=N", value_parser = bound)]
    pub(crate) targets: Vec<(Name, u32)>,
    /// Runs that have not begun; more are refused
    #[arg(long, value_name = "N")]
    pub(crate) queued_runs: Option<u32>,
}

fn bound(text: &str) -> Result<(Name, u32), String> {
    let parts = text.split_once('=');
    let (target, count) = parts.ok_or_else(|| "write it as TARGET=N".to_owned())?;
    let target: Name = target.parse().map_err(|error: NameError| error.to_string())?;
    let steps: Result<u32, _> = count.parse();
    let steps = steps.map_err(|_| format!("`{count}` is no number of steps"))?;
    Ok((target, steps))
}

/// A project.
#[derive(Debug, Args)]
pub(crate) struct ProjectArg {
    /// The project
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
}

/// `tidemill project set-role`.
#[derive(Debug, Args)]
pub(crate) struct ProjectRoleArgs {
    /// The project
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
    /// The role: reader, submitter or operator, or none to take it away
    #[arg(value_name = "ROLE", value_parser = role)]
    pub(crate) role: Wanted,
    /// Who is to have it: a person, by the subject of their tokens
    #[arg(long, value_name = "NAME", required_unless_present = "team")]
    pub(crate) person: Option<String>,
    /// Who is to have it: a team
    #[arg(long, value_name = "NAME", conflicts_with = "person")]
    pub(crate) team: Option<Name>,
}

/// A role that somebody is to have, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted(pub(crate) Option<Role>);

fn role(text: &str) -> Result<Wanted, String> {
    if text == "none" {
        return Ok(Wanted(None));
    }
    let role = text.parse::<Role>().map(|role| Wanted(Some(role)));
    role.map_err(|_| "one of reader, submitter, operator, none".to_owned())
}

/// `tidemill project set-quota`.
#[derive(Debug, Args)]
pub(crate) struct ProjectQuotaArgs {
    /// The project
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
    #[command(flatten)]
    pub(crate) quota: QuotaArgs,
}

/// `tidemill project delete` and `tidemill team delete`.
#[derive(Debug, Args)]
pub(crate) struct ProjectDeleteArgs {
    /// Which ones
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<Name>,
    #[command(flatten)]
    pub(crate) caution: Caution,
}

/// `tidemill team …`.
#[derive(Debug, Subcommand)]
pub(crate) enum TeamCommand {
    /// Make a team, or give it other people
    #[command(after_help = "EXAMPLES\n  tidemill team set vision ada bob\n  tidemill team set vision ada")]
    Set(TeamSetArgs),
    /// List teams and their people
    #[command(
        visible_alias = "ls",
        after_help = "EXAMPLES\n  tidemill team list\n  tidemill team list -o json"
    )]
    List,
    /// Remove teams and their roles
    #[command(
        visible_alias = "rm",
        after_help = "EXAMPLES\n  tidemill team delete vision --yes"
    )]
    Delete(ProjectDeleteArgs),
}

/// `tidemill team set`.
#[derive(Debug, Args)]
pub(crate) struct TeamSetArgs {
    /// The team
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
    /// All of its people, by the subjects of their tokens
    #[arg(value_name = "PERSON")]
    pub(crate) people: Vec<String>,
}
