//! `tidemill mailing …`: mail people when runs and steps end.

use crate::args::{MailingAddArgs, MailingCommand};
use crate::client::Client;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;
use crate::views;
use tidemill_protocol::api::routes::MAILINGS;
use tidemill_protocol::api::{MailingTestView, MailingView};
use tidemill_protocol::mailing::MailingSpec;

/// Does what was asked.
pub(super) async fn run(session: &mut Session, command: MailingCommand) -> Result<Exit, Failure> {
    let connection = Connection::open(session).await?;
    let outcome = dispatch(session, &connection.client, command).await;
    connection.close().await?;
    outcome
}

async fn dispatch(session: &mut Session, client: &Client, command: MailingCommand) -> Result<Exit, Failure> {
    match command {
        MailingCommand::Add(args) => add(session, client, *args).await?,
        MailingCommand::List => list(session, client).await?,
        MailingCommand::Deliveries(args) => {
            let deliveries = client.deliveries((MAILINGS, &args.name)).await?;
            let columns = views::subscriptions::deliveries();
            session
                .printer
                .list(&deliveries, &columns, |delivery| delivery.sequence.to_string())?;
        }
        MailingCommand::Test(args) => {
            let answer: MailingTestView = client.test_subscription((MAILINGS, &args.name)).await?;
            let name = |_: &MailingTestView| args.name.to_string();
            session.printer.one(&answer, name, |printer, answer| {
                let (outcome, _) = views::subscriptions::outcome(&answer.outcome);
                printer.line(format_args!("{}: {outcome}", args.name))
            })?;
            if !answer.is_good {
                return Ok(Exit::Failure);
            }
        }
        MailingCommand::Pause(args) => {
            let by = session.settings.user.clone();
            for name in &args.mailings.names {
                let paused = client.pause_subscription::<MailingView>((MAILINGS, name), &args.reason, &by);
                say(session, &paused.await?, "paused")?;
            }
        }
        MailingCommand::Resume(args) => {
            let by = session.settings.user.clone();
            for name in &args.names {
                let resumed = client.resume_subscription::<MailingView>((MAILINGS, name), &by);
                say(session, &resumed.await?, "resumed")?;
            }
        }
        MailingCommand::Remove(args) => {
            for name in &args.names {
                let by = session.settings.user.clone();
                client.unsubscribe((MAILINGS, name), &by).await?;
                session.printer.one(
                    &serde_json::json!({ "removed": name }),
                    |_| name.to_string(),
                    |printer, _| printer.line(format_args!("removed mailing {name}")),
                )?;
            }
        }
    }
    Ok(Exit::Good)
}

async fn add(session: &mut Session, client: &Client, args: MailingAddArgs) -> Result<(), Failure> {
    let spec = MailingSpec {
        to: args.to,
        runs: args.ends.runs(),
        steps: args.ends.steps,
        pipeline: args.ends.pipeline,
        experiment: args.ends.experiment,
    };
    let by = session.settings.user.clone();
    let added: MailingView = client.subscribe((MAILINGS, &args.name), &spec, &by).await?;
    say(session, &added, "added")?;
    if session.printer.is_for_people() {
        session
            .printer
            .help(format_args!("tidemill mailing test {}", args.name));
    }
    Ok(())
}

fn say(session: &mut Session, mailing: &MailingView, what: &str) -> Result<(), Failure> {
    session.printer.one(mailing, id, |printer, mailing| {
        printer.line(format_args!("{what} mailing {}", mailing.name))
    })
}

fn id(mailing: &MailingView) -> String {
    mailing.name.to_string()
}

async fn list(session: &mut Session, client: &Client) -> Result<(), Failure> {
    let mailings: Vec<MailingView> = client.subscriptions(MAILINGS).await?;
    if mailings.is_empty() && session.printer.is_for_people() {
        session.printer.note("there are no mailings");
        session
            .printer
            .help("add one with `tidemill mailing add NAME ADDRESS`");
        return Ok(());
    }
    let columns = views::mailings::columns(session.now());
    session.printer.list(&mailings, &columns, id)
}
