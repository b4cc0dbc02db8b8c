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
    if asked.source.contains("://") {
        return Ok((Location::Uri(asked.source.clone()), said));
    }
    let message = format!(
        "`{}` is no source of a model: models:/m-…, runs:/…, mlflow-artifacts:/… and addresses are",
        asked.source
    );
    Err(Fault::invalid(message))
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
