//! `tidemill worker …`: start a worker here; list, drain, preempt and resume those of which the coordinator has heard; let workers join, or not count.

mod enrolment;
mod join;
mod start;

use crate::args::{Caution, WorkerCommand};
use crate::asking;
use crate::client::Client;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::humane;
use crate::session::Session;
use crate::shutdown::Interrupts;
use crate::views;
use serde::Serialize;
use std::time::Duration;
use tidemill_protocol::time::Millis;

/// How often it is looked whether a worker still has steps.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Does what was asked.
pub(super) async fn run(session: &mut Session, command: WorkerCommand) -> Result<Exit, Failure> {
    match command {
        WorkerCommand::Start(_) => start::run(session).await,
        WorkerCommand::List => list(session).await,
        WorkerCommand::Drain(args) => {
            let patience = args.wait.then_some(Patience(args.timeout));
            tell(session, &args.workers.workers, DRAIN, patience).await
        }
        WorkerCommand::Preempt(args) => preempt(session, &args.workers.workers, args.caution).await,
        WorkerCommand::Resume(args) => tell(session, &args.workers, RESUME, None).await,
        WorkerCommand::Token(command) => enrolment::token(session, command).await,
        WorkerCommand::Quarantine(args) => enrolment::quarantine(session, &args).await,
        WorkerCommand::Release(args) => enrolment::release(session, &args.workers).await,
        WorkerCommand::Remove(args) => enrolment::remove(session, &args.workers.workers, args.caution).await,
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

/// What a worker is told, and what one says when it was told.
#[derive(Clone, Copy)]
struct Instruction {
    verb: &'static str,
    done: &'static str,
}

const DRAIN: Instruction = Instruction {
    verb: "drain",
    done: "draining",
};
const PREEMPT: Instruction = Instruction {
    verb: "preempt",
    done: "preempted",
};
const RESUME: Instruction = Instruction {
    verb: "resume",
    done: "resumed",
};

/// How long somebody waits at most; for ever when nothing is said.
#[derive(Clone, Copy)]
struct Patience(Option<Millis>);

/// What a program learns of it.
#[derive(Serialize)]
struct Told<'a> {
    worker: &'a str,
    told: &'static str,
}

/// Tells workers something; then waits for them to be idle, where that is wanted.
async fn tell(
    session: &mut Session,
    workers: &[String],
    instruction: Instruction,
    patience: Option<Patience>,
) -> Result<Exit, Failure> {
    let connection = Connection::open(session).await?;
    let outcome = async {
        for worker in workers {
            connection.client.tell_worker(worker, instruction.verb).await?;
            done(session, worker, instruction)?;
        }
        session.printer.flush();
        match patience {
            None => Ok(Exit::Good),
            Some(Patience(limit)) => until_idle(session, &connection.client, workers, limit).await,
        }
    }
    .await;
    connection.close().await?;
    outcome
}

async fn preempt(session: &mut Session, workers: &[String], caution: Caution) -> Result<Exit, Failure> {
    if caution.dry_run {
        return rehearse(session, workers).await;
    }
    let question = format!("Stop all steps of {}?", workers.join(", "));
    asking::confirm(&mut session.printer, caution.yes, question).await?;
    tell(session, workers, PREEMPT, None).await
}

/// Says how many steps of these workers would stop, and does nothing.
async fn rehearse(session: &mut Session, workers: &[String]) -> Result<Exit, Failure> {
    let connection = Connection::open(session).await?;
    let known = connection.client.workers().await;
    connection.close().await?;
    let known = known?;
    for worker in workers {
        let Some(found) = known.iter().find(|known| known.id.as_str() == worker) else {
            return Err(
                Failure::new(Exit::NotFound, format!("there is no worker `{worker}`"))
                    .code("not_found")
                    .help("tidemill worker list shows them"),
            );
        };
        let steps = humane::count(u64::from(found.slots_used), "step");
        session
            .printer
            .line(format_args!("would stop {steps} of {worker}"))?;
    }
    Ok(Exit::Good)
}

/// Says what was done to a worker.
fn done(session: &mut Session, worker: &str, instruction: Instruction) -> Result<(), Failure> {
    let told = Told {
        worker,
        told: instruction.verb,
    };
    session.printer.one(
        &told,
        |told| told.worker.to_owned(),
        |printer, told| printer.line(format_args!("{} {}", instruction.done, told.worker)),
    )
}

/// Waits until none of these workers has a step.
async fn until_idle(
    session: &mut Session,
    client: &Client,
    workers: &[String],
    limit: Option<Millis>,
) -> Result<Exit, Failure> {
    let interrupts = Interrupts::listen()?;
    let idle = async {
        loop {
            let known = client.workers().await?;
            let is_busy = |worker: &&String| {
                let found = known.iter().find(|known| known.id.as_str() == worker.as_str());
                // Who said goodbye has nothing; who fell silent may well have.
                found.is_some_and(|found| found.slots_used > 0)
            };
            if !workers.iter().any(|worker| is_busy(&worker)) {
                return Ok::<_, Failure>(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let limit = limit.map_or(Duration::MAX, |limit| Duration::from_millis(limit.0));
    let waited = interrupts
        .first()
        .run_until_cancelled(tokio::time::timeout(limit, idle));
    match waited.await {
        None => Ok(interrupts.exit()),
        Some(Ok(looked)) => {
            looked?;
            session.printer.note("none of them has a step any more");
            Ok(Exit::Good)
        }
        Some(Err(_)) => Err(
            Failure::new(Exit::Cancelled, "steps still run when the time was over")
                .code("timeout")
                .help("they go on, and nothing new is taken: `tidemill worker list` shows the slots in use"),
        ),
    }
}
