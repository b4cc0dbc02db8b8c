//! `tidemill artifacts sweep`: deletes from the store what nothing names any more, or says how much that would be.

use crate::args::ArtifactsSweepArgs;
use crate::asking;
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::humane;
use crate::session::Session;
use tidemill_protocol::api::{SweepRequest, SweepView};

/// Does it.
pub(super) async fn sweep(
    session: &mut Session,
    client: &Client,
    args: &ArtifactsSweepArgs,
) -> Result<Exit, Failure> {
    let request = |dry_run| SweepRequest {
        older_than: Some(args.older_than),
        dry_run,
        ignore_others: args.ignore_others,
        ignore_restart: args.ignore_restart,
    };
    let caution = args.caution;
    if !caution.dry_run && !caution.yes && session.printer.can_ask() {
        let meant = whole(client.sweep(&request(true)).await?)?;
        let question = format!(
            "Delete {} ({}) from the store?",
            objects(meant.deleted),
            humane::bytes(meant.deleted_bytes)
        );
        asking::confirm(&mut session.printer, false, question).await?;
    }
    let swept = whole(client.sweep(&request(caution.dry_run)).await?)?;
    session.printer.one(
        &swept,
        |swept| swept.deleted.to_string(),
        |printer, swept| {
            let verb = if swept.dry_run { "would delete" } else { "deleted" };
            printer.line(format_args!(
                "{verb} {} ({}); {} are named, {} too young",
                objects(swept.deleted),
                humane::bytes(swept.deleted_bytes),
                humane::thousands(swept.kept),
                humane::thousands(swept.young)
            ))
        },
    )?;
    Ok(Exit::Good)
}

fn objects(count: u64) -> String {
    match count {
        1 => "1 object".to_owned(),
        count => format!("{} objects", humane::thousands(count)),
    }
}

/// What was swept, unless the sweep did not come to its end.
fn whole(swept: SweepView) -> Result<SweepView, Failure> {
    match swept.failed {
        None => Ok(swept),
        Some(why) => Err(Failure::new(Exit::Failure, "the sweep did not come to its end")
            .cause(why)
            .help("what is deleted was garbage; another sweep goes on with the rest")),
    }
}
