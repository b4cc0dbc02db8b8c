//! `ETag` and `If-Match` of the things that have no revision of their own in the ledger: a layer finds out which thing a call is about, shows its revision with the answer, and has the
//! driver refuse a change of what somebody else changed meanwhile. No handler knows of it. Drafts, schedules, datastores and assets count their revisions; their handlers show and check them.

use super::error::ApiError;
use super::in_time::unless_hindered;
use super::revision::{etag, expected};
use super::select;
use crate::archive::Asker;
use crate::driver::Sight;
use crate::handle::CoordinatorHandle;
use crate::idempotency;
use crate::ledger::Ledgers;
use crate::notifications::Subscription;
use crate::precondition::{self, Met, Precondition};
use crate::views::tracked::{self, ShownExperiment};
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::sync::Arc;
use tidemill_engine::Engine;
use tidemill_protocol::api::ErrorCode;
use tidemill_protocol::catalog::AssetKind;
use tidemill_protocol::codec;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::RunId;
use tidemill_protocol::name::Name;

/// Calls that show a revision as `ETag`.
pub(super) const SHOWING: [&str; 13] = [
    "/api/v1/runs/{run}",
    "/api/v1/runs/{run}/comments/{comment}",
    "/api/v1/projects/{name}",
    "/api/v1/teams/{name}",
    "/api/v1/webhooks/{name}",
    "/api/v1/mailings/{name}",
    "/api/v1/secrets/{name}",
    "/api/v1/assets/{kind}/{name}",
    "/api/v1/assets/{kind}/{name}/versions/{version}",
    "/api/v1/datastores/{name}",
    "/api/v1/drafts/{name}",
    "/api/v1/schedules/{name}",
    "/api/v1/experiments/{name}",
];

/// Calls that heed `If-Match`: methods, and path.
pub(super) const HEEDING: [(&[&str], &str); 23] = [
    (&["PATCH"], "/api/v1/runs/{run}"),
    (&["PATCH", "DELETE"], "/api/v1/runs/{run}/comments/{comment}"),
    (&["PUT", "DELETE"], "/api/v1/projects/{name}"),
    (&["PUT"], "/api/v1/projects/{name}/role"),
    (&["PUT"], "/api/v1/projects/{name}/quota"),
    (&["PUT", "DELETE"], "/api/v1/teams/{name}"),
    (&["PUT", "DELETE"], "/api/v1/webhooks/{name}"),
    (&["POST"], "/api/v1/webhooks/{name}/pause"),
    (&["POST"], "/api/v1/webhooks/{name}/resume"),
    (&["PUT", "DELETE"], "/api/v1/mailings/{name}"),
    (&["POST"], "/api/v1/mailings/{name}/pause"),
    (&["POST"], "/api/v1/mailings/{name}/resume"),
    (&["PUT", "DELETE"], "/api/v1/secrets/{name}"),
    (&["PATCH"], "/api/v1/assets/{kind}/{name}"),
    (
        &["PATCH", "DELETE"],
        "/api/v1/assets/{kind}/{name}/versions/{version}",
    ),
    (&["PUT", "DELETE"], "/api/v1/assets/{kind}/{name}/labels/{label}"),
    (&["PUT", "DELETE"], "/api/v1/datastores/{name}"),
    (&["PUT", "PATCH", "DELETE"], "/api/v1/drafts/{name}"),
    (&["PUT", "DELETE"], "/api/v1/schedules/{name}"),
    (&["POST"], "/api/v1/schedules/{name}/pause"),
    (&["POST"], "/api/v1/schedules/{name}/resume"),
    (&["PATCH", "DELETE"], "/api/v1/experiments/{name}"),
    (&["POST"], "/api/v1/experiments/{name}/restore"),
];

/// Something with a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Thing {
    Run(RunId),
    Comment(RunId, u32),
    Project(Name),
    Team(Name),
    Webhook(Name),
    Mailing(Name),
    Secret(Name),
    Asset(AssetKind, Name),
    /// By its id, which a new name leaves as it is; none when there is none.
    Experiment(Option<String>),
}

/// The same as a path names it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Named {
    /// A run, in any of the ways to name one; or one of its comments.
    Run(String, Option<u32>),
    Experiment(String),
    Other(Thing),
}

/// Shows the revision of what is asked for, and lets only what nobody changed meanwhile be changed.
pub(super) async fn heed(State(handle): State<CoordinatorHandle>, request: Request, next: Next) -> Response {
    let (request, named) = named(request).await;
    let Some(named) = named else {
        return next.run(request).await;
    };
    let outcome = if matches!(*request.method(), Method::GET | Method::HEAD) {
        show(&handle, named, request, next).await
    } else {
        change(&handle, named, request, next).await
    };
    outcome.unwrap_or_else(IntoResponse::into_response)
}

/// The revision is that of before the look: whoever changes what they saw is refused rather than let change what they did not see.
async fn show(
    handle: &CoordinatorHandle,
    named: Named,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let looking = handle.look(move |sight| {
        let thing = named.resolve(sight)?;
        Some(thing.revision(sight.engine, sight.ledgers))
    });
    let revision = unless_hindered(handle, Asker::Anybody, looking).await?;
    let mut response = next.run(request).await;
    if let Some(revision) = revision.filter(|revision| *revision > 0 && response.status().is_success()) {
        let shown = response.headers_mut().entry(header::ETAG);
        shown.or_insert_with(|| etag(revision));
    }
    Ok(response)
}

async fn change(
    handle: &CoordinatorHandle,
    named: Named,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let expected = expected(request.headers())?;
    let looking = handle.look(move |sight| named.resolve(sight));
    let Some(thing) = unless_hindered(handle, Asker::Anybody, looking).await? else {
        return Ok(next.run(request).await);
    };
    // Assets count their revisions, and their handlers ask for the one that is expected.
    let expected = expected.filter(|_| !matches!(thing, Thing::Asset(..)));
    let revision_of = Box::new(move |engine: &Engine, ledgers: &Ledgers| thing.revision(engine, ledgers));
    let precondition = Arc::new(Precondition::new(expected, revision_of, idempotency::current()));
    let mut response = precondition::with(Arc::clone(&precondition), next.run(request)).await;
    match precondition.met() {
        Met::Not(found) => Err(changed(found, expected.unwrap_or(0))),
        Met::Then(revision) if response.status().is_success() && revision > 0 => {
            response.headers_mut().insert(header::ETAG, etag(revision));
            Ok(response)
        }
        Met::Then(_) | Met::Unasked => Ok(response),
    }
}

fn changed(found: u64, expected: u64) -> ApiError {
    let is = match found {
        0 => "it is not there".to_owned(),
        found => format!("its `ETag` is \"{found}\" by now"),
    };
    let message = format!("it changed since the `ETag` \"{expected}\" in `If-Match`: {is}");
    ApiError::new(ErrorCode::PreconditionFailed, message).hint("look again, then decide again")
}

/// What a request is about, if that has a revision for which no handler cares.
async fn named(request: Request) -> (Request, Option<Named>) {
    let (mut parts, body) = request.into_parts();
    let route = parts.extensions.get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("", MatchedPath::as_str);
    let is_question = matches!(parts.method, Method::GET | Method::HEAD);
    let heeds =
        |(methods, path): &(&[&str], &str)| *path == route && methods.contains(&parts.method.as_str());
    let is_ours = if is_question {
        SHOWING.contains(&route)
    } else {
        HEEDING.iter().any(heeds)
    };
    let mut named = None;
    if is_ours && let Ok(params) = RawPathParams::from_request_parts(&mut parts, &()).await {
        let value = |name: &str| {
            params
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value)
        };
        named = match route.split('/').nth(3) {
            Some("runs") => value("run").map(|run| {
                let comment = value("comment").map(|number| number.parse().unwrap_or(0));
                Named::Run(run.to_owned(), comment)
            }),
            Some("experiments") => value("name").map(|name| Named::Experiment(name.to_owned())),
            Some("assets") => of_asset(value("kind"), value("name")),
            Some(kind) => value("name").and_then(|name| of_name(kind, name)),
            None => None,
        };
    }
    (Request::from_parts(parts, body), named)
}

fn of_name(kind: &str, name: &str) -> Option<Named> {
    let name: Name = name.parse().ok()?;
    let thing = match kind {
        "projects" => Thing::Project(name),
        "teams" => Thing::Team(name),
        "webhooks" => Thing::Webhook(name),
        "mailings" => Thing::Mailing(name),
        "secrets" => Thing::Secret(name),
        _ => return None,
    };
    Some(Named::Other(thing))
}

/// A version and a label have the revision of their asset.
fn of_asset(kind: Option<&str>, name: Option<&str>) -> Option<Named> {
    Some(Named::Other(Thing::Asset(
        kind?.parse().ok()?,
        name?.parse().ok()?,
    )))
}

impl Named {
    fn resolve(self, sight: &Sight<'_>) -> Option<Thing> {
        let (run, comment) = match self {
            Self::Run(run, comment) => (select::run(sight, &run).ok()?.id(), comment),
            Self::Experiment(name) => {
                let found = tracked::experiment_by_name(sight.engine, &sight.ledgers.tracking, &name);
                return Some(Thing::Experiment(found.map(|found| found.id)));
            }
            Self::Other(thing) => return Some(thing),
        };
        Some(comment.map_or(Thing::Run(run), |number| Thing::Comment(run, number)))
    }
}

impl Thing {
    /// What changes whenever the thing does; 0 when it is not there.
    fn revision(&self, engine: &Engine, ledgers: &Ledgers) -> u64 {
        let found = match self {
            Self::Run(run) => engine.run(*run).map(|_| {
                let said = ledgers.remarks.of(*run);
                hash(&said.map(|said| (&said.display_name, &said.description, &said.tags)))
            }),
            Self::Comment(run, number) => {
                let said = ledgers.remarks.of(*run);
                said.and_then(|said| said.comment(*number)).map(hash)
            }
            Self::Project(name) => {
                let is_known = ledgers.projects.is_known(name);
                is_known.then(|| hash(&(ledgers.projects.get(name), engine.quota(name))))
            }
            Self::Team(name) => ledgers.projects.team(name).map(hash),
            Self::Webhook(name) => ledgers.webhooks.get(name).map(subscription),
            Self::Mailing(name) => ledgers.mailings.get(name).map(subscription),
            Self::Secret(name) => {
                let secret = ledgers.secrets.get(name);
                secret.map(|secret| hash(&(secret.version, secret.set_at)))
            }
            Self::Experiment(id) => {
                let found = id.as_ref();
                let found = found.and_then(|id| tracked::experiment(engine, &ledgers.tracking, id));
                found.as_ref().map(of_experiment)
            }
            Self::Asset(kind, name) => ledgers.catalog.asset(*kind, name).map(|asset| asset.revision),
        };
        found.unwrap_or(0)
    }
}

/// The revision of an experiment.
pub(super) fn of_experiment(shown: &ShownExperiment) -> u64 {
    hash(&(&shown.id, &shown.name, &shown.tags, shown.lifecycle))
}

/// Where it has come to is not a change of it.
fn subscription<S: Serialize>(kept: &Subscription<S>) -> u64 {
    let pause = kept.pause.as_ref();
    hash(&(
        kept.created_at,
        kept.revision,
        pause.map(|pause| pause.at),
        &*kept.spec,
    ))
}

/// Never 0.
fn hash(value: &impl Serialize) -> u64 {
    let digest = Digest::of(&codec::encode(value));
    let bytes: [u8; 8] = digest.as_bytes().first_chunk().copied().unwrap_or_default();
    u64::from_be_bytes(bytes).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_in_the_lists_is_a_route() {
        let description = serde_json::to_value(crate::api::described()).unwrap();
        let paths = &description["paths"];
        for path in SHOWING {
            assert!(paths[path]["get"].is_object(), "{path}");
        }
        for (methods, path) in HEEDING {
            for method in methods {
                assert!(paths[path][method.to_lowercase()].is_object(), "{method} {path}");
            }
        }
    }
}
