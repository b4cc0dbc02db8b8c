//! `tidemill webhook …`: tell addresses when runs and steps end.

use crate::args::{WebhookAddArgs, WebhookCommand};
use crate::client::Client;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;
use crate::views;
use tidemill_protocol::api::{WebhookTestView, WebhookView};
use tidemill_protocol::status::RunStatus;
use tidemill_protocol::webhook::WebhookSpec;

/// Does what was asked.
pub(super) async fn run(session: &mut Session, command: WebhookCommand) -> Result<Exit, Failure> {
    let connection = Connection::open(session).await?;
    let outcome = dispatch(session, &connection.client, command).await;
    connection.close().await?;
    outcome
}

async fn dispatch(session: &mut Session, client: &Client, command: WebhookCommand) -> Result<Exit, Failure> {
    match command {
        WebhookCommand::Add(args) => add(session, client, *args).await?,
        WebhookCommand::List => list(session, client).await?,
        WebhookCommand::Deliveries(args) => {
            let deliveries = client.deliveries(&args.name).await?;
            let columns = views::webhooks::deliveries();
            session
                .printer
                .list(&deliveries, &columns, |delivery| delivery.sequence.to_string())?;
        }
        WebhookCommand::Test(args) => {
            let answer = client.test_webhook(&args.name).await?;
            let status = |answer: &WebhookTestView| answer.status.to_string();
            session.printer.one(&answer, status, |printer, answer| {
                printer.line(format_args!("{} answered {}", args.name, answer.status))
            })?;
            if !answer.is_good {
                return Ok(Exit::Failure);
            }
        }
        WebhookCommand::Remove(args) => {
            for name in &args.names {
                client.remove_webhook(name, &session.settings.user).await?;
                session.printer.one(
                    &serde_json::json!({ "removed": name }),
                    |_| name.to_string(),
                    |printer, _| printer.line(format_args!("removed webhook {name}")),
                )?;
            }
        }
    }
    Ok(Exit::Good)
}

async fn add(session: &mut Session, client: &Client, args: WebhookAddArgs) -> Result<(), Failure> {
    let runs = if args.runs.is_empty() && args.steps.is_empty() {
        let all = RunStatus::ALL.iter().copied();
        all.filter(|status| status.is_terminal()).collect()
    } else {
        args.runs
    };
    let spec = WebhookSpec {
        url: args.url,
        secret: args.secret,
        runs,
        steps: args.steps,
        pipeline: args.pipeline,
    };
    let added = client
        .set_webhook(&args.name, &spec, &session.settings.user)
        .await?;
    session.printer.one(&added, id, |printer, added| {
        printer.line(format_args!("added webhook {}", added.name))
    })?;
    if session.printer.is_for_people() {
        session
            .printer
            .help(format_args!("tidemill webhook test {}", args.name));
    }
    Ok(())
}

fn id(webhook: &WebhookView) -> String {
    webhook.name.to_string()
}

async fn list(session: &mut Session, client: &Client) -> Result<(), Failure> {
    let webhooks = client.webhooks().await?;
    if webhooks.is_empty() && session.printer.is_for_people() {
        session.printer.note("there are no webhooks");
        session
            .printer
            .help("add one with `tidemill webhook add NAME URL --secret NAME`");
        return Ok(());
    }
    let columns = views::webhooks::columns(session.now());
    session.printer.list(&webhooks, &columns, id)
}
