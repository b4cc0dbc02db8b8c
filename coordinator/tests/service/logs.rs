//! Logs: whole from the store, and live from a worker that is asked for them only while somebody reads.

use super::harness::{Service, chain};
use super::worker::ScriptedWorker;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use bytes::Bytes;
use tidemill_protocol::codec;
use tidemill_protocol::wire::{
    AttemptUsage, Audience, Control, Kind, LogChunk, LogStream, ReportBody, Success, seal_unsigned,
};
use tidemill_transport::{Broker, Queue};

async fn body_of(service: &Service, path: &str) -> Vec<u8> {
    let response = service
        .send(Request::get(path).body(Body::empty()).unwrap())
        .await;
    to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()
}

#[tokio::test]
async fn a_log_is_followed_live_and_ends_with_what_the_store_holds() {
    let service = Service::start().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let run = service.submit(chain(&["a"])).await;
    let task = worker.task().await;
    worker.report(&task, vec![ReportBody::Claimed]).await;
    worker.control().await;
    let stdout = service
        .store
        .put_bytes(Bytes::from("hello world\n"))
        .await
        .unwrap();

    let path = format!("/api/v1/runs/{run}/steps/a/logs?follow=true&offset=2");
    let follow = body_of(&service, &path);
    let play = async {
        let Control::FollowLog {
            attempt,
            follow: true,
        } = worker.order().await
        else {
            panic!("it is asked")
        };
        assert_eq!(attempt, task.attempt);
        let chunk = LogChunk {
            attempt,
            stream: LogStream::Stdout,
            offset: 0,
            bytes: b"hello ".to_vec(),
        };
        let sealed = seal_unsigned(Kind::Log, Audience::coordinator(), &codec::encode(&chunk)).unwrap();
        while service
            .broker
            .publish(&Queue::Logs, Bytes::from(sealed.clone()))
            .await
            .is_err()
        {
            tokio::task::yield_now().await;
        }
        let success = Success {
            usage: AttemptUsage {
                stdout: Some(stdout),
                ..AttemptUsage::default()
            },
            ..Success::default()
        };
        worker.report(&task, vec![ReportBody::Succeeded(success)]).await;
        let Control::FollowLog { follow: false, .. } = worker.order().await else {
            panic!("and told when it is enough")
        };
    };
    let (bytes, ()) = tokio::join!(follow, play);
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        "llo world\n",
        "every byte once"
    );

    let stored = body_of(&service, &format!("/api/v1/runs/{run}/steps/a/logs")).await;
    assert_eq!(stored, b"hello world\n");
    let stderr = body_of(
        &service,
        &format!("/api/v1/runs/{run}/steps/a/logs?stream=stderr"),
    )
    .await;
    assert!(stderr.is_empty());
}

#[tokio::test]
async fn an_attempt_that_nobody_has_claimed_has_an_empty_log_and_one_that_is_not_there_has_none() {
    let service = Service::start().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let run = service.submit(chain(&["a"])).await;
    worker.task().await;
    let logs = |attempt: u32| format!("/api/v1/runs/{run}/steps/a/logs?attempt={attempt}");
    for (attempt, expected) in [(0, 404), (1, 200), (2, 404)] {
        let request = Request::get(logs(attempt)).body(Body::empty()).unwrap();
        assert_eq!(
            service.send(request).await.status(),
            expected,
            "attempt {attempt}"
        );
    }
    assert_eq!(body_of(&service, &logs(1)).await, b"");
}
