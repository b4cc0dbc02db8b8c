//! Webhooks over REST: made, removed, listed, tried; and what became of each delivery. For operators, because what is told leaves the house.

use super::error::ApiError;
use super::tokens::{ByQuery, name_of};
use crate::access::Caller;
use crate::handle::CoordinatorHandle;
use crate::webhooks::{self, SendError, Webhook, WebhookCommand, WebhookRejection, Webhooks};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use tidemill_artifacts::PostError;
use tidemill_protocol::api::{ErrorBody, ErrorCode, WebhookTestView, WebhookView};
use tidemill_protocol::name::Name;
use tidemill_protocol::webhook::{Delivery, WebhookSpec};

impl From<WebhookRejection> for ApiError {
    fn from(rejection: WebhookRejection) -> Self {
        let code = match &rejection {
            WebhookRejection::Unknown(_) => ErrorCode::NotFound,
            WebhookRejection::TooMany => ErrorCode::Conflict,
            WebhookRejection::TellsNothing | WebhookRejection::NoEnd(_) | WebhookRejection::TooLong(_) => {
                ErrorCode::BadRequest
            }
        };
        Self::new(code, rejection.to_string())
    }
}

impl From<PostError> for ApiError {
    fn from(error: PostError) -> Self {
        let refused = Self::new(ErrorCode::BadRequest, error.to_string());
        match error {
            PostError::Forbidden { .. } => refused
                .hint("the coordinator's setting `webhook_allow` opens places beside the public internet"),
            _ => Self::new(ErrorCode::Conflict, error.to_string()),
        }
    }
}

impl From<SendError> for ApiError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Post(error) => error.into(),
            SendError::Key(error) => error.into(),
            SendError::Stopped(stopped) => stopped.into(),
            SendError::NoSecret(_) | SendError::Sealed(_) => {
                Self::new(ErrorCode::Conflict, error.to_string())
                    .hint("`tidemill secret set NAME` gives it a value")
            }
        }
    }
}

/// Makes a webhook, or makes it another. Ends from now on are told.
#[utoipa::path(put, path = "/api/v1/webhooks/{name}", tag = "webhooks", security(("token" = ["operator"])), params(("name" = String, Path), ByQuery),
    request_body = WebhookSpec, responses(
    (status = 200, description = "The webhook.", body = WebhookView),
    (status = 400, description = "It tells nothing, or the address may not be told.", body = ErrorBody),
    (status = 409, description = "There is no such secret, or there are too many webhooks.", body = ErrorBody),
))]
pub(super) async fn set(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    Query(query): Query<ByQuery>,
    Json(spec): Json<WebhookSpec>,
) -> Result<Json<WebhookView>, ApiError> {
    handle.inner.poster.check(&spec.url)?;
    let secret = spec.secret.clone();
    let looking = handle.look(move |sight| sight.ledgers.secrets.get(&secret).is_some());
    if !looking.await? {
        return Err(SendError::NoSecret(spec.secret).into());
    }
    let command = WebhookCommand::Set {
        name: name.clone(),
        spec: Box::new(spec),
        after: handle.look(|sight| sight.last).await?,
        by: name_of(&caller, query.by),
    };
    handle.change::<Webhooks>(command).await??;
    Ok(Json(view(&name, &find(&handle, &name).await?)))
}

/// Lists the webhooks by name.
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "webhooks", security(("token" = ["operator"])), responses(
    (status = 200, description = "All of them.", body = Vec<WebhookView>),
))]
pub(super) async fn list(
    State(handle): State<CoordinatorHandle>,
) -> Result<Json<Vec<WebhookView>>, ApiError> {
    let looking = handle.look(|sight| {
        let all = sight.ledgers.webhooks.all();
        all.map(|(name, webhook)| view(name, webhook))
            .collect::<Vec<WebhookView>>()
    });
    Ok(Json(looking.await?))
}

/// Removes a webhook.
#[utoipa::path(delete, path = "/api/v1/webhooks/{name}", tag = "webhooks", security(("token" = ["operator"])), params(("name" = String, Path), ByQuery), responses(
    (status = 204, description = "It is gone."),
    (status = 404, description = "There is no such webhook.", body = ErrorBody),
))]
pub(super) async fn remove(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    Query(query): Query<ByQuery>,
) -> Result<StatusCode, ApiError> {
    let command = WebhookCommand::Remove {
        name,
        by: name_of(&caller, query.by),
    };
    handle.change::<Webhooks>(command).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the last deliveries of a webhook, newest first.
#[utoipa::path(get, path = "/api/v1/webhooks/{name}/deliveries", tag = "webhooks", security(("token" = ["operator"])), params(("name" = String, Path)), responses(
    (status = 200, description = "The last hundred at most.", body = Vec<Delivery>),
    (status = 404, description = "There is no such webhook.", body = ErrorBody),
))]
pub(super) async fn deliveries(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<Name>,
) -> Result<Json<Vec<Delivery>>, ApiError> {
    let webhook = find(&handle, &name).await?;
    Ok(Json(webhook.deliveries.into_iter().rev().collect()))
}

/// Sends a signed test to a webhook's address, once, and says what it answered.
#[utoipa::path(post, path = "/api/v1/webhooks/{name}/test", tag = "webhooks", security(("token" = ["operator"])), params(("name" = String, Path)), responses(
    (status = 200, description = "What it answered.", body = WebhookTestView),
    (status = 404, description = "There is no such webhook.", body = ErrorBody),
    (status = 409, description = "It does not answer, or the secret is missing.", body = ErrorBody),
))]
pub(super) async fn try_out(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<Name>,
) -> Result<Json<WebhookTestView>, ApiError> {
    let webhook = find(&handle, &name).await?;
    let status = webhooks::test(&handle, &name, &webhook).await?;
    Ok(Json(WebhookTestView {
        status,
        is_good: (200..300).contains(&status),
    }))
}

async fn find(handle: &CoordinatorHandle, name: &Name) -> Result<Webhook, ApiError> {
    let wanted = name.clone();
    let looking = handle.look(move |sight| sight.ledgers.webhooks.get(&wanted).cloned());
    let found = looking.await?;
    Ok(found.ok_or_else(|| WebhookRejection::Unknown(name.clone()))?)
}

fn view(name: &Name, webhook: &Webhook) -> WebhookView {
    WebhookView {
        name: name.clone(),
        spec: (*webhook.spec).clone(),
        created_at: webhook.created_at,
        created_by: webhook.created_by.clone(),
        last: webhook.deliveries.back().cloned(),
    }
}
