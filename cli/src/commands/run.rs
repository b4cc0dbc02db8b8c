//! `tidemill run`: a pipeline on this machine, in this process, to its end. While a coordinator already runs here, the run is handed to that one:
//! the folder of state is the same, and so is what is known from earlier runs.

use crate::args::{RunArgs, Submission};
use crate::client::Client;
use crate::embedded::{Embedded, Way, way};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::loading::{self, Destination, Draft};
use crate::output::humane;
use crate::session::Session;
use crate::shutdown::Interrupts;
use crate::views;
use crate::watch::{Shown, Watched, watch};
use tidemill_protocol::ids::RunId;

/// What is said to whoever does not wait for the end.
const LEFT_EARLY: &str = "left before the run had ended";

/// Does what was asked.
pub(super) async fn run(session: &mut Session, args: RunArgs) -> Result<Exit, Failure> {
    let draft = loading::read(session, &args.file)?;
    let interrupts = Interrupts::listen()?;
    let stopped = interrupts.first().clone();
    let way = stopped.run_until_cancelled(way(session, "run")).await;
    let lock = match way.transpose()? {
        None => return Ok(interrupts.exit()),
        Some(Way::Ours(lock)) => lock,
        Some(Way::Elsewhere(client)) => {
            return handed_over(session, &client, draft, &args, &interrupts).await;
        }
    };
    let starting = Embedded::start_locked(&session.settings, session.clock, lock);
    let started = stopped.run_until_cancelled(Box::pin(starting)).await;
    let Some(embedded) = started.transpose()? else {
        return Ok(interrupts.exit());
    };
    let outcome = async {
        let (client, destination) = (embedded.client(), Destination::Store(embedded.store()));
        let submitting = submit(session, draft, destination, client, &args.submission);
        let Some(run) = stopped.run_until_cancelled(submitting).await.transpose()? else {
            return Ok(interrupts.exit());
        };
        to_its_end(session, client, run, &interrupts).await
    }
    .await;
    if stopped.is_cancelled() {
        embedded.stop_settled(interrupts.second()).await?;
    } else {
        embedded.stop().await?;
    }
    outcome
}

/// Lets the coordinator that runs already do it.
async fn handed_over(
    session: &mut Session,
    client: &Client,
    draft: Draft,
    args: &RunArgs,
    interrupts: &Interrupts,
) -> Result<Exit, Failure> {
    let destination = Destination::Coordinator(client);
    let submitting = submit(session, draft, destination, client, &args.submission);
    let Some(run) = interrupts
        .first()
        .run_until_cancelled(submitting)
        .await
        .transpose()?
    else {
        return Ok(interrupts.exit());
    };
    session.printer.note(format_args!(
        "handed to the coordinator that runs already, as run {}",
        humane::short_run(&run)
    ));
    to_its_end(session, client, run, interrupts).await
}

/// Brings what the pipeline refers to, and starts the run.
async fn submit(
    session: &mut Session,
    draft: Draft,
    destination: Destination<'_>,
    client: &Client,
    submission: &Submission,
) -> Result<RunId, Failure> {
    let request = loading::submission(session, draft, (client, destination), submission).await?;
    Ok(client.submit(&request).await?.id)
}

/// Watches the run. The first Ctrl-C cancels it and waits for its end, the second leaves at once.
async fn to_its_end(
    session: &mut Session,
    client: &Client,
    run: RunId,
    interrupts: &Interrupts,
) -> Result<Exit, Failure> {
    let until = |token| (Shown::Changes, token);
    let first = until(interrupts.first());
    let shown = match watch(client, (run, 0), &mut session.printer, first).await? {
        Watched::Ended(run) => return views::outcome::show(&mut session.printer, &run),
        Watched::Stopped(shown) => shown,
    };
    session
        .printer
        .note("cancelling the run; Ctrl-C again leaves it behind");
    let id = run.to_string();
    let Some(cancelled_run) = interrupts.second().run_until_cancelled(client.cancel(&id)).await else {
        session.printer.warn(LEFT_EARLY);
        return Ok(interrupts.exit());
    };
    cancelled_run?;
    let second = until(interrupts.second());
    match watch(client, (run, shown), &mut session.printer, second).await? {
        Watched::Ended(run) => {
            views::outcome::show(&mut session.printer, &run)
                .or_else(|failure| cancelled(session, failure, interrupts))?;
        }
        Watched::Stopped(_) => session.printer.warn(LEFT_EARLY),
    }
    Ok(interrupts.exit())
}

/// That a cancelled run did not succeed is no news to whoever cancelled it.
fn cancelled(session: &mut Session, failure: Failure, interrupts: &Interrupts) -> Result<Exit, Failure> {
    if matches!(failure.exit, Exit::Cancelled | Exit::RunFailed) {
        session.printer.note(&failure.what);
        return Ok(interrupts.exit());
    }
    Err(failure)
}
