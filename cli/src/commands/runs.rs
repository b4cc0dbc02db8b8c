//! `tidemill runs …`: list, show, watch, cancel, retry and compare runs, and say something of them.

use super::following::{Manner, to_its_end};
use super::{compare, remarks};
use crate::args::{Caution, RunsCommand, RunsListArgs};
use crate::asking;
use crate::client::{Client, RunFilter};
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::humane;
use crate::session::Session;
use crate::views;
use crate::watch::Shown;
use std::time::Instant;
use tidemill_protocol::api::RunSummary;
use tidemill_protocol::time::Millis;

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
            let filter = filter(session, args);
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
            let id = client.run(&args.run).await?.summary.id;
            let manner = Manner {
                shown: Shown::Changes,
                timeout: args.timeout,
            };
            to_its_end(session, client, id, manner).await
        }
        RunsCommand::Wait(args) => wait(session, connection, &args.runs.runs, args.timeout).await,
        RunsCommand::Cancel(args) => cancel(session, client, &args.runs.runs, args.caution).await,
        RunsCommand::Delete(args) => delete(session, client, &args.runs.runs, args.caution).await,
        RunsCommand::Retry(args) => {
            for run in &args.runs {
                let retried = client.retry(run).await;
                let summary = retried.map_err(|failure| {
                    let again = "`tidemill submit FILE --force-rerun` makes every step again";
                    advise(failure, format_args!("{again}"))
                })?;
                say(session, &summary, "trying again")?;
            }
            if !connection.is_served() {
                session
                    .printer
                    .help("no coordinator runs on this machine: the next `tidemill up` goes on with it");
            }
            Ok(Exit::Good)
        }
        RunsCommand::Compare(args) => compare::run(session, client, &args).await,
        RunsCommand::Tag(args) => remarks::tag(session, client, args).await.map(|()| Exit::Good),
        RunsCommand::Describe(args) => remarks::describe(session, client, args)
            .await
            .map(|()| Exit::Good),
        RunsCommand::Comment(args) => remarks::comment(session, client, args).await.map(|()| Exit::Good),
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

fn filter(session: &Session, args: RunsListArgs) -> RunFilter {
    let tags: Vec<String> = args
        .tags
        .iter()
        .map(|tag| format!("{}={}", tag.name, tag.value))
        .collect();
    RunFilter {
        limit: args.limit,
        status: args.status.map(|status| status.as_str().to_owned()),
        pipeline: args.pipeline,
        experiment: args.experiment,
        project: args.project,
        since: args.since.map(|since| since.seen_from(session.now())),
        tags: (!tags.is_empty()).then(|| tags.join(",")),
        sort: args.sort,
    }
}

/// Waits for one after the other: the longest decides. The first bad end is the outcome, but all are waited for.
async fn wait(
    session: &mut Session,
    connection: &Connection,
    runs: &[String],
    limit: Option<Millis>,
) -> Result<Exit, Failure> {
    let began = Instant::now();
    let mut outcome = Ok(Exit::Good);
    for run in runs {
        connection.check_goes_on(run).await?;
        let id = connection.client.run(run).await?.summary.id;
        let passed = Millis(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
        let manner = Manner {
            shown: Shown::Nothing,
            timeout: limit.map(|limit| Millis(limit.0.saturating_sub(passed.0))),
        };
        match to_its_end(session, &connection.client, id, manner).await {
            Ok(Exit::Good) => {}
            Err(failure) if matches!(failure.exit, Exit::RunFailed | Exit::Cancelled) => {
                outcome = outcome.and(Err(failure));
            }
            stopped => return stopped,
        }
    }
    outcome
}

async fn cancel(
    session: &mut Session,
    client: &Client,
    runs: &[String],
    caution: Caution,
) -> Result<Exit, Failure> {
    if caution.dry_run || (session.printer.can_ask() && !caution.yes) {
        let mut meant = Vec::new();
        for run in runs {
            meant.push(client.run(run).await?.summary);
        }
        if caution.dry_run {
            for run in &meant {
                say(session, run, "would cancel")?;
            }
            return Ok(Exit::Good);
        }
        let names: Vec<String> = meant
            .iter()
            .map(|run| format!("{} ({})", humane::short_run(&run.id), run.display_name))
            .collect();
        let question = format!("Cancel {}?", names.join(", "));
        asking::confirm(&mut session.printer, caution.yes, question).await?;
    }
    for run in runs {
        let cancelled = client.cancel(run).await;
        let summary = cancelled.map_err(|failure| {
            advise(
                failure,
                format_args!("`tidemill runs show {run}` shows how it stands"),
            )
        })?;
        say(session, &summary, "cancelling")?;
    }
    Ok(Exit::Good)
}

async fn delete(
    session: &mut Session,
    client: &Client,
    runs: &[String],
    caution: Caution,
) -> Result<Exit, Failure> {
    if caution.dry_run {
        for run in runs {
            let meant = client.run(run).await?.summary;
            say(session, &meant, "would delete")?;
        }
        return Ok(Exit::Good);
    }
    let question = format!("Delete {}?", runs.join(", "));
    asking::confirm(&mut session.printer, caution.yes, question).await?;
    for run in runs {
        let deleted = client.delete_run(run, &session.settings.user).await;
        let summary = deleted.map_err(|failure| {
            let first = format!("`tidemill runs cancel {run}` ends it first");
            advise(failure, format_args!("{first}"))
        })?;
        say(session, &summary, "deleted")?;
    }
    Ok(Exit::Good)
}

/// What to type when the state of a run does not allow what was asked.
fn advise(failure: Failure, help: std::fmt::Arguments<'_>) -> Failure {
    if failure.exit == Exit::Conflict && failure.help.is_empty() {
        failure.help(help.to_string())
    } else {
        failure
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
