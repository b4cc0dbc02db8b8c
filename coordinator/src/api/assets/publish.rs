//! Published pipelines: starting a run of a version that was frozen.

use super::{asset, version};
use crate::access::Caller;
use crate::api::error::ApiError;
use crate::api::record::Made;
use crate::api::runs;
use crate::handle::CoordinatorHandle;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use tidemill_protocol::api::{ErrorBody, ErrorCode, RunSummary, StartRequest, SubmitRequest};
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::catalog::{AssetBody, AssetKind, LATEST, Stage, Version};
use tidemill_protocol::name::Name;
use tidemill_protocol::spec::PipelineSpec;

/// The label of the version that is meant when a call names none.
const DEFAULT: &str = "default";
/// Longest pipeline that is read back.
const SPEC_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Which version to start.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[cfg_attr(feature = "fuzzing", derive(serde::Serialize))]
pub(in crate::api) struct StartQuery {
    /// A version or a label; the one labelled `default` when absent, or without such a label the one added last.
    #[param(value_type = Option<String>)]
    version: Option<Version>,
}

/// Starts a run of a published pipeline.
#[utoipa::path(post, path = "/api/v1/pipelines/{name}/runs", tag = "assets", security(("token" = ["submitter"])), params(("name" = String, Path), StartQuery),
    request_body = StartRequest, responses(
    (status = 201, description = "A new run.", body = RunSummary),
    (status = 200, description = "The run that an earlier call with the same key started.", body = RunSummary),
    (status = 404, description = "There is no such pipeline or version.", body = ErrorBody),
    (status = 409, description = "The version is disabled.", body = ErrorBody),
    (status = 422, description = "The parameters are not valid.", body = ErrorBody),
    (status = 507, description = "The coordinator's disk is nearly full; runs that are there go on.", body = ErrorBody),
))]
pub(in crate::api) async fn start(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    Query(query): Query<StartQuery>,
    Json(request): Json<StartRequest>,
) -> Result<(StatusCode, Extension<Made>, Json<RunSummary>), ApiError> {
    let wanted = query.version;
    let looked_up = name.clone();
    let (found, spec) = handle
        .look(move |sight| {
            let name = looked_up;
            let pipeline = asset(sight, AssetKind::Pipeline, &name)?;
            let wanted = wanted.unwrap_or_else(|| default_of(pipeline));
            let (found, kept) = version((AssetKind::Pipeline, &name, pipeline), &wanted)?;
            let AssetBody::Pipeline(body) = &*kept.body else {
                return Err(ApiError::new(ErrorCode::Internal, "a pipeline's version is none"));
            };
            if kept.stage == Stage::Disabled {
                let message = format!("version `{found}` of pipeline `{name}` is disabled");
                return Err(ApiError::new(ErrorCode::Conflict, message));
            }
            Ok((found.clone(), body.spec))
        })
        .await??;
    let mut tags = request.tags;
    tags.insert("tidemill.pipeline".to_owned(), format!("{name}:{found}"));
    let submission = SubmitRequest {
        spec: read(&handle, spec).await?,
        parameters: request.parameters,
        display_name: request.display_name,
        experiment: request.experiment,
        tags,
        priority: request.priority,
        force_rerun: request.force_rerun,
        idempotency_key: request.idempotency_key,
        submitted_by: caller.acts_as(request.by),
    };
    runs::accept(&handle, submission).await
}

fn default_of(pipeline: &crate::catalog::Asset) -> Version {
    let default: Version = DEFAULT.parse().expect("a label by its grammar");
    if pipeline.resolve(&default).is_some() {
        default
    } else {
        LATEST.parse().expect("a label by its grammar")
    }
}

/// Reads a pipeline or component that was frozen.
pub(super) async fn read(handle: &CoordinatorHandle, spec: ArtifactRef) -> Result<PipelineSpec, ApiError> {
    let bytes = handle.inner.store.get_bytes(&spec.digest, SPEC_BYTES_MAX).await?;
    let reading = tokio::task::spawn_blocking(move || serde_json::from_slice(&bytes));
    let read = reading.await.map_err(|error| ApiError::internal(&error))?;
    read.map_err(|error| ApiError::internal(&error))
}
