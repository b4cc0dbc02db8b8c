//! `tidemill runs …`: list, show, watch, cancel, retry and compare runs.

use crate::args::RunsCommand;
use crate::client::{Client, RunFilter};
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::humane;
use crate::session::Session;
use crate::shutdown::Interrupts;
use crate::views;
use crate::watch::{Watched, watch};
use tidemill_protocol::api::RunSummary;

/// Does what was asked.
pub(super) async fn run(session: &mut Session, command: RunsCommand) -> Result<Exit, Failure> {
    let connection = Connection::open(session).await?;
    let outcome = dispatch(session, &connection, command).await;
    connection.close().await?;
    outcome
}

async fn dispatch(
    session: &mut Session,
    connection: &Connection,
    command: RunsCommand,
) -> Result<Exit, Failure> {
    let client = &connection.client;
    match command {
        RunsCommand::List(args) => {
            let filter = RunFilter {
                limit: args.limit,
                status: args.status.map(|status| status.as_str().to_owned()),
                pipeline: args.pipeline,
                experiment: args.experiment,
            };
            list(session, client, &filter).await
        }
        RunsCommand::Show(args) => {
            let run = client.run(&args.run).await?;
            let now = session.now();
            let id = |run: &tidemill_protocol::api::RunView| run.summary.id.to_string();
            session
                .printer
                .one(&run, id, |printer, run| views::runs::show(printer, run, now))?;
            Ok(Exit::Good)
        }
        RunsCommand::Watch(args) => {
            connection.check_goes_on(&args.run).await?;
            watch_run(session, client, &args.run).await
        }
        RunsCommand::Cancel(args) => {
            for run in &args.runs {
                let summary = client.cancel(run).await?;
                say(session, &summary, "cancelling")?;
            }
            Ok(Exit::Good)
        }
        RunsCommand::Retry(args) => {
            for run in &args.runs {
                let summary = client.retry(run).await?;
                say(session, &summary, "trying again")?;
            }
            if !connection.is_served() {
                session
                    .printer
                    .help("no coordinator runs on this machine: the next `tidemill up` goes on with it");
            }
            Ok(Exit::Good)
        }
        RunsCommand::Diff(args) => {
            let diff = client.diff(&args.left, &args.right).await?;
            session
                .printer
                .one(&diff, |diff| diff.right.to_string(), views::runs::diff)?;
            Ok(Exit::Good)
        }
    }
}

async fn list(session: &mut Session, client: &Client, filter: &RunFilter) -> Result<Exit, Failure> {
    let runs = client.runs(filter).await?;
    if runs.is_empty() && session.printer.is_for_people() {
        session.printer.note("no runs");
        session
            .printer
            .help("start one with `tidemill run FILE`, or a first pipeline with `tidemill init`");
        return Ok(Exit::Good);
    }
    let columns = views::runs::columns(session.now());
    session.printer.list(&runs, &columns, |run| run.id.to_string())?;
    Ok(Exit::Good)
}

async fn watch_run(session: &mut Session, client: &Client, run: &str) -> Result<Exit, Failure> {
    let id = client.run(run).await?.summary.id;
    let interrupts = Interrupts::listen()?;
    match watch(client, (id, 0), &mut session.printer, interrupts.first()).await? {
        Watched::Ended(run) => views::outcome::show(&mut session.printer, &run),
        Watched::Stopped(_) => {
            let id = humane::short_run(&id);
            session.printer.note(format_args!(
                "stopped watching; the run goes on: tidemill runs watch {id}"
            ));
            Ok(Exit::Interrupted)
        }
    }
}

fn say(session: &mut Session, run: &RunSummary, what: &str) -> Result<(), Failure> {
    session.printer.one(
        run,
        |run| run.id.to_string(),
        |printer, run| {
            printer.line(format_args!(
                "{what} run {}  {}",
                humane::short_run(&run.id),
                run.display_name
            ))
        },
    )
}
