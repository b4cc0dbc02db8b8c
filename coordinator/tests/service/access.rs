//! Nobody without a right: every route of the API's own description is tried without a token, with a malformed, an unknown, an expired and a revoked one, and
//! with each scope.

use crate::harness::{Service, chain};
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use tidemill_coordinator::openapi;
use tidemill_protocol::access::Scope;
use tidemill_protocol::ids::RunId;
use tidemill_protocol::time::Millis;

/// An answer.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

/// An operation of the API: its method, a path that fits it, and the scope that it needs; none when it is open, or not for people.
struct Operation {
    method: String,
    path: String,
    scope: Option<Scope>,
    is_open: bool,
}

fn operations() -> Vec<Operation> {
    let json = serde_json::to_value(openapi()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in json["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let word = operation["security"][0]["token"][0].as_str();
            operations.push(Operation {
                method: method.to_uppercase(),
                path: path.replace(['{', '}'], ""),
                scope: word.map(|word| word.parse().unwrap()),
                is_open: operation["security"] == json!([{}]),
            });
        }
    }
    operations
}

/// An address of another machine from which nobody failed yet.
fn stranger() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0x0a00_0001);
    SocketAddr::from((NEXT.fetch_add(1, Ordering::SeqCst).to_be_bytes(), 40_000))
}

fn neighbour() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 40_000))
}

async fn send(
    service: &Service,
    peer: SocketAddr,
    (method, path): (&str, &str),
    authorization: Option<&str>,
) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json");
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    let request = request.body(Body::from("{}")).unwrap();
    let response = service.api.clone().answer(peer, request).await;
    let (parts, body) = response.into_parts();
    // A stream that does not end is not read.
    let bytes = if parts.status.is_success() {
        Vec::new()
    } else {
        to_bytes(body, usize::MAX).await.unwrap().to_vec()
    };
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    }
}

async fn create(service: &Service, body: Value) -> Value {
    let (status, created) = service.post("/api/v1/tokens", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{created}");
    created
}

async fn token(service: &Service, scope: Scope, subject: &str) -> String {
    let created = create(service, json!({"scope": scope, "subject": subject})).await;
    format!("Bearer {}", created["token"].as_str().unwrap())
}

#[tokio::test]
async fn no_route_but_those_open_to_all_answers_without_a_good_token() {
    let service = Service::start().await;
    let expiring = create(
        &service,
        json!({"scope": "admin", "subject": "late", "expires_in": 1_000}),
    )
    .await;
    let revoked = create(&service, json!({"scope": "admin", "subject": "gone"})).await;
    let path = format!("/api/v1/tokens/{}", revoked["id"].as_str().unwrap());
    let (status, view) = service.call("DELETE", &path, Body::empty()).await;
    assert_eq!((status, &view["status"]), (StatusCode::OK, &json!("revoked")));
    service.clock.advance(Millis(1_000));
    let bearer = |created: &Value| format!("Bearer {}", created["token"].as_str().unwrap());
    let unknown = format!("Bearer tmk_abcdefghijkm_{}", "A".repeat(43));
    let shown = [
        ("none", None),
        ("malformed", Some("Bearer tmk_no".to_owned())),
        ("not bearer", Some("Basic YTpi".to_owned())),
        ("unknown", Some(unknown)),
        ("expired", Some(bearer(&expiring))),
        ("revoked", Some(bearer(&revoked))),
    ];
    for operation in operations() {
        for (what, authorization) in &shown {
            let (method, path) = (operation.method.as_str(), operation.path.as_str());
            for peer in [stranger(), SocketAddr::from(([127, 0, 0, 1], 1))] {
                // The machine itself may fail often: it is all of these tests at once.
                service.clock.advance(Millis(6_000));
                let answer = send(&service, peer, (method, path), authorization.as_deref()).await;
                if operation.is_open {
                    let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
                    assert!(!refused.contains(&answer.status), "{method} {path}, token {what}");
                    continue;
                }
                assert_eq!(
                    answer.status,
                    StatusCode::UNAUTHORIZED,
                    "{method} {path}, token {what}"
                );
                assert_eq!(answer.headers["www-authenticate"], "Bearer");
                assert_eq!(answer.body["code"], "unauthorized");
                assert!(
                    answer.body["hint"].as_str().unwrap().contains("tidemill login"),
                    "{}",
                    answer.body
                );
            }
        }
    }
}

#[tokio::test]
async fn each_route_takes_its_scope_and_those_above_and_none_below() {
    let service = Service::start().await;
    let mut tokens = Vec::new();
    for scope in Scope::ALL {
        tokens.push((scope, token(&service, scope, scope.as_str()).await));
    }
    for operation in operations() {
        let Some(needed) = operation.scope else {
            if !operation.is_open {
                let (method, path) = (operation.method.as_str(), operation.path.as_str());
                let (_, admin) = tokens.last().unwrap();
                let answer = send(&service, stranger(), (method, path), Some(admin)).await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path} as admin");
            }
            continue;
        };
        for (scope, authorization) in &tokens {
            let (method, path) = (operation.method.as_str(), operation.path.as_str());
            let answer = send(&service, stranger(), (method, path), Some(authorization)).await;
            if *scope >= needed {
                let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
                assert!(
                    !refused.contains(&answer.status),
                    "{method} {path} as {scope}: {}",
                    answer.body
                );
            } else {
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path} as {scope}");
                let hint = answer.body["hint"].as_str().unwrap();
                assert!(hint.contains(&format!("--scope {needed}")), "{hint}");
            }
        }
    }
}

#[tokio::test]
async fn no_answer_of_any_route_is_guessed_at_by_a_browser_or_runs_in_it() {
    let service = Service::start().await;
    let admin = token(&service, Scope::Admin, "ada").await;
    for operation in operations() {
        let (method, path) = (operation.method.as_str(), operation.path.as_str());
        for authorization in [None, Some(admin.as_str())] {
            let answer = send(&service, stranger(), (method, path), authorization).await;
            let header = |name: &str| {
                let value = answer
                    .headers
                    .get(name)
                    .unwrap_or_else(|| panic!("{method} {path}: no {name}"));
                value.to_str().unwrap().to_owned()
            };
            assert_eq!(header("x-content-type-options"), "nosniff", "{method} {path}");
            let policy = header("content-security-policy");
            let is_page = path.starts_with("/api/docs/") && answer.status == StatusCode::OK;
            assert!(
                policy.contains("frame-ancestors 'none'") && (is_page || policy.contains("sandbox")),
                "{method} {path}: {policy}"
            );
        }
    }
    let nowhere = send(&service, stranger(), ("GET", "/nowhere"), None).await;
    assert_eq!(nowhere.headers["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn a_page_among_a_runs_outputs_is_brought_to_a_file_and_never_shown() {
    let service = Service::start().await;
    let page = "<script>alert(1)</script>";
    let stored = service.store.put_bytes(page.into()).await.unwrap();
    let path = format!("/api/v1/blobs/{}", stored.digest);
    let answer = service
        .send(Request::get(path).body(Body::empty()).unwrap())
        .await;
    assert_eq!(answer.status(), StatusCode::OK);
    let headers = answer.headers();
    assert_eq!(headers["content-type"], "application/octet-stream");
    assert_eq!(headers["content-disposition"], "attachment");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert!(
        headers["content-security-policy"]
            .to_str()
            .unwrap()
            .contains("sandbox")
    );
}

#[tokio::test]
async fn what_nobody_declared_is_nowhere_and_says_so_only_to_those_who_may_ask() {
    let service = Service::start().await;
    let admin = token(&service, Scope::Admin, "ada").await;
    for path in [
        "/",
        "/api/v1/everything",
        "/api/v2/runs",
        "/api/v1/runs/../tokens",
        "/api/v1/runs/",
        "//api/v1/tokens",
    ] {
        let answer = send(&service, stranger(), ("GET", path), None).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        let answer = send(&service, stranger(), ("GET", path), Some(&admin)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    for method in ["PATCH", "OPTIONS", "TRACE", "BREW"] {
        let answer = send(&service, stranger(), (method, "/api/v1/runs"), Some(&admin)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{method}");
        let answer = send(&service, stranger(), (method, "/api/v1/runs"), None).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method}");
    }
}

#[tokio::test]
async fn until_the_first_token_this_machine_may_do_everything_and_then_nothing() {
    let service = Service::start().await;
    let runs = ("GET", "/api/v1/runs");
    assert_eq!(
        send(&service, neighbour(), runs, None).await.status,
        StatusCode::OK
    );
    let from_afar = send(&service, stranger(), runs, None).await;
    assert_eq!(
        from_afar.status,
        StatusCode::UNAUTHORIZED,
        "another machine never may"
    );
    let created = create(&service, json!({"scope": "reader", "subject": "first"})).await;
    assert_eq!(
        send(&service, neighbour(), runs, None).await.status,
        StatusCode::UNAUTHORIZED
    );
    let path = format!("/api/v1/tokens/{}", created["id"].as_str().unwrap());
    service.call("DELETE", &path, Body::empty()).await;
    let after = send(&service, neighbour(), runs, None).await;
    assert_eq!(
        after.status,
        StatusCode::UNAUTHORIZED,
        "revoking the last token opens nothing"
    );
    let (status, _) = service.get("/api/v1/runs").await;
    assert_eq!(
        status,
        StatusCode::OK,
        "the operator of the state folder is never locked out"
    );
}

#[tokio::test]
async fn a_page_of_another_address_changes_nothing_before_the_first_token_and_a_program_may() {
    let service = Service::start().await;
    let run = service.submit(chain(&["a"])).await;
    let other = service.submit(chain(&["b"])).await;
    let asked = async |run: RunId, shown: &[(&str, &str)]| {
        let cancel = format!("/api/v1/runs/{run}/cancel");
        let mut request = Request::post(cancel).header("host", "localhost:7470");
        for (name, value) in shown {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        service.api.clone().answer(neighbour(), request).await.status()
    };
    for shown in [
        ("origin", "http://localhost:8888"),
        ("origin", "http://127.0.0.1:7470"),
        ("origin", "https://localhost:7470"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        assert_eq!(asked(run, &[shown]).await, StatusCode::FORBIDDEN, "{shown:?}");
    }
    let (_, kept) = service.get(&format!("/api/v1/runs/{run}")).await;
    assert!(
        !["cancelling", "cancelled"].contains(&kept["status"].as_str().unwrap()),
        "{kept}"
    );
    let own_page = [
        ("origin", "http://localhost:7470"),
        ("sec-fetch-site", "same-origin"),
    ];
    assert!(asked(run, &own_page).await.is_success());
    assert!(
        asked(other, &[]).await.is_success(),
        "a program sends neither header"
    );
}

#[tokio::test]
async fn the_secret_in_the_state_folder_opens_everything_and_a_restart_changes_it() {
    let service = Service::start().await;
    token(&service, Scope::Reader, "somebody").await;
    let read = |service: &Service| {
        let file = service.dir.path().join(tidemill_coordinator::OPERATOR_FILE);
        format!("Bearer {}", std::fs::read_to_string(file).unwrap().trim())
    };
    let secret = read(&service);
    let tokens = ("GET", "/api/v1/tokens");
    assert_eq!(
        send(&service, neighbour(), tokens, Some(&secret)).await.status,
        StatusCode::OK
    );
    let service = service.restart().await;
    assert_eq!(
        send(&service, neighbour(), tokens, Some(&secret)).await.status,
        StatusCode::UNAUTHORIZED
    );
    let secret = read(&service);
    assert_eq!(
        send(&service, neighbour(), tokens, Some(&secret)).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn whoever_guesses_is_made_to_wait_and_whoever_has_a_token_is_not() {
    let service = Service::start().await;
    let good = token(&service, Scope::Reader, "ci").await;
    let peer = stranger();
    let guess = format!("Bearer tmk_abcdefghijkm_{}", "A".repeat(43));
    let runs = ("GET", "/api/v1/runs");
    for _ in 0..10 {
        let answer = send(&service, peer, runs, Some(&guess)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    let answer = send(&service, peer, runs, Some(&guess)).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.body["code"], "too_many_requests");
    let wait: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert_eq!(
        send(&service, peer, runs, Some(&good)).await.status,
        StatusCode::OK
    );
    let other = send(&service, stranger(), runs, Some(&guess)).await;
    assert_eq!(
        other.status,
        StatusCode::UNAUTHORIZED,
        "another address is not slowed down"
    );
    service.clock.advance(Millis::from_secs(wait));
    assert_eq!(
        send(&service, peer, runs, Some(&guess)).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn runs_belong_to_the_subject_of_the_token_and_another_submitter_cannot_end_them() {
    let service = Service::start().await;
    let ada = token(&service, Scope::Submitter, "ada").await;
    let bob = token(&service, Scope::Submitter, "bob").await;
    let carol = token(&service, Scope::Operator, "carol").await;
    let run = |plan| async {
        service
            .handle()
            .submit_plan(std::sync::Arc::new(plan), "ada".into())
            .await
            .unwrap()
            .run
    };
    let first = run(chain(&["a"])).await;
    let second = run(chain(&["b"])).await;
    let path = format!("/api/v1/runs/{first}/cancel?by=mallory");
    let refused = send(&service, stranger(), ("POST", &path), Some(&bob)).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);
    assert_eq!(
        send(&service, stranger(), ("POST", &path), Some(&ada))
            .await
            .status,
        StatusCode::OK
    );
    let path = format!("/api/v1/runs/{second}/cancel");
    assert_eq!(
        send(&service, stranger(), ("POST", &path), Some(&carol))
            .await
            .status,
        StatusCode::OK
    );
    let seen = service.watch(first).await;
    let asked = seen
        .iter()
        .find(|(_, event)| event["event"] == "run_cancel_requested")
        .unwrap();
    assert_eq!(
        asked.1["detail"], "by ada",
        "a token's holder cannot act in another name"
    );
}

#[tokio::test]
async fn a_list_of_tokens_holds_no_secret_and_says_who_used_what() {
    let service = Service::start().await;
    let authorization = token(&service, Scope::Reader, "grafana").await;
    let (_, before) = service.get("/api/v1/tokens").await;
    assert_eq!(before[0]["last_used_at"], Value::Null);
    send(
        &service,
        stranger(),
        ("GET", "/api/v1/runs"),
        Some(&authorization),
    )
    .await;
    let (_, list) = service.get("/api/v1/tokens").await;
    assert_eq!(list[0]["subject"], "grafana");
    assert!(list[0]["last_used_at"].is_u64(), "{list}");
    let secret = authorization.splitn(3, '_').nth(2).unwrap();
    assert!(!list.to_string().contains(secret));
}
