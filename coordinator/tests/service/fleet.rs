//! Workers and queues as the API shows them, and why a step does not run.

use super::harness::{Service, chain};
use super::worker::ScriptedWorker;
use axum::http::StatusCode;
use serde_json::json;
use tidemill_protocol::wire::{Control, ReportBody};

#[tokio::test]
async fn a_step_without_a_worker_says_so_and_its_queue_shows_it() {
    let service = Service::start().await;
    let run = service.submit(chain(&["a", "b"])).await;
    let (_, why) = service.get(&format!("/api/v1/runs/{run}/steps/a/explain")).await;
    assert_eq!(why["reasons"][0], "no live worker serves the compute target cpu");
    assert_eq!(why["hints"][0], "start one: tidemill worker start --compute cpu");
    let (_, why) = service.get(&format!("/api/v1/runs/{run}/steps/b/explain")).await;
    assert_eq!(why["reasons"], json!(["it waits for a"]));
    let (_, queues) = service.get("/api/v1/queues").await;
    assert_eq!(queues[0]["target"], "cpu");
    assert_eq!(
        (&queues[0]["dispatched"], &queues[0]["workers"]),
        (&json!(1), &json!(0))
    );
}

#[tokio::test]
async fn a_bus_that_tells_what_is_unacknowledged_needs_nobody_else_for_it() {
    let service = Service::start().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    service.submit(chain(&["a"])).await;
    worker.task().await;
    let (_, queues) = service.get("/api/v1/queues").await;
    let broker = &queues[0]["broker"];
    assert!(broker["unacknowledged"].is_u64(), "{queues}");
    assert!(broker.get("untold").is_none(), "{queues}");
}

#[tokio::test]
async fn a_worker_is_listed_with_what_it_does_and_can_be_drained() {
    let service = Service::start().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let run = service.submit(chain(&["a"])).await;
    let task = worker.task().await;
    worker.report(&task, vec![ReportBody::Claimed]).await;
    worker.control().await;
    worker.heartbeat(&[&task], false).await;
    let workers = loop {
        let (_, workers) = service.get("/api/v1/workers").await;
        if workers[0]["slots_used"] == 1 {
            break workers;
        }
    };
    assert_eq!(workers[0]["status"], "ready");
    assert_eq!(workers[0]["running"][0]["run"], run.to_string());
    assert_eq!(workers[0]["running"][0]["step"], "a");
    let (status, _) = service.post("/api/v1/workers/w1/drain", &json!({})).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(worker.order().await, Control::Drain);
}

#[tokio::test]
async fn health_and_metrics_are_told() {
    let service = Service::start().await;
    service.submit(chain(&["a"])).await;
    assert_eq!(service.get("/healthz").await.0, StatusCode::OK);
    assert_eq!(service.get("/readyz").await.0, StatusCode::OK);
    let request = axum::http::Request::get("/metrics")
        .body(axum::body::Body::empty())
        .unwrap();
    let body = service.send(request).await.into_body();
    let text = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let text = std::str::from_utf8(&text).unwrap();
    assert!(text.contains("tidemill_runs_submitted_total 1\n"), "{text}");
    assert!(text.contains("tidemill_broker_up 1\n"), "{text}");
}
