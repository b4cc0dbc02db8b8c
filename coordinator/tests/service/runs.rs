//! Runs through the API: submission, list, views, events, cancel, retry, comparison, and what is said when something is wrong.

use super::harness::{Service, chain, read_events};
use super::worker::ScriptedWorker;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::json;
use tidemill_protocol::wire::{AttemptUsage, Control, ReportBody, StopReason, Success};

#[tokio::test]
async fn a_run_is_carried_to_its_end_and_every_event_is_seen_once() {
    let service = Service::start().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let run = service.submit(chain(&["prep", "train"])).await;
    worker.work(2).await;
    let seen = service.watch(run).await;
    let words: Vec<&str> = seen
        .iter()
        .map(|(_, event)| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(
        words,
        [
            "run_submitted",
            "attempt_dispatched",
            "attempt_claimed",
            "attempt_succeeded",
            "attempt_dispatched",
            "attempt_claimed",
            "attempt_succeeded",
            "run_finished",
        ]
    );
    assert!(seen.is_sorted_by(|a, b| a.0 < b.0));
    assert_eq!(seen.last().unwrap().1["run_status"], "succeeded");

    let (status, view) = service.get("/api/v1/runs/last").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(view["id"], run.to_string());
    assert_eq!(view["status"], "succeeded");
    assert_eq!(view["steps"]["succeeded"], 2);
    assert_eq!(view["steps_list"][1]["depends_on"], json!(["prep"]));
    assert_eq!(view["steps_list"][1]["attempts"][0]["worker"], "w1");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn an_event_stream_is_resumed_where_it_broke_off() {
    let service = Service::start().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let run = service.submit(chain(&["one"])).await;
    worker.work(1).await;
    let all = service.watch(run).await;
    let request = Request::get(format!("/api/v1/runs/{run}/events"))
        .header("last-event-id", all[1].0.to_string())
        .body(Body::empty())
        .unwrap();
    let bytes = to_bytes(service.send(request).await.into_body(), usize::MAX)
        .await
        .unwrap();
    assert_eq!(read_events(&bytes), all[2..]);
    let (_, list) = service
        .get(&format!("/api/v1/runs/{run}/events?after={}", all[1].0))
        .await;
    assert_eq!(list.as_array().unwrap().len(), all.len() - 2);
}

#[tokio::test]
async fn lists_are_filtered_and_paged_newest_first() {
    let service = Service::start().await;
    let mut runs = Vec::new();
    for name in ["a", "b", "c"] {
        let mut plan = chain(&[name]);
        plan.experiment = name.parse().unwrap();
        runs.push(service.submit(plan).await.to_string());
    }
    let (_, page) = service.get("/api/v1/runs?limit=2").await;
    assert_eq!(page["items"][0]["id"], runs[2]);
    let (_, rest) = service
        .get(&format!(
            "/api/v1/runs?limit=2&cursor={}",
            page["next_cursor"].as_str().unwrap()
        ))
        .await;
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    assert_eq!(rest["items"][0]["id"], runs[0]);
    assert!(rest["next_cursor"].is_null());
    let (_, filtered) = service.get("/api/v1/runs?experiment=b").await;
    assert_eq!(filtered["items"].as_array().unwrap().len(), 1);
    let (_, none) = service.get("/api/v1/runs?status=failed").await;
    assert_eq!(none["items"], json!([]));
}

#[tokio::test]
async fn a_cancelled_run_stops_its_attempt_and_ends() {
    let service = Service::start().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let run = service.submit(chain(&["long", "never"])).await;
    let task = worker.task().await;
    worker.report(&task, vec![ReportBody::Claimed]).await;
    assert!(matches!(
        worker.control().await,
        Control::Stored { sequence: 1, .. }
    ));
    let (status, view) = service
        .post(&format!("/api/v1/runs/{run}/cancel?by=ann"), &json!({}))
        .await;
    assert_eq!((status, &view["status"]), (StatusCode::OK, &json!("cancelling")));
    let Control::Stop {
        attempt,
        token,
        reason,
    } = worker.order().await
    else {
        panic!("it is told to stop")
    };
    assert_eq!(
        (attempt, token, reason),
        (task.attempt, task.token, StopReason::Cancelled)
    );
    let stopped = ReportBody::Stopped {
        usage: AttemptUsage::default(),
    };
    worker.report(&task, vec![stopped]).await;
    let seen = service.watch(run).await;
    assert_eq!(seen.last().unwrap().1["run_status"], "cancelled");
    let (status, error) = service
        .post(&format!("/api/v1/runs/{run}/cancel"), &json!({}))
        .await;
    assert_eq!(
        (status, &error["code"]),
        (StatusCode::CONFLICT, &json!("conflict"))
    );
}

#[tokio::test]
async fn a_failed_run_is_explained_and_can_be_retried() {
    let service = Service::start().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let run = service.submit(chain(&["prep", "train"])).await;
    let task = worker.task().await;
    worker.fail(&task).await;
    assert_eq!(service.watch(run).await.last().unwrap().1["run_status"], "failed");
    let (_, why) = service
        .get(&format!("/api/v1/runs/{run}/steps/prep/explain"))
        .await;
    assert_eq!(why["reasons"][0], "it failed after 1 attempt: exit code 3");
    let (_, why) = service
        .get(&format!("/api/v1/runs/{run}/steps/train/explain"))
        .await;
    assert!(why["reasons"][0].as_str().unwrap().contains("prep"), "{why}");
    let (status, _) = service
        .post(&format!("/api/v1/runs/{run}/retry"), &json!({}))
        .await;
    assert_eq!(status, StatusCode::OK);
    worker.work(2).await;
    assert_eq!(
        service.watch(run).await.last().unwrap().1["run_status"],
        "succeeded"
    );
}

#[tokio::test]
async fn two_runs_are_compared_by_what_differs() {
    let service = Service::start().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let left = service.submit(chain(&["prep", "train"])).await;
    worker.work(2).await;
    service.watch(left).await;
    let mut plan = chain(&["prep", "train"]);
    plan.templates[1] = super::harness::template("other").into();
    let right = service.submit(plan).await;
    let task = worker.task().await;
    assert_eq!(task.path.as_str(), "train", "the first step was reused");
    worker.succeed(&task, Success::default()).await;
    service.watch(right).await;
    let (_, diff) = service.get(&format!("/api/v1/runs/{left}/diff/{right}")).await;
    let steps = diff["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 1, "{diff}");
    assert_eq!(steps[0]["path"], "train");
    assert_eq!(steps[0]["key"], json!(["command changed"]));
    let (_, same) = service.get(&format!("/api/v1/runs/{left}/diff/{left}")).await;
    assert_eq!(same["steps"], json!([]));
}

#[tokio::test]
async fn every_refusal_has_the_one_body() {
    let service = Service::start().await;
    for (method, path, status, code) in [
        ("GET", "/api/v1/runs/last", 404, "not_found"),
        ("GET", "/api/v1/runs/abc", 404, "not_found"),
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("DELETE", "/api/v1/runs", 405, "bad_request"),
        ("POST", "/api/v1/runs", 400, "bad_request"),
        ("GET", "/api/v1/runs?limit=many", 400, "bad_request"),
        ("GET", "/api/v1/blobs/xyz", 400, "bad_request"),
        ("POST", "/api/v1/workers/nobody/drain", 404, "not_found"),
    ] {
        let (found, body) = service.call(method, path, Body::from("{}")).await;
        let found = found.as_u16();
        assert!(
            found == status || (method == "DELETE" && found == 400),
            "{method} {path}: {found} {body}"
        );
        assert_eq!(body["code"], code, "{method} {path}: {body}");
        assert!(!body["message"].as_str().unwrap().is_empty());
        assert!(!body["request_id"].as_str().unwrap().is_empty(), "{body}");
    }
}

#[tokio::test]
async fn a_prefix_that_fits_two_runs_is_refused_and_a_longer_one_is_not() {
    let service = Service::start().await;
    let one = service.submit(chain(&["a"])).await.to_string();
    let two = service.submit(chain(&["b"])).await.to_string();
    let shared = one.bytes().zip(two.bytes()).take_while(|(a, b)| a == b).count();
    let (status, body) = service.get(&format!("/api/v1/runs/{}", one.split_at(8).0)).await;
    assert_eq!(
        (status, &body["code"]),
        (StatusCode::CONFLICT, &json!("ambiguous"))
    );
    let (status, view) = service
        .get(&format!("/api/v1/runs/{}", one.split_at(shared + 1).0))
        .await;
    assert_eq!((status, &view["id"]), (StatusCode::OK, &json!(one)));
}
