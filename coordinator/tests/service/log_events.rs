//! Logs as server-sent events, through a real port: whole lines, resumed exactly where they broke off, until the attempt has ended.

use super::harness::chain;
use super::port::{Served, patient, served, until_closed, until_said};
use super::worker::ScriptedWorker;
use bytes::Bytes;
use serde_json::{Value, json};
use tidemill_protocol::codec;
use tidemill_protocol::ids::RunId;
use tidemill_protocol::wire::{
    AttemptUsage, Control, Kind, LogChunk, LogStream, ReportBody, StepTask, Success,
};
use tidemill_transport::Queue;
use tokio::net::TcpStream;

/// A run whose only attempt a worker makes.
struct Made {
    served: Served,
    worker: ScriptedWorker,
    run: RunId,
    task: StepTask,
}

async fn made() -> Made {
    let served = served(patient()).await;
    let mut worker = ScriptedWorker::join(&served.service, "w1").await;
    let run = served.service.submit(chain(&["a"])).await;
    let task = worker.task().await;
    worker.report(&task, vec![ReportBody::Claimed]).await;
    worker.control().await;
    Made {
        served,
        worker,
        run,
        task,
    }
}

impl Made {
    /// Asks for the log as events; without chunks in the answer, whose text is then what was written.
    async fn ask(&self, query: &str, headers: &str) -> TcpStream {
        let text = format!(
            "GET /api/v1/runs/{}/steps/a/logs{query} HTTP/1.0\r\nhost: localhost\r\naccept: text/event-stream\r\n{headers}\r\n",
            self.run
        );
        self.served.connect_and_say(&text).await
    }

    /// Waits until the worker is told that somebody follows the log, or that nobody does any more.
    async fn is_followed(&mut self, wanted: bool) {
        match self.worker.order().await {
            Control::FollowLog { follow, .. } => assert_eq!(follow, wanted),
            other => panic!("{other:?} is something else"),
        }
    }

    async fn say(&self, offset: u64, text: &str) {
        let chunk = LogChunk {
            attempt: self.task.attempt,
            stream: LogStream::Stdout,
            offset,
            bytes: text.as_bytes().to_vec(),
        };
        self.worker
            .publish(Queue::Logs, Kind::Log, codec::encode(&chunk))
            .await;
    }

    async fn end(&mut self, log: &'static str) {
        let stored = self
            .served
            .service
            .store
            .put_bytes(Bytes::from(log))
            .await
            .unwrap();
        let success = Success {
            usage: AttemptUsage {
                stdout: Some(stored),
                ..AttemptUsage::default()
            },
            ..Success::default()
        };
        self.worker
            .report(&self.task, vec![ReportBody::Succeeded(success)])
            .await;
    }
}

/// The events of an answer: id, name and data.
fn events(answer: &str) -> Vec<(String, String, Value)> {
    let items = answer.split("\n\n").filter(|item| item.contains("data:"));
    let field = |item: &str, name: &str| {
        let found = item.lines().find_map(|line| line.strip_prefix(name));
        found.unwrap_or_default().trim().to_owned()
    };
    let read = |item: &str| {
        let data = serde_json::from_str(&field(item, "data:")).unwrap();
        (field(item, "id:"), field(item, "event:"), data)
    };
    items.map(read).collect()
}

fn text_of(events: &[(String, String, Value)]) -> String {
    let texts = events.iter().filter_map(|(_, _, data)| data["text"].as_str());
    texts.collect()
}

#[tokio::test]
async fn a_log_comes_in_whole_lines_and_who_comes_back_goes_on_exactly_where_it_broke_off() {
    let mut made = made().await;
    let mut stream = made.ask("", "").await;
    made.is_followed(true).await;
    made.say(0, "one\ntwo\nthr").await;
    let first = until_said(&mut stream, "\"text\":\"one\\ntwo\\n\"}\n\n").await;
    let told = events(&first);
    assert_eq!(told.len(), 1, "{first}");
    assert_eq!(told[0].0, "1:stdout:8");
    assert_eq!(
        told[0].2,
        json!({"attempt": 1, "stream": "stdout", "offset": 0, "text": "one\ntwo\n"})
    );
    drop(stream);
    made.is_followed(false).await;

    let mut stream = made.ask("", "last-event-id: 1:stdout:8\r\n").await;
    made.is_followed(true).await;
    // A worker begins anew.
    made.say(0, "one\ntwo\nthree\nfo").await;
    let second = until_said(&mut stream, "id: 1:stdout:14").await;
    made.end("one\ntwo\nthree\nfour").await;
    let told = events(&(second + &until_closed(&mut stream).await));
    assert_eq!(text_of(&told), "three\nfour", "nothing twice, nothing lost");
    let (id, name, data) = told.last().unwrap();
    assert_eq!((id.as_str(), name.as_str()), ("1:stdout:18", "ended"));
    assert_eq!(*data, json!({"attempt": 1, "stream": "stdout", "offset": 18}));

    let mut again = made.ask("", "last-event-id: 1:stdout:14\r\n").await;
    let told = events(&until_closed(&mut again).await);
    assert_eq!(text_of(&told), "four", "a log that has ended is resumed too");
}

#[tokio::test]
async fn an_id_of_another_attempt_or_stream_is_left_aside_and_what_is_none_is_refused() {
    let mut made = made().await;
    made.end("one\ntwo\n").await;
    for (query, id) in [
        ("?attempt=1", "2:stdout:4"),
        ("?stream=stdout", "1:stderr:4"),
        ("?attempt=1&offset=0", ""),
    ] {
        let header = if id.is_empty() {
            String::new()
        } else {
            format!("last-event-id: {id}\r\n")
        };
        let mut stream = made.ask(query, &header).await;
        let told = events(&until_closed(&mut stream).await);
        assert_eq!(text_of(&told), "one\ntwo\n", "{query} {id}");
    }
    let refused = async |id: &str| {
        let mut stream = made.ask("", &format!("last-event-id: {id}\r\n")).await;
        until_closed(&mut stream).await
    };
    let unread = refused("17").await;
    assert!(
        unread.contains(" 400 ") && unread.contains("such as 1:stdout:1024"),
        "{unread}"
    );
    let unknown = refused("7:stdout:4").await;
    assert!(
        unknown.contains(" 404 ") && unknown.contains("no such attempt"),
        "{unknown}"
    );
}

#[tokio::test]
async fn who_comes_while_another_follows_is_told_everything_too() {
    let mut made = made().await;
    let mut first = made.ask("", "").await;
    made.is_followed(true).await;
    made.say(0, "one\n").await;
    until_said(&mut first, "1:stdout:4").await;
    let mut second = made.ask("", "").await;
    made.is_followed(true).await;
    until_said(&mut second, "1:stdout:4").await;
    made.say(4, "two\n").await;
    until_said(&mut first, "1:stdout:8").await;
    until_said(&mut second, "1:stdout:8").await;
}

#[tokio::test]
async fn what_is_lost_on_the_way_is_not_left_out_but_comes_from_the_store() {
    let mut made = made().await;
    let mut stream = made.ask("", "").await;
    made.is_followed(true).await;
    made.say(0, "one\n").await;
    let head = until_said(&mut stream, "1:stdout:4").await;
    made.say(8, "three\n").await;
    made.is_followed(true).await;
    made.end("one\ntwo\nthree\n").await;
    let told = events(&(head + &until_closed(&mut stream).await));
    assert_eq!(text_of(&told), "one\ntwo\nthree\n");
    assert_eq!(told.last().unwrap().1, "ended");
}

#[tokio::test]
async fn a_log_that_is_followed_ends_with_its_token_and_says_so() {
    let made = made().await;
    let body = json!({"scope": "reader", "subject": "ada"});
    let (_, token) = made.served.service.post("/api/v1/tokens", &body).await;
    let shown = format!("authorization: Bearer {}\r\n", token["token"].as_str().unwrap());
    let mut stream = made.ask("", &shown).await;
    until_said(&mut stream, "\r\n\r\n").await;
    let revoked = format!("/api/v1/tokens/{}", token["id"].as_str().unwrap());
    let (status, _) = made.served.service.call("DELETE", &revoked, "".into()).await;
    assert!(status.is_success());
    let last = until_closed(&mut stream).await;
    assert!(
        last.contains("event: refused") && !last.contains("event: ended"),
        "{last}"
    );
}
