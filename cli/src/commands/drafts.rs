//! `tidemill drafts …`: pipelines that are kept to be changed, submitted and published.

use super::following;
use crate::args::{
    DraftCreateArgs, DraftEditArgs, DraftPublishArgs, DraftSaid, DraftSubmitArgs, DraftsCommand,
};
use crate::connection::Connection;
use crate::embedded::Embedded;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::loading::{self, Destination};
use crate::session::Session;
use crate::views;
use std::collections::BTreeMap;
use tidemill_protocol::api::{DraftRequest, DraftSource, DraftView, PublishDraftRequest, StartRequest};

/// Does what was asked.
pub(super) async fn run(session: &mut Session, command: DraftsCommand) -> Result<Exit, Failure> {
    let file = match &command {
        DraftsCommand::Create(args) => args.file.as_deref(),
        DraftsCommand::Edit(args) => args.file.as_deref(),
        _ => None,
    };
    // Before anything is opened: a file with problems keeps nobody out of the state folder.
    let read = file.map(|file| loading::read(session, file)).transpose()?;
    if let DraftsCommand::Submit(args) = command {
        return submit(session, *args).await;
    }
    let connection = Connection::open(session).await?;
    let outcome = dispatch(session, &connection, command, read).await;
    connection.close().await?;
    outcome
}

async fn dispatch(
    session: &mut Session,
    connection: &Connection,
    command: DraftsCommand,
    read: Option<loading::Draft>,
) -> Result<Exit, Failure> {
    let client = &connection.client;
    let source = match read {
        Some(read) => Some(brought(session, connection, read).await?),
        None => None,
    };
    match command {
        DraftsCommand::Create(args) => create(session, connection, *args, source).await?,
        DraftsCommand::Edit(args) => edit(session, connection, *args, source).await?,
        DraftsCommand::Publish(args) => publish(session, connection, args).await?,
        DraftsCommand::Submit(_) => unreachable!("submitted above"),
        DraftsCommand::List(args) => {
            let tag = args.tag.map(|tag| format!("{}={}", tag.name, tag.value));
            let drafts = client.drafts(tag).await?;
            if drafts.is_empty() && session.printer.is_for_people() {
                session.printer.note("there are no drafts");
                session
                    .printer
                    .help("make one with `tidemill drafts create NAME FILE`");
                return Ok(Exit::Good);
            }
            let columns = views::drafts::columns(session.now());
            session.printer.list(&drafts, &columns, id)?;
        }
        DraftsCommand::Show(args) => {
            let draft = client.draft(&args.name).await?;
            let now = session.now();
            session.printer.one(&draft, id, |printer, draft| {
                views::drafts::show(printer, draft, now)
            })?;
        }
        DraftsCommand::Remove(args) => {
            for name in &args.names {
                client.remove_draft(name, &session.settings.user).await?;
                session.printer.one(
                    &serde_json::json!({ "removed": name }),
                    |_| name.to_string(),
                    |printer, _| printer.line(format_args!("removed draft {name}")),
                )?;
            }
        }
    }
    Ok(Exit::Good)
}

fn id(draft: &DraftView) -> String {
    draft.name.to_string()
}

/// The pipeline of a file, with what it refers to where it belongs.
async fn brought(
    session: &mut Session,
    connection: &Connection,
    read: loading::Draft,
) -> Result<DraftSource, Failure> {
    let destination = match connection.store() {
        Some(store) => Destination::Store(store),
        None => Destination::Coordinator(&connection.client),
    };
    let loaded = loading::complete(session, read, Some(&connection.client)).await?;
    let spec = loading::bring(session, loaded, destination).await?;
    Ok(DraftSource::Pipeline(Box::new(spec)))
}

fn request(session: &Session, said: DraftSaid, source: Option<DraftSource>) -> DraftRequest {
    let some = |pairs: BTreeMap<String, String>| {
        let pairs = pairs.into_iter().map(|(name, value)| (name, Some(value)));
        pairs.collect()
    };
    DraftRequest {
        source,
        parameters: some(loading::map(&said.parameters)),
        display_name: said.display_name,
        experiment: said.experiment,
        tags: some(loading::map(&said.tags)),
        continue_on_step_failure: said.continue_on_step_failure,
        description: said.description,
        by: Some(session.settings.user.clone()),
    }
}

async fn create(
    session: &mut Session,
    connection: &Connection,
    args: DraftCreateArgs,
    source: Option<DraftSource>,
) -> Result<(), Failure> {
    let (client, name) = (&connection.client, &args.name);
    if !args.replace {
        match client.draft(name).await {
            Err(failure) if failure.exit == Exit::NotFound => {}
            Err(failure) => return Err(failure),
            Ok(_) => {
                let what = format!("there is a draft `{name}` already");
                return Err(Failure::new(Exit::Conflict, what)
                    .code("conflict")
                    .help("--replace puts this in its place, `tidemill drafts edit` changes it"));
            }
        }
    }
    let published = args.pipeline.map(|name| DraftSource::Published {
        name,
        version: args.version,
    });
    let of_run = args.run.map(|run| DraftSource::Run { run });
    let source = source.or(of_run).or(published);
    let made = client
        .set_draft(name, &request(session, args.said, source))
        .await?;
    session.printer.one(&made, id, |printer, made| {
        printer.line(format_args!("made draft {}", made.name))
    })?;
    if session.printer.is_for_people() {
        session
            .printer
            .help(format_args!("tidemill drafts submit {}", made.name));
    }
    Ok(())
}

async fn edit(
    session: &mut Session,
    connection: &Connection,
    args: DraftEditArgs,
    source: Option<DraftSource>,
) -> Result<(), Failure> {
    let mut request = request(session, args.said, source);
    let none = |names: Vec<String>| names.into_iter().map(|name| (name, None));
    request.parameters.extend(none(args.unset));
    request.tags.extend(none(args.untag));
    let edited = connection.client.edit_draft(&args.name, &request).await?;
    session.printer.one(&edited, id, |printer, edited| {
        printer.line(format_args!("changed draft {}", edited.name))
    })
}

async fn publish(
    session: &mut Session,
    connection: &Connection,
    args: DraftPublishArgs,
) -> Result<(), Failure> {
    let request = PublishDraftRequest {
        name: args.published,
        version: args.version,
        labels: args.labels,
        by: Some(session.settings.user.clone()),
    };
    let added = connection.client.publish_draft(&args.name, &request).await?;
    session
        .printer
        .one(&added, views::pipelines::id, |printer, version| {
            printer.line(format_args!("published {}", views::pipelines::titled(version)))
        })
}

async fn submit(session: &mut Session, args: DraftSubmitArgs) -> Result<Exit, Failure> {
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
    let run = client.submit_draft(&args.draft, &request).await?;
    following::started(session, &client, &run, args.staying).await
}
