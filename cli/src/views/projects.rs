//! Projects and teams as they are listed and shown.

use crate::failure::Failure;
use crate::output::table::Column;
use crate::output::tone::Tone;
use crate::output::{Printer, humane};
use tidemill_protocol::api::{ProjectView, TeamView};
use tidemill_protocol::project::Quota;
use tidemill_protocol::time::Timestamp;

/// The columns of a list of projects.
pub(crate) fn columns() -> Vec<Column<ProjectView>> {
    vec![
        Column::new("PROJECT", |one: &ProjectView| one.name.to_string()).fixed(),
        Column::new("RUNNING", |one: &ProjectView| {
            of(u64::from(one.usage.running_steps), one.quota.running_steps)
        })
        .number(),
        Column::new("QUEUED", |one: &ProjectView| {
            of(one.usage.queued_runs, one.quota.queued_runs)
        })
        .number(),
        Column::new("MEMBERS", |one: &ProjectView| {
            (one.people.len() + one.teams.len()).to_string()
        })
        .number(),
        Column::new("DESCRIPTION", |one: &ProjectView| one.description.clone()),
    ]
}

fn of(has: u64, may: Option<u32>) -> String {
    may.map_or_else(|| has.to_string(), |may| format!("{has} of {may}"))
}

/// A quota in words.
pub(crate) fn quota(quota: &Quota) -> String {
    let mut parts = Vec::new();
    if let Some(limit) = quota.running_steps {
        parts.push(format!("{limit} running steps"));
    }
    let targets = quota.targets.iter();
    parts.extend(targets.map(|(target, limit)| format!("{limit} running steps on {target}")));
    if let Some(limit) = quota.queued_runs {
        parts.push(format!("{limit} queued runs"));
    }
    if parts.is_empty() {
        "as much as there is".to_owned()
    } else {
        parts.join(", ")
    }
}

/// Shows a project.
pub(crate) fn show(printer: &mut Printer, project: &ProjectView) -> Result<(), Failure> {
    printer.line(Tone::Strong.paint(&project.name))?;
    let usage = &project.usage;
    let has = format!(
        "{} running steps, {} queued runs",
        usage.running_steps, usage.queued_runs
    );
    let mut facts = vec![("quota", quota(&project.quota)), ("has", has)];
    if !project.description.is_empty() {
        facts.insert(0, ("about", project.description.trim().to_owned()));
    }
    let targets = usage.targets.iter();
    facts.extend(targets.map(|(target, count)| ("on", format!("{target}: {count}"))));
    let teams = project.teams.iter();
    facts.extend(teams.map(|(team, role)| (role.as_str(), format!("team {team}"))));
    let people = project.people.iter();
    facts.extend(people.map(|(person, role)| (role.as_str(), person.clone())));
    for (name, value) in facts {
        printer.line(format_args!(
            "  {} {value}",
            Tone::Dim.paint(format_args!("{name:<10}"))
        ))?;
    }
    Ok(())
}

/// The people of a team.
pub(crate) fn people(team: &TeamView) -> String {
    let people: Vec<&str> = team.people.iter().map(String::as_str).collect();
    people.join(", ")
}

/// The columns of a list of teams.
pub(crate) fn team_columns(now: Timestamp) -> Vec<Column<TeamView>> {
    vec![
        Column::new("TEAM", |one: &TeamView| one.name.to_string()).fixed(),
        Column::new("PEOPLE", people),
        Column::new("CREATED", move |one: &TeamView| humane::ago(one.created_at, now)).wide(),
        Column::new("BY", |one: &TeamView| one.created_by.clone()).wide(),
    ]
}
