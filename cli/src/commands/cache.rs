//! `tidemill cache …`: a step's key part by part, beside that of the newest earlier run.

use crate::args::CacheCommand;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;
use crate::views;

/// Does what was asked.
pub(super) async fn run(session: &mut Session, command: CacheCommand) -> Result<Exit, Failure> {
    let CacheCommand::Explain(args) = command;
    let (run, Some(step)) = args.step.whole_step()? else {
        return Err(
            Failure::new(Exit::Usage, format!("`{}` names no step", args.step.run))
                .help("write it as RUN/STEP, e.g. last/train"),
        );
    };
    let connection = Connection::open(session).await?;
    let outcome = connection.client.explain(run, step).await;
    connection.close().await?;
    session.printer.one(
        &outcome?,
        |e| e.path.to_string(),
        |printer, explanation| {
            views::explanation::reasons(printer, explanation)?;
            printer.line("")?;
            views::explanation::key(printer, explanation)
        },
    )?;
    Ok(Exit::Good)
}
