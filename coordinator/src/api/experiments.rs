//! Experiments over REST: made, listed, shown, changed, deleted and brought back. They are those of tracking, so clients of MLflow see the same.

use super::conditional;
use super::error::ApiError;
use super::listing::{Asked, Key};
use super::record::Made;
use super::revision::etag;
use super::tokens::name_of;
use crate::access::Caller;
use crate::driver::Sight;
use crate::handle::CoordinatorHandle;
use crate::tracking::{Base, Lifecycle, Tracking, TrackingChange, TrackingCommand, TrackingRejection};
use crate::views::{self, tracked};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::{Extension, Json};
use serde::Deserialize;
use std::collections::BTreeMap;
use tidemill_protocol::api::{
    CreateExperimentRequest, DescribeExperimentRequest, ErrorBody, ErrorCode, ExperimentView, Page,
};

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

/// Makes an experiment.
#[utoipa::path(post, path = "/api/v1/experiments", tag = "experiments", security(("token" = ["submitter"])), request_body = CreateExperimentRequest, responses(
    (status = 201, description = "The experiment; `etag` is its revision.", body = ExperimentView),
    (status = 400, description = "The name, a tag or the text is not allowed.", body = ErrorBody),
    (status = 409, description = "There is one of this name, perhaps a deleted one, or there are too many.", body = ErrorBody),
))]
pub(super) async fn create(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Json(request): Json<CreateExperimentRequest>,
) -> Result<Created, ApiError> {
    let name = request.name.clone();
    let known = handle.look(move |sight| experiment(sight, &name).is_ok());
    // Of one that only runs name the ledger does not know.
    if known.await? && !handle.may_be_done().await? {
        return Err(taken(&request.name));
    }
    let mut tags = request.tags;
    if !request.description.is_empty() {
        tags.insert(views::NOTE_TAG.to_owned(), request.description);
    }
    let command = TrackingCommand {
        by: name_of(&caller, None),
        base: None,
        change: TrackingChange::CreateExperiment {
            name: request.name,
            tags,
        },
    };
    let made = handle.create::<Tracking>(command).await?;
    let id = made.map_err(|rejection| refused(&rejection))?.unwrap_or_default();
    let looked_up = id.clone();
    let looking = handle.look(move |sight| {
        let found = tracked::experiment(sight.engine, &sight.ledgers.tracking, &looked_up)?;
        let revision = conditional::of_experiment(&found);
        Some((
            views::experiment_view(sight.engine, sight.ledgers, found),
            revision,
        ))
    });
    let gone = || ApiError::new(ErrorCode::NotFound, "the experiment is gone already");
    let (view, revision) = looking.await?.ok_or_else(gone)?;
    let made = Extension(Made("experiment", id));
    Ok((
        StatusCode::CREATED,
        made,
        [(header::ETAG, etag(revision))],
        Json(view),
    ))
}

type Created = (
    StatusCode,
    Extension<Made>,
    [(HeaderName, HeaderValue); 1],
    Json<ExperimentView>,
);

/// Changes an experiment's name, text and tags.
#[utoipa::path(patch, path = "/api/v1/experiments/{name}", tag = "experiments", security(("token" = ["submitter"])), params(("name" = String, Path)),
    request_body = DescribeExperimentRequest, responses(
    (status = 200, description = "The experiment as it is now.", body = ExperimentView),
    (status = 400, description = "The name, a tag or the text is not allowed.", body = ErrorBody),
    (status = 404, description = "There is no such experiment.", body = ErrorBody),
    (status = 409, description = "It is deleted, or another has the new name.", body = ErrorBody),
))]
pub(super) async fn describe(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Json(request): Json<DescribeExperimentRequest>,
) -> Result<Json<ExperimentView>, ApiError> {
    let mut tags = request.tags;
    if let Some(text) = request.description {
        tags.insert(
            views::NOTE_TAG.to_owned(),
            Some(text).filter(|text| !text.is_empty()),
        );
    }
    change(&handle, &caller, &name, (request.name.clone(), None, tags)).await?;
    show(State(handle), Path(request.name.unwrap_or(name))).await
}

/// Deletes an experiment; it can be restored. Its runs stay.
#[utoipa::path(delete, path = "/api/v1/experiments/{name}", tag = "experiments", security(("token" = ["submitter"])), params(("name" = String, Path)), responses(
    (status = 204, description = "It is deleted."),
    (status = 404, description = "There is no such experiment.", body = ErrorBody),
))]
pub(super) async fn delete(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    let what = (None, Some(Lifecycle::Deleted), BTreeMap::new());
    change(&handle, &caller, &name, what).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Brings a deleted experiment back.
#[utoipa::path(post, path = "/api/v1/experiments/{name}/restore", tag = "experiments", security(("token" = ["submitter"])), params(("name" = String, Path)), responses(
    (status = 200, description = "The experiment.", body = ExperimentView),
    (status = 404, description = "There is no such experiment.", body = ErrorBody),
))]
pub(super) async fn restore(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<ExperimentView>, ApiError> {
    let what = (None, Some(Lifecycle::Active), BTreeMap::new());
    change(&handle, &caller, &name, what).await?;
    show(State(handle), Path(name)).await
}

type Changes = (
    Option<String>,
    Option<Lifecycle>,
    BTreeMap<String, Option<String>>,
);

async fn change(
    handle: &CoordinatorHandle,
    caller: &Caller,
    wanted: &str,
    (name, lifecycle, tags): Changes,
) -> Result<(), ApiError> {
    let (wanted, new) = (wanted.to_owned(), name.clone());
    let looking = handle.look(move |sight| {
        let found = experiment(sight, &wanted)?;
        match new.filter(|new| *new != found.name) {
            // Also a name that only runs give, of which the ledger does not know.
            Some(new) if experiment(sight, &new).is_ok() => Err(taken(&new)),
            _ => Ok(found),
        }
    });
    let found = looking.await??;
    let command = TrackingCommand {
        by: name_of(caller, None),
        // Of one that only runs name, nothing is kept yet.
        base: Some(Base {
            experiment: found.id.clone(),
            experiment_name: found.name,
            run: None,
        }),
        change: TrackingChange::ChangeExperiment {
            id: found.id,
            name,
            lifecycle,
            tags,
        },
    };
    let done = handle.change::<Tracking>(command).await?;
    done.map(drop).map_err(|rejection| refused(&rejection))
}

fn taken(name: &str) -> ApiError {
    let message = format!("an experiment is called `{name}` already");
    ApiError::new(ErrorCode::Conflict, message)
        .hint("tidemill experiment list --deleted shows them all; a deleted one is restored or renamed")
}

fn refused(rejection: &TrackingRejection) -> ApiError {
    let code = match rejection {
        TrackingRejection::UnknownExperiment(_) => ErrorCode::NotFound,
        TrackingRejection::Deleted(_)
        | TrackingRejection::TooMany { .. }
        | TrackingRejection::ExperimentTaken(..) => ErrorCode::Conflict,
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
