//! `tidemill schedule …`: make, list, show, explain, pause, resume and remove schedules.

use crate::args::{ScheduleCommand, ScheduleCreateArgs};
use crate::client::Client;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::loading::{self, Destination};
use crate::scheduling::{self, Draft, Job};
use crate::session::Session;
use crate::views;
use tidemill_protocol::api::{AddVersionRequest, AssetSource, ScheduleView};
use tidemill_protocol::catalog::{AssetKind, Version};
use tidemill_protocol::name::Name;

/// Does what was asked.
pub(super) async fn run(session: &mut Session, command: ScheduleCommand) -> Result<Exit, Failure> {
    if let ScheduleCommand::Create(args) = command {
        return create(session, *args).await;
    }
    let connection = Connection::open(session).await?;
    let outcome = dispatch(session, &connection.client, command).await;
    connection.close().await?;
    outcome
}

async fn dispatch(session: &mut Session, client: &Client, command: ScheduleCommand) -> Result<Exit, Failure> {
    let by = session.settings.user.clone();
    match command {
        ScheduleCommand::Create(_) => unreachable!("made above"),
        ScheduleCommand::List => list(session, client).await?,
        ScheduleCommand::Show(args) => show(session, client, &args.name).await?,
        ScheduleCommand::Next(args) => {
            let moments = client.moments(&args.name, args.count).await?;
            let columns = views::schedules::to_come(session.now());
            session
                .printer
                .list(&moments, &columns, |moment| moment.nominal.0.to_string())?;
        }
        ScheduleCommand::Explain(args) => {
            let schedule = client.schedule(&args.name).await?;
            let lines = views::schedules::sentences(&schedule, session.now());
            session.printer.one(&schedule, id, |printer, _| {
                lines.iter().try_for_each(|line| printer.line(line))
            })?;
        }
        ScheduleCommand::Pause(args) => {
            for name in &args.schedules.names {
                let paused = client.pause_schedule(name, &args.reason, &by).await?;
                say(session, &paused, "paused")?;
            }
        }
        ScheduleCommand::Resume(args) => {
            for name in &args.names {
                let resumed = client.resume_schedule(name, &by).await?;
                say(session, &resumed, "resumed")?;
            }
        }
        ScheduleCommand::Remove(args) => {
            for name in &args.names {
                client.remove_schedule(name, &by).await?;
                session.printer.one(
                    &serde_json::json!({ "removed": name }),
                    |_| name.to_string(),
                    |printer, _| printer.line(format_args!("removed schedule {name}")),
                )?;
            }
        }
    }
    Ok(Exit::Good)
}

fn id(schedule: &ScheduleView) -> String {
    schedule.name.to_string()
}

fn say(session: &mut Session, schedule: &ScheduleView, what: &str) -> Result<(), Failure> {
    session.printer.one(schedule, id, |printer, schedule| {
        printer.line(format_args!("{what} schedule {}", schedule.name))
    })
}

async fn list(session: &mut Session, client: &Client) -> Result<(), Failure> {
    let schedules = client.schedules().await?;
    if schedules.is_empty() && session.printer.is_for_people() {
        session.printer.note("there are no schedules");
        session
            .printer
            .help("make one with `tidemill schedule create --help`");
        return Ok(());
    }
    let columns = views::schedules::columns(session.now());
    session.printer.list(&schedules, &columns, id)
}

async fn show(session: &mut Session, client: &Client, name: &Name) -> Result<(), Failure> {
    let schedule = client.schedule(name).await?;
    let firings = if session.printer.is_for_people() {
        client.firings(name).await?
    } else {
        Vec::new()
    };
    let now = session.now();
    session.printer.one(&schedule, id, |printer, schedule| {
        views::schedules::show(printer, schedule, &firings, now)
    })
}

async fn create(session: &mut Session, args: ScheduleCreateArgs) -> Result<Exit, Failure> {
    // Before anything is opened: a file with problems keeps nobody out of the state folder.
    let draft = match &args.file {
        Some(file) => scheduling::from_file(session, file, &args)?,
        None => scheduling::from_arguments(&args)?,
    };
    let connection = Connection::open(session).await?;
    let outcome = make(session, &connection, draft, &args).await;
    let is_served = connection.is_served();
    connection.close().await?;
    let made = outcome?;
    session.printer.one(&made, id, |printer, made| {
        printer.line(format_args!(
            "made schedule {}: {} starts {}",
            made.name,
            views::schedules::when(&made.spec.trigger),
            made.spec.pipeline
        ))
    })?;
    if session.printer.is_for_people() && !is_served {
        session
            .printer
            .help("no coordinator runs on this machine: it fires while `tidemill up` runs");
    }
    Ok(Exit::Good)
}

async fn make(
    session: &mut Session,
    connection: &Connection,
    draft: Draft,
    args: &ScheduleCreateArgs,
) -> Result<ScheduleView, Failure> {
    let (client, name) = (&connection.client, draft.name.clone());
    if !args.replace {
        match client.schedule(&name).await {
            Err(failure) if failure.exit == Exit::NotFound => {}
            Err(failure) => return Err(failure),
            Ok(_) => {
                let what = format!("there is a schedule `{name}` already");
                return Err(Failure::new(Exit::Conflict, what)
                    .code("conflict")
                    .help("--replace puts this in its place"));
            }
        }
    }
    let (pipeline, version) = match draft.job {
        Job::Published { name, version } => (name, version),
        Job::Read(read) => {
            let destination = match connection.store() {
                Some(store) => Destination::Store(store),
                None => Destination::Coordinator(client),
            };
            let loaded = loading::complete(session, *read, Some(client)).await?;
            let spec = loading::bring(session, loaded, destination).await?;
            let version = publish(session, client, &name, AssetSource::Pipeline(Box::new(spec))).await?;
            (name.clone(), Some(version))
        }
    };
    let spec = tidemill_protocol::schedule::ScheduleSpec {
        pipeline,
        version,
        ..draft.spec
    };
    client.set_schedule(&name, &spec, &session.settings.user).await
}

/// Publishes the pipeline of a schedule file under the schedule's name.
async fn publish(
    session: &Session,
    client: &Client,
    name: &Name,
    source: AssetSource,
) -> Result<Version, Failure> {
    let request = AddVersionRequest {
        version: None,
        source,
        description: format!("of the schedule {name}"),
        tags: std::collections::BTreeMap::new(),
        labels: Vec::new(),
        origin: None,
        by: Some(session.settings.user.clone()),
    };
    let added = client.add_version(AssetKind::Pipeline, name, &request).await?;
    Ok(added.version)
}
