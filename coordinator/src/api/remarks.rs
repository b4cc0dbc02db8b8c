//! What people say of runs over REST: another name, text and tags after the submission, and comments. Whoever may end a run may describe it; whoever may submit may
//! comment on any run; a comment is changed by its author or an admin.

use super::error::ApiError;
use super::listing::{Asked, Listing};
use super::record::Made;
use super::runs::{ByQuery, resolve, summary};
use super::select;
use super::tokens::name_of;
use crate::access::Caller;
use crate::handle::CoordinatorHandle;
use crate::projects::may_comment;
use crate::remarks::{Author, Described, RemarkCommand, RemarkRejection, Remarks};
use crate::views::comment_view;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use tidemill_protocol::access::Scope;
use tidemill_protocol::api::{
    CommentRequest, CommentView, DescribeRunRequest, ErrorBody, ErrorCode, RunSummary,
};
use tidemill_protocol::ids::RunId;

impl From<RemarkRejection> for ApiError {
    fn from(rejection: RemarkRejection) -> Self {
        let code = match &rejection {
            RemarkRejection::UnknownComment(_) => ErrorCode::NotFound,
            RemarkRejection::NotTheAuthor { .. } => ErrorCode::Forbidden,
            RemarkRejection::Bad(_) => ErrorCode::BadRequest,
            RemarkRejection::TooMany(_) => ErrorCode::Conflict,
        };
        let error = Self::new(code, rejection.to_string());
        match rejection {
            RemarkRejection::UnknownComment(_) => error.hint("tidemill runs show lists them"),
            RemarkRejection::NotTheAuthor { .. } => {
                error.hint("a token with the scope admin may change everybody's comments")
            }
            RemarkRejection::Bad(_) | RemarkRejection::TooMany(_) => error,
        }
    }
}

/// Changes what people call a run, say of it and tag it with. The pipeline and what ran stay as they were.
#[utoipa::path(patch, path = "/api/v1/runs/{run}", tag = "runs", security(("token" = ["submitter"])), params(("run" = String, Path), ByQuery),
    request_body = DescribeRunRequest, responses(
    (status = 200, description = "The run as it is now.", body = RunSummary),
    (status = 400, description = "A name, text or tag breaks a rule.", body = ErrorBody),
    (status = 409, description = "Too many tags.", body = ErrorBody),
))]
pub(super) async fn describe(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
    Query(query): Query<ByQuery>,
    Json(request): Json<DescribeRunRequest>,
) -> Result<Json<RunSummary>, ApiError> {
    let (run, by) = resolve(&handle, caller, (run, query)).await?;
    let described = Described {
        display_name: request.display_name,
        description: request.description,
        tags: request.tags,
    };
    let command = RemarkCommand::Describe { run, described, by };
    handle.change::<Remarks>(command).await??;
    Ok(Json(summary(&handle, run).await?))
}

/// Lists the comments on a run, oldest first.
#[utoipa::path(get, path = "/api/v1/runs/{run}/comments", tag = "runs", security(("token" = ["reader"])), params(("run" = String, Path), Asked<CommentView>), responses(
    (status = 200, description = "All of them.", body = Listing<CommentView>),
))]
pub(super) async fn comments(
    State(handle): State<CoordinatorHandle>,
    Path(run): Path<String>,
    asked: Asked<CommentView>,
) -> Result<Json<Listing<CommentView>>, ApiError> {
    let looking = handle.look(move |sight| {
        let run = select::run(sight, &run)?.id();
        let said = sight.ledgers.remarks.of(run).into_iter();
        let comments = said.flat_map(|said| &said.comments);
        Ok::<_, ApiError>(comments.map(comment_view).collect::<Vec<CommentView>>())
    });
    Ok(asked.answer(looking.await??))
}

/// Comments on a run, of whoever it is.
#[utoipa::path(post, path = "/api/v1/runs/{run}/comments", tag = "runs", security(("token" = ["submitter"])), params(("run" = String, Path), ByQuery),
    request_body = CommentRequest, responses(
    (status = 201, description = "The comment.", body = CommentView),
    (status = 400, description = "It says nothing, or is too long.", body = ErrorBody),
    (status = 409, description = "The run has too many comments.", body = ErrorBody),
))]
pub(super) async fn comment(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
    Query(query): Query<ByQuery>,
    Json(request): Json<CommentRequest>,
) -> Result<(StatusCode, Extension<Made>, Json<CommentView>), ApiError> {
    let by = name_of(&caller, query.by);
    let run = commentable(&handle, caller, run).await?;
    let text = request.text;
    let command = RemarkCommand::Comment { run, text, by };
    let made = handle.create::<Remarks>(command).await??;
    let number = made.and_then(|number| number.parse().ok());
    let number = number.ok_or(RemarkRejection::UnknownComment(0))?;
    let view = shown(&handle, run, number).await?;
    let made = Made("comment", number.to_string());
    Ok((StatusCode::CREATED, Extension(made), Json(view)))
}

/// Shows a comment.
#[utoipa::path(get, path = "/api/v1/runs/{run}/comments/{comment}", tag = "runs", security(("token" = ["reader"])), params(("run" = String, Path), ("comment" = u32, Path)), responses(
    (status = 200, description = "The comment.", body = CommentView),
    (status = 404, description = "There is no such comment.", body = ErrorBody),
))]
pub(super) async fn show(
    State(handle): State<CoordinatorHandle>,
    Path((run, comment)): Path<(String, u32)>,
) -> Result<Json<CommentView>, ApiError> {
    let looking = handle.look(move |sight| Ok::<_, ApiError>(select::run(sight, &run)?.id()));
    let run = looking.await??;
    Ok(Json(shown(&handle, run, comment).await?))
}

/// Gives a comment another text.
#[utoipa::path(patch, path = "/api/v1/runs/{run}/comments/{comment}", tag = "runs", security(("token" = ["submitter"])), params(("run" = String, Path), ("comment" = u32, Path), ByQuery),
    request_body = CommentRequest, responses(
    (status = 200, description = "The comment as it is now.", body = CommentView),
    (status = 403, description = "Somebody else wrote it.", body = ErrorBody),
    (status = 404, description = "There is no such comment.", body = ErrorBody),
))]
pub(super) async fn edit(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path((run, comment)): Path<(String, u32)>,
    Query(query): Query<ByQuery>,
    Json(request): Json<CommentRequest>,
) -> Result<Json<CommentView>, ApiError> {
    let author = author(&caller, query);
    let run = commentable(&handle, caller, run).await?;
    let command = RemarkCommand::Edit {
        run,
        comment,
        text: request.text,
        author,
    };
    handle.change::<Remarks>(command).await??;
    Ok(Json(shown(&handle, run, comment).await?))
}

/// Removes a comment. Its number is not given again.
#[utoipa::path(delete, path = "/api/v1/runs/{run}/comments/{comment}", tag = "runs", security(("token" = ["submitter"])), params(("run" = String, Path), ("comment" = u32, Path), ByQuery), responses(
    (status = 204, description = "It is gone."),
    (status = 403, description = "Somebody else wrote it.", body = ErrorBody),
    (status = 404, description = "There is no such comment.", body = ErrorBody),
))]
pub(super) async fn remove(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path((run, comment)): Path<(String, u32)>,
    Query(query): Query<ByQuery>,
) -> Result<StatusCode, ApiError> {
    let author = author(&caller, query);
    let command = RemarkCommand::Remove {
        run: commentable(&handle, caller, run).await?,
        comment,
        author,
    };
    handle.change::<Remarks>(command).await??;
    Ok(StatusCode::NO_CONTENT)
}

fn author(caller: &Caller, query: ByQuery) -> Author {
    Author {
        name: name_of(caller, query.by),
        is_admin: caller.scope() >= Some(Scope::Admin),
    }
}

/// The run that is commented on, if the caller may.
async fn commentable(handle: &CoordinatorHandle, caller: Caller, run: String) -> Result<RunId, ApiError> {
    let looking = handle.look(move |sight| {
        let run = select::run(sight, &run)?;
        may_comment(&sight.ledgers.projects, &caller, run)?;
        Ok::<_, ApiError>(run.id())
    });
    looking.await?
}

async fn shown(handle: &CoordinatorHandle, run: RunId, number: u32) -> Result<CommentView, ApiError> {
    let looking = handle.look(move |sight| {
        let said = sight.ledgers.remarks.of(run);
        said.and_then(|said| said.comment(number)).map(comment_view)
    });
    let found = looking.await?;
    Ok(found.ok_or(RemarkRejection::UnknownComment(number))?)
}
