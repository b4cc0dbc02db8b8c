//! Secrets: set, list, remove; and given to workers. A value comes in as the plain body of a request, is sealed at once, and goes out to no person.

use super::error::ApiError;
use super::listing::{Asked, Listing};
use super::tokens::{ByQuery, name_of};
use crate::access::Caller;
use crate::handle::CoordinatorHandle;
use crate::secrets::{GiveError, KeyError, SealingKey, SecretCommand, SecretRejection, Secrets};
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use tidemill_protocol::api::{ErrorBody, ErrorCode, SecretView};
use tidemill_protocol::name::Name;
use tidemill_protocol::secret::{SECRET_BYTES, SecretValue, SecretsRequest};

/// What to do when the key is gone for good.
const KEY_IS_GONE: &str = "put the key file back, as the state folder's backup has it; where it is lost, `tidemill secret remove` every secret and set them again";

impl From<SecretRejection> for ApiError {
    fn from(rejection: SecretRejection) -> Self {
        let error = |code| Self::new(code, rejection.to_string());
        match &rejection {
            SecretRejection::Unknown(_) => {
                error(ErrorCode::NotFound).hint("`tidemill secret list` shows those that there are")
            }
            SecretRejection::TooMany | SecretRejection::TooLarge => {
                error(ErrorCode::Conflict).hint("`tidemill secret remove` those that no pipeline needs")
            }
        }
    }
}

impl From<KeyError> for ApiError {
    fn from(error: KeyError) -> Self {
        match &error {
            KeyError::Missing(_) => Self::new(ErrorCode::Unavailable, error.to_string()).hint(KEY_IS_GONE),
            KeyError::Unusable { .. } => Self::internal(&error),
        }
    }
}

impl From<GiveError> for ApiError {
    fn from(error: GiveError) -> Self {
        let code = match &error {
            GiveError::NotYet(_) | GiveError::Stopped(_) => ErrorCode::Unavailable,
            GiveError::NotHeld(_) => ErrorCode::Forbidden,
            GiveError::Missing(_) | GiveError::TooLarge | GiveError::Key(_) | GiveError::Sealed { .. } => {
                ErrorCode::Conflict
            }
        };
        Self::new(code, error.to_string())
    }
}

/// Gives a secret a value: the body, byte for byte. It takes the place of the one before, for every attempt that begins from now on.
#[utoipa::path(put, path = "/api/v1/secrets/{name}", tag = "secrets", security(("token" = ["operator"])),
    params(("name" = String, Path), ByQuery),
    request_body(content_type = "application/octet-stream", description = "The value, 6 bytes to 64 KiB."), responses(
    (status = 200, description = "The secret, without its value.", body = SecretView),
    (status = 400, description = "The name or the length is not allowed.", body = ErrorBody),
    (status = 503, description = "The key that seals secrets is missing.", body = ErrorBody),
))]
pub(super) async fn set(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(query): Query<ByQuery>,
    body: Bytes,
) -> Result<Json<SecretView>, ApiError> {
    let name = parse(&name)?;
    let value = SecretValue::new(body.to_vec()).map_err(|length| {
        let code = if length.0 > *SECRET_BYTES.end() {
            ErrorCode::TooLarge
        } else {
            ErrorCode::BadRequest
        };
        ApiError::new(code, length.to_string())
            .hint("shorter values cannot be told from other text in logs; longer ones belong in a store")
    })?;
    let sealed = sealing_key(&handle)
        .await?
        .seal(&name, &value)
        .map_err(|error| ApiError::internal(&error))?;
    let command = SecretCommand::Set {
        name: name.clone(),
        sealed,
        by: name_of(&caller, query.by),
    };
    handle.change::<Secrets>(command).await??;
    let view = handle
        .look(move |sight| view_of(&sight.ledgers.secrets, &name))
        .await?;
    let gone = || ApiError::new(ErrorCode::NotFound, "the secret was removed");
    Ok(Json(view.ok_or_else(gone)?))
}

/// The key that seals. Secrets that are there were sealed with one that must be there too: another one is not made beside it.
pub(super) async fn sealing_key(handle: &CoordinatorHandle) -> Result<SealingKey, ApiError> {
    let is_first = handle
        .look(|sight| sight.ledgers.secrets.all().len() == 0)
        .await?;
    let file = &handle.inner.secrets_key;
    let key = if is_first {
        file.load_or_make()?
    } else {
        file.load()?
    };
    Ok(key)
}

/// Lists the secrets by name, without their values.
#[utoipa::path(get, path = "/api/v1/secrets", tag = "secrets", security(("token" = ["submitter"])), params(Asked<SecretView>), responses(
    (status = 200, description = "The secrets, without their values.", body = Listing<SecretView>),
))]
pub(super) async fn list(
    State(handle): State<CoordinatorHandle>,
    asked: Asked<SecretView>,
) -> Result<Json<Listing<SecretView>>, ApiError> {
    let views = handle.look(|sight| {
        let secrets = &sight.ledgers.secrets;
        let all = secrets.all().filter_map(|(name, _)| view_of(secrets, name));
        all.collect::<Vec<SecretView>>()
    });
    Ok(asked.answer(views.await?))
}

/// Shows a secret, without its value.
#[utoipa::path(get, path = "/api/v1/secrets/{name}", tag = "secrets", security(("token" = ["submitter"])), params(("name" = String, Path)), responses(
    (status = 200, description = "The secret, without its value.", body = SecretView),
    (status = 404, description = "There is no such secret.", body = ErrorBody),
))]
pub(super) async fn show(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<String>,
) -> Result<Json<SecretView>, ApiError> {
    let name = parse(&name)?;
    let wanted = name.clone();
    let looking = handle.look(move |sight| view_of(&sight.ledgers.secrets, &wanted));
    Ok(Json(looking.await?.ok_or(SecretRejection::Unknown(name))?))
}

/// Removes a secret. Attempts that have it keep it; no attempt that begins from now on is given it.
#[utoipa::path(delete, path = "/api/v1/secrets/{name}", tag = "secrets", security(("token" = ["operator"])),
    params(("name" = String, Path), ByQuery), responses(
    (status = 204, description = "It is removed."),
    (status = 404, description = "There is no such secret.", body = ErrorBody),
))]
pub(super) async fn remove(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(query): Query<ByQuery>,
) -> Result<StatusCode, ApiError> {
    let command = SecretCommand::Remove {
        name: parse(&name)?,
        by: name_of(&caller, query.by),
    };
    handle.change::<Secrets>(command).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a worker the secrets of an attempt that it has claimed: those that the attempt's step names. For workers only, never for a person.
#[utoipa::path(post, path = "/api/v1/worker/secrets", tag = "secrets", security(("worker" = [])),
    request_body = SecretsRequest, responses(
    (status = 200, description = "The values by name, as a MessagePack map.", content_type = "application/octet-stream"),
    (status = 403, description = "The attempt is not in the hands of this worker.", body = ErrorBody),
    (status = 409, description = "A secret is missing, or cannot be opened.", body = ErrorBody),
    (status = 503, description = "The worker's claim has not arrived yet.", body = ErrorBody),
))]
pub(super) async fn give(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Json(request): Json<SecretsRequest>,
) -> Result<Response, ApiError> {
    let Caller::Worker { id } = caller else {
        return Err(ApiError::new(ErrorCode::Forbidden, "this is for workers only"));
    };
    let given = handle.give_secrets(id, request).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, given.to_bytes()).into_response())
}

fn parse(name: &str) -> Result<Name, ApiError> {
    name.parse().map_err(|_| {
        ApiError::new(ErrorCode::BadRequest, "this cannot be the name of a secret")
            .hint("a letter or digit, then letters, digits, `.`, `_` and `-`; at most 128 of them")
    })
}

fn view_of(secrets: &Secrets, name: &Name) -> Option<SecretView> {
    secrets.get(name).map(|secret| SecretView {
        name: name.clone(),
        version: secret.version,
        set_at: secret.set_at,
        set_by: secret.set_by.clone(),
    })
}
