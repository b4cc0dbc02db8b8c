//! Waiting for a run to end, as `submit`, `runs watch` and `runs wait` do: until its end, a time limit, or Ctrl-C. The run itself goes on whatever
//! becomes of the one who waits, unless a second Ctrl-C says otherwise. (`run` owns its run, and cancels it at once.)

use crate::args::Staying;
use crate::asking;
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::humane;
use crate::session::Session;
use crate::shutdown::Interrupts;
use crate::views;
use crate::watch::{Shown, Watched, watch};
use std::time::Duration;
use tidemill_protocol::api::RunSummary;
use tidemill_protocol::ids::RunId;
use tidemill_protocol::time::Millis;
use tokio::time::timeout;

/// How soon a second Ctrl-C must come to be meant for the run.
const SECOND_WITHIN: Duration = Duration::from_secs(2);

/// How somebody waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// What is shown meanwhile.
    pub(super) shown: Shown,
    /// How long at most.
    pub(super) timeout: Option<Millis>,
}

/// Refuses a time limit on a wait that nobody asked for.
pub(super) fn check(staying: Staying) -> Result<(), Failure> {
    if staying.timeout.is_some() && !staying.watch && !staying.wait {
        return Err(
            Failure::new(Exit::Usage, "--timeout limits a wait, and nothing is waited for")
                .help("add --watch or --wait"),
        );
    }
    Ok(())
}

/// There is no coordinator that would go on with a run.
pub(super) fn nobody_there() -> Failure {
    Failure::new(
        Exit::Unreachable,
        "no coordinator runs on this machine, and none was named",
    )
    .code("unreachable")
    .help("start one with `tidemill up`, or name another with --url or $TIDEMILL_URL")
}

/// Says that a run was started, or stays until its end.
pub(super) async fn started(
    session: &mut Session,
    client: &Client,
    run: &RunSummary,
    staying: Staying,
) -> Result<Exit, Failure> {
    if !staying.watch && !staying.wait {
        session.printer.one(
            run,
            |run| run.id.to_string(),
            |printer, run| printer.line(format_args!("submitted run {}  {}", run.id, run.display_name)),
        )?;
        if session.printer.is_for_people() {
            session
                .printer
                .help(format_args!("tidemill runs watch {}", humane::short_run(&run.id)));
        }
        return Ok(Exit::Good);
    }
    let manner = Manner {
        shown: if staying.watch {
            Shown::Changes
        } else {
            Shown::Nothing
        },
        timeout: staying.timeout,
    };
    to_its_end(session, client, run.id, manner).await
}

/// Waits for a run's end and shows how it ended.
pub(super) async fn to_its_end(
    session: &mut Session,
    client: &Client,
    id: RunId,
    manner: Manner,
) -> Result<Exit, Failure> {
    let interrupts = Interrupts::listen()?;
    let limit = manner
        .timeout
        .map_or(Duration::MAX, |limit| Duration::from_millis(limit.0));
    let stop = interrupts.first().child_token();
    let clock = {
        let stop = stop.clone();
        async move {
            if limit < Duration::MAX {
                tokio::time::sleep(limit).await;
                stop.cancel();
            }
            std::future::pending::<()>().await;
        }
    };
    let watched = tokio::select! {
        watched = watch(client, (id, 0), &mut session.printer, (manner.shown, &stop)) => watched?,
        () = clock => unreachable!("it never ends"),
    };
    match watched {
        Watched::Ended(run) => views::outcome::show(&mut session.printer, &run),
        Watched::Stopped(_) if interrupts.first().is_cancelled() => {
            leave(session, client, id, &interrupts).await
        }
        Watched::Stopped(_) => {
            let run = humane::short_run(&id);
            let status = client.run(&id.to_string()).await?.summary.status;
            let length = humane::duration(manner.timeout.unwrap_or_default());
            Err(Failure::new(
                Exit::Cancelled,
                format!("run {run} is still {status} after {length}"),
            )
            .code("timeout")
            .help(format!("it goes on: tidemill runs watch {run}")))
        }
    }
}

/// The first Ctrl-C stops watching. Whoever presses it again at once may mean the run, and is asked.
async fn leave(
    session: &mut Session,
    client: &Client,
    id: RunId,
    interrupts: &Interrupts,
) -> Result<Exit, Failure> {
    let run = humane::short_run(&id);
    let printer = &mut session.printer;
    printer.note(format_args!(
        "stopped watching; the run goes on: tidemill runs watch {run}"
    ));
    if !printer.can_ask() || !interrupts.is_typed() {
        return Ok(interrupts.exit());
    }
    printer.note("Ctrl-C again within 2 s asks whether to cancel it");
    if timeout(SECOND_WITHIN, interrupts.second().cancelled())
        .await
        .is_err()
    {
        return Ok(interrupts.exit());
    }
    let asked = asking::is_wanted(printer, format!("\nCancel run {run}?"));
    let answer = interrupts.third().run_until_cancelled(asked).await;
    if answer.transpose()?.unwrap_or(false) {
        let summary = client.cancel(&id.to_string()).await?;
        session
            .printer
            .note(format_args!("run {run} is {}", summary.status));
    }
    Ok(interrupts.exit())
}
