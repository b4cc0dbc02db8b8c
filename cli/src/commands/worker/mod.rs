//! `tidemill worker …`: start a worker here; list, drain, preempt and resume those of which the coordinator has heard.

mod start;

use crate::args::WorkerCommand;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;
use crate::views;

/// Does what was asked.
pub(super) async fn run(session: &mut Session, command: WorkerCommand) -> Result<Exit, Failure> {
    match command {
        WorkerCommand::Start(_) => start::run(session).await,
        WorkerCommand::List => list(session).await,
        WorkerCommand::Drain(args) => tell(session, &args.workers, "drain", "draining").await,
        WorkerCommand::Preempt(args) => tell(session, &args.workers, "preempt", "preempted").await,
        WorkerCommand::Resume(args) => tell(session, &args.workers, "resume", "resumed").await,
    }
}

async fn list(session: &mut Session) -> Result<Exit, Failure> {
    let connection = Connection::open(session).await?;
    let workers = connection.client.workers().await;
    connection.close().await?;
    let workers = workers?;
    if workers.is_empty() && session.printer.is_for_people() {
        session.printer.note("no worker has been heard of");
        session
            .printer
            .help("start one with `tidemill worker start`, or everything on this machine with `tidemill up`");
        return Ok(Exit::Good);
    }
    let columns = views::workers::columns(session.now());
    session
        .printer
        .list(&workers, &columns, |worker| worker.id.to_string())?;
    Ok(Exit::Good)
}

async fn tell(session: &mut Session, workers: &[String], verb: &str, done: &str) -> Result<Exit, Failure> {
    let connection = Connection::open(session).await?;
    let outcome = async {
        for worker in workers {
            connection.client.tell_worker(worker, verb).await?;
            session.printer.line(format_args!("{done} {worker}"))?;
        }
        Ok(Exit::Good)
    }
    .await;
    connection.close().await?;
    outcome
}
