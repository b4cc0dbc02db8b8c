//! Streams have a room of their own: one caller cannot have all of it, all together cannot have the room for everything else, and whoever is refused learns why.

use crate::harness::chain;
use crate::port::{Served, patient, served, until_closed, until_said};
use serde_json::json;
use tidemill_coordinator::Limits;
use tokio::net::TcpStream;

async fn token(served: &Served, subject: &str) -> String {
    let body = json!({"scope": "reader", "subject": subject});
    let (_, created) = served.service.post("/api/v1/tokens", &body).await;
    created["token"].as_str().unwrap().to_owned()
}

async fn watch(served: &Served, path: &str, token: &str) -> TcpStream {
    let text = format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    served.connect_and_say(&text).await
}

#[tokio::test]
async fn a_caller_has_only_so_many_streams_all_have_only_so_many_and_the_rest_is_answered() {
    let served = served(Limits {
        streams_max: 3,
        streams_per_caller_max: 2,
        ..patient()
    })
    .await;
    let run = served.service.submit(chain(&["a"])).await;
    let events = format!("/api/v1/runs/{run}/events");
    let logs = format!("/api/v1/runs/{run}/steps/a/logs?follow=true");
    let (ada, bob, eve) = (
        token(&served, "ada").await,
        token(&served, "bob").await,
        token(&served, "eve").await,
    );
    let mut open = Vec::new();
    for (path, token) in [(&events, &ada), (&logs, &ada), (&events, &bob)] {
        let mut stream = watch(&served, path, token).await;
        let head = until_said(&mut stream, "\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        open.push(stream);
    }
    let refused = until_closed(&mut watch(&served, &events, &ada).await).await;
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    for wanted in [
        "retry-after: 5",
        "2 streams are open to this caller",
        "another token",
    ] {
        assert!(refused.contains(wanted), "{wanted:?} is missing in {refused}");
    }
    let refused = until_closed(&mut watch(&served, &events, &eve).await).await;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(refused.contains("3 streams are open"), "{refused}");
    let show = format!("/api/v1/runs/{run}");
    let answered = until_closed(&mut watch(&served, &show, &eve).await).await;
    assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");

    // A stream that has ended makes room.
    let mut ended = open.swap_remove(2);
    served
        .service
        .handle()
        .cancel(run, "tester".into())
        .await
        .unwrap();
    until_closed(&mut ended).await;
    let answered = until_closed(&mut watch(&served, &events, &eve).await).await;
    assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
}
