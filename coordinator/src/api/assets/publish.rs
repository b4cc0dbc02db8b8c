//! Published pipelines: starting a run of a version that was frozen.

use crate::access::Caller;
use crate::api::error::ApiError;
use crate::api::projects;
use crate::api::record::Made;
use crate::api::runs;
use crate::handle::CoordinatorHandle;
use crate::published::{self, PublishedError};
use crate::specs::SpecError;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use tidemill_protocol::api::{ErrorBody, ErrorCode, RunSummary, StartRequest};
use tidemill_protocol::catalog::Version;
use tidemill_protocol::name::Name;

impl From<SpecError> for ApiError {
    fn from(error: SpecError) -> Self {
        match error {
            SpecError::Store(error) => error.into(),
            SpecError::Unreadable { .. } | SpecError::Broken => Self::internal(&error),
        }
    }
}

impl From<PublishedError> for ApiError {
    fn from(error: PublishedError) -> Self {
        match error {
            PublishedError::Unknown(rejection) => rejection.into(),
            PublishedError::Disabled { name, version } => {
                let message = format!("version `{version}` of pipeline `{name}` is disabled");
                Self::new(ErrorCode::Conflict, message).hint(format!(
                    "`tidemill pipelines enable {name} --version {version}`, or start another version"
                ))
            }
            PublishedError::NoProject(rejection) => rejection.into(),
            PublishedError::NotMade(_) => Self::new(ErrorCode::BadRequest, error.to_string()),
            PublishedError::Spec(error) => error.into(),
            PublishedError::Stopped(stopped) => stopped.into(),
            PublishedError::Refused(error) => error.into(),
        }
    }
}

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
    Json(mut request): Json<StartRequest>,
) -> Result<(StatusCode, Extension<Made>, Json<RunSummary>), ApiError> {
    let looking = handle.look(move |sight| published::find(sight, &name, query.version.as_ref()));
    let startable = looking.await??;
    let filed = projects::filed(&handle, &caller, request.project.take()).await?;
    let by = caller.acts_as(request.by.take());
    let submitted = published::start(&handle, &startable, request, (by, filed)).await?;
    runs::answer(&handle, submitted).await
}
