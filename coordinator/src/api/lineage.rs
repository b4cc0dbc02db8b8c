//! Lineage: what something was made of, and what was made of it.

use super::error::ApiError;
use super::select;
use crate::driver::Sight;
use crate::handle::CoordinatorHandle;
use crate::lineage::{AssetKey, Bounds, Index, Node, gather, walk};
use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use tidemill_protocol::api::{ErrorBody, ErrorCode, LineageView};
use tidemill_protocol::catalog::{AssetKind, AssetRef, LATEST};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::StepRef;

/// Nodes of an answer when nobody says how many.
const NODES_DEFAULT: usize = 200;
/// Nodes of an answer at most.
const NODES_MAX: usize = 5_000;
/// Edges from a root when nobody says how many, and at most.
const DEPTH_MAX: u32 = 200;

/// What is asked.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[cfg_attr(feature = "fuzzing", derive(serde::Serialize))]
pub(super) struct LineageQuery {
    /// What it is about: `NAME`, `NAME:VERSION` or `NAME@LABEL` of an asset; `RUN/STEP` or `RUN/STEP/OUTPUT`; or a digest.
    of: String,
    /// Which kind of asset a name means; needed where several kinds have it.
    kind: Option<AssetKind>,
    /// `up` to what it was made of, `down` to what was made of it; both when absent.
    #[param(inline)]
    direction: Option<Direction>,
    /// Edges from what was asked about at most; 200 when absent and at most.
    depth: Option<u32>,
    /// Nodes at most, up to 5,000; 200 when absent.
    limit: Option<usize>,
}

/// Which way to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[cfg_attr(feature = "fuzzing", derive(serde::Serialize))]
#[serde(rename_all = "snake_case")]
pub(super) enum Direction {
    /// To what it was made of.
    Up,
    /// To what was made of it.
    Down,
}

/// What was asked about, in the coordinator's own words.
enum Subject {
    Asset(AssetKey),
    Artifact(Digest),
    Step(StepRef),
    Output(StepRef, Digest),
}

/// Shows what something was made of, and what was made of it: artifacts, steps, versions and addresses, with what led from one to another.
#[utoipa::path(get, path = "/api/v1/lineage", tag = "lineage", security(("token" = ["reader"])), params(LineageQuery), responses(
    (status = 200, description = "The graph, as far as the limits let it be shown; the newest 200,000 steps are looked at.", body = LineageView),
    (status = 404, description = "There is no such thing.", body = ErrorBody),
    (status = 409, description = "Several kinds of asset have this name, or several runs begin so.", body = ErrorBody),
))]
pub(super) async fn show(
    State(handle): State<CoordinatorHandle>,
    Query(query): Query<LineageQuery>,
) -> Result<Json<LineageView>, ApiError> {
    let bounds = Bounds {
        up: query.direction != Some(Direction::Down),
        down: query.direction != Some(Direction::Up),
        depth_max: query.depth.unwrap_or(DEPTH_MAX).min(DEPTH_MAX),
        nodes_max: query.limit.unwrap_or(NODES_DEFAULT).clamp(1, NODES_MAX),
    };
    let subject = handle
        .look(move |sight| subject(sight, &query.of, query.kind))
        .await??;
    let gathered = gather(&handle).await?;
    let walking = tokio::task::spawn_blocking(move || {
        let index = Index::new(gathered);
        let roots = match subject {
            Subject::Asset(key) => vec![Node::Asset(key)],
            Subject::Artifact(digest) => vec![Node::Artifact(digest)],
            Subject::Step(step) => index.step(step).into_iter().collect(),
            Subject::Output(step, digest) => {
                let step = index.step(step).filter(|_| bounds.up && !bounds.down);
                std::iter::once(Node::Artifact(digest)).chain(step).collect()
            }
        };
        walk(&index, &roots, bounds)
    });
    Ok(Json(walking.await.map_err(|error| ApiError::internal(&error))?))
}

fn subject(sight: &Sight<'_>, text: &str, kind: Option<AssetKind>) -> Result<Subject, ApiError> {
    if kind.is_none()
        && let Ok(digest) = text.parse::<Digest>()
    {
        return Ok(Subject::Artifact(digest));
    }
    let mut parts = text.splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(run), Some(step), output) if kind.is_none() => step_or_output(sight, run, step, output),
        _ => asset(sight, text, kind).map(Subject::Asset),
    }
}

fn step_or_output(
    sight: &Sight<'_>,
    run: &str,
    step: &str,
    output: Option<&str>,
) -> Result<Subject, ApiError> {
    let run = select::run(sight, run)?;
    let index = select::step(run, step)?;
    let reference = StepRef {
        run: run.id(),
        step: index,
    };
    let Some(output) = output else {
        return Ok(Subject::Step(reference));
    };
    let result = run.step(index).and_then(|step| step.result());
    let found = result.and_then(|result| result.outputs.iter().find(|(name, _)| name.as_str() == output));
    let (_, artifact) = found.ok_or_else(|| {
        let message = format!("step `{step}` of run {} has no output `{output}`", run.id());
        ApiError::new(ErrorCode::NotFound, message).hint("tidemill artifacts list RUN shows them")
    })?;
    Ok(Subject::Output(reference, artifact.digest))
}

fn asset(sight: &Sight<'_>, text: &str, kind: Option<AssetKind>) -> Result<AssetKey, ApiError> {
    let reference: AssetRef = text
        .parse()
        .map_err(|error| ApiError::new(ErrorCode::BadRequest, format!("{error}")))?;
    let wanted = reference.wanted.clone();
    let wanted = wanted.unwrap_or_else(|| LATEST.parse().expect("a label by its grammar"));
    let kinds = AssetKind::ALL
        .into_iter()
        .filter(|one| kind.is_none_or(|kind| *one == kind));
    let found: Vec<AssetKey> = kinds
        .filter_map(|kind| {
            let (name, asset) = sight.ledgers.catalog.named(kind, &reference.name)?;
            let (version, _) = asset.resolve(&wanted)?;
            Some(AssetKey {
                kind,
                name: name.clone(),
                version: version.clone(),
            })
        })
        .collect();
    match found.as_slice() {
        [] => Err(ApiError::new(
            ErrorCode::NotFound,
            format!("there is no `{text}` in the catalog"),
        )
        .hint("name an asset, RUN/STEP/OUTPUT or a digest")),
        [one] => Ok(one.clone()),
        several => {
            let kinds: Vec<&str> = several.iter().map(|key| key.kind.as_str()).collect();
            let message = format!("`{text}` is {}", kinds.join(" and "));
            Err(ApiError::new(ErrorCode::Ambiguous, message).hint("say which with `kind`"))
        }
    }
}
