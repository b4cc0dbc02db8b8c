//! `tidemill publish`: freezes a pipeline under a name and a version, from its file or from a run of it.

use crate::args::PublishArgs;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::loading::{self, Destination};
use crate::session::Session;
use crate::views;
use tidemill_protocol::api::{AddVersionRequest, AssetSource, VersionView};
use tidemill_protocol::catalog::AssetKind;
use tidemill_protocol::name::Name;

/// Does what was asked.
pub(super) async fn run(session: &mut Session, args: PublishArgs) -> Result<Exit, Failure> {
    // Before anything is opened: a file with problems keeps nobody out of the state folder.
    let draft = match &args.file {
        Some(file) => Some(loading::read(session, file)?),
        None => None,
    };
    let connection = Connection::open(session).await?;
    let outcome = async {
        let (source, own_name) = match (draft, &args.run) {
            (Some(draft), _) => {
                let destination = match connection.store() {
                    Some(store) => Destination::Store(store),
                    None => Destination::Coordinator(&connection.client),
                };
                let loaded = loading::complete(session, draft, Some(&connection.client)).await?;
                let spec = loading::bring(session, loaded, destination).await?;
                let name = spec.name.clone();
                (AssetSource::Pipeline(Box::new(spec)), name)
            }
            (None, run) => {
                let run = run.clone().unwrap_or_else(|| "last".to_owned());
                let found = connection.client.run(&run).await?.summary;
                let run = found.id.to_string();
                (AssetSource::Run { run }, found.pipeline)
            }
        };
        let name = args.name.clone().unwrap_or(own_name);
        publish(session, &connection, &name, source, &args).await
    }
    .await;
    connection.close().await?;
    outcome
}

async fn publish(
    session: &mut Session,
    connection: &Connection,
    name: &Name,
    source: AssetSource,
    args: &PublishArgs,
) -> Result<Exit, Failure> {
    let request = AddVersionRequest {
        version: args.version.clone(),
        source,
        description: args.description.clone().unwrap_or_default(),
        tags: args
            .tags
            .iter()
            .map(|tag| (tag.name.clone(), tag.value.clone()))
            .collect(),
        labels: args.labels.clone(),
        origin: None,
        by: Some(session.settings.user.clone()),
    };
    let added = connection.client.add_version(AssetKind::Pipeline, name, &request);
    let added = added.await?;
    let id = |version: &VersionView| views::pipelines::id(version);
    session.printer.one(&added, id, |printer, version| {
        printer.line(format_args!("published {}", views::pipelines::titled(version)))
    })?;
    if session.printer.is_for_people() {
        session
            .printer
            .help(format_args!("tidemill pipelines start {name}"));
    }
    Ok(Exit::Good)
}
