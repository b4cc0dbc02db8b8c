//! Queues as server-sent events, through a real port: the newest picture at the start, another one soon after each change, and the end of it with the caller's token.

use super::harness::chain;
use super::port::{Served, patient, served, until_closed, until_said};
use super::worker::ScriptedWorker;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tidemill_coordinator::Limits;
use tokio::net::TcpStream;

/// A second, and what a busy machine adds to it.
const SOON: Duration = Duration::from_secs(10);

/// Asks for the queues as events; without chunks in the answer, whose text is then what was written.
async fn ask(served: &Served, headers: &str) -> TcpStream {
    let text = format!("GET /api/v1/queues/events HTTP/1.0\r\nhost: localhost\r\n{headers}\r\n");
    served.connect_and_say(&text).await
}

/// Whole events, until one of them has this text.
async fn until_told(stream: &mut TcpStream, wanted: &str) -> String {
    let mut said = String::new();
    while !(said.contains(wanted) && said.ends_with("\n\n")) {
        said += &until_said(stream, "\n\n").await;
    }
    said
}

/// A picture without what changes with the time alone.
fn timeless(queues: &Value) -> Value {
    let mut queues = queues.clone();
    for queue in queues.as_array_mut().unwrap() {
        queue["oldest_age_ms"] = json!(0);
    }
    queues
}

/// The whole events of an answer.
fn pictures(answer: &str) -> Vec<(u64, Value)> {
    let items = answer.split("\n\n").filter(|item| item.contains("data:"));
    let field = |item: &str, name: &str| {
        let found = item.lines().find_map(|line| line.strip_prefix(name));
        found.unwrap().trim().to_owned()
    };
    let read = |item: &str| {
        let data = serde_json::from_str(&field(item, "data:")).unwrap();
        (field(item, "id:").parse().unwrap(), data)
    };
    items.map(read).collect()
}

#[tokio::test]
async fn a_change_of_a_queue_is_told_soon_with_the_whole_picture_and_who_comes_back_has_the_newest() {
    let served = served(patient()).await;
    let mut stream = ask(&served, "").await;
    let first = pictures(&until_said(&mut stream, "data: []\n\n").await);
    let (number, _) = first[0];
    let changed = Instant::now();
    served.service.submit(chain(&["a"])).await;
    let next = pictures(&until_told(&mut stream, "\"target\":\"cpu\"").await);
    assert!(changed.elapsed() < SOON, "{:?}", changed.elapsed());
    assert!(next.last().unwrap().0 > number, "ids grow");
    drop(stream);

    let header = format!("last-event-id: {}\r\n", next.last().unwrap().0);
    let mut stream = ask(&served, &header).await;
    let again = pictures(&until_told(&mut stream, "\"target\":\"cpu\"").await);
    let (_, listed) = served.service.get("/api/v1/queues").await;
    assert!(
        again[0].0 > next.last().unwrap().0,
        "what comes next is newer than what was seen"
    );
    assert_eq!(
        timeless(&again[0].1),
        timeless(&listed),
        "the picture is the list"
    );

    let mut refused = ask(&served, "last-event-id: 1:stdout:4\r\n").await;
    let refused = until_closed(&mut refused).await;
    assert!(
        refused.contains(" 400 ") && refused.contains("no event of queues"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_worker_that_comes_is_seen_though_no_fact_says_so() {
    let served = served(patient()).await;
    let mut stream = ask(&served, "").await;
    until_said(&mut stream, "data: []\n\n").await;
    ScriptedWorker::join(&served.service, "w1").await;
    until_said(&mut stream, "\"workers\":1").await;
}

#[tokio::test]
async fn watchers_of_queues_and_logs_are_counted_among_the_streams_and_end_with_their_token() {
    let served = served(Limits {
        streams_per_caller_max: 2,
        ..patient()
    })
    .await;
    let run = served.service.submit(chain(&["a"])).await;
    let body = json!({"scope": "reader", "subject": "ada"});
    let (_, token) = served.service.post("/api/v1/tokens", &body).await;
    let shown = format!("authorization: Bearer {}\r\n", token["token"].as_str().unwrap());
    let mut queues = ask(&served, &shown).await;
    until_said(&mut queues, "data:").await;
    let logs = format!(
        "GET /api/v1/runs/{run}/steps/a/logs HTTP/1.0\r\nhost: localhost\r\naccept: text/event-stream\r\n{shown}\r\n"
    );
    let mut logs = served.connect_and_say(&logs).await;
    until_said(&mut logs, "\r\n\r\n").await;
    let refused = until_closed(&mut ask(&served, &shown).await).await;
    assert!(refused.contains(" 429 "), "{refused}");
    let revoked = format!("/api/v1/tokens/{}", token["id"].as_str().unwrap());
    served.service.call("DELETE", &revoked, "".into()).await;
    for stream in [&mut queues, &mut logs] {
        let last = until_closed(stream).await;
        assert!(last.contains("event: refused"), "{last}");
    }
}
