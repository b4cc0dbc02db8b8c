//! `add`: from what was named on the command line to a version. Local files are uploaded first, and a component's file is read as a pipeline would read it.

use super::id;
use crate::args::AssetAddArgs;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::loading::{self, Destination};
use crate::session::Session;
use std::path::{Path, PathBuf};
use tidemill_protocol::api::{AddVersionRequest, AssetSource};
use tidemill_protocol::catalog::AssetKind;
use tidemill_protocol::plan::Environment;
use tidemill_protocol::spec::DataType;

/// What a version is to be made of, as far as this machine can say it.
pub(super) enum Draft {
    /// An output, an address: the coordinator knows the rest.
    Named(AssetSource),
    /// A local file or folder.
    Local(PathBuf),
    /// A component that was read.
    Component(Box<loading::Draft>),
    /// An environment that was read.
    Environment(Environment),
}

/// Reads what is on this machine.
pub(super) fn read(session: &mut Session, kind: AssetKind, args: &AssetAddArgs) -> Result<Draft, Failure> {
    let is_files = matches!(kind, AssetKind::Data | AssetKind::Model);
    if !is_files && (args.from.is_some() || args.data_type.is_some()) {
        let what = format!("--from and --type are for data and models, not for a {kind}");
        return Err(
            Failure::new(Exit::Usage, what).help(format!("tidemill {kind} add {} FILE.yml", args.name))
        );
    }
    if let Some(output) = &args.from {
        return output_of(output, args.data_type).map(Draft::Named);
    }
    let source = args.source.as_deref().unwrap_or_default();
    if is_files && source.contains("://") && !source.starts_with("file://") {
        return Ok(Draft::Named(AssetSource::Uri {
            data_type: args.data_type.unwrap_or_else(|| type_of(kind, source)),
            uri: source.to_owned(),
        }));
    }
    let path = Path::new(source.strip_prefix("file://").unwrap_or(source));
    if !path.exists() {
        let what = format!("there is nothing at {}", path.display());
        return Err(Failure::new(Exit::NotFound, what).code("not_found").help(
            "name a file or a folder, an address such as s3://…, or an output with --from RUN/STEP/OUTPUT",
        ));
    }
    match kind {
        AssetKind::Component => {
            let draft = loading::read_component(session, path)?;
            Ok(Draft::Component(Box::new(draft)))
        }
        AssetKind::Environment => loading::environment(session, path).map(Draft::Environment),
        AssetKind::Data | AssetKind::Model | AssetKind::Pipeline => Ok(Draft::Local(path.to_owned())),
    }
}

/// What files behind an address are taken for when nobody says it.
fn type_of(kind: AssetKind, address: &str) -> DataType {
    match kind {
        AssetKind::Model => DataType::CustomModel,
        _ if address.ends_with('/') => DataType::UriFolder,
        _ => DataType::UriFile,
    }
}

fn output_of(text: &str, data_type: Option<DataType>) -> Result<AssetSource, Failure> {
    let mut parts = text.splitn(3, '/');
    let (Some(run), Some(step), Some(output)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Failure::new(Exit::Usage, format!("`{text}` names no output"))
            .help("write it as RUN/STEP/OUTPUT; `tidemill artifacts list RUN` lists them"));
    };
    let wrong = |error: tidemill_protocol::name::NameError| Failure::new(Exit::Usage, error.to_string());
    Ok(AssetSource::Output {
        data_type,
        run: run.to_owned(),
        step: step.parse().map_err(wrong)?,
        output: output.parse().map_err(wrong)?,
    })
}

/// Adds the version, after what it names was brought to the store.
pub(super) async fn add(
    session: &mut Session,
    connection: &Connection,
    kind: AssetKind,
    (args, draft): (AssetAddArgs, Draft),
) -> Result<(), Failure> {
    let destination = match connection.store() {
        Some(store) => Destination::Store(store),
        None => Destination::Coordinator(&connection.client),
    };
    let source = match draft {
        Draft::Named(source) => source,
        Draft::Environment(environment) => AssetSource::Environment(environment),
        Draft::Component(draft) => {
            let loaded = loading::complete(session, *draft, Some(&connection.client)).await?;
            AssetSource::Pipeline(Box::new(loading::bring(session, loaded, destination).await?))
        }
        Draft::Local(path) => AssetSource::Content {
            data_type: args.data_type,
            artifact: loading::bring_files(session, &path, destination).await?,
        },
    };
    let tags = args.tags.into_iter().map(|tag| (tag.name, tag.value));
    let request = AddVersionRequest {
        version: args.version,
        source,
        description: args.description,
        tags: tags.collect(),
        labels: args.labels,
        origin: None,
        by: Some(session.settings.user.clone()),
    };
    let added = connection.client.add_version(kind, &args.name, &request).await?;
    session.printer.one(&added, id, |printer, one| {
        printer.line(format_args!("{kind} {}", id(one)))
    })
}
