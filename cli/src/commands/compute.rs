//! `tidemill compute …`: the named pools that steps ask for.

use crate::args::ComputeCommand;
use crate::client::Client;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;
use crate::views;
use tidemill_protocol::api::ComputeTargetView;

/// Does what was asked.
pub(super) async fn run(session: &mut Session, command: ComputeCommand) -> Result<Exit, Failure> {
    let connection = Connection::open(session).await?;
    let outcome = match command {
        ComputeCommand::List => list(session, &connection.client).await,
        ComputeCommand::Show(args) => {
            let target = connection.client.compute_target(&args.name).await;
            let now = session.now();
            target.and_then(|target| {
                session.printer.one(&target, name, |printer, target| {
                    views::compute::show(printer, target, now)
                })
            })
        }
    };
    connection.close().await?;
    outcome.map(|()| Exit::Good)
}

async fn list(session: &mut Session, client: &Client) -> Result<(), Failure> {
    let targets = client.compute_targets().await?;
    if targets.is_empty() && session.printer.is_for_people() {
        session
            .printer
            .note("no compute targets: no step has asked for one, and no worker serves one");
        session
            .printer
            .help("`tidemill worker start --compute NAME` starts a worker that serves one");
        return Ok(());
    }
    session.printer.list(&targets, &views::compute::columns(), name)
}

fn name(target: &ComputeTargetView) -> String {
    target.name.to_string()
}
