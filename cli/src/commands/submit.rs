//! `tidemill submit`: hands a pipeline to a coordinator that goes on without us.

use super::{following, plan};
use crate::args::SubmitArgs;
use crate::embedded::Embedded;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::loading::{self, Destination};
use crate::session::Session;

/// Does what was asked.
pub(super) async fn run(session: &mut Session, args: SubmitArgs) -> Result<Exit, Failure> {
    if args.dry_run {
        return plan::show(session, &args.file, &args.submission).await;
    }
    following::check(args.staying)?;
    let draft = loading::read(session, &args.file)?;
    let Some(client) = Embedded::elsewhere_soon(session).await? else {
        return Err(following::nobody_there().help("`tidemill run FILE` runs a pipeline without one"));
    };
    let way = (&client, Destination::Coordinator(&client));
    let mut request = loading::submission(session, draft, way, &args.submission).await?;
    request.idempotency_key = args.idempotency_key;
    let run = client.submit(&request).await?;
    following::started(session, &client, &run, args.staying).await
}
