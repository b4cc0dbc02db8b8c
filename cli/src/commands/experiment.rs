//! `tidemill experiment …`: what runs that are to be compared have in common.

use super::describing::changes;
use crate::args::{
    ExperimentCommand, ExperimentCreateArgs, ExperimentDescribeArgs, ExperimentListArgs, ExperimentRenameArgs,
};
use crate::client::Client;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::loading;
use crate::session::Session;
use crate::views;
use tidemill_protocol::api::{CreateExperimentRequest, DescribeExperimentRequest, ExperimentView};

/// Does what was asked.
pub(super) async fn run(session: &mut Session, command: ExperimentCommand) -> Result<Exit, Failure> {
    let connection = Connection::open(session).await?;
    let client = &connection.client;
    let outcome = match command {
        ExperimentCommand::List(args) => list(session, client, args).await,
        ExperimentCommand::Show(args) => show(session, client, &args.name).await,
        ExperimentCommand::Create(args) => create(session, client, args).await,
        ExperimentCommand::Rename(args) => rename(session, client, args).await,
        ExperimentCommand::Delete(args) => delete(session, client, &args.name).await,
        ExperimentCommand::Restore(args) => restore(session, client, &args.name).await,
        ExperimentCommand::Describe(args) => describe(session, client, args).await,
    };
    connection.close().await?;
    outcome.map(|()| Exit::Good)
}

async fn list(session: &mut Session, client: &Client, args: ExperimentListArgs) -> Result<(), Failure> {
    let asked = client.experiments(args.prefix, args.deleted, args.limit as usize);
    let experiments = asked.await?;
    let columns = views::experiments::columns(session.now());
    session.printer.list(&experiments, &columns, name)
}

async fn show(session: &mut Session, client: &Client, wanted: &str) -> Result<(), Failure> {
    let experiment = client.experiment(wanted).await?;
    let now = session.now();
    session.printer.one(&experiment, name, |printer, experiment| {
        views::experiments::show(printer, experiment, now)
    })
}

async fn create(session: &mut Session, client: &Client, args: ExperimentCreateArgs) -> Result<(), Failure> {
    let request = CreateExperimentRequest {
        name: args.name,
        description: args.description.unwrap_or_default(),
        tags: loading::map(&args.tags),
    };
    let experiment = client.create_experiment(&request).await?;
    session.printer.one(&experiment, name, |printer, experiment| {
        printer.line(format_args!("made experiment {}", experiment.name))
    })
}

async fn rename(session: &mut Session, client: &Client, args: ExperimentRenameArgs) -> Result<(), Failure> {
    let request = DescribeExperimentRequest {
        name: Some(args.new_name),
        ..DescribeExperimentRequest::default()
    };
    let experiment = client.describe_experiment(&args.name, &request).await?;
    session.printer.one(&experiment, name, |printer, experiment| {
        printer.line(format_args!(
            "experiment {} is called {} now",
            args.name, experiment.name
        ))
    })
}

async fn delete(session: &mut Session, client: &Client, wanted: &str) -> Result<(), Failure> {
    client.delete_experiment(wanted).await?;
    let experiment = client.experiment(wanted).await?;
    session.printer.one(&experiment, name, |printer, experiment| {
        printer.line(format_args!(
            "deleted experiment {}; `tidemill experiment restore` brings it back",
            experiment.name
        ))
    })
}

async fn restore(session: &mut Session, client: &Client, wanted: &str) -> Result<(), Failure> {
    let experiment = client.restore_experiment(wanted).await?;
    session.printer.one(&experiment, name, |printer, experiment| {
        printer.line(format_args!("experiment {} is back", experiment.name))
    })
}

async fn describe(
    session: &mut Session,
    client: &Client,
    args: ExperimentDescribeArgs,
) -> Result<(), Failure> {
    let (description, tags) = changes(args.said)?;
    let request = DescribeExperimentRequest {
        name: None,
        description,
        tags,
    };
    let experiment = client.describe_experiment(&args.name, &request).await?;
    session.printer.one(&experiment, name, |printer, experiment| {
        printer.line(format_args!("experiment {} is described", experiment.name))
    })
}

fn name(experiment: &ExperimentView) -> String {
    experiment.name.clone()
}
