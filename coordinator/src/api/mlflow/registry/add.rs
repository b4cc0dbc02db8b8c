//! A new version of a registered model: its files as they are now become a folder in the store that never changes.

use super::shown::{self, MODEL, RUN, RUN_LINK, SOURCE, name_of};
use crate::access::Caller;
use crate::api::error::ApiError;
use crate::api::mlflow::asked::{Pair, tags};
use crate::api::mlflow::change::change;
use crate::api::mlflow::fault::Fault;
use crate::api::mlflow::find::shown as shown_run;
use crate::api::mlflow::place::place;
use crate::api::tokens::name_of as by;
use crate::catalog::{Catalog, CatalogCommand, Changes, NewVersion, Which};
use crate::handle::CoordinatorHandle;
use crate::tracking::{Own, TrackedId, TrackingChange};
use serde::Deserialize;
use std::collections::BTreeMap;
use tidemill_protocol::api::ErrorCode;
use tidemill_protocol::artifact::{Tree, TreeEntry};
use tidemill_protocol::catalog::{AssetBody, AssetKind, FilesBody, Location, Origin, Version};
use tidemill_protocol::name::Name;
use tidemill_protocol::spec::DataType;

/// A new version.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::api::mlflow) struct Create {
    name: String,
    source: String,
    run_id: Option<String>,
    run_link: Option<String>,
    tags: Vec<Pair>,
    description: Option<String>,
    model_id: Option<String>,
}

/// Adds it; answers the model's name and the version.
pub(super) async fn add(
    handle: &CoordinatorHandle,
    caller: &Caller,
    asked: Create,
) -> Result<(Name, Version), Fault> {
    let name = name_of(&asked.name)?;
    let known = name.clone();
    let model = handle.look(move |sight| shown::model(sight, &known));
    if model.await?.is_none() {
        return Err(Fault::missing(format!(
            "there is no registered model `{}`",
            asked.name
        )));
    }
    let model_id = asked.model_id.clone().filter(|id| !id.is_empty());
    let model_id = model_id.or_else(|| {
        asked
            .source
            .strip_prefix("models:/")
            .filter(|id| id.starts_with("m-"))
            .map(str::to_owned)
    });
    let (location, run) = files(handle, caller, &asked, model_id.as_deref()).await?;
    let mut tags = tags(asked.tags);
    let kept = [
        (SOURCE, Some(asked.source)),
        (RUN, run.as_ref().map(ToString::to_string)),
        (MODEL, model_id),
        (RUN_LINK, asked.run_link.filter(|link| !link.is_empty())),
    ];
    tags.extend(
        kept.into_iter()
            .filter_map(|(tag, text)| Some((tag.to_owned(), text?))),
    );
    let body = FilesBody {
        data_type: DataType::MlflowModel,
        location,
    };
    let version = NewVersion {
        version: None,
        body: AssetBody::Model(body),
        description: asked.description.unwrap_or_default(),
        tags,
        labels: Vec::new(),
        origin: origin(handle, run.as_ref()).await?,
    };
    let added = catalog(handle, caller, &name, Changes::Add(version)).await?;
    let added = added.and_then(|version| version.parse().ok());
    let version = added.ok_or_else(|| Fault::invalid("no version was added"))?;
    settle(handle, caller, &name).await?;
    Ok((name, version))
}

/// Has a model of the catalog changed; answers the version that was added, if one was.
pub(super) async fn catalog(
    handle: &CoordinatorHandle,
    caller: &Caller,
    name: &Name,
    change: Changes,
) -> Result<Option<String>, Fault> {
    let command = CatalogCommand {
        kind: AssetKind::Model,
        name: name.clone(),
        expect: None,
        by: by(caller, None),
        change,
    };
    let done = handle.create::<Catalog>(command).await?;
    Ok(done.map_err(ApiError::from)?)
}

/// What was said of a model before it had a version is said of the model in the catalog from now on.
async fn settle(handle: &CoordinatorHandle, caller: &Caller, name: &Name) -> Result<(), Fault> {
    let known = name.clone();
    let announced = handle.look(move |sight| sight.ledgers.tracking.announcement(&known).cloned());
    let Some(announced) = announced.await? else {
        return Ok(());
    };
    let describe = Changes::Describe {
        which: Which::Asset,
        description: Some(announced.description),
        tags: announced
            .tags
            .into_iter()
            .map(|(key, value)| (key, Some(value)))
            .collect(),
        stage: None,
    };
    catalog(handle, caller, name, describe).await?;
    change(handle, caller, TrackingChange::Unannounce(name.clone())).await?;
    Ok(())
}

/// The files of a new version, and the run that made them as far as it is known.
async fn files(
    handle: &CoordinatorHandle,
    caller: &Caller,
    asked: &Create,
    model: Option<&str>,
) -> Result<(Location, Option<TrackedId>), Fault> {
    let said = asked
        .run_id
        .as_deref()
        .filter(|run| !run.is_empty())
        .map(TrackedId::named);
    if let Some(id) = model {
        let wanted = id.to_owned();
        let found = handle.look(move |sight| sight.ledgers.tracking.model(&wanted).cloned());
        let missing = || Fault::missing(format!("there is no logged model with the id `{id}`"));
        let found = found.await?.ok_or_else(missing)?;
        let folder = format!("{}/models/{id}/artifacts", found.what.experiment);
        return Ok((
            content(handle, caller, &folder).await?,
            said.or_else(|| found.what.run.clone()),
        ));
    }
    if let Some(path) = asked.source.strip_prefix("mlflow-artifacts:/") {
        return Ok((content(handle, caller, path).await?, said));
    }
    if let Some((run, path)) = asked
        .source
        .strip_prefix("runs:/")
        .and_then(|rest| rest.split_once('/'))
    {
        let run = TrackedId::named(run);
        let root = shown_run(handle, &run).await?.artifact_uri();
        let root = root.trim_start_matches("mlflow-artifacts:/");
        return Ok((
            content(handle, caller, &format!("{root}/{path}")).await?,
            Some(run),
        ));
    }
    if let Some((of, version)) = asked
        .source
        .strip_prefix("models:/")
        .and_then(|rest| rest.split_once('/'))
    {
        return Ok((same(handle, caller, of, version).await?, said));
    }
    if let Some((scheme, rest)) = asked.source.split_once("://") {
        check_address(&asked.source, scheme, rest)?;
        return Ok((Location::Uri(asked.source.clone()), said));
    }
    let message = format!(
        "`{}` is no source of a model: models:/m-…, models:/NAME/VERSION, runs:/…, mlflow-artifacts:/… and addresses are",
        asked.source
    );
    Err(Fault::invalid(message))
}

/// What another registered version has, for a copy of it.
async fn same(
    handle: &CoordinatorHandle,
    caller: &Caller,
    of: &str,
    version: &str,
) -> Result<Location, Fault> {
    if matches!(caller, Caller::Attempt { .. }) {
        let message = "a step registers what it made, and copies no version of somebody else's";
        return Err(ApiError::new(ErrorCode::Forbidden, message).into());
    }
    let wanted = (name_of(of)?, shown::version_of(version)?);
    let found = handle.look(move |sight| shown::version(sight, &wanted.0, &wanted.1));
    match found.await?.map(|found| found.kept.body) {
        Some(body) => match &*body {
            AssetBody::Model(files) => Ok(files.location.clone()),
            _ => Err(Fault::invalid(format!("`{of}` is no model"))),
        },
        None => Err(Fault::missing(format!(
            "registered model `{of}` has no version `{version}`"
        ))),
    }
}

/// Refuses addresses that mean another place on each machine, and paths that lead out of what they name.
fn check_address(source: &str, scheme: &str, rest: &str) -> Result<(), Fault> {
    if scheme.eq_ignore_ascii_case("file") {
        return Err(Fault::invalid(format!(
            "`{source}` is a path of one machine: log the files to a run, and register runs:/RUN/PATH"
        )));
    }
    // As whoever reads it may decode it.
    let plain = rest.to_ascii_lowercase().replace("%2e", ".");
    let plain = plain.replace("%2f", "/").replace("%5c", "/").replace('\\', "/");
    let path = plain.split(['?', '#']).next().unwrap_or_default();
    if path.split('/').any(|segment| segment == "..")
        || plain.contains("%00")
        || plain.contains(char::is_control)
    {
        return Err(Fault::invalid(format!(
            "`{source}` is no address of a model: its path leads elsewhere"
        )));
    }
    Ok(())
}

/// The folder as it is now, in the store. It must be the caller's to change.
async fn content(handle: &CoordinatorHandle, caller: &Caller, folder: &str) -> Result<Location, Fault> {
    let place = place(handle, folder).await?;
    place.check_may_change(caller)?;
    let path = place.path.clone();
    let entries = handle.look(move |sight| {
        let files = sight.ledgers.tracking.files().below(&path);
        let entries = files.filter_map(|(path, file)| {
            Some(TreeEntry {
                path: path.parse().ok()?,
                digest: file.blob,
                size_bytes: file.size_bytes,
                executable: false,
            })
        });
        entries.collect::<Vec<TreeEntry>>()
    });
    let entries = entries.await?;
    if entries.is_empty() {
        return Err(Fault::missing(format!("there are no files at `{}`", place.path)));
    }
    let stored = handle
        .inner
        .store
        .put_tree(&Tree::new(entries, Vec::new()))
        .await?;
    Ok(Location::Content(stored))
}

/// The run and the step of tidemill's own that made it.
async fn origin(handle: &CoordinatorHandle, run: Option<&TrackedId>) -> Result<Origin, Fault> {
    match run.and_then(TrackedId::own) {
        Some(Own::Attempt(attempt)) => {
            let step = handle.look(move |sight| {
                let run = sight.engine.run(attempt.run)?;
                Some(run.planned(attempt.step)?.path.clone())
            });
            let step = step.await?;
            Ok(Origin {
                run: step.is_some().then_some(attempt.run),
                step,
                output: None,
            })
        }
        Some(Own::Run(run)) => {
            let is_ours = handle.look(move |sight| sight.engine.run(run).is_some()).await?;
            Ok(Origin {
                run: is_ours.then_some(run),
                step: None,
                output: None,
            })
        }
        None => Ok(Origin::default()),
    }
}

/// A change of a version's texts.
pub(super) fn described(
    version: Version,
    description: Option<String>,
    tags: BTreeMap<String, Option<String>>,
) -> Changes {
    Changes::Describe {
        which: Which::Version(version),
        description,
        tags,
        stage: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_model_means_the_same_everywhere() {
        let is_taken = |source: &str| {
            let (scheme, rest) = source.split_once("://").unwrap();
            check_address(source, scheme, rest).is_ok()
        };
        for good in [
            "s3://bucket/models/a..b/1",
            "https://host/model?at=../x",
            "gs://bucket",
        ] {
            assert!(is_taken(good), "{good} was refused");
        }
        for bad in [
            "file:///etc",
            "FILE://host/etc",
            "s3://bucket/../other",
            "https://host/a/%2E%2e/b",
            "s3://bucket/..%2f..%2Fother",
            "s3://bucket/..\\other",
            "s3://bucket/model%00",
            "s3://bucket/a\nb",
        ] {
            assert!(!is_taken(bad), "{bad} was taken");
        }
    }
}
