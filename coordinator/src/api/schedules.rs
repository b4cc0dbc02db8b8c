//! Schedules over REST: made, changed, paused, removed; and asked when they fire next and what became of each moment. A submitter changes what it made itself, an
//! operator everything.

use super::error::ApiError;
use super::listing::{Asked, Listing};
use super::projects;
use super::revision::{etag, expected, must_be_new};
use super::tokens::{ByQuery, name_of};
use crate::access::Caller;
use crate::datastores::DatastoreRejection;
use crate::handle::CoordinatorHandle;
use crate::schedules::{
    Asker, Calendar, Looks, Schedule, ScheduleCommand, ScheduleRejection, Schedules, due, jitter,
};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::{Extension, Json};
use serde::Deserialize;
use tidemill_protocol::access::Scope;
use tidemill_protocol::api::{ErrorBody, ErrorCode, MomentView, PauseRequest, PauseView, ScheduleView};
use tidemill_protocol::datastore::DatastoreKind;
use tidemill_protocol::name::Name;
use tidemill_protocol::project::is_default_project;
use tidemill_protocol::schedule::{Firing, ScheduleSpec, Trigger};
use tidemill_protocol::time::Timestamp;

/// Moments to come that are shown when nobody says how many.
const MOMENTS_DEFAULT: usize = 5;
/// Moments to come that are shown at most.
const MOMENTS_MAX: usize = 1_000;

type Tagged<T> = ([(HeaderName, HeaderValue); 1], Json<T>);

impl From<ScheduleRejection> for ApiError {
    fn from(rejection: ScheduleRejection) -> Self {
        use ScheduleRejection as R;
        let code = match &rejection {
            R::Unknown(_) => ErrorCode::NotFound,
            R::Changed { .. } => ErrorCode::PreconditionFailed,
            R::Exists(_) | R::TooMany => ErrorCode::Conflict,
            R::NotYours(_) => ErrorCode::Forbidden,
            R::Calendar(_) | R::NeverFires | R::Circle | R::OutOfBounds(_) => ErrorCode::BadRequest,
        };
        let error = Self::new(code, rejection.to_string());
        match rejection {
            R::Changed { .. } => error.hint("look again, then decide again"),
            R::NotYours(_) => error.hint("a token with the scope operator may change everybody's schedules"),
            R::Exists(_) => error.hint("give another name, or change that one"),
            _ => error,
        }
    }
}

/// Makes a schedule, or makes it another. With `If-None-Match: *` only where there is none, with `If-Match` only what has this `ETag`.
#[utoipa::path(put, path = "/api/v1/schedules/{name}", tag = "schedules", security(("token" = ["submitter"])), params(("name" = String, Path), ByQuery),
    request_body = ScheduleSpec, responses(
    (status = 200, description = "The schedule as it is now.", body = ScheduleView),
    (status = 400, description = "The trigger makes no sense, or would never fire.", body = ErrorBody),
    (status = 403, description = "Somebody else made it, or whoever asks may not start runs in the project.", body = ErrorBody),
    (status = 404, description = "There is no such pipeline, version, datastore or project.", body = ErrorBody),
    (status = 409, description = "There is one of this name already.", body = ErrorBody),
    (status = 412, description = "It changed since the revision in `If-Match`.", body = ErrorBody),
))]
pub(super) async fn set(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    Query(query): Query<ByQuery>,
    headers: HeaderMap,
    Json(mut spec): Json<ScheduleSpec>,
) -> Result<Tagged<ScheduleView>, ApiError> {
    let (pipeline, version) = (spec.pipeline.clone(), spec.version.clone());
    let looking =
        handle.look(move |sight| crate::published::find(sight, &pipeline, version.as_ref()).map(drop));
    looking.await??;
    check_watched(&handle, &spec).await?;
    let filed = projects::filed(&handle, &caller, spec.project.take()).await?;
    // What everybody has is not kept: schedules of before say nothing of projects either.
    spec.project = Some(filed.into_name()).filter(|name| !is_default_project(name));
    let command = ScheduleCommand::Set {
        name: name.clone(),
        spec: Box::new(spec),
        is_new: must_be_new(&headers),
        by: asker(&caller, query, &headers)?,
    };
    handle.change::<Schedules>(command).await??;
    tagged(&handle, name).await
}

/// Lists the schedules by name.
#[utoipa::path(get, path = "/api/v1/schedules", tag = "schedules", security(("token" = ["reader"])), params(Asked<ScheduleView>), responses(
    (status = 200, description = "All of them.", body = Listing<ScheduleView>),
))]
pub(super) async fn list(
    State(handle): State<CoordinatorHandle>,
    asked: Asked<ScheduleView>,
) -> Result<Json<Listing<ScheduleView>>, ApiError> {
    let now = handle.inner.clock.now();
    let looking = handle.look(|sight| {
        let all = sight.ledgers.schedules.all();
        let all = all.map(|(name, schedule)| (name.clone(), schedule.clone()));
        all.collect::<Vec<(Name, Schedule)>>()
    });
    let (all, looks) = (looking.await?, handle.inner.looks.borrow().clone());
    let reckoning = tokio::task::spawn_blocking(move || {
        let views = all
            .iter()
            .map(|(name, schedule)| view(name, schedule, &looks, now));
        views.collect::<Vec<ScheduleView>>()
    });
    let views = reckoning.await.map_err(|error| ApiError::internal(&error))?;
    Ok(asked.answer(views))
}

/// Shows a schedule. The `ETag` is its revision.
#[utoipa::path(get, path = "/api/v1/schedules/{name}", tag = "schedules", security(("token" = ["reader"])), params(("name" = String, Path)), responses(
    (status = 200, description = "The schedule.", body = ScheduleView),
    (status = 404, description = "There is no such schedule.", body = ErrorBody),
))]
pub(super) async fn show(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<Name>,
) -> Result<Tagged<ScheduleView>, ApiError> {
    tagged(&handle, name).await
}

/// Removes a schedule. Its runs go on.
#[utoipa::path(delete, path = "/api/v1/schedules/{name}", tag = "schedules", security(("token" = ["submitter"])), params(("name" = String, Path), ByQuery), responses(
    (status = 204, description = "It is gone."),
    (status = 403, description = "Somebody else made it.", body = ErrorBody),
    (status = 404, description = "There is no such schedule.", body = ErrorBody),
    (status = 412, description = "It changed since the revision in `If-Match`.", body = ErrorBody),
))]
pub(super) async fn remove(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    Query(query): Query<ByQuery>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let by = asker(&caller, query, &headers)?;
    let command = ScheduleCommand::Remove { name, by };
    handle.change::<Schedules>(command).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a schedule fire no more, until it is resumed. What passes meanwhile does not count.
#[utoipa::path(post, path = "/api/v1/schedules/{name}/pause", tag = "schedules", security(("token" = ["submitter"])), params(("name" = String, Path), ByQuery),
    request_body = PauseRequest, responses(
    (status = 200, description = "The schedule as it is now.", body = ScheduleView),
    (status = 403, description = "Somebody else made it.", body = ErrorBody),
    (status = 404, description = "There is no such schedule.", body = ErrorBody),
))]
pub(super) async fn pause(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    Query(query): Query<ByQuery>,
    headers: HeaderMap,
    Json(request): Json<PauseRequest>,
) -> Result<Tagged<ScheduleView>, ApiError> {
    let command = ScheduleCommand::Pause {
        name: name.clone(),
        reason: request.reason,
        by: asker(&caller, query, &headers)?,
    };
    handle.change::<Schedules>(command).await??;
    tagged(&handle, name).await
}

/// Lets a paused schedule fire again, from now on.
#[utoipa::path(post, path = "/api/v1/schedules/{name}/resume", tag = "schedules", security(("token" = ["submitter"])), params(("name" = String, Path), ByQuery), responses(
    (status = 200, description = "The schedule as it is now.", body = ScheduleView),
    (status = 403, description = "Somebody else made it.", body = ErrorBody),
    (status = 404, description = "There is no such schedule.", body = ErrorBody),
))]
pub(super) async fn resume(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    Query(query): Query<ByQuery>,
    headers: HeaderMap,
) -> Result<Tagged<ScheduleView>, ApiError> {
    let command = ScheduleCommand::Resume {
        name: name.clone(),
        by: asker(&caller, query, &headers)?,
    };
    handle.change::<Schedules>(command).await??;
    tagged(&handle, name).await
}

/// How many moments.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[cfg_attr(feature = "fuzzing", derive(serde::Serialize))]
pub(super) struct CountQuery {
    /// How many, at most 1,000; 5 when absent.
    count: Option<usize>,
}

/// Says when a schedule fires next; while it is paused, when it would. Of one that waits for something to happen, nobody can say.
#[utoipa::path(get, path = "/api/v1/schedules/{name}/next", tag = "schedules", security(("token" = ["reader"])), params(("name" = String, Path), CountQuery, Asked<MomentView>), responses(
    (status = 200, description = "The moments, the next one first; fewer when it ends before.", body = Listing<MomentView>),
    (status = 404, description = "There is no such schedule.", body = ErrorBody),
))]
pub(super) async fn next(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<Name>,
    Query(query): Query<CountQuery>,
    asked: Asked<MomentView>,
) -> Result<Json<Listing<MomentView>>, ApiError> {
    let count = query.count.unwrap_or(MOMENTS_DEFAULT).clamp(1, MOMENTS_MAX);
    let now = handle.inner.clock.now();
    let schedule = find(&handle, &name).await?;
    let reckoning = tokio::task::spawn_blocking(move || moments(&name, &schedule, now, count));
    let moments = reckoning.await.map_err(|error| ApiError::internal(&error))?;
    Ok(asked.answer(moments))
}

/// Lists the last moments of a schedule that were settled, newest first, and what became of each.
#[utoipa::path(get, path = "/api/v1/schedules/{name}/firings", tag = "schedules", security(("token" = ["reader"])), params(("name" = String, Path), Asked<Firing>), responses(
    (status = 200, description = "The last hundred at most.", body = Listing<Firing>),
    (status = 404, description = "There is no such schedule.", body = ErrorBody),
))]
pub(super) async fn firings(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<Name>,
    asked: Asked<Firing>,
) -> Result<Json<Listing<Firing>>, ApiError> {
    let schedule = find(&handle, &name).await?;
    Ok(asked.answer(schedule.firings.into_iter().rev().collect()))
}

fn asker(caller: &Caller, query: ByQuery, headers: &HeaderMap) -> Result<Asker, ApiError> {
    Ok(Asker {
        name: name_of(caller, query.by),
        may_change_all: caller.scope() >= Some(Scope::Operator),
        expect: expected(headers)?,
    })
}

async fn find(handle: &CoordinatorHandle, name: &Name) -> Result<Schedule, ApiError> {
    let wanted = name.clone();
    let looking = handle.look(move |sight| sight.ledgers.schedules.get(&wanted).cloned());
    let found = looking.await?;
    Ok(found.ok_or_else(|| ScheduleRejection::Unknown(name.clone()))?)
}

async fn tagged(handle: &CoordinatorHandle, name: Name) -> Result<Tagged<ScheduleView>, ApiError> {
    let now = handle.inner.clock.now();
    let schedule = find(handle, &name).await?;
    let looks = handle.inner.looks.borrow().clone();
    let reckoning = tokio::task::spawn_blocking(move || view(&name, &schedule, &looks, now));
    let view = reckoning.await.map_err(|error| ApiError::internal(&error))?;
    Ok(([(header::ETAG, etag(view.revision))], Json(view)))
}

/// Files are watched in a datastore that is there and can be listed.
async fn check_watched(handle: &CoordinatorHandle, spec: &ScheduleSpec) -> Result<(), ApiError> {
    let Trigger::FilesChanged(files) = &spec.trigger else {
        return Ok(());
    };
    let name = files.datastore.clone();
    let looking = handle.look(move |sight| {
        let kept = sight.ledgers.datastores.get(&name);
        kept.map(|kept| DatastoreKind::of(&kept.definition.url))
            .ok_or(DatastoreRejection::Unknown(name))
    });
    if looking.await?? == Some(DatastoreKind::Http) {
        let message = format!(
            "the files of `{}`, a web server, cannot be listed",
            files.datastore
        );
        return Err(ApiError::new(ErrorCode::BadRequest, message));
    }
    Ok(())
}

fn view(name: &Name, schedule: &Schedule, looks: &Looks, now: Timestamp) -> ScheduleView {
    let calendar = Calendar::of(&schedule.spec.trigger).ok().flatten();
    let next_at = calendar.and_then(|calendar| {
        let due = due(name, schedule, &calendar, now);
        if due.fire.is_empty() { due.next } else { Some(now) }
    });
    ScheduleView {
        name: name.clone(),
        spec: (*schedule.spec).clone(),
        revision: schedule.revision,
        created_at: schedule.created_at,
        created_by: schedule.created_by.clone(),
        pause: schedule.pause.as_ref().map(|pause| PauseView {
            at: pause.at,
            by: pause.by.clone(),
            reason: pause.reason.clone(),
        }),
        next_at,
        waiting: schedule.waiting.len() as u64,
        last: schedule.firings.back().cloned(),
        looked: looks.get(name).cloned(),
    }
}

fn moments(name: &Name, schedule: &Schedule, now: Timestamp, count: usize) -> Vec<MomentView> {
    let Ok(Some(calendar)) = Calendar::of(&schedule.spec.trigger) else {
        return Vec::new();
    };
    let from = match schedule.pause {
        Some(_) => now.max(schedule.clock_from()),
        None => schedule.clock_from(),
    };
    let moments = std::iter::successors(calendar.after(from), |last| calendar.after(*last));
    let moments = moments.map(|nominal| MomentView {
        nominal,
        at: nominal + jitter(name, nominal, schedule.spec.jitter),
    });
    moments.filter(|moment| moment.at >= now).take(count).collect()
}
