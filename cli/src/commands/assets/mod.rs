//! `tidemill data | model | component | environment …`: named things with versions. The verbs are the same for every kind; what a version is made of is in
//! `add`, and what may change afterwards in `change`.

mod add;
mod change;

use super::artifacts::{Found, fetch};
use crate::args::{AssetCommand, AssetGetArgs, AssetListArgs};
use crate::client::{AssetFilter, Client};
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::humane;
use crate::session::Session;
use crate::views;
use std::path::PathBuf;
use tidemill_protocol::api::VersionView;
use tidemill_protocol::catalog::{AssetBody, AssetKind, AssetRef, Location, Stage};
use tidemill_protocol::name::Name;

/// Does what was asked.
pub(super) async fn run(
    session: &mut Session,
    kind: AssetKind,
    command: AssetCommand,
) -> Result<Exit, Failure> {
    // What is wrong with a file is said before anything is opened.
    let command = match command {
        AssetCommand::Add(args) => {
            let draft = add::read(session, kind, &args)?;
            let connection = Connection::open(session).await?;
            let outcome = add::add(session, &connection, kind, (args, draft)).await;
            connection.close().await?;
            return outcome.map(|()| Exit::Good);
        }
        other => other,
    };
    let connection = Connection::open(session).await?;
    let outcome = dispatch(session, &connection.client, kind, command).await;
    connection.close().await?;
    outcome.map(|()| Exit::Good)
}

async fn dispatch(
    session: &mut Session,
    client: &Client,
    kind: AssetKind,
    command: AssetCommand,
) -> Result<(), Failure> {
    match command {
        AssetCommand::List(args) => list(session, client, kind, args).await,
        AssetCommand::Show(args) => show(session, client, kind, &args.asset).await,
        AssetCommand::Versions(args) => versions(session, client, kind, &args.name).await,
        AssetCommand::Get(args) => get(session, client, kind, args).await,
        AssetCommand::Label(args) => change::label(session, client, kind, args).await,
        AssetCommand::Unlabel(args) => change::unlabel(session, client, kind, args).await,
        AssetCommand::Describe(args) => change::describe(session, client, kind, args).await,
        AssetCommand::Stage(args) => change::promote(session, client, kind, &args).await,
        AssetCommand::Rename(args) => change::rename(session, client, kind, &args).await,
        AssetCommand::Enable(args) => {
            change::stage(session, client, (kind, &args.asset), Stage::Active).await
        }
        AssetCommand::Deprecate(args) => {
            change::stage(session, client, (kind, &args.asset), Stage::Deprecated).await
        }
        AssetCommand::Disable(args) => {
            change::stage(session, client, (kind, &args.asset), Stage::Disabled).await
        }
        AssetCommand::Remove(args) => change::remove(session, client, kind, args).await,
        AssetCommand::Add(_) => unreachable!("added before"),
    }
}

async fn list(
    session: &mut Session,
    client: &Client,
    kind: AssetKind,
    args: AssetListArgs,
) -> Result<(), Failure> {
    let filter = AssetFilter {
        limit: args.limit as usize,
        prefix: args.prefix,
        tag: args.tag,
        sort: args.sort,
    };
    let assets = client.assets(kind, &filter).await?;
    if assets.is_empty() && session.printer.is_for_people() {
        let is_narrowed = filter.prefix.is_some() || filter.tag.is_some();
        let which = if is_narrowed { "such " } else { "" };
        session
            .printer
            .note(format_args!("there is no {which}{kind} in the catalog"));
        session
            .printer
            .help(format_args!("`tidemill {kind} add --help` says how to add one"));
        return Ok(());
    }
    let columns = views::assets::columns(kind, session.now());
    session
        .printer
        .list(&assets, &columns, |asset| asset.name.to_string())
}

async fn show(
    session: &mut Session,
    client: &Client,
    kind: AssetKind,
    asset: &AssetRef,
) -> Result<(), Failure> {
    let version = client.version(kind, asset).await?;
    let now = session.now();
    session.printer.one(&version, id, |printer, one| {
        views::assets::show(printer, one, now)
    })
}

async fn versions(
    session: &mut Session,
    client: &Client,
    kind: AssetKind,
    name: &Name,
) -> Result<(), Failure> {
    let versions = client.versions(kind, name).await?;
    let columns = views::assets::version_columns(kind, session.now());
    session.printer.list(&versions, &columns, id)
}

async fn get(
    session: &mut Session,
    client: &Client,
    kind: AssetKind,
    args: AssetGetArgs,
) -> Result<(), Failure> {
    let version = client.version(kind, &args.asset).await?;
    let artifact = match &version.body {
        AssetBody::Data(files) | AssetBody::Model(files) => match &files.location {
            Location::Content(artifact) => artifact,
            Location::Uri(uri) => {
                let what = format!(
                    "{} is an address, and what is behind it is not kept here",
                    id(&version)
                );
                return Err(Failure::new(Exit::Conflict, what).help(format!("it is at {uri}")));
            }
        },
        AssetBody::Component(_) | AssetBody::Environment(_) | AssetBody::Pipeline(_) => {
            let what = format!("a {kind} has no files of its own");
            return Err(Failure::new(Exit::Usage, what).help(format!(
                "`tidemill {kind} show {} -o json` prints what it is",
                args.asset
            )));
        }
    };
    let found = Found::of(client, version.name.as_str(), artifact).await?;
    let to = args.to.unwrap_or_else(|| PathBuf::from(found.name()));
    fetch(session, client, &found, &to, args.force).await?;
    let size = humane::bytes(found.size_bytes());
    session
        .printer
        .note(format_args!("{}: {} ({size})", id(&version), to.display()));
    Ok(())
}

/// How a version is named where only ids are wanted.
fn id(version: &VersionView) -> String {
    format!("{}:{}", version.name, version.version)
}
