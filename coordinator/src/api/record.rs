//! What the gate writes into the audit log: who asked for what, from where, and what came of it. Made of what was checked and of names only: never of a body, a
//! query or a token.

use super::error::RequestId;
use super::via::Via;
use crate::access::{Caller, Presented};
use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::response::Response;
use std::collections::BTreeMap;
use tidemill_protocol::access::Scope;
use tidemill_protocol::api::{AuditDecision, AuditEntry, ErrorBody};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::time::Timestamp;

/// Longest name of a resource that is written down.
const ID_CHARS_MAX: usize = 200;
/// Requests that change nothing although their method and scope look like it.
const QUESTIONS: [&str; 2] = ["/api/v1/artifacts/missing", "/api/v1/contents/missing"];
/// Requests that come by the thousand and only add something.
const UPLOADS: [&str; 17] = [
    "/api/v1/blobs/{digest}",
    "/api/v1/trees/{digest}",
    "/api/v1/contents/{sha256}",
    "/api/v1/contents/artifacts",
    "/api/v1/pipelines/load",
    "/api/2.0/mlflow-artifacts/artifacts/{*path}",
    "/api/2.0/mlflow-artifacts/mpu/create/{*path}",
    "/api/2.0/mlflow-artifacts/mpu/part/{upload}/{number}",
    "/api/2.0/mlflow-artifacts/mpu/complete/{*path}",
    "/api/2.0/mlflow-artifacts/mpu/abort/{*path}",
    "/api/2.0/mlflow/runs/log-metric",
    "/api/2.0/mlflow/runs/log-parameter",
    "/api/2.0/mlflow/runs/log-batch",
    "/api/2.0/mlflow/runs/log-inputs",
    "/api/2.0/mlflow/runs/log-model",
    "/api/2.0/mlflow/runs/outputs",
    "/api/2.0/mlflow/runs/set-tag",
];

/// What a handler made, for the audit log: resources that are not in the path.
#[derive(Debug, Clone)]
pub(super) struct Made(pub(super) &'static str, pub(super) String);

/// How a request is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Not at all: it changes nothing.
    Question,
    /// Announced, and concluded.
    Change,
    /// Counted.
    Upload,
}

/// How a request of this caller is written down, which needed this scope.
pub(super) fn kind(request: &Request, caller: &Caller, needed: Option<Scope>) -> Kind {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let is_look = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    match route {
        _ if is_look => Kind::Question,
        // They have no scope, and what they may do by another method changes something.
        _ if matches!(caller, Caller::Worker { .. } | Caller::Joining { .. }) => Kind::Change,
        // What attempts may do stands beside the scope that others need for it.
        _ if needed.is_none_or(|needed| needed <= Scope::Reader) => Kind::Question,
        Some(route) if QUESTIONS.contains(&route) => Kind::Question,
        Some(route) if UPLOADS.contains(&route) => Kind::Upload,
        _ => Kind::Change,
    }
}

/// The entry of a request, of which nothing came yet.
pub(super) fn entry(request: &Request, at: Timestamp) -> AuditEntry {
    let extensions = request.extensions();
    let route = extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    let from = match extensions.get::<Via>() {
        Some(Via::Port(peer) | Via::Steps(peer)) => peer.ip().to_canonical().to_string(),
        Some(Via::InProcess) => "in process".to_owned(),
        None => "unknown".to_owned(),
    };
    AuditEntry {
        sequence: 0,
        at,
        decision: AuditDecision::Refused,
        of: None,
        who: Caller::Nobody.name().into_owned(),
        token: None,
        scope: None,
        from,
        method: request.method().as_str().chars().take(16).collect(),
        route: route.map(ToOwned::to_owned),
        ids: route.map_or_else(BTreeMap::new, |route| ids(route, request.uri().path())),
        status: None,
        why: None,
        request_id: extensions.get::<RequestId>().map(|id| id.0.clone()),
        count: None,
        previous: Digest::from_bytes([0; 32]),
    }
}

/// The same, of this caller.
pub(super) fn by(entry: AuditEntry, caller: &Caller) -> AuditEntry {
    AuditEntry {
        who: caller.name().into_owned(),
        token: caller.token().map(ToString::to_string),
        scope: caller.scope().map(|scope| scope.to_string()),
        ..entry
    }
}

/// The same, of whoever showed this token, good or not.
pub(super) fn with_token(entry: AuditEntry, shown: Option<&str>) -> AuditEntry {
    let shown = shown.and_then(|text| Presented::read(text).ok());
    AuditEntry {
        token: shown.map(|shown| shown.id().to_string()),
        ..entry
    }
}

/// The same with what came of it. `in_words` where the refusal's words are our own.
pub(super) fn answered(mut entry: AuditEntry, response: &Response, in_words: bool) -> AuditEntry {
    let status = response.status();
    entry.status = Some(status.as_u16());
    entry.decision = if status.is_success() {
        AuditDecision::Accepted
    } else if status.is_server_error() {
        AuditDecision::Failed
    } else {
        AuditDecision::Refused
    };
    entry.why = response.extensions().get::<ErrorBody>().map(|body| {
        if in_words {
            body.message.clone()
        } else {
            serde_json::to_value(body.code)
                .ok()
                .and_then(|word| Some(word.as_str()?.to_owned()))
                .unwrap_or_default()
        }
    });
    if let Some(Made(kind, id)) = response.extensions().get::<Made>() {
        entry.ids.insert((*kind).to_owned(), id.clone());
    }
    entry
}

/// The resources that a path names, by the route's names for them.
fn ids(route: &str, path: &str) -> BTreeMap<String, String> {
    let names = route.split('/').zip(path.split('/'));
    names
        .filter_map(|(name, value)| {
            let name = name.strip_prefix('{')?.strip_suffix('}')?;
            let value: String = value.chars().take(ID_CHARS_MAX).collect();
            Some((name.to_owned(), without_secret(value)))
        })
        .collect()
}

/// Somebody may write a whole token where its name belongs.
fn without_secret(value: String) -> String {
    match value.match_indices('_').nth(1) {
        Some((second, _)) if value.starts_with("tmk_") || value.starts_with("tmj_") => {
            format!("{}_…", value.get(..second).unwrap_or_default())
        }
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_down_by_the_names_of_its_route() {
        let found = ids("/api/v1/runs/{run}/steps/{step}", "/api/v1/runs/last/steps/a.b");
        let found: Vec<_> = found
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(found, [("run", "last"), ("step", "a.b")]);
    }

    #[test]
    fn a_token_in_a_path_loses_its_secret() {
        let found = ids("/api/v1/tokens/{id}", "/api/v1/tokens/tmk_abc_secret_part");
        assert_eq!(found["id"], "tmk_abc_…");
        let found = ids("/api/v1/join-tokens/{id}", "/api/v1/join-tokens/tmj_abc_secret");
        assert_eq!(found["id"], "tmj_abc_…");
    }
}
