//! `tidemill webhook …`: tell addresses when runs and steps end.

use crate::args::{WebhookAddArgs, WebhookCommand};
use crate::client::Client;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;
use crate::views;
use tidemill_protocol::api::routes::WEBHOOKS;
use tidemill_protocol::api::{WebhookTestView, WebhookView};
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
            let deliveries = client.deliveries((WEBHOOKS, &args.name)).await?;
            let columns = views::subscriptions::deliveries();
            session
                .printer
                .list(&deliveries, &columns, |delivery| delivery.sequence.to_string())?;
        }
        WebhookCommand::Test(args) => {
            let answer: WebhookTestView = client.test_subscription((WEBHOOKS, &args.name)).await?;
            let status = |answer: &WebhookTestView| answer.status.to_string();
            session.printer.one(&answer, status, |printer, answer| {
                printer.line(format_args!("{} answered {}", args.name, answer.status))
            })?;
            if !answer.is_good {
                return Ok(Exit::Failure);
            }
        }
        WebhookCommand::Pause(args) => {
            let by = session.settings.user.clone();
            for name in &args.webhooks.names {
                let paused = client.pause_subscription::<WebhookView>((WEBHOOKS, name), &args.reason, &by);
                say(session, &paused.await?, "paused")?;
            }
        }
        WebhookCommand::Resume(args) => {
            let by = session.settings.user.clone();
            for name in &args.names {
                let resumed = client.resume_subscription::<WebhookView>((WEBHOOKS, name), &by);
                say(session, &resumed.await?, "resumed")?;
            }
        }
        WebhookCommand::Remove(args) => {
            for name in &args.names {
                let by = session.settings.user.clone();
                client.unsubscribe((WEBHOOKS, name), &by).await?;
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
    let spec = WebhookSpec {
        url: args.address,
        secret: args.secret,
        runs: args.ends.runs(),
        steps: args.ends.steps,
        pipeline: args.ends.pipeline,
        experiment: args.ends.experiment,
    };
    let by = session.settings.user.clone();
    let added: WebhookView = client.subscribe((WEBHOOKS, &args.name), &spec, &by).await?;
    say(session, &added, "added")?;
    if session.printer.is_for_people() {
        session
            .printer
            .help(format_args!("tidemill webhook test {}", args.name));
    }
    Ok(())
}

fn say(session: &mut Session, webhook: &WebhookView, what: &str) -> Result<(), Failure> {
    session.printer.one(webhook, id, |printer, webhook| {
        printer.line(format_args!("{what} webhook {}", webhook.name))
    })
}

fn id(webhook: &WebhookView) -> String {
    webhook.name.to_string()
}

async fn list(session: &mut Session, client: &Client) -> Result<(), Failure> {
    let webhooks: Vec<WebhookView> = client.subscriptions(WEBHOOKS).await?;
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
