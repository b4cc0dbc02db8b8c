//! `tidemill plan`: what a submission would run, what it would reuse, and why; nothing is run.

use crate::args::{PlanArgs, Submission};
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::loading::{self, Destination};
use crate::session::Session;
use crate::views;
use std::path::Path;

/// Does what was asked.
pub(super) async fn run(session: &mut Session, args: PlanArgs) -> Result<Exit, Failure> {
    show(session, &args.file, &args.submission).await
}

/// Shows what submitting this file would do.
pub(super) async fn show(
    session: &mut Session,
    file: &Path,
    submission: &Submission,
) -> Result<Exit, Failure> {
    let draft = loading::read(session, file)?;
    let connection = Connection::open(session).await?;
    let outcome = async {
        let destination = match connection.store() {
            Some(store) => Destination::Store(store),
            None => Destination::Coordinator(&connection.client),
        };
        let way = (&connection.client, destination);
        let request = loading::submission(session, draft, way, submission).await?;
        connection.client.plan(&request).await
    }
    .await;
    connection.close().await?;
    let plan = outcome?;
    session
        .printer
        .one(&plan, |plan| plan.pipeline.to_string(), views::plan::show)?;
    Ok(Exit::Good)
}
