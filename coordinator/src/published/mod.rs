//! Published pipelines: which version a call means, and the start of a run of it. Who calls (a person over REST, another system in its own words, a schedule) is the
//! callers' business; what a version is, the catalog's.

mod copies;

pub(crate) use copies::Copies;

use crate::catalog::{Asset, CatalogRejection};
use crate::driver::Sight;
use crate::error::Stopped;
use crate::handle::{CoordinatorHandle, SubmitError, Submitted};
use crate::projects::{Filed, ProjectRejection};
use crate::specs::{self, SpecError};
use tidemill_protocol::api::{StartRequest, SubmitRequest};
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::catalog::{AssetBody, AssetKind, DEFAULT, LATEST, Stage, Version};
use tidemill_protocol::name::{Name, PortName};
use tidemill_protocol::plan::OnStepFailure;

/// The tag of a run that says which version it was started from: `NAME:VERSION`.
pub(crate) const PIPELINE_TAG: &str = "tidemill.pipeline";

/// Why a published pipeline is not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishedError {
    /// There is no such pipeline or version.
    #[error(transparent)]
    Unknown(#[from] CatalogRejection),
    /// Somebody disabled it.
    #[error("version `{version}` of pipeline `{name}` is disabled")]
    Disabled {
        /// The pipeline.
        name: Name,
        /// The version.
        version: Version,
    },
    /// The project of whatever starts it is gone.
    #[error(transparent)]
    NoProject(#[from] ProjectRejection),
    /// An output that is to be copied is made by no step.
    #[error("no step of the pipeline makes its output `{0}`, so it cannot be copied")]
    NotMade(PortName),
    /// The version cannot be read.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The coordinator ends.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The run is refused.
    #[error("the run is refused")]
    Refused(SubmitError),
}

/// A version that may be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Startable {
    /// The pipeline.
    pub(crate) name: Name,
    /// The version, never a label.
    pub(crate) version: Version,
    spec: ArtifactRef,
    /// Where outputs of its run are copied to.
    pub(crate) copies: Copies,
}

/// The version that a call means: the one that it names, itself or by a label; else the one labelled `default`, else the one added last.
pub(crate) fn find(
    sight: &Sight<'_>,
    name: &Name,
    wanted: Option<&Version>,
) -> Result<Startable, PublishedError> {
    let kind = AssetKind::Pipeline;
    let pipeline = sight.ledgers.catalog.asset(kind, name);
    let pipeline = pipeline.ok_or_else(|| CatalogRejection::UnknownAsset {
        kind,
        name: name.clone(),
    })?;
    let wanted = wanted.cloned().unwrap_or_else(|| default_of(pipeline));
    let found = pipeline.resolve(&wanted);
    let (version, kept) = found.ok_or_else(|| CatalogRejection::UnknownVersion {
        kind,
        name: name.clone(),
        version: wanted.clone(),
    })?;
    if kept.stage == Stage::Disabled {
        return Err(PublishedError::Disabled {
            name: name.clone(),
            version: version.clone(),
        });
    }
    match &*kept.body {
        AssetBody::Pipeline(body) => Ok(Startable {
            name: name.clone(),
            version: version.clone(),
            spec: body.spec,
            copies: Copies::new(),
        }),
        _ => Err(CatalogRejection::OtherKind(kind).into()),
    }
}

fn default_of(pipeline: &Asset) -> Version {
    let default: Version = DEFAULT.parse().expect("a label by its grammar");
    if pipeline.resolve(&default).is_some() {
        default
    } else {
        LATEST.parse().expect("a label by its grammar")
    }
}

/// The outputs of a version's own.
pub(crate) async fn outputs(
    handle: &CoordinatorHandle,
    startable: &Startable,
) -> Result<Vec<PortName>, PublishedError> {
    let spec = specs::read(&handle.inner.store, &startable.spec).await?;
    let root = spec.components.get(spec.root as usize);
    Ok(root
        .into_iter()
        .flat_map(|root| root.outputs.keys().cloned())
        .collect())
}

/// Starts a run of a version, in this name, filed in this project.
pub(crate) async fn start(
    handle: &CoordinatorHandle,
    startable: &Startable,
    request: StartRequest,
    (by, filed): (Option<String>, Filed),
) -> Result<Submitted, PublishedError> {
    let mut tags = request.tags;
    let from = format!("{}:{}", startable.name, startable.version);
    tags.insert(PIPELINE_TAG.to_owned(), from);
    let mut spec = specs::read(&handle.inner.store, &startable.spec).await?;
    copies::add(&mut spec, &startable.copies).map_err(PublishedError::NotMade)?;
    if let Some(goes_on) = request.continue_on_step_failure {
        spec.on_step_failure = if goes_on {
            OnStepFailure::Continue
        } else {
            OnStepFailure::Stop
        };
    }
    let submission = SubmitRequest {
        spec,
        parameters: request.parameters,
        display_name: request.display_name,
        experiment: request.experiment,
        project: None,
        tags,
        priority: request.priority,
        force_rerun: request.force_rerun,
        idempotency_key: request.idempotency_key,
        submitted_by: by,
    };
    handle
        .submit(submission, filed)
        .await
        .map_err(PublishedError::Refused)
}
