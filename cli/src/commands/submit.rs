//! `tidemill submit`: hands a pipeline to a coordinator that goes on without us.

use crate::args::SubmitArgs;
use crate::embedded::Embedded;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::loading::{self, Destination};
use crate::output::humane;
use crate::session::Session;
use crate::shutdown::Interrupts;
use crate::views;
use crate::watch::{Watched, watch};

/// Does what was asked.
pub(super) async fn run(session: &mut Session, args: SubmitArgs) -> Result<Exit, Failure> {
    let loaded = loading::load(session, &args.file)?;
    let Some(client) = Embedded::elsewhere_soon(session).await? else {
        return Err(Failure::new(
            Exit::Unreachable,
            "no coordinator runs on this machine, and none was named",
        )
        .code("unreachable")
        .help("`tidemill run FILE` runs a pipeline without one")
        .help("start one with `tidemill up`, or name another with --url or $TIDEMILL_URL"));
    };
    let spec = loading::bring(session, loaded, Destination::Coordinator(&client)).await?;
    let mut request = loading::request(session, spec, &args.submission);
    request.idempotency_key = args.idempotency_key;
    let run = client.submit(&request).await?;
    if !args.watch {
        session.printer.one(
            &run,
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
    let interrupts = Interrupts::listen()?;
    match watch(&client, (run.id, 0), &mut session.printer, interrupts.first()).await? {
        Watched::Ended(run) => views::outcome::show(&mut session.printer, &run),
        Watched::Stopped(_) => {
            let id = humane::short_run(&run.id);
            session.printer.note(format_args!(
                "stopped watching; the run goes on: tidemill runs watch {id}"
            ));
            Ok(Exit::Interrupted)
        }
    }
}
