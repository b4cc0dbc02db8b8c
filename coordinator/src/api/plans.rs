//! What a submission would do.

use super::error::ApiError;
use super::runs::parse;
use crate::handle::CoordinatorHandle;
use crate::views::{describe_changes, draft_plan};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use std::sync::Arc;
use tidemill_protocol::api::{ErrorBody, PlanView, Problem, SubmitRequest};

/// Says what a submission would do, and why. Changes nothing.
#[utoipa::path(post, path = "/api/v1/plan", tag = "runs", security(("token" = ["reader"])), request_body = SubmitRequest, responses(
    (status = 200, description = "What would happen to each step.", body = PlanView),
    (status = 422, description = "The pipeline is not valid.", body = ErrorBody),
    (status = 503, description = "Too much is being submitted at once; Retry-After says when to come back.", body = ErrorBody),
))]
pub(super) async fn plan(
    State(handle): State<CoordinatorHandle>,
    body: Bytes,
) -> Result<Json<PlanView>, ApiError> {
    let plan = handle.plan(parse(body).await?).await?;
    handle.check_secrets(&plan).await?;
    let looked_at = Arc::clone(&plan);
    let drafts = handle
        .look(move |sight| draft_plan(sight.engine, &looked_at))
        .await?;
    let changes: Vec<_> = drafts.iter().map(|draft| draft.changes.clone()).collect();
    let described = describe_changes(&handle.inner.store, &changes).await;
    let steps = drafts.into_iter().zip(&described);
    Ok(Json(PlanView {
        pipeline: plan.pipeline.clone(),
        steps: steps.map(|(draft, phrases)| draft.finish(phrases)).collect(),
        warnings: plan.warnings.iter().map(|text| warning(text)).collect(),
    }))
}

fn warning(text: &str) -> Problem {
    Problem {
        code: "TM0000".to_owned(),
        severity: "warning".to_owned(),
        message: text.to_owned(),
        help: None,
        file: None,
        line: None,
        column: None,
        path: String::new(),
    }
}
