//! `tidemill project …` and `tidemill team …`: who works together, in which role, and how much of the machines they may have.

use crate::args::{
    ProjectCommand, ProjectCreateArgs, ProjectDeleteArgs, ProjectRoleArgs, QuotaArgs, TeamCommand,
};
use crate::asking;
use crate::client::Client;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;
use crate::views;
use tidemill_protocol::api::{ProjectView, RoleRequest, TeamRequest, TeamView};
use tidemill_protocol::project::Quota;

/// Does what was asked.
pub(super) async fn run(session: &mut Session, command: ProjectCommand) -> Result<Exit, Failure> {
    let connection = Connection::open(session).await?;
    let outcome = dispatch(session, &connection.client, command).await;
    connection.close().await?;
    outcome.map(|()| Exit::Good)
}

/// The same of teams.
pub(super) async fn team(session: &mut Session, command: TeamCommand) -> Result<Exit, Failure> {
    let connection = Connection::open(session).await?;
    let outcome = dispatch_team(session, &connection.client, command).await;
    connection.close().await?;
    outcome.map(|()| Exit::Good)
}

async fn dispatch(session: &mut Session, client: &Client, command: ProjectCommand) -> Result<(), Failure> {
    match command {
        ProjectCommand::Create(args) => create(session, client, *args).await,
        ProjectCommand::List => {
            let projects = client.projects().await?;
            session.printer.list(&projects, &views::projects::columns(), id)
        }
        ProjectCommand::Show(args) => {
            let project = client.project(&args.name).await?;
            session.printer.one(&project, id, views::projects::show)
        }
        ProjectCommand::SetRole(args) => set_role(session, client, args).await,
        ProjectCommand::SetQuota(args) => {
            let (quota, user) = (quota(args.quota), session.settings.user.clone());
            let project = client.set_quota(&args.name, &quota, &user).await?;
            session.printer.one(&project, id, |printer, project| {
                let quota = views::projects::quota(&project.quota);
                printer.line(format_args!("project {} may have {quota}", project.name))
            })
        }
        ProjectCommand::Delete(args) => delete(session, client, args).await,
    }
}

async fn create(session: &mut Session, client: &Client, args: ProjectCreateArgs) -> Result<(), Failure> {
    let user = session.settings.user.clone();
    let mut project = client.set_project(&args.name, args.description, &user).await?;
    let quota = quota(args.quota);
    if !quota.is_none() {
        project = client.set_quota(&args.name, &quota, &user).await?;
    }
    session.printer.one(&project, id, |printer, project| {
        printer.line(format_args!("project {}", project.name))
    })?;
    if session.printer.is_for_people() && project.people.is_empty() && project.teams.is_empty() {
        session.printer.help(format_args!(
            "tidemill project set-role {} submitter --person NAME",
            args.name
        ));
    }
    Ok(())
}

fn quota(args: QuotaArgs) -> Quota {
    Quota {
        running_steps: args.running_steps,
        targets: args.targets.into_iter().collect(),
        queued_runs: args.queued_runs,
    }
}

async fn set_role(session: &mut Session, client: &Client, args: ProjectRoleArgs) -> Result<(), Failure> {
    let who = match (&args.person, &args.team) {
        (_, Some(team)) => format!("team {team}"),
        (person, None) => person.clone().unwrap_or_default(),
    };
    let request = RoleRequest {
        person: args.person,
        team: args.team,
        role: args.role.0,
    };
    let user = session.settings.user.clone();
    let project = client.set_role(&args.name, &request, &user).await?;
    session.printer.one(&project, id, |printer, project| {
        let role = request.role.map_or("no role", |role| role.as_str());
        printer.line(format_args!("{who} has {role} in project {}", project.name))
    })
}

async fn delete(session: &mut Session, client: &Client, args: ProjectDeleteArgs) -> Result<(), Failure> {
    confirm(session, "project", &args).await?;
    for name in &args.names {
        if !args.caution.dry_run {
            client.remove_project(name, &session.settings.user).await?;
        }
        removed(session, "project", name, args.caution.dry_run)?;
    }
    Ok(())
}

async fn dispatch_team(session: &mut Session, client: &Client, command: TeamCommand) -> Result<(), Failure> {
    let name = |team: &TeamView| team.name.to_string();
    match command {
        TeamCommand::Set(args) => {
            let request = TeamRequest {
                people: args.people.into_iter().collect(),
            };
            let user = session.settings.user.clone();
            let team = client.set_team(&args.name, &request, &user).await?;
            session.printer.one(&team, name, |printer, team| {
                let people = views::projects::people(team);
                printer.line(format_args!("team {}: {people}", team.name))
            })
        }
        TeamCommand::List => {
            let teams = client.teams().await?;
            if teams.is_empty() && session.printer.is_for_people() {
                session.printer.note("there are no teams");
                session
                    .printer
                    .help("make one with `tidemill team set NAME PERSON…`");
                return Ok(());
            }
            let columns = views::projects::team_columns(session.now());
            session.printer.list(&teams, &columns, name)
        }
        TeamCommand::Delete(args) => {
            confirm(session, "team", &args).await?;
            for name in &args.names {
                if !args.caution.dry_run {
                    client.remove_team(name, &session.settings.user).await?;
                }
                removed(session, "team", name, args.caution.dry_run)?;
            }
            Ok(())
        }
    }
}

async fn confirm(session: &mut Session, what: &str, args: &ProjectDeleteArgs) -> Result<(), Failure> {
    if args.caution.dry_run {
        return Ok(());
    }
    let names: Vec<String> = args.names.iter().map(ToString::to_string).collect();
    let question = format!("Delete {what} {}?", names.join(", "));
    asking::confirm(&mut session.printer, args.caution.yes, question).await
}

fn removed(
    session: &mut Session,
    what: &str,
    name: &tidemill_protocol::name::Name,
    dry_run: bool,
) -> Result<(), Failure> {
    let done = if dry_run { "would delete" } else { "deleted" };
    session.printer.one(
        &serde_json::json!({ "removed": name }),
        |_| name.to_string(),
        |printer, _| printer.line(format_args!("{done} {what} {name}")),
    )
}

fn id(project: &ProjectView) -> String {
    project.name.to_string()
}
