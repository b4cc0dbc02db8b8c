//! Whoever loses their right loses it in the middle of what they are being told or tell: streams, logs, downloads and uploads, through a real port.

use crate::harness::{Service, chain};
use crate::port::{Served, patient, served, until_closed, until_said};
use axum::body::Body;
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::RunId;
use tidemill_protocol::time::Millis;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// A second, and what a busy machine adds to it.
const SOON: Duration = Duration::from_secs(10);

async fn token(service: &Service, body: Value) -> (String, String) {
    let (_, created) = service.post("/api/v1/tokens", &body).await;
    let text = |name: &str| created[name].as_str().expect("a token was made").to_owned();
    (text("id"), text("token"))
}

async fn revoke(service: &Service, id: &str) {
    let (status, _) = service
        .call("DELETE", &format!("/api/v1/tokens/{id}"), Body::empty())
        .await;
    assert!(status.is_success(), "{status}");
}

async fn ask(served: &Served, path: &str, token: &str) -> TcpStream {
    let text = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n");
    served.connect_and_say(&text).await
}

async fn watch(served: &Served, run: RunId, token: &str) -> TcpStream {
    let mut stream = ask(served, &format!("/api/v1/runs/{run}/events"), token).await;
    until_said(&mut stream, "data:").await;
    stream
}

/// The last event of a stream of events.
fn last_words(answer: &str) -> Value {
    let (_, last) = answer
        .rsplit_once("event: refused")
        .expect("it says that it is the last");
    let data = last.lines().find_map(|line| line.strip_prefix("data: "));
    serde_json::from_str(data.expect("it has data")).expect("it is JSON")
}

#[tokio::test]
async fn a_stream_of_events_ends_with_its_token_and_says_why_and_others_go_on() {
    let served = served(patient()).await;
    let service = &served.service;
    let (id, gone) = token(service, json!({"scope": "reader", "subject": "gone"})).await;
    let (_, kept) = token(service, json!({"scope": "reader", "subject": "kept"})).await;
    let run = service.submit(chain(&["a"])).await;
    let mut ended = watch(&served, run, &gone).await;
    let mut other = watch(&served, run, &kept).await;
    let revoked = Instant::now();
    revoke(service, &id).await;
    let said = until_said(&mut ended, "\r\n0\r\n\r\n").await;
    assert!(revoked.elapsed() < SOON, "{:?}", revoked.elapsed());
    let last = last_words(&said);
    assert_eq!(last["code"], "unauthorized");
    assert_eq!(last["message"], "the token was revoked");
    assert!(
        last["hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("tidemill login")),
        "{last}"
    );

    service.handle().cancel(run, "tester".into()).await.unwrap();
    let rest = until_said(&mut other, "run_finished").await;
    assert!(!rest.contains("refused"), "{rest}");
}

#[tokio::test]
async fn a_stream_of_events_ends_when_its_tokens_time_is_over() {
    let served = served(patient()).await;
    let service = &served.service;
    let (_, late) = token(
        service,
        json!({"scope": "reader", "subject": "late", "expires_in": 60_000}),
    )
    .await;
    let run = service.submit(chain(&["a"])).await;
    let mut watcher = watch(&served, run, &late).await;
    service.clock.advance(Millis(60_000));
    let expired = Instant::now();
    let said = until_said(&mut watcher, "\r\n0\r\n\r\n").await;
    assert!(expired.elapsed() < SOON, "{:?}", expired.elapsed());
    assert_eq!(last_words(&said)["message"], "the token has expired");
}

#[tokio::test]
async fn whoever_watched_without_a_token_stops_with_the_first_one() {
    let served = served(patient()).await;
    let run = served.service.submit(chain(&["a"])).await;
    let text = format!("GET /api/v1/runs/{run}/events HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let mut watcher = served.connect_and_say(&text).await;
    until_said(&mut watcher, "data:").await;
    token(&served.service, json!({"scope": "reader", "subject": "first"})).await;
    let said = until_said(&mut watcher, "\r\n0\r\n\r\n").await;
    assert_eq!(
        last_words(&said)["message"],
        "there are tokens now, and this needs one"
    );
}

#[tokio::test]
async fn a_log_that_is_followed_breaks_off_with_its_token_and_does_not_look_whole() {
    let served = served(patient()).await;
    let (id, gone) = token(&served.service, json!({"scope": "reader", "subject": "gone"})).await;
    let run = served.service.submit(chain(&["a"])).await;
    let path = format!("/api/v1/runs/{run}/steps/a/logs?follow=true");
    let mut follower = ask(&served, &path, &gone).await;
    let head = until_said(&mut follower, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    revoke(&served.service, &id).await;
    let rest = until_closed(&mut follower).await;
    assert!(!rest.ends_with("0\r\n\r\n"), "{rest:?}");
}

#[tokio::test]
async fn a_download_breaks_off_with_its_token() {
    let served = served(patient()).await;
    let (id, gone) = token(&served.service, json!({"scope": "reader", "subject": "gone"})).await;
    // More than the system keeps for a reader who does not read.
    let bytes = Bytes::from(vec![b'x'; 64 << 20]);
    let (digest, length) = (Digest::of(&bytes), bytes.len());
    served.service.store.put_bytes(bytes).await.unwrap();
    let mut reader = ask(&served, &format!("/api/v1/blobs/{digest}"), &gone).await;
    let head = until_said(&mut reader, "\r\n\r\n").await;
    assert!(head.contains(&format!("content-length: {length}")), "{head}");
    revoke(&served.service, &id).await;
    let rest = until_closed(&mut reader).await;
    assert!(rest.len() < length / 2, "{} bytes came", rest.len());
}

#[tokio::test]
async fn an_upload_breaks_off_with_its_token_and_leaves_nothing() {
    let served = served(patient()).await;
    let (id, gone) = token(&served.service, json!({"scope": "submitter", "subject": "gone"})).await;
    let digest = Digest::of(b"both halves");
    let head = format!(
        "PUT /api/v1/blobs/{digest} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {gone}\r\nexpect: 100-continue\r\ncontent-length: 11\r\n\r\n"
    );
    let mut stream = served.connect_and_say(&head).await;
    until_said(&mut stream, "100 Continue").await;
    stream.write_all(b"both ").await.unwrap();
    revoke(&served.service, &id).await;
    let answer = until_closed(&mut stream).await;
    assert!(answer.contains("the token was revoked"), "{answer}");
    let (_, missing) = served
        .service
        .post(
            "/api/v1/artifacts/missing",
            &json!({"blobs": [digest], "trees": []}),
        )
        .await;
    assert_eq!(missing["blobs"], json!([digest]));
}
