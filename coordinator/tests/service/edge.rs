//! The API at its edge: connections that say nothing, too little or too slowly, and too many of them, take nothing from those who ask.

use crate::harness::chain;
use crate::port::{PATIENCE, patient, served, served_with, until_closed, until_said};
use rustix::process::{Resource, getrlimit};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use tidemill_coordinator::{Certificates, Limits};
use tidemill_protocol::ids::RunId;
use tokio::io::AsyncWriteExt;

/// Steps whose story is longer than what the systems hold of it between two ends.
const MANY: usize = 4_000;
/// A limit that is soon over.
const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn whoever_does_not_say_in_time_what_they_want_is_not_waited_for() {
    let served = served(Limits {
        head_within: SHORT,
        ..patient()
    })
    .await;
    let mut silent = served.connect().await;
    assert_eq!(until_closed(&mut silent).await, "");
    let mut slow = served.connect_and_say("GET /healthz HTTP/1.1\r\nhost: loc").await;
    assert_eq!(until_closed(&mut slow).await, "");
}

#[tokio::test]
async fn a_handshake_that_does_not_come_about_in_time_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("server.pem"), folder.path().join("server.key"));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let limits = Limits {
        head_within: SHORT,
        ..patient()
    };
    let tls = Certificates::load(certificate, key).unwrap();
    let served = served_with(limits, Some(tls)).await;
    let mut silent = served.connect().await;
    assert_eq!(until_closed(&mut silent).await, "");
    let mut slow = served.connect_and_say("\u{16}\u{3}\u{1}").await;
    assert_eq!(until_closed(&mut slow).await, "");
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_stream_that_says_little_is_not() {
    let served = served(Limits {
        idle_max: SHORT,
        ..patient()
    })
    .await;
    let run: RunId = served.service.submit(chain(&["a"])).await;
    let ask = format!("GET /api/v1/runs/{run}/events HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let mut watcher = served.connect_and_say(&ask).await;
    until_said(&mut watcher, "data:").await;

    let ask = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut idle = served.connect_and_say(ask).await;
    assert!(until_closed(&mut idle).await.ends_with("ok\n"));

    // The stream is older than the connection that was idle for too long, and goes on.
    served
        .service
        .handle()
        .cancel(run, "tester".into())
        .await
        .unwrap();
    until_said(&mut watcher, "cancelled").await;
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up() {
    let served = served(Limits {
        body_pause_max: SHORT,
        ..patient()
    })
    .await;
    let head = "POST /api/v1/plan HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: 100\r\n\r\n{";
    let mut stream = served.connect_and_say(head).await;
    let answer = until_closed(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
}

#[tokio::test]
async fn more_submissions_than_memory_is_kept_for_are_told_to_come_back_and_health_answers() {
    let served = served(patient()).await;
    let head = |length: usize| {
        format!(
            "POST /api/v1/plan HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    // Four of the longest, of which almost nothing comes, and which the server is known to wait for.
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let expecting = head(64 << 20).replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n");
        let mut stream = served.connect_and_say(&expecting).await;
        until_said(&mut stream, "100 Continue").await;
        waiting.push(stream);
    }
    let small = format!("{}{{}}", head(2));
    let mut refused = served.connect_and_say(&small).await;
    let answer = until_closed(&mut refused).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("retry-after: 5"), "{answer}");
    assert!(answer.contains("send it again"), "{answer}");
    assert!(served.health().await.ends_with("ok\n"));

    drop(waiting);
    let mut heard = served.connect_and_say(&small).await;
    let answer = until_closed(&mut heard).await;
    assert!(
        answer.starts_with("HTTP/1.1 4"),
        "it is read, and is no pipeline: {answer}"
    );
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answer_is_given_up() {
    let served = served(Limits {
        answer_pause_max: SHORT,
        ..patient()
    })
    .await;
    let mut stream = served.connect().await;
    let ask = "GET /api/v1/openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(16);
    // It asks for ever and reads nothing, until the other side has had enough of it.
    let asking = async { while stream.write_all(ask.as_bytes()).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, asking)
        .await
        .expect("it is closed");
}

#[tokio::test]
async fn a_reader_of_a_stream_who_stops_reading_is_given_up_and_their_place_is_free() {
    let served = served(Limits {
        answer_pause_max: SHORT,
        streams_max: 1,
        streams_per_caller_max: 1,
        ..patient()
    })
    .await;
    let names: Vec<String> = (0..MANY).map(|number| format!("step-{number:0>900}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let run = served.service.submit(chain(&names)).await;
    let handle = served.service.handle();
    handle.cancel(run, "tester".into()).await.unwrap();
    let ask =
        format!("GET /api/v1/runs/{run}/events HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    // More is to be said than the two systems hold on its way, and nobody takes any of it.
    let mut lazy = served.connect_and_say(&ask).await;
    lazy.readable().await.unwrap();
    let let_in = async {
        loop {
            let mut next = served.connect_and_say(&ask).await;
            let head = until_said(&mut next, "\r\n\r\n").await;
            if head.starts_with("HTTP/1.1 200") {
                return;
            }
            assert!(
                head.starts_with("HTTP/1.1 429") || head.starts_with("HTTP/1.1 503"),
                "{head}"
            );
        }
    };
    tokio::time::timeout(PATIENCE, let_in)
        .await
        .expect("the place becomes free");
    let all = served.service.watch(run).await;
    let (last, _) = all.last().unwrap();
    let taken = until_closed(&mut lazy).await;
    assert!(
        !taken.contains(&format!("id: {last}\n")),
        "all of it was on its way: {} bytes",
        taken.len()
    );
}

#[tokio::test]
async fn thousands_of_connections_that_say_too_little_leave_health_answering() {
    let served = served(Limits {
        connections_max: 64,
        ..patient()
    })
    .await;
    // Both ends of a connection are in this process.
    let files = getrlimit(Resource::Nofile).current.unwrap_or(1_024);
    let count = usize::try_from(files).unwrap().saturating_sub(400).min(2_000);
    assert!(count > 200, "only {files} files may be open");
    let mut open = Vec::new();
    for index in 0..count {
        open.push(served.connect_and_say("GET /healthz HTTP/1.1\r\nhost:").await);
        if index % 250 == 0 {
            assert!(served.health().await.ends_with("ok\n"));
        }
    }
    assert!(served.health().await.ends_with("ok\n"));
    let mut first = open.swap_remove(0);
    assert_eq!(until_closed(&mut first).await, "", "the first ones had to leave");
}

#[tokio::test]
async fn a_connection_that_is_being_answered_is_not_sent_away_for_another() {
    let served = served(Limits {
        connections_max: 1,
        ..patient()
    })
    .await;
    let run = served.service.submit(chain(&["a"])).await;
    let ask = format!("GET /api/v1/runs/{run}/events HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let mut watcher = served.connect_and_say(&ask).await;
    until_said(&mut watcher, "data:").await;
    let mut other = served.connect().await;
    let refused = until_closed(&mut other).await;
    assert!(
        refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after"),
        "{refused}"
    );
    served
        .service
        .handle()
        .cancel(run, "tester".into())
        .await
        .unwrap();
    until_said(&mut watcher, "cancelled").await;
}
