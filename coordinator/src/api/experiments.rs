//! Experiments over REST: listed, shown, described. They are those of tracking; clients of MLflow make, rename and delete them.

use super::error::ApiError;
use super::listing::{Asked, Key};
use super::tokens::name_of;
use crate::access::Caller;
use crate::driver::Sight;
use crate::handle::CoordinatorHandle;
use crate::tracking::{Base, Tracking, TrackingChange, TrackingCommand, TrackingRejection};
use crate::views::{self, tracked};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use serde::Deserialize;
use tidemill_protocol::api::{DescribeExperimentRequest, ErrorBody, ErrorCode, ExperimentView, Page};

/// Which experiments to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[cfg_attr(feature = "fuzzing", derive(serde::Serialize))]
pub(super) struct ExperimentsQuery {
    /// Only experiments whose names begin so.
    prefix: Option<String>,
    /// Also those that were deleted.
    #[serde(default)]
    deleted: bool,
}

/// Lists experiments in the order of their names.
#[utoipa::path(get, path = "/api/v1/experiments", tag = "experiments", security(("token" = ["reader"])), params(ExperimentsQuery, Asked<ExperimentView>), responses(
    (status = 200, description = "One page.", body = Page<ExperimentView>),
))]
pub(super) async fn list(
    State(handle): State<CoordinatorHandle>,
    Query(query): Query<ExperimentsQuery>,
    asked: Asked<ExperimentView>,
) -> Result<Json<Page<ExperimentView>>, ApiError> {
    let page = handle.look(move |sight| {
        let prefix = query.prefix.as_deref().unwrap_or_default();
        let fitting = views::all_experiments(sight.engine, sight.ledgers)
            .filter(|one| one.name.starts_with(prefix) && asked.wants(&one.name))
            .filter(|one| query.deleted || !one.is_deleted);
        asked.select(fitting, |one| {
            let key = match asked.order.field {
                "created_at" => Key::of(&one.created_at),
                "runs" => Key::from(one.runs),
                _ => Key::of(&one.name),
            };
            (key, Key::joined([Key::of(&one.name), Key::of(&one.id)]))
        })
    });
    Ok(Json(page.await?))
}

/// Shows an experiment.
#[utoipa::path(get, path = "/api/v1/experiments/{name}", tag = "experiments", security(("token" = ["reader"])), params(("name" = String, Path)), responses(
    (status = 200, description = "The experiment.", body = ExperimentView),
    (status = 404, description = "There is no such experiment.", body = ErrorBody),
))]
pub(super) async fn show(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<String>,
) -> Result<Json<ExperimentView>, ApiError> {
    let view = handle.look(move |sight| {
        let found = experiment(sight, &name)?;
        Ok::<_, ApiError>(views::experiment_view(sight.engine, sight.ledgers, found))
    });
    Ok(Json(view.await??))
}

/// Changes an experiment's text and tags.
#[utoipa::path(patch, path = "/api/v1/experiments/{name}", tag = "experiments", security(("token" = ["submitter"])), params(("name" = String, Path)),
    request_body = DescribeExperimentRequest, responses(
    (status = 200, description = "The experiment as it is now.", body = ExperimentView),
    (status = 400, description = "A tag or the text is not allowed.", body = ErrorBody),
    (status = 404, description = "There is no such experiment.", body = ErrorBody),
    (status = 409, description = "It is deleted.", body = ErrorBody),
))]
pub(super) async fn describe(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Json(request): Json<DescribeExperimentRequest>,
) -> Result<Json<ExperimentView>, ApiError> {
    let wanted = name.clone();
    let found = handle.look(move |sight| experiment(sight, &wanted)).await??;
    let mut tags = request.tags;
    if let Some(text) = request.description {
        tags.insert(
            views::NOTE_TAG.to_owned(),
            Some(text).filter(|text| !text.is_empty()),
        );
    }
    let command = TrackingCommand {
        by: name_of(&caller, None),
        // Of one that only runs name, nothing is kept yet.
        base: Some(Base {
            experiment: found.id.clone(),
            experiment_name: found.name,
            run: None,
        }),
        change: TrackingChange::ChangeExperiment {
            id: found.id,
            name: None,
            lifecycle: None,
            tags,
        },
    };
    let done = handle.change::<Tracking>(command).await?;
    done.map_err(|rejection| refused(&rejection))?;
    show(State(handle), Path(name)).await
}

fn refused(rejection: &TrackingRejection) -> ApiError {
    let code = match rejection {
        TrackingRejection::UnknownExperiment(_) => ErrorCode::NotFound,
        TrackingRejection::Deleted(_) | TrackingRejection::TooMany { .. } => ErrorCode::Conflict,
        _ => ErrorCode::BadRequest,
    };
    ApiError::new(code, rejection.to_string())
}

fn experiment(sight: &Sight<'_>, name: &str) -> Result<tracked::ShownExperiment, ApiError> {
    let found = tracked::experiment_by_name(sight.engine, &sight.ledgers.tracking, name);
    found.ok_or_else(|| {
        ApiError::new(ErrorCode::NotFound, format!("there is no experiment `{name}`"))
            .hint("tidemill experiment list shows them")
    })
}
