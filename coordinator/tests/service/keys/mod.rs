//! What is asked under an idempotency key is done once: whatever is lost, whoever asks at the same time, and without keeping what is shown once.

pub(crate) mod walk;

use crate::harness::Service;
use crate::pipelines::pipeline;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tidemill_coordinator::idempotency::{KEPT_FOR, KEYS_PER_SUBJECT_MAX};
use tidemill_coordinator::journal::EventLog as _;
use tidemill_protocol::digest::{CanonicalHasher, Digest};

/// An answer.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn is_replayed(&self) -> bool {
        self.headers
            .get("idempotent-replayed")
            .is_some_and(|value| value == "true")
    }
}

fn request((method, path): (&str, &str), key: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .header("idempotency-key", key)
        .body(body.into())
        .unwrap()
}

async fn send(service: &Service, request: Request<Body>) -> Answer {
    answer(service.send(request).await).await
}

async fn answer(response: axum::http::Response<Body>) -> Answer {
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    }
}

async fn post(service: &Service, path: &str, key: &str, body: &Value) -> Answer {
    send(service, request(("POST", path), key, body.to_string())).await
}

/// A service with a run, and where its comments are.
async fn with_run() -> (Service, String) {
    let service = Service::start().await;
    let (status, run) = service.post("/api/v1/runs", &json!({"spec": pipeline()})).await;
    assert_eq!(status, StatusCode::CREATED, "{run}");
    let comments = format!("/api/v1/runs/{}/comments", run["id"].as_str().unwrap());
    (service, comments)
}

async fn count(service: &Service, path: &str) -> usize {
    let (status, list) = service.get(path).await;
    assert_eq!(status, StatusCode::OK, "{list}");
    list.get("items").unwrap_or(&list).as_array().unwrap().len()
}

#[tokio::test]
async fn the_same_request_under_the_same_key_makes_one_thing_and_says_that_it_is_an_old_answer() {
    let (service, comments) = with_run().await;
    let text = json!({"text": "it diverges"});
    let first = post(&service, &comments, "k-1", &text).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.body);
    assert!(!first.is_replayed());
    let again = post(&service, &comments, "k-1", &text).await;
    assert_eq!((again.status, &again.body), (StatusCode::CREATED, &first.body));
    assert!(again.is_replayed());
    let quoted = post(&service, &comments, "\"k-1\"", &text).await;
    assert_eq!((quoted.status, &quoted.body), (StatusCode::CREATED, &first.body));
    let other = post(&service, &comments, "k-2", &text).await;
    assert_eq!(other.status, StatusCode::CREATED);
    assert_ne!(other.body["number"], first.body["number"]);
    assert_eq!(count(&service, &comments).await, 2);
}

#[tokio::test]
async fn another_request_under_a_used_key_is_refused_and_changes_nothing() {
    let (service, comments) = with_run().await;
    let first = post(&service, &comments, "k", &json!({"text": "it diverges"})).await;
    assert_eq!(first.status, StatusCode::CREATED);
    let by_query = format!("{comments}?by=ben");
    for (path, text) in [(&comments, "it converges"), (&by_query, "it diverges")] {
        let refused = post(&service, path, "k", &json!({"text": text})).await;
        assert_eq!(
            (refused.status, &refused.body["code"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("key_reused")),
            "{}",
            refused.body
        );
        let message = refused.body["message"].as_str().unwrap();
        assert!(message.contains("POST /api/v1/runs/{run}/comments"), "{message}");
        assert!(refused.body["hint"].is_string());
    }
    assert_eq!(count(&service, &comments).await, 1);
    // Elsewhere the key is another one.
    let elsewhere = post(&service, "/api/v1/runs", "k", &json!({"spec": pipeline()})).await;
    assert_eq!(elsewhere.status, StatusCode::CREATED, "{}", elsewhere.body);
}

#[tokio::test]
async fn many_at_once_under_one_key_make_one_thing() {
    let (service, comments) = with_run().await;
    let text = json!({"text": "together"});
    let answers = (0..30).map(|_| post(&service, &comments, "k", &text));
    let answers = futures_util::future::join_all(answers).await;
    for answer in &answers {
        assert_eq!(
            (answer.status, &answer.body),
            (StatusCode::CREATED, &answers[0].body)
        );
    }
    assert_eq!(answers.iter().filter(|answer| !answer.is_replayed()).count(), 1);
    let texts: Vec<Value> = (0..30)
        .map(|number| json!({"text": format!("{number}")}))
        .collect();
    let answers = texts.iter().map(|text| post(&service, &comments, "other", text));
    let answers = futures_util::future::join_all(answers).await;
    let made = answers
        .iter()
        .filter(|answer| answer.status == StatusCode::CREATED);
    assert_eq!(made.count(), 1);
    let refused = answers
        .iter()
        .filter(|answer| answer.body["code"] == "key_reused");
    assert_eq!(refused.count(), 29);
    assert_eq!(count(&service, &comments).await, 2);
}

#[tokio::test]
async fn what_was_lost_with_its_batch_is_made_when_it_is_asked_again_and_what_was_kept_is_not() {
    let (service, comments) = with_run().await;
    let (text, other) = (json!({"text": "kept"}), json!({"text": "lost"}));
    let kept = post(&service, &comments, "kept", &text).await;
    assert_eq!(kept.status, StatusCode::CREATED);
    service.log.break_flush();
    let lost = post(&service, &comments, "lost", &other).await;
    assert_eq!(lost.status, StatusCode::SERVICE_UNAVAILABLE, "{}", lost.body);
    let service = service.restart().await;
    let again = post(&service, &comments, "kept", &text).await;
    assert_eq!((again.status, &again.body), (StatusCode::CREATED, &kept.body));
    assert!(again.is_replayed());
    assert_eq!(
        count(&service, &comments).await,
        1,
        "the other was lost, key and all"
    );
    let made = post(&service, &comments, "lost", &other).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert!(!made.is_replayed());
    assert_eq!(count(&service, &comments).await, 2);
}

#[tokio::test]
async fn whoever_hangs_up_before_the_answer_finds_what_was_made() {
    let (service, comments) = with_run().await;
    let text = json!({"text": "are you there?"});
    {
        let mut asked = Box::pin(post(&service, &comments, "k", &text));
        // It is on its way to the driver, and nobody waits for it any more.
        while count(&service, &comments).await == 0 {
            drop(tokio::time::timeout(Duration::ZERO, asked.as_mut()).await);
        }
    }
    let again = post(&service, &comments, "k", &text).await;
    assert_eq!(again.status, StatusCode::CREATED);
    assert!(again.is_replayed());
    assert_eq!(count(&service, &comments).await, 1);
}

#[tokio::test]
async fn keys_are_known_from_a_snapshot_too() {
    let service = Service::start_on_disk().await;
    let (_, run) = service.post("/api/v1/runs", &json!({"spec": pipeline()})).await;
    let comments = format!("/api/v1/runs/{}/comments", run["id"].as_str().unwrap());
    let text = json!({"text": "early"});
    let first = post(&service, &comments, "early", &text).await;
    crate::webhooks::cancelled(&service, 1_000).await;
    let service = service.restart().await;
    let snapshots = std::fs::read_dir(service.dir.path().join("journal/snapshots")).unwrap();
    assert!(snapshots.count() > 0, "no snapshot was written");
    let again = post(&service, &comments, "early", &text).await;
    assert_eq!((again.status, &again.body), (StatusCode::CREATED, &first.body));
    assert!(again.is_replayed());
}

#[tokio::test]
async fn an_error_is_not_remembered() {
    let (service, comments) = with_run().await;
    let refused = post(&service, &comments, "k", &json!({"text": ""})).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.body);
    let missing = post(&service, "/api/v1/pipelines/train/runs", "k", &json!({})).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND, "{}", missing.body);
    let made = post(&service, &comments, "k", &json!({"text": "now"})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert!(!made.is_replayed());
    crate::pipelines::publish(&service, "train", &pipeline()).await;
    let made = post(&service, "/api/v1/pipelines/train/runs", "k", &json!({})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
}

#[tokio::test]
async fn a_key_is_good_for_a_day() {
    let (service, comments) = with_run().await;
    let text = json!({"text": "again"});
    post(&service, &comments, "k", &text).await;
    service.clock.advance(KEPT_FOR);
    let anew = post(&service, &comments, "k", &text).await;
    assert_eq!(anew.status, StatusCode::CREATED);
    assert!(!anew.is_replayed());
    assert_eq!(count(&service, &comments).await, 2);
}

#[tokio::test]
async fn whoever_uses_more_keys_than_are_kept_loses_the_oldest() {
    let service = Service::start().await;
    let path = "/api/v1/teams/people";
    let set = async |key: &str, who: &str| {
        let body = json!({"people": [who]}).to_string();
        send(&service, request(("PUT", path), key, body)).await
    };
    assert!(set("first", "ada").await.status.is_success());
    assert!(!set("second", "ada").await.is_replayed());
    let rest: Vec<String> = (2..=KEYS_PER_SUBJECT_MAX)
        .map(|number| number.to_string())
        .collect();
    for keys in rest.chunks(500) {
        let answers = keys.iter().map(|key| set(key, "ada"));
        futures_util::future::join_all(answers).await;
    }
    assert!(set("second", "ada").await.is_replayed());
    assert!(!set("first", "ada").await.is_replayed(), "it made room");
}

#[tokio::test]
async fn a_token_is_shown_once_and_its_text_and_the_key_are_nowhere() {
    let service = Service::start().await;
    for (path, body, different, help) in [
        (
            "/api/v1/tokens",
            json!({"scope": "admin", "subject": "ada"}),
            json!({"scope": "reader", "subject": "ben"}),
            "tidemill token revoke",
        ),
        (
            "/api/v1/join-tokens",
            json!({}),
            json!({"by": "ben"}),
            "tidemill worker token revoke",
        ),
    ] {
        let key = "a-key-that-is-a-secret-of-its-own";
        let first = post(&service, path, key, &body).await;
        assert_eq!(first.status, StatusCode::CREATED, "{}", first.body);
        let again = post(&service, path, key, &body).await;
        assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.body);
        let id = first.body["id"].as_str().unwrap();
        let (message, hint) = (again.body["message"].to_string(), again.body["hint"].to_string());
        assert!(message.contains(id), "{message}");
        assert!(hint.contains(&format!("{help} {id}")), "{hint}");
        let text = first.body["token"].as_str().unwrap();
        assert!(!again.body.to_string().contains(text));
        assert_eq!(count(&service, path).await, 1);
        let other = post(&service, path, key, &different).await;
        assert_eq!(other.body["code"], "key_reused", "{}", other.body);
        let secret = text.splitn(3, '_').nth(2).unwrap();
        for (sequence, event) in service.log.reader().read(1, 10_000).unwrap() {
            let event = String::from_utf8_lossy(&event);
            assert!(
                !event.contains(secret) && !event.contains(key),
                "event {sequence}"
            );
        }
    }
    let service = service.restart().await;
    let again = post(
        &service,
        "/api/v1/tokens",
        "a-key-that-is-a-secret-of-its-own",
        &json!({"scope": "admin", "subject": "ada"}),
    )
    .await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.body);
}

/// What the journal keeps of a request under this key without a query, as anybody works it out who knows the body.
fn fingerprint(key: &str, body: &str) -> Digest {
    let mut hasher = CanonicalHasher::new("tidemill/idempotent-request/v1");
    hasher.text(key);
    for _ in 0..4 {
        hasher.optional(None);
    }
    let body = ring::digest::digest(&ring::digest::SHA256, body.as_bytes());
    hasher.bytes(body.as_ref()).finish()
}

fn stands_in_the_journal(service: &Service, digest: Digest) -> bool {
    let events = service.log.reader().read(1, 10_000).unwrap();
    events.iter().any(|(_, event)| {
        let raw = event.windows(32).any(|part| part == digest.as_bytes());
        raw || String::from_utf8_lossy(event).contains(&digest.to_string())
    })
}

#[tokio::test]
async fn a_secret_is_set_once_under_a_key_and_its_value_cannot_be_guessed_from_the_journal() {
    let (service, comments) = with_run().await;
    let set = async |service: &Service, value: &str| {
        let asked = request(("PUT", "/api/v1/secrets/db"), "1", value.to_owned());
        send(service, asked).await
    };
    let first = set(&service, "hunter2-of-the-forest").await;
    assert_eq!(
        (first.status, &first.body["version"]),
        (StatusCode::OK, &json!(1))
    );
    let again = set(&service, "hunter2-of-the-forest").await;
    assert!(again.is_replayed() && again.body == first.body, "{}", again.body);
    let other = set(&service, "hunter3-of-the-forest").await;
    assert_eq!(other.body["code"], "key_reused", "{}", other.body);
    assert!(!other.body.to_string().contains("hunter"), "{}", other.body);

    let text = json!({"text": "no secret"}).to_string();
    post(&service, &comments, "1", &json!({"text": "no secret"})).await;
    assert!(stands_in_the_journal(&service, fingerprint("1", &text)));
    let guessed = fingerprint("1", "hunter2-of-the-forest");
    assert!(!stands_in_the_journal(&service, guessed));

    let service = service.restart().await;
    let again = set(&service, "hunter2-of-the-forest").await;
    assert!(again.is_replayed(), "{}", again.body);
    let (_, shown) = service.get("/api/v1/secrets/db").await;
    assert_eq!(shown["version"], 1);
}

#[tokio::test]
async fn a_key_is_its_subjects_own() {
    let (service, comments) = with_run().await;
    let token = async |subject: &str| {
        let wanted = json!({"scope": "submitter", "subject": subject});
        let (status, made) = service.post("/api/v1/tokens", &wanted).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        made["token"].as_str().unwrap().to_owned()
    };
    let (ada, adas_other, ben) = (token("ada").await, token("ada").await, token("ben").await);
    let comment = async |token: &str| {
        let mut asked = request(("POST", &comments), "k", json!({"text": "mine"}).to_string());
        let shown = format!("Bearer {token}").parse().unwrap();
        asked.headers_mut().insert("authorization", shown);
        let peer = SocketAddr::from(([10, 0, 0, 1], 40_000));
        answer(service.api.clone().answer(peer, asked).await).await
    };
    let adas = comment(&ada).await;
    assert_eq!(adas.status, StatusCode::CREATED, "{}", adas.body);
    let bens = comment(&ben).await;
    assert_ne!(bens.body["number"], adas.body["number"]);
    assert!(!bens.is_replayed());
    let again = comment(&adas_other).await;
    assert_eq!(again.body, adas.body, "another token of hers is still hers");
    assert!(again.is_replayed());
}

#[tokio::test]
async fn a_key_beside_the_body_and_another_in_it_are_refused() {
    let service = Service::start().await;
    let body = |key: &str| json!({"spec": pipeline(), "idempotency_key": key});
    let refused = post(&service, "/api/v1/runs", "one", &body("two")).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.body);
    assert_eq!(count(&service, "/api/v1/runs").await, 0);
    let made = post(&service, "/api/v1/runs", "one", &body("one")).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let again = post(&service, "/api/v1/runs", "one", &body("one")).await;
    assert_eq!(
        (again.status, &again.body["id"]),
        (StatusCode::OK, &made.body["id"])
    );
    // The one in the body holds for as long as the run is known.
    service.clock.advance(KEPT_FOR);
    let again = post(&service, "/api/v1/runs", "one", &body("one")).await;
    assert_eq!(
        (again.status, &again.body["id"]),
        (StatusCode::OK, &made.body["id"])
    );
    assert_eq!(count(&service, "/api/v1/runs").await, 1);
}
