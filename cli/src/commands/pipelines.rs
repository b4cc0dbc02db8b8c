//! `tidemill pipelines …`: list, show, start, enable and disable published pipelines.

use super::following;
use crate::args::{PipelineArgs, PipelinesCommand, PipelinesDefaultArgs, PipelinesStartArgs};
use crate::client::{AssetFilter, Client};
use crate::connection::Connection;
use crate::embedded::Embedded;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::loading;
use crate::session::Session;
use crate::views;
use tidemill_protocol::api::{DescribeRequest, StartRequest, VersionView};
use tidemill_protocol::catalog::{AssetKind, AssetRef, DEFAULT, LATEST, Stage, Version};
use tidemill_protocol::name::Name;

/// What all of these are about.
const KIND: AssetKind = AssetKind::Pipeline;

/// Does what was asked.
pub(super) async fn run(session: &mut Session, command: PipelinesCommand) -> Result<Exit, Failure> {
    if let PipelinesCommand::Start(args) = command {
        return start(session, *args).await;
    }
    let connection = Connection::open(session).await?;
    let client = &connection.client;
    let outcome = match command {
        PipelinesCommand::List => list(session, client).await,
        PipelinesCommand::Show(args) => show(session, client, &args).await,
        PipelinesCommand::Enable(args) => put(session, client, &args, Stage::Active).await,
        PipelinesCommand::Disable(args) => put(session, client, &args, Stage::Disabled).await,
        PipelinesCommand::Deprecate(args) => put(session, client, &args, Stage::Deprecated).await,
        PipelinesCommand::SetDefault(args) => set_default(session, client, &args).await,
        PipelinesCommand::Start(_) => unreachable!("started above"),
    };
    connection.close().await?;
    outcome
}

async fn list(session: &mut Session, client: &Client) -> Result<Exit, Failure> {
    let filter = AssetFilter {
        limit: usize::MAX,
        ..AssetFilter::default()
    };
    let pipelines = client.assets(KIND, &filter).await?;
    if pipelines.is_empty() && session.printer.is_for_people() {
        session.printer.note("no pipeline is published");
        session
            .printer
            .help("publish one with `tidemill publish FILE --name NAME`");
        return Ok(Exit::Good);
    }
    let columns = views::pipelines::columns(session.now());
    session
        .printer
        .list(&pipelines, &columns, |pipeline| pipeline.name.to_string())?;
    Ok(Exit::Good)
}

async fn show(session: &mut Session, client: &Client, args: &PipelineArgs) -> Result<Exit, Failure> {
    let version = match &args.version {
        Some(version) => client.version(KIND, &named(&args.pipeline, version)).await?,
        None => meant(client, &args.pipeline).await?,
    };
    let others = if session.printer.is_for_people() {
        client.versions(KIND, &args.pipeline).await?
    } else {
        Vec::new()
    };
    let now = session.now();
    session
        .printer
        .one(&version, views::pipelines::id, |printer, version| {
            views::pipelines::show(printer, version, &others, now)
        })?;
    Ok(Exit::Good)
}

/// The version that is started when nobody names one.
async fn meant(client: &Client, name: &Name) -> Result<VersionView, Failure> {
    match client.version(KIND, &named(name, &label(DEFAULT))).await {
        Err(failure) if failure.exit == Exit::NotFound => {
            client.version(KIND, &named(name, &label(LATEST))).await
        }
        found => found,
    }
}

fn named(name: &Name, version: &Version) -> AssetRef {
    AssetRef {
        name: name.clone(),
        wanted: Some(version.clone()),
    }
}

fn label(text: &str) -> Version {
    text.parse().expect("a label by its grammar")
}

async fn put(
    session: &mut Session,
    client: &Client,
    args: &PipelineArgs,
    stage: Stage,
) -> Result<Exit, Failure> {
    let versions = match &args.version {
        Some(version) => vec![client.version(KIND, &named(&args.pipeline, version)).await?],
        None => client.versions(KIND, &args.pipeline).await?,
    };
    let request = DescribeRequest {
        stage: Some(stage),
        ..DescribeRequest::default()
    };
    for version in versions {
        let changed = client.describe_version(&version, &request).await?;
        session
            .printer
            .one(&changed, views::pipelines::id, |printer, version| {
                printer.line(views::pipelines::titled(version))
            })?;
    }
    Ok(Exit::Good)
}

async fn set_default(
    session: &mut Session,
    client: &Client,
    args: &PipelinesDefaultArgs,
) -> Result<Exit, Failure> {
    let version = client.version(KIND, &named(&args.name, &args.version)).await?;
    client.set_label(&version, &label(DEFAULT)).await?;
    let now = client.version(KIND, &named(&args.name, &version.version)).await?;
    session
        .printer
        .one(&now, views::pipelines::id, |printer, version| {
            printer.line(views::pipelines::titled(version))
        })?;
    Ok(Exit::Good)
}

async fn start(session: &mut Session, args: PipelinesStartArgs) -> Result<Exit, Failure> {
    following::check(args.staying)?;
    let Some(client) = Embedded::elsewhere_soon(session).await? else {
        return Err(following::nobody_there());
    };
    let submission = &args.submission;
    let request = StartRequest {
        parameters: loading::map(&submission.parameters),
        display_name: submission.name.clone(),
        experiment: submission.experiment.clone(),
        project: submission.project.clone(),
        tags: loading::map(&submission.tags),
        priority: submission.priority,
        force_rerun: submission.force_rerun,
        idempotency_key: args.idempotency_key,
        by: Some(session.settings.user.clone()),
        ..StartRequest::default()
    };
    let (name, version) = (&args.which.pipeline, args.which.version.as_ref());
    let run = client.start_published(name, version, &request).await?;
    following::started(session, &client, &run, args.staying).await
}
