//! `tidemill submit`: hands a pipeline to a coordinator that goes on without us.

use super::following::{Manner, to_its_end};
use super::plan;
use crate::args::SubmitArgs;
use crate::embedded::Embedded;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::loading::{self, Destination};
use crate::output::humane;
use crate::session::Session;
use crate::watch::Shown;

/// Does what was asked.
pub(super) async fn run(session: &mut Session, args: SubmitArgs) -> Result<Exit, Failure> {
    if args.dry_run {
        return plan::show(session, &args.file, &args.submission).await;
    }
    if args.timeout.is_some() && !args.watch && !args.wait {
        return Err(
            Failure::new(Exit::Usage, "--timeout limits a wait, and nothing is waited for")
                .help("add --watch or --wait"),
        );
    }
    let draft = loading::read(session, &args.file)?;
    let Some(client) = Embedded::elsewhere_soon(session).await? else {
        return Err(Failure::new(
            Exit::Unreachable,
            "no coordinator runs on this machine, and none was named",
        )
        .code("unreachable")
        .help("`tidemill run FILE` runs a pipeline without one")
        .help("start one with `tidemill up`, or name another with --url or $TIDEMILL_URL"));
    };
    let loaded = loading::complete(session, draft, Some(&client)).await?;
    let spec = loading::bring(session, loaded, Destination::Coordinator(&client)).await?;
    let mut request = loading::request(session, spec, &args.submission);
    request.idempotency_key = args.idempotency_key;
    let run = client.submit(&request).await?;
    if !args.watch && !args.wait {
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
    let manner = Manner {
        shown: if args.watch {
            Shown::Changes
        } else {
            Shown::Nothing
        },
        timeout: args.timeout,
    };
    to_its_end(session, &client, run.id, manner).await
}
