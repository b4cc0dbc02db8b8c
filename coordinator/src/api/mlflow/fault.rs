//! Refusals in MLflow's words: the codes that its clients look at, and the statuses that go with them.

use crate::api::dialect::TheirCode;
use crate::api::error::ApiError;
use crate::error::Stopped;
use crate::tracking::search::SearchError;
use crate::tracking::{ReadError, TrackingRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tidemill_artifacts::StoreError;
use tidemill_protocol::api::ErrorCode;
use tidemill_protocol::time::Millis;

/// When to come back after the store did not take points.
const BACKLOGGED_RETRY: Millis = Millis::from_secs(5);

/// A refusal.
#[derive(Debug)]
pub(super) struct Fault {
    error: Box<ApiError>,
    /// What is more exact than our code for it, and its status.
    theirs: Option<(TheirCode, StatusCode)>,
}

impl Fault {
    /// The request breaks a rule.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        ApiError::new(ErrorCode::BadRequest, message).into()
    }

    /// There is no such thing.
    pub(super) fn missing(message: impl Into<String>) -> Self {
        ApiError::new(ErrorCode::NotFound, message).into()
    }

    /// The name is taken.
    pub(super) fn taken(message: impl Into<String>) -> Self {
        Self {
            error: Box::new(ApiError::new(ErrorCode::Conflict, message)),
            theirs: Some((TheirCode("RESOURCE_ALREADY_EXISTS"), StatusCode::BAD_REQUEST)),
        }
    }

    /// There is no run with this id.
    pub(super) fn no_run(id: impl std::fmt::Display) -> Self {
        Self::missing(format!("there is no run with the id `{id}`"))
    }

    /// There is no experiment with this id.
    pub(super) fn no_experiment(id: impl std::fmt::Display) -> Self {
        Self::missing(format!("there is no experiment with the id `{id}`"))
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = self.error.into_response();
        if let Some((code, status)) = self.theirs {
            *response.status_mut() = status;
            response.extensions_mut().insert(code);
        }
        response
    }
}

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        Self {
            error: Box::new(error),
            theirs: None,
        }
    }
}

impl From<Stopped> for Fault {
    fn from(stopped: Stopped) -> Self {
        ApiError::from(stopped).into()
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        ApiError::from(error).into()
    }
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(error) => error.into(),
            ReadError::Damaged(_) => ApiError::internal(&error).into(),
        }
    }
}

impl From<SearchError> for Fault {
    fn from(error: SearchError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<TrackingRejection> for Fault {
    fn from(rejection: TrackingRejection) -> Self {
        let message = rejection.to_string();
        match rejection {
            TrackingRejection::UnknownExperiment(_)
            | TrackingRejection::UnknownRun(_)
            | TrackingRejection::UnknownModel(_)
            | TrackingRejection::UnknownFile(_) => Self::missing(message),
            TrackingRejection::ExperimentTaken(..) => Self::taken(message),
            TrackingRejection::Backlogged => ApiError::new(ErrorCode::Unavailable, message)
                .retry_after(BACKLOGGED_RETRY)
                .into(),
            TrackingRejection::TooMany { .. } => Self {
                error: Box::new(ApiError::new(ErrorCode::BadRequest, message)),
                theirs: Some((TheirCode("RESOURCE_LIMIT_EXCEEDED"), StatusCode::BAD_REQUEST)),
            },
            TrackingRejection::Deleted(_)
            | TrackingRejection::ParamChanged { .. }
            | TrackingRejection::Invalid(_) => Self::invalid(message),
        }
    }
}
