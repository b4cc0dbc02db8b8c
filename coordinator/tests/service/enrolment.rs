//! Workers become known by a key of their own: a join token works once, for one worker, and nothing else is reached by it; signed requests reach only what is
//! declared for workers, once each.

use crate::harness::Service;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tidemill_coordinator::openapi;
use tidemill_protocol::ids::WorkerId;
use tidemill_protocol::proof::{RequestProof, RequestText, sign_enrolment};
use tidemill_protocol::time::{Clock, Millis, Timestamp};
use tidemill_protocol::wire::SignerKey;

fn afar() -> SocketAddr {
    SocketAddr::from(([10, 1, 2, 3], 40_000))
}

pub(crate) fn key(seed: u8) -> SignerKey {
    SignerKey::from_seed(&[seed; 32])
}

async fn send(
    service: &Service,
    (method, path): (&str, &str),
    authorization: &str,
    body: &Value,
) -> (StatusCode, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .header("authorization", authorization)
        .body(Body::from(body.to_string()))
        .unwrap();
    let response = service.api.clone().answer(afar(), request).await;
    let status = response.status();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

/// A join token: its id and its text.
async fn join_token(service: &Service, body: Value) -> (String, String) {
    let (status, created) = service.post("/api/v1/join-tokens", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{created}");
    let text = |field: &str| created[field].as_str().unwrap().to_owned();
    (text("id"), text("token"))
}

pub(crate) async fn enrol(
    service: &Service,
    (id, text): &(String, String),
    worker: &str,
    key: &SignerKey,
) -> (StatusCode, Value) {
    let name: WorkerId = worker.parse().unwrap();
    let proof = sign_enrolment(key, &id.parse().unwrap(), &name);
    let body = json!({"key": key.trusted(), "proof": proof});
    let path = format!("/api/v1/workers/{worker}/enrol");
    send(service, ("POST", &path), &format!("Bearer {text}"), &body).await
}

/// Enrols a worker by a token of its own.
pub(crate) async fn enrolled(service: &Service, worker: &str, key: &SignerKey) {
    let token = join_token(service, json!({})).await;
    let (status, body) = enrol(service, &token, worker, key).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

fn signed(
    service: &Service,
    worker: &str,
    key: &SignerKey,
    (method, path): (&str, &str),
    nonce: u64,
) -> String {
    let coordinator = service.coordinator.public_key();
    let text = RequestText {
        coordinator: &coordinator,
        method,
        path,
        body: b"{}",
    };
    let now = service.clock.now();
    RequestProof::sign(key, worker.parse().unwrap(), now, nonce, &text).to_string()
}

#[tokio::test]
async fn a_join_token_enrols_one_worker_which_may_ask_again_and_no_other() {
    let service = Service::start().await;
    let token = join_token(&service, json!({})).await;
    let (status, body) = enrol(&service, &token, "box-1", &key(1)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(
        body["coordinator"]["public_key"],
        service.coordinator.public_key().to_string()
    );
    let (status, _) = enrol(&service, &token, "box-1", &key(1)).await;
    assert_eq!(status, StatusCode::OK, "it did not hear the first answer");
    for (worker, key) in [("box-2", key(2)), ("box-1", key(2)), ("box-2", key(1))] {
        let (status, body) = enrol(&service, &token, worker, &key).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{body}");
        assert!(
            body["message"]
                .as_str()
                .unwrap()
                .contains("was used by worker box-1")
        );
    }
    let service = service.restart().await;
    let (status, _) = enrol(&service, &token, "box-2", &key(2)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "a restart forgets nothing");
    let (_, list) = service.get("/api/v1/join-tokens").await;
    assert_eq!(
        (&list[0]["status"], &list[0]["worker"]),
        (&json!("used"), &json!("box-1"))
    );
    assert!(!list.to_string().contains(token.1.splitn(3, '_').nth(2).unwrap()));
}

#[tokio::test]
async fn a_join_token_that_expired_was_revoked_or_is_for_others_enrols_nobody() {
    let service = Service::start().await;
    let late = join_token(&service, json!({"expires_in": 1_000})).await;
    let revoked = join_token(&service, json!({})).await;
    let path = format!("/api/v1/join-tokens/{}", revoked.0);
    let (status, view) = service.call("DELETE", &path, Body::empty()).await;
    assert_eq!((status, &view["status"]), (StatusCode::OK, &json!("revoked")));
    let of_class = join_token(&service, json!({"class": "gpu", "targets": ["gpu-a"]})).await;
    service.clock.advance(Millis(1_000));
    for (token, wanted) in [(&late, "expired"), (&revoked, "revoked")] {
        let (status, body) = enrol(&service, token, "box-1", &key(1)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{body}");
        assert!(body["message"].as_str().unwrap().contains(wanted), "{body}");
    }
    let (status, body) = enrol(&service, &of_class, "box-1", &key(1)).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{body}");
    assert!(body["message"].as_str().unwrap().contains("`gpu.`"), "{body}");
    let (status, _) = enrol(&service, &of_class, "gpu.box-1", &key(1)).await;
    assert_eq!(status, StatusCode::OK, "a refusal does not use it up");
    let bad = json!({"class": "a.b"});
    let (status, _) = service.post("/api/v1/join-tokens", &bad).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn nobody_takes_the_name_or_the_key_of_an_enrolled_worker() {
    let service = Service::start().await;
    enrolled(&service, "box-1", &key(1)).await;
    let token = join_token(&service, json!({})).await;
    let (status, body) = enrol(&service, &token, "box-1", &key(2)).await;
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
    let (status, body) = enrol(&service, &token, "box-2", &key(1)).await;
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
    let body = json!({"key": key(1).trusted(), "proof": sign_enrolment(
        &key(2), &token.0.parse().unwrap(), &"box-2".parse().unwrap())});
    let authorization = format!("Bearer {}", token.1);
    let path = ("POST", "/api/v1/workers/box-2/enrol");
    let (status, body) = send(&service, path, &authorization, &body).await;
    assert_eq!(
        status,
        StatusCode::UNAUTHORIZED,
        "a key that it does not have: {body}"
    );
    let (status, _) = service
        .call("DELETE", "/api/v1/workers/box-1", Body::empty())
        .await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _) = enrol(&service, &token, "box-1", &key(2)).await;
    assert_eq!(status, StatusCode::OK, "the name is free");
}

#[tokio::test]
async fn neither_a_join_token_nor_a_workers_signature_opens_what_is_for_people() {
    let service = Service::start().await;
    enrolled(&service, "box-1", &key(1)).await;
    let (_, text) = join_token(&service, json!({})).await;
    let description = serde_json::to_value(openapi()).unwrap();
    let mut looked_at = 0;
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let security = operation["security"].as_array().unwrap();
            let declares = |scheme: &str| security.iter().any(|one| one.get(scheme).is_some());
            if security[0] == json!({}) {
                continue;
            }
            let (method, path) = (method.to_uppercase(), path.replace(['{', '}'], ""));
            looked_at += 1;
            let proof = signed(&service, "box-1", &key(1), (&method, &path), looked_at);
            for (scheme, authorization) in [("join", format!("Bearer {text}")), ("worker", proof)] {
                if !declares(scheme) {
                    let answer = send(&service, (&method, &path), &authorization, &json!({})).await;
                    assert_eq!(answer.0, StatusCode::FORBIDDEN, "{method} {path} by {scheme}");
                }
            }
        }
    }
    assert!(looked_at > 30, "only {looked_at} operations were looked at");
}

/// The one route for workers that there always is.
const OWN: (&str, &str) = ("GET", "/api/v1/worker");

#[tokio::test]
async fn a_request_that_a_worker_signed_reaches_what_is_declared_for_workers_once() {
    let service = Service::start().await;
    enrolled(&service, "box-1", &key(1)).await;
    let good = signed(&service, "box-1", &key(1), OWN, 1);
    let (status, body) = send(&service, OWN, &good, &json!({})).await;
    assert_eq!((status, &body["worker"]), (StatusCode::OK, &json!("box-1")));
    let (status, body) = send(&service, OWN, &good, &json!({})).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "a second time: {body}");
    let again = signed(&service, "box-1", &key(1), OWN, 2);
    let (status, _) = send(&service, OWN, &again, &json!({})).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_request_with_another_key_body_path_or_time_is_nobodys() {
    let service = Service::start().await;
    enrolled(&service, "box-1", &key(1)).await;
    enrolled(&service, "box-2", &key(2)).await;
    let stale = signed(&service, "box-1", &key(1), OWN, 1);
    service.clock.advance(Millis(61_000));
    let coordinator = service.coordinator.public_key();
    let text = RequestText {
        coordinator: &coordinator,
        method: "GET",
        path: OWN.1,
        body: b"other",
    };
    let now: Timestamp = service.clock.now();
    let bad = [
        ("too old", stale),
        ("another's key", signed(&service, "box-1", &key(2), OWN, 2)),
        ("not enrolled", signed(&service, "box-3", &key(3), OWN, 3)),
        (
            "another path",
            signed(&service, "box-1", &key(1), ("GET", "/api/v1/runs"), 4),
        ),
        (
            "another body",
            RequestProof::sign(&key(1), "box-1".parse().unwrap(), now, 5, &text).to_string(),
        ),
        ("no proof", "Worker id=box-1".to_owned()),
    ];
    for (what, authorization) in bad {
        let (status, body) = send(&service, OWN, &authorization, &json!({})).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{what}: {body}");
    }
    let (status, _) = service
        .post(
            "/api/v1/workers/box-1/quarantine",
            &json!({"reason": "odd results"}),
        )
        .await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let quarantined = signed(&service, "box-1", &key(1), OWN, 6);
    let (status, body) = send(&service, OWN, &quarantined, &json!({})).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{body}");
}
