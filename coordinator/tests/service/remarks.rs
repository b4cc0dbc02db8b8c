//! What people say of runs: tags, names and comments after the submission, who may change them, and that they go with the run.

use super::harness::{Service, chain};
use super::worker::ScriptedWorker;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tidemill_protocol::ids::RunId;

async fn patch(service: &Service, path: &str, body: &Value) -> (StatusCode, Value) {
    service.call("PATCH", path, Body::from(body.to_string())).await
}

async fn ended(service: &Service, name: &str) -> RunId {
    let mut worker = ScriptedWorker::join(service, "w1").await;
    let run = service.submit(chain(&[name])).await;
    worker.work(1).await;
    service.watch(run).await;
    run
}

async fn token(service: &Service, scope: &str, subject: &str) -> String {
    let body = json!({"scope": scope, "subject": subject});
    let (status, made) = service.post("/api/v1/tokens", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    format!("Bearer {}", made["token"].as_str().unwrap())
}

/// A request from another machine with this token.
async fn with_token(
    service: &Service,
    token: &str,
    (method, path): (&str, &str),
    body: &Value,
) -> (StatusCode, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .header("authorization", token)
        .body(Body::from(body.to_string()))
        .unwrap();
    let peer = SocketAddr::from(([10, 0, 0, 1], 40_000));
    let response = service.api.clone().answer(peer, request).await;
    let status = response.status();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

#[tokio::test]
async fn tags_and_name_are_changed_after_the_end_and_lists_and_names_follow() {
    let service = Service::start_on_disk().await;
    let mut plan = chain(&["one"]);
    plan.tags.insert("team".to_owned(), "vision".to_owned());
    let run = service.submit(plan).await;
    let other = service.submit(chain(&["two"])).await;
    let path = format!("/api/v1/runs/{run}");
    let change = json!({"display_name": "best", "tags": {"stage": "prod", "team": null}});
    let (status, changed) = patch(&service, &path, &change).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    assert_eq!(
        (&changed["display_name"], &changed["tags"]),
        (&json!("best"), &json!({"stage": "prod"}))
    );
    let (_, listed) = service.get("/api/v1/runs?tags=stage=prod").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let (_, listed) = service.get("/api/v1/runs?tags=team=vision").await;
    assert_eq!(listed["items"], json!([]), "the tag is gone");
    let service = service.restart().await;
    let (_, found) = service.get("/api/v1/runs/@best").await;
    assert_eq!(
        found["id"],
        json!(run.to_string()),
        "and all of it outlives a restart"
    );
    let (_, untouched) = service.get(&format!("/api/v1/runs/{other}")).await;
    assert_eq!(
        (&untouched["display_name"], &untouched["tags"]),
        (&json!("a pipe"), &json!({}))
    );
    for bad in [
        json!({"tags": {"tidemill.pipeline": "x:1"}}),
        json!({"tags": {"": "x"}}),
        json!({"display_name": ""}),
        json!({"description": "x".repeat(65 * 1024)}),
    ] {
        let (status, refused) = patch(&service, &path, &bad).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{refused}");
    }
}

#[tokio::test]
async fn a_comment_has_the_author_of_its_token_and_only_they_and_admins_change_it() {
    let service = Service::start().await;
    let run = service.submit(chain(&["one"])).await;
    let (ada, bob) = (
        token(&service, "submitter", "ada").await,
        token(&service, "submitter", "bob").await,
    );
    let reader = token(&service, "reader", "eve").await;
    let comments = format!("/api/v1/runs/{run}/comments?by=mallory");
    let text = json!({"text": "it diverges"});
    let (status, made) = with_token(&service, &ada, ("POST", &comments), &text).await;
    assert_eq!((status, &made["by"]), (StatusCode::CREATED, &json!("ada")));
    let (status, _) = with_token(&service, &reader, ("POST", &comments), &text).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let first = format!("/api/v1/runs/{run}/comments/1");
    for method in ["PATCH", "DELETE"] {
        let (status, refused) = with_token(&service, &bob, (method, &first), &json!({"text": "no"})).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{refused}");
    }
    let (status, edited) = with_token(&service, &ada, ("PATCH", &first), &json!({"text": "yes"})).await;
    assert_eq!((status, &edited["text"]), (StatusCode::OK, &json!("yes")));
    assert!(edited["edited_at"].is_u64());
    let tags = json!({"tags": {"stage": "prod"}});
    let path = format!("/api/v1/runs/{run}");
    let (status, _) = with_token(&service, &bob, ("PATCH", &path), &tags).await;
    assert_eq!(
        status,
        StatusCode::FORBIDDEN,
        "a run is described by whoever may end it"
    );
    let (_, shown) = service.get(&format!("/api/v1/runs/{run}")).await;
    assert_eq!(shown["comments"].as_array().unwrap().len(), 1);
    assert_eq!(shown["tags"], json!({}));
    let (status, _) = service.call("DELETE", &first, Body::empty()).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "an admin may");
    let (status, _) = service.call("DELETE", &first, Body::empty()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    for bad in [json!({"text": " "}), json!({"text": "x".repeat(17 * 1024)})] {
        let (status, _) = service.post(&format!("/api/v1/runs/{run}/comments"), &bad).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn a_run_says_who_did_what_to_it() {
    let service = Service::start_on_disk().await;
    let run = service.submit(chain(&["one"])).await;
    let path = format!("/api/v1/runs/{run}");
    for (verb, who) in [("cancel", "ada"), ("retry", "bob")] {
        let (status, body) = service.post(&format!("{path}/{verb}?by={who}"), &json!({})).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        if verb == "cancel" {
            service.watch(run).await;
        }
    }
    let text = json!({"text": "again"});
    service.post(&format!("{path}/comments?by=carol"), &text).await;
    patch(&service, &format!("{path}?by=dan"), &json!({"tags": {"a": "b"}})).await;
    let acts = async |service: &Service| {
        let (_, shown) = service.get(&path).await;
        let acts = shown["activity"].as_array().unwrap().clone();
        let pairs = acts.iter().map(|act| format!("{} {}", act["by"], act["what"]));
        pairs.collect::<Vec<String>>().join(" ").replace('"', "")
    };
    let expected = "tester submitted ada cancelled bob retried carol commented dan described";
    assert_eq!(acts(&service).await, expected);
    let (_, events) = service.get(&format!("{path}/events")).await;
    let words: Vec<&str> = events
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["event"].as_str())
        .collect();
    assert!(
        words.contains(&"run_commented") && words.contains(&"run_described"),
        "{words:?}"
    );
    let service = service.restart().await;
    assert_eq!(acts(&service).await, expected, "also after a restart");
}

#[tokio::test]
async fn what_was_said_is_deleted_with_the_run() {
    let service = Service::start_on_disk().await;
    let run = ended(&service, "one").await;
    let path = format!("/api/v1/runs/{run}");
    service
        .post(
            &format!("{path}/comments"),
            &json!({"text": "a secret of the house"}),
        )
        .await;
    patch(&service, &path, &json!({"tags": {"a": "b"}})).await;
    let (status, was) = service.call("DELETE", &path, Body::empty()).await;
    assert_eq!((status, &was["tags"]), (StatusCode::OK, &json!({"a": "b"})));
    assert_eq!(
        service.get(&format!("{path}/comments")).await.0,
        StatusCode::NOT_FOUND
    );
    let (_, listed) = service.get("/api/v1/runs?tags=a=b").await;
    assert_eq!(listed["items"], json!([]));
    let entries = service.restart().await;
    assert_eq!(
        entries.get(&format!("{path}/comments")).await.0,
        StatusCode::NOT_FOUND
    );
}
