//! Drafts over REST: made of a pipeline, a run or a published pipeline; changed, submitted, published, removed. A submitter changes what it made itself, an operator
//! everything; anybody who may submit may start a run of a draft.

use super::assets;
use super::error::ApiError;
use super::listing::{Asked, Listing};
use super::projects;
use super::record::Made;
use super::revision::{etag, expected, must_be_new};
use super::tokens::{ByQuery, name_of};
use super::{runs, select};
use crate::access::Caller;
use crate::drafts::{Draft, DraftCommand, DraftRejection, Drafts, with_defaults};
use crate::driver::Sight;
use crate::handle::CoordinatorHandle;
use crate::schedules::Asker;
use crate::{published, specs};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::{Extension, Json};
use serde::Deserialize;
use std::collections::BTreeMap;
use tidemill_protocol::access::Scope;
use tidemill_protocol::api::{
    AddVersionRequest, AssetSource, DraftRequest, DraftSource, DraftView, ErrorBody, ErrorCode,
    PublishDraftRequest, RunSummary, StartRequest, SubmitRequest, VersionView,
};
use tidemill_protocol::catalog::{AssetBody, AssetKind, PipelineBody};
use tidemill_protocol::draft::DraftSpec;
use tidemill_protocol::key::InputValue;
use tidemill_protocol::name::Name;

/// The label of a run that says of which draft it was started.
const DRAFT_TAG: &str = "tidemill.draft";

type Tagged = ([(HeaderName, HeaderValue); 1], Json<DraftView>);

impl From<DraftRejection> for ApiError {
    fn from(rejection: DraftRejection) -> Self {
        use DraftRejection as R;
        let (code, hint) = match &rejection {
            R::Unknown(_) => (
                ErrorCode::NotFound,
                "`tidemill drafts list` shows those that there are",
            ),
            R::Changed { .. } => (ErrorCode::PreconditionFailed, "look again, then decide again"),
            R::Exists(_) => (ErrorCode::Conflict, "give another name, or change that one"),
            R::TooMany => (
                ErrorCode::Conflict,
                "`tidemill drafts remove` those that nobody needs",
            ),
            R::NotYours(_) => (
                ErrorCode::Forbidden,
                "a token with the scope operator may change everybody's drafts",
            ),
            R::UnknownParameter(_) => (
                ErrorCode::BadRequest,
                "`tidemill drafts show NAME` shows its parameters",
            ),
            R::OutOfBounds(_) => (ErrorCode::BadRequest, "shorten it"),
        };
        Self::new(code, rejection.to_string()).hint(hint)
    }
}

/// Makes a draft, or makes it another. With `If-None-Match: *` only where there is none, with `If-Match` only what has this `ETag`.
#[utoipa::path(put, path = "/api/v1/drafts/{name}", tag = "drafts", security(("token" = ["submitter"])), params(("name" = String, Path)),
    request_body = DraftRequest, responses(
    (status = 200, description = "The draft as it is now.", body = DraftView),
    (status = 400, description = "It has no source, or a parameter that its pipeline has not.", body = ErrorBody),
    (status = 403, description = "Somebody else made it.", body = ErrorBody),
    (status = 404, description = "The source is not there.", body = ErrorBody),
    (status = 409, description = "There is one of this name already.", body = ErrorBody),
    (status = 412, description = "It changed since the revision in `If-Match`.", body = ErrorBody),
    (status = 422, description = "The pipeline is not valid.", body = ErrorBody),
))]
pub(super) async fn set(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    headers: HeaderMap,
    Json(mut request): Json<DraftRequest>,
) -> Result<Tagged, ApiError> {
    let source = request.source.take().ok_or_else(|| {
        ApiError::new(ErrorCode::BadRequest, "the draft has no source")
            .hint("give it `pipeline`, `run` or `published`")
    })?;
    let spec = made_of(&handle, source).await?;
    let by = asker(&caller, request.by.take(), &headers)?;
    let command = DraftCommand::Set {
        name: name.clone(),
        spec: Box::new(changed(spec, request)),
        is_new: must_be_new(&headers),
        by,
    };
    handle.change::<Drafts>(command).await??;
    tagged(&handle, name).await
}

/// Changes what is given of a draft.
#[utoipa::path(patch, path = "/api/v1/drafts/{name}", tag = "drafts", security(("token" = ["submitter"])), params(("name" = String, Path)),
    request_body = DraftRequest, responses(
    (status = 200, description = "The draft as it is now.", body = DraftView),
    (status = 400, description = "A parameter that its pipeline has not.", body = ErrorBody),
    (status = 403, description = "Somebody else made it.", body = ErrorBody),
    (status = 404, description = "There is no such draft, or no such source.", body = ErrorBody),
    (status = 412, description = "It changed since the revision in `If-Match`, or while this was asked.", body = ErrorBody),
    (status = 422, description = "The pipeline is not valid.", body = ErrorBody),
))]
pub(super) async fn edit(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    headers: HeaderMap,
    Json(mut request): Json<DraftRequest>,
) -> Result<Tagged, ApiError> {
    let known = find(&handle, &name).await?;
    let mut spec = (*known.spec).clone();
    if let Some(source) = request.source.take() {
        let made = made_of(&handle, source).await?;
        // What the new pipeline does not know, it cannot be given.
        let takes = |name: &String| {
            made.pipeline
                .parameters
                .iter()
                .any(|doc| doc.name.as_str() == name)
        };
        spec.parameters.retain(|name, _| takes(name));
        spec.pipeline = made.pipeline;
        spec.made_of = made.made_of;
    }
    let mut by = asker(&caller, request.by.take(), &headers)?;
    by.expect = by.expect.or(Some(known.revision));
    let command = DraftCommand::Set {
        name: name.clone(),
        spec: Box::new(changed(spec, request)),
        is_new: false,
        by,
    };
    handle.change::<Drafts>(command).await??;
    tagged(&handle, name).await
}

/// Which drafts to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[cfg_attr(feature = "fuzzing", derive(serde::Serialize))]
pub(super) struct DraftsQuery {
    /// Only drafts with this tag, `NAME=VALUE`.
    tag: Option<String>,
}

/// Lists drafts by name.
#[utoipa::path(get, path = "/api/v1/drafts", tag = "drafts", security(("token" = ["reader"])), params(DraftsQuery, Asked<DraftView>), responses(
    (status = 200, description = "All of them, or those with the tag.", body = Listing<DraftView>),
))]
pub(super) async fn list(
    State(handle): State<CoordinatorHandle>,
    Query(query): Query<DraftsQuery>,
    asked: Asked<DraftView>,
) -> Result<Json<Listing<DraftView>>, ApiError> {
    let looking = handle.look(move |sight| {
        let wanted = query
            .tag
            .as_deref()
            .map(|tag| tag.split_once('=').unwrap_or((tag, "")));
        let all = sight.ledgers.drafts.all();
        let fitting = all.filter(|(_, draft)| {
            wanted.is_none_or(|(name, value)| draft.spec.tags.get(name).is_some_and(|found| found == value))
        });
        fitting
            .map(|(name, draft)| view(name, draft))
            .collect::<Vec<DraftView>>()
    });
    Ok(asked.answer(looking.await?))
}

/// Shows a draft. The `ETag` is its revision.
#[utoipa::path(get, path = "/api/v1/drafts/{name}", tag = "drafts", security(("token" = ["reader"])), params(("name" = String, Path)), responses(
    (status = 200, description = "The draft.", body = DraftView),
    (status = 404, description = "There is no such draft.", body = ErrorBody),
))]
pub(super) async fn show(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<Name>,
) -> Result<Tagged, ApiError> {
    tagged(&handle, name).await
}

/// Removes a draft. Its runs and its published versions stay.
#[utoipa::path(delete, path = "/api/v1/drafts/{name}", tag = "drafts", security(("token" = ["submitter"])), params(("name" = String, Path), ByQuery), responses(
    (status = 204, description = "It is gone."),
    (status = 403, description = "Somebody else made it.", body = ErrorBody),
    (status = 404, description = "There is no such draft.", body = ErrorBody),
    (status = 412, description = "It changed since the revision in `If-Match`.", body = ErrorBody),
))]
pub(super) async fn remove(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    Query(query): Query<ByQuery>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let by = asker(&caller, query.by, &headers)?;
    handle
        .change::<Drafts>(DraftCommand::Remove { name, by })
        .await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Starts a run of a draft; what the call gives counts more than what the draft says.
#[utoipa::path(post, path = "/api/v1/drafts/{name}/runs", tag = "drafts", security(("token" = ["submitter"])), params(("name" = String, Path)),
    request_body = StartRequest, responses(
    (status = 201, description = "A new run.", body = RunSummary),
    (status = 200, description = "The run that an earlier call with the same key started.", body = RunSummary),
    (status = 404, description = "There is no such draft.", body = ErrorBody),
    (status = 422, description = "The parameters are not valid.", body = ErrorBody),
    (status = 507, description = "The coordinator's disk is nearly full; runs that are there go on.", body = ErrorBody),
))]
pub(super) async fn start(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    Json(mut request): Json<StartRequest>,
) -> Result<(StatusCode, Extension<Made>, Json<RunSummary>), ApiError> {
    let draft = find(&handle, &name).await?.spec;
    let filed = projects::filed(&handle, &caller, request.project.take()).await?;
    let by = caller.acts_as(request.by.take());
    let mut spec = specs::read(&handle.inner.store, &draft.pipeline.spec).await?;
    let goes_on = request
        .continue_on_step_failure
        .or(draft.continue_on_step_failure);
    with_defaults(&mut spec, &BTreeMap::new(), goes_on);
    let over = |own: &BTreeMap<String, String>, given: BTreeMap<String, String>| {
        let mut all = own.clone();
        all.extend(given);
        all
    };
    let mut tags = over(&draft.tags, request.tags);
    tags.insert(DRAFT_TAG.to_owned(), name.to_string());
    let submission = SubmitRequest {
        spec,
        parameters: over(&draft.parameters, request.parameters),
        display_name: request.display_name.or_else(|| draft.display_name.clone()),
        experiment: request.experiment.or_else(|| draft.experiment.clone()),
        project: None,
        tags,
        priority: request.priority,
        force_rerun: request.force_rerun,
        idempotency_key: request.idempotency_key,
        submitted_by: by,
    };
    let submitted = handle.submit(submission, filed).await?;
    runs::answer(&handle, submitted).await
}

/// Publishes a draft as the next version of a pipeline, with its parameters as the defaults. The draft stays.
#[utoipa::path(post, path = "/api/v1/drafts/{name}/publish", tag = "drafts", security(("token" = ["submitter"])), params(("name" = String, Path)),
    request_body = PublishDraftRequest, responses(
    (status = 201, description = "A new version.", body = VersionView),
    (status = 200, description = "The same version was there already.", body = VersionView),
    (status = 404, description = "There is no such draft.", body = ErrorBody),
    (status = 409, description = "The version is there and is something else.", body = ErrorBody),
    (status = 422, description = "The pipeline or a parameter is not valid.", body = ErrorBody),
))]
pub(super) async fn publish(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    Json(request): Json<PublishDraftRequest>,
) -> Result<(StatusCode, Extension<Made>, Json<VersionView>), ApiError> {
    let draft = find(&handle, &name).await?.spec;
    let mut frozen = SubmitRequest {
        spec: specs::read(&handle.inner.store, &draft.pipeline.spec).await?,
        parameters: draft.parameters.clone(),
        display_name: None,
        experiment: None,
        project: None,
        tags: BTreeMap::new(),
        priority: 0,
        force_rerun: false,
        idempotency_key: None,
        submitted_by: None,
    };
    handle.take_named(&mut frozen).await?;
    with_defaults(
        &mut frozen.spec,
        &frozen.parameters,
        draft.continue_on_step_failure,
    );
    let added = AddVersionRequest {
        version: request.version,
        source: AssetSource::Pipeline(Box::new(frozen.spec)),
        description: draft.description.clone(),
        tags: draft.tags.clone(),
        labels: request.labels,
        origin: None,
        by: request.by,
    };
    let whole = (AssetKind::Pipeline, request.name.unwrap_or(name));
    assets::add_version(&handle, &caller, whole, added).await
}

/// A draft of this source, with nothing else said of it.
async fn made_of(handle: &CoordinatorHandle, source: DraftSource) -> Result<DraftSpec, ApiError> {
    let kind = AssetKind::Pipeline;
    let (pipeline, made_of, parameters) = match source {
        DraftSource::Pipeline(spec) => {
            let (body, _) = assets::resolve(handle, kind, AssetSource::Pipeline(spec)).await?;
            (pipeline_of(body)?, String::new(), BTreeMap::new())
        }
        DraftSource::Run { run } => {
            let wanted = run.clone();
            let looking = handle.look(move |sight| given_to(sight, &wanted));
            let (id, parameters) = looking.await??;
            let (body, _) = assets::resolve(handle, kind, AssetSource::Run { run }).await?;
            (pipeline_of(body)?, format!("run {id}"), parameters)
        }
        DraftSource::Published { name, version } => {
            let looking = handle.look(move |sight| {
                let found = published::find(sight, &name, version.as_ref())?;
                let asset = sight.ledgers.catalog.asset(kind, &found.name);
                let body = asset.and_then(|asset| asset.resolve(&found.version));
                let body = body.map(|(_, kept)| (*kept.body).clone());
                Ok::<_, ApiError>((format!("{}:{}", found.name, found.version), body))
            });
            let (made_of, body) = looking.await??;
            let body = body.ok_or_else(|| ApiError::new(ErrorCode::NotFound, "the version is gone"))?;
            (pipeline_of(body)?, made_of, BTreeMap::new())
        }
    };
    Ok(DraftSpec {
        pipeline,
        made_of,
        parameters,
        display_name: None,
        experiment: None,
        tags: BTreeMap::new(),
        continue_on_step_failure: None,
        description: String::new(),
    })
}

fn pipeline_of(body: AssetBody) -> Result<PipelineBody, ApiError> {
    match body {
        AssetBody::Pipeline(body) => Ok(body),
        _ => Err(ApiError::new(ErrorCode::BadRequest, "this is no pipeline")),
    }
}

/// The literals that a run was given.
fn given_to(sight: &Sight<'_>, run: &str) -> Result<(String, BTreeMap<String, String>), ApiError> {
    let run = select::run(sight, run)?;
    let given = run
        .plan()
        .parameters
        .iter()
        .filter_map(|(name, value)| match value {
            InputValue::Literal(literal) => Some((name.to_string(), literal.text.to_string())),
            InputValue::Artifact(_) | InputValue::Uri(_) => None,
        });
    Ok((run.id().to_string(), given.collect()))
}

/// The draft with what a request says of it.
fn changed(mut spec: DraftSpec, request: DraftRequest) -> DraftSpec {
    let merge = |own: &mut BTreeMap<String, String>, given: BTreeMap<String, Option<String>>| {
        for (name, value) in given {
            match value {
                Some(value) => drop(own.insert(name, value)),
                None => drop(own.remove(&name)),
            }
        }
    };
    merge(&mut spec.parameters, request.parameters);
    merge(&mut spec.tags, request.tags);
    let text = |own: Option<String>, given: Option<String>| match given {
        Some(given) => Some(given).filter(|given| !given.is_empty()),
        None => own,
    };
    spec.display_name = text(spec.display_name, request.display_name);
    spec.experiment = text(spec.experiment, request.experiment);
    spec.continue_on_step_failure = request.continue_on_step_failure.or(spec.continue_on_step_failure);
    spec.description = request.description.unwrap_or(spec.description);
    spec
}

fn asker(caller: &Caller, by: Option<String>, headers: &HeaderMap) -> Result<Asker, ApiError> {
    Ok(Asker {
        name: name_of(caller, by),
        may_change_all: caller.scope() >= Some(Scope::Operator),
        expect: expected(headers)?,
    })
}

async fn find(handle: &CoordinatorHandle, name: &Name) -> Result<Draft, ApiError> {
    let wanted = name.clone();
    let looking = handle.look(move |sight| sight.ledgers.drafts.get(&wanted).cloned());
    let found = looking.await?;
    Ok(found.ok_or_else(|| DraftRejection::Unknown(name.clone()))?)
}

async fn tagged(handle: &CoordinatorHandle, name: Name) -> Result<Tagged, ApiError> {
    let view = view(&name, &find(handle, &name).await?);
    Ok(([(header::ETAG, etag(view.revision))], Json(view)))
}

fn view(name: &Name, draft: &Draft) -> DraftView {
    DraftView {
        name: name.clone(),
        draft: (*draft.spec).clone(),
        revision: draft.revision,
        created_at: draft.created_at,
        created_by: draft.created_by.clone(),
        changed_at: draft.changed_at,
        changed_by: draft.changed_by.clone(),
    }
}
