//! Datastores: define, list, show, try, remove. Credentials are names of secrets, which must be there; no answer holds a value.

use super::error::ApiError;
use super::listing::{Asked, Listing};
use super::revision::{etag, expected};
use super::tokens::name_of;
use crate::access::Caller;
use crate::datastores::{DatastoreCommand, DatastoreRejection, Datastores, KeptDatastore, reach};
use crate::handle::CoordinatorHandle;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::{Extension, Json};
use tidemill_protocol::access::Scope;
use tidemill_protocol::api::{DatastoreTestView, DatastoreView, ErrorBody, ErrorCode};
use tidemill_protocol::datastore::{Datastore, DatastoreKind};
use tidemill_protocol::name::Name;

type Tagged = ([(HeaderName, HeaderValue); 1], Json<DatastoreView>);

impl From<DatastoreRejection> for ApiError {
    fn from(rejection: DatastoreRejection) -> Self {
        use DatastoreRejection as R;
        let (code, hint) = match &rejection {
            R::Unknown(_) => (
                ErrorCode::NotFound,
                "`tidemill datastore list` shows those that there are",
            ),
            R::Changed { .. } => (ErrorCode::PreconditionFailed, "look again, then decide again"),
            R::Bad(_) => (
                ErrorCode::BadRequest,
                "`tidemill datastore add --help` has examples",
            ),
            R::TooMany => (
                ErrorCode::Conflict,
                "`tidemill datastore remove` those that nobody needs",
            ),
        };
        Self::new(code, rejection.to_string()).hint(hint)
    }
}

/// Defines a datastore, in place of what its name meant. Runs that were submitted keep the address that they were given. `If-Match: "0"` defines only what is not there yet.
#[utoipa::path(put, path = "/api/v1/datastores/{name}", tag = "datastores", security(("token" = ["operator"])), params(("name" = String, Path)),
    request_body = Datastore, responses(
    (status = 200, description = "The datastore.", body = DatastoreView),
    (status = 400, description = "The definition is none, or holds a secret's value.", body = ErrorBody),
    (status = 403, description = "It is a folder (`file:`), and the token's scope is not admin.", body = ErrorBody),
    (status = 409, description = "It names a secret that is not there.", body = ErrorBody),
    (status = 412, description = "It changed since the revision in `If-Match`.", body = ErrorBody),
))]
pub(super) async fn set(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    headers: HeaderMap,
    Json(definition): Json<Datastore>,
) -> Result<Tagged, ApiError> {
    if DatastoreKind::of(&definition.url) == Some(DatastoreKind::Local) && caller.scope() < Some(Scope::Admin)
    {
        let message = "a folder of the machines is made a datastore by an admin only";
        let hint = "it opens that folder of the coordinator's machine, and of each worker's, to whoever may write schedules and pipelines";
        return Err(ApiError::new(ErrorCode::Forbidden, message).hint(hint));
    }
    let wanted: Vec<Name> = definition.secrets.values().cloned().collect();
    let missing = handle.look(move |sight| {
        wanted
            .into_iter()
            .find(|name| sight.ledgers.secrets.get(name).is_none())
    });
    if let Some(secret) = missing.await? {
        let message = format!("the coordinator has no secret `{secret}`");
        let hint = format!("set it with `tidemill secret set {secret}`");
        return Err(ApiError::new(ErrorCode::Conflict, message).hint(hint));
    }
    let command = DatastoreCommand {
        name: name.clone(),
        expect: expected(&headers)?,
        by: name_of(&caller, None),
        definition: Some(definition),
    };
    handle.change::<Datastores>(command).await??;
    shown(&handle, name).await
}

/// Lists the datastores by name.
#[utoipa::path(get, path = "/api/v1/datastores", tag = "datastores", security(("token" = ["reader"])), params(Asked<DatastoreView>), responses(
    (status = 200, description = "All of them.", body = Listing<DatastoreView>),
))]
pub(super) async fn list(
    State(handle): State<CoordinatorHandle>,
    asked: Asked<DatastoreView>,
) -> Result<Json<Listing<DatastoreView>>, ApiError> {
    let views = handle.look(|sight| {
        let all = sight.ledgers.datastores.all();
        all.map(|(name, kept)| view_of(name, kept)).collect::<Vec<_>>()
    });
    Ok(asked.answer(views.await?))
}

/// Shows a datastore. The `ETag` is its revision: give it back as `If-Match` to change only what nobody changed meanwhile.
#[utoipa::path(get, path = "/api/v1/datastores/{name}", tag = "datastores", security(("token" = ["reader"])), params(("name" = String, Path)), responses(
    (status = 200, description = "The datastore.", body = DatastoreView),
    (status = 404, description = "There is no such datastore.", body = ErrorBody),
))]
pub(super) async fn show(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<Name>,
) -> Result<Tagged, ApiError> {
    shown(&handle, name).await
}

/// Removes a datastore. Runs that were submitted keep the address that they were given.
#[utoipa::path(delete, path = "/api/v1/datastores/{name}", tag = "datastores", security(("token" = ["operator"])), params(("name" = String, Path)), responses(
    (status = 204, description = "It is removed."),
    (status = 404, description = "There is no such datastore.", body = ErrorBody),
    (status = 412, description = "It changed since the revision in `If-Match`.", body = ErrorBody),
))]
pub(super) async fn remove(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let command = DatastoreCommand {
        name,
        expect: expected(&headers)?,
        by: name_of(&caller, None),
        definition: None,
    };
    handle.change::<Datastores>(command).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks a datastore, from the coordinator's machine, whether it can be read with the secrets that its definition names. Nothing is written.
#[utoipa::path(post, path = "/api/v1/datastores/{name}/test", tag = "datastores", security(("token" = ["operator"])), params(("name" = String, Path)), responses(
    (status = 200, description = "What came of it.", body = DatastoreTestView),
    (status = 404, description = "There is no such datastore.", body = ErrorBody),
    (status = 409, description = "A secret is missing, or cannot be opened.", body = ErrorBody),
))]
pub(super) async fn test(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<Name>,
) -> Result<Json<DatastoreTestView>, ApiError> {
    let looked_up = name.clone();
    let definition = handle.look(move |sight| {
        let kept = sight.ledgers.datastores.get(&looked_up);
        kept.map(|kept| kept.definition.clone())
    });
    let definition = definition
        .await?
        .ok_or_else(|| DatastoreRejection::Unknown(name.clone()))?;
    let given = handle
        .open_secrets(definition.secrets.values().cloned().collect())
        .await?;
    let (is_reached, message) = match reach(&definition, &given, &handle.inner.datastores).await {
        Ok(found) => (true, found),
        Err(why) => (false, why),
    };
    Ok(Json(DatastoreTestView {
        name,
        is_reached,
        message,
    }))
}

async fn shown(handle: &CoordinatorHandle, name: Name) -> Result<Tagged, ApiError> {
    let view = handle.look(move |sight| {
        let kept = sight.ledgers.datastores.get(&name);
        let kept = kept.ok_or_else(|| DatastoreRejection::Unknown(name.clone()))?;
        Ok::<_, ApiError>(view_of(&name, kept))
    });
    let view = view.await??;
    Ok(([(header::ETAG, etag(view.revision))], Json(view)))
}

fn view_of(name: &Name, kept: &KeptDatastore) -> DatastoreView {
    DatastoreView {
        name: name.clone(),
        kind: DatastoreKind::of(&kept.definition.url).expect("what is kept was checked"),
        definition: kept.definition.clone(),
        revision: kept.revision,
        set_at: kept.set_at,
        set_by: kept.set_by.clone(),
    }
}
