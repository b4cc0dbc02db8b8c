//! Files and models through MLflow's REST API: stored, listed, read and removed; and points of metrics that go to the store.

use super::{API, begun, done, get, log};
use crate::harness::Service;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

const FILES: &str = "/api/2.0/mlflow-artifacts/artifacts";

async fn put(service: &Service, path: &str, bytes: &[u8]) -> (StatusCode, Value) {
    service
        .call("PUT", &format!("{FILES}/{path}"), Body::from(bytes.to_vec()))
        .await
}

async fn read(service: &Service, path: &str, range: Option<&str>) -> (StatusCode, Vec<u8>) {
    let mut request = Request::get(format!("{FILES}/{path}"));
    if let Some(range) = range {
        request = request.header("range", range);
    }
    let answer = service.send(request.body(Body::empty()).unwrap()).await;
    let status = answer.status();
    (
        status,
        to_bytes(answer.into_body(), usize::MAX).await.unwrap().to_vec(),
    )
}

async fn listed(service: &Service, path: &str) -> Vec<String> {
    let (status, answer) = service.get(&format!("{FILES}?path={path}")).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let files = answer["files"].as_array().cloned().unwrap_or_default();
    let name = |file: &Value| {
        let slash = if file["is_dir"] == json!(true) { "/" } else { "" };
        format!("{}{slash}", file["path"].as_str().unwrap())
    };
    files.iter().map(name).collect()
}

#[tokio::test]
async fn a_file_is_read_as_it_was_logged_and_a_second_one_takes_its_place() {
    let service = Service::start().await;
    let (experiment, run) = begun(&service, "churn").await;
    let root = format!("{experiment}/{run}/artifacts");
    assert_eq!(
        put(&service, &format!("{root}/plots/a.txt"), b"first").await.0,
        StatusCode::OK
    );
    assert_eq!(
        put(&service, &format!("{root}/plots/a.txt"), b"the second")
            .await
            .0,
        StatusCode::OK
    );
    let long: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    assert_eq!(
        put(&service, &format!("{root}/long.bin"), &long).await.0,
        StatusCode::OK
    );
    assert_eq!(
        put(&service, &format!("{root}/empty"), b"").await.0,
        StatusCode::OK
    );
    assert_eq!(
        read(&service, &format!("{root}/plots/a.txt"), None).await,
        (StatusCode::OK, b"the second".to_vec())
    );
    assert_eq!(
        read(&service, &format!("{root}/long.bin"), None).await,
        (StatusCode::OK, long.clone())
    );
    let part = read(
        &service,
        &format!("{root}/long.bin"),
        Some("bytes=1048570-1048590"),
    )
    .await;
    assert_eq!(
        part,
        (StatusCode::PARTIAL_CONTENT, long[1_048_570..=1_048_590].to_vec())
    );
    assert_eq!(listed(&service, &root).await, ["empty", "long.bin", "plots/"]);
    assert_eq!(listed(&service, &format!("{root}/plots")).await, ["a.txt"]);
    let (_, of_run) = get(&service, &format!("artifacts/list?run_id={run}&path=plots")).await;
    assert_eq!(
        of_run["files"],
        json!([{"path": "plots/a.txt", "is_dir": false, "file_size": 10}])
    );
    let (status, _) = service
        .call("DELETE", &format!("{FILES}/{root}/plots"), Body::empty())
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        read(&service, &format!("{root}/plots/a.txt"), None).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(listed(&service, &root).await, ["empty", "long.bin"]);
}

#[tokio::test]
async fn a_path_that_is_nobodys_or_leads_elsewhere_is_refused() {
    let service = Service::start().await;
    let (experiment, run) = begun(&service, "churn").await;
    let root = format!("{experiment}/{run}/artifacts");
    for path in [
        "a.txt",
        "0/none/artifacts/a",
        &format!("0/{run}/artifacts/a"),
        &format!("{experiment}/models/m-none/artifacts/a"),
    ] {
        assert_eq!(put(&service, path, b"x").await.0, StatusCode::NOT_FOUND, "{path}");
    }
    for path in [
        format!("{root}/%2e%2e/up"),
        format!("{root}//b"),
        format!("{root}/a%0ab"),
    ] {
        assert_eq!(
            put(&service, &path, b"x").await.0,
            StatusCode::BAD_REQUEST,
            "{path}"
        );
    }
    put(&service, &format!("{root}/model"), b"a file").await;
    assert_eq!(
        put(&service, &format!("{root}/model/MLmodel"), b"x").await.0,
        StatusCode::BAD_REQUEST,
        "a file is no folder"
    );
}

#[tokio::test]
async fn a_model_is_made_measured_found_and_ready_once_its_files_are_there() {
    let service = Service::start().await;
    let (experiment, run) = begun(&service, "churn").await;
    let asked = json!({"experiment_id": experiment, "name": "tree", "source_run_id": run, "params": [{"key": "depth", "value": "3"}]});
    let made = done(&service, "logged-models", asked).await;
    let id = made["model"]["info"]["model_id"].as_str().unwrap().to_owned();
    assert_eq!(made["model"]["info"]["status"], json!("LOGGED_MODEL_PENDING"));
    let uri = made["model"]["info"]["artifact_uri"].as_str().unwrap().to_owned();
    let path = uri.strip_prefix("mlflow-artifacts:/").unwrap();
    assert_eq!(
        put(&service, &format!("{path}/MLmodel"), b"flavors: {}").await.0,
        StatusCode::OK
    );
    let body = Body::from(json!({"model_id": id, "status": "LOGGED_MODEL_READY"}).to_string());
    let (status, ready) = service
        .call("PATCH", &format!("{API}/logged-models/{id}"), body)
        .await;
    assert_eq!(
        (status, &ready["model"]["info"]["status"]),
        (StatusCode::OK, &json!("LOGGED_MODEL_READY"))
    );
    let body = Body::from(json!({"tags": [{"key": "owner", "value": "ada"}]}).to_string());
    service
        .call("PATCH", &format!("{API}/logged-models/{id}/tags"), body)
        .await;
    let point = json!({"run_id": run, "key": "auc", "value": 0.9, "timestamp": 1, "model_id": id, "dataset_name": "test", "dataset_digest": "d"});
    done(&service, "runs/log-metric", point).await;
    done(
        &service,
        "runs/outputs",
        json!({"run_id": run, "models": [{"model_id": id, "step": 2}]}),
    )
    .await;
    let asked = json!({"experiment_ids": [experiment], "filter": "metrics.auc > 0.8 AND params.depth = '3' AND tags.owner = 'ada' AND name LIKE 'tr%'"});
    let found = done(&service, "logged-models/search", asked).await;
    assert_eq!(found["models"][0]["info"]["model_id"], json!(id));
    assert_eq!(
        found["models"][0]["data"]["metrics"][0]["dataset_name"],
        json!("test")
    );
    let (_, files) = get(&service, &format!("logged-models/{id}/artifacts/directories")).await;
    assert_eq!(files["files"][0]["path"], json!("MLmodel"));
    let (_, shown) = get(&service, &format!("runs/get?run_id={run}")).await;
    assert_eq!(
        shown["run"]["outputs"]["model_outputs"],
        json!([{"model_id": id, "step": 2}])
    );
    service
        .call("DELETE", &format!("{API}/logged-models/{id}"), Body::empty())
        .await;
    assert_eq!(
        get(&service, &format!("logged-models/{id}")).await.0,
        StatusCode::NOT_FOUND
    );
}

/// Logs so many points in batches, a peak among them.
async fn log_many(service: &Service, run: &str, count: i64) {
    for first in (0..count).step_by(1_000) {
        let points = (first..count.min(first + 1_000)).map(|step| {
            let value = if step == 3_333 { 99.0 } else { 0.5 };
            json!({"key": "loss", "value": value, "timestamp": step, "step": step})
        });
        done(
            service,
            "runs/log-batch",
            json!({"run_id": run, "metrics": points.collect::<Vec<_>>()}),
        )
        .await;
    }
}

#[tokio::test]
async fn many_points_go_to_the_store_and_are_read_from_there_in_their_order() {
    let service = Service::start_on_disk().await;
    let (_, run) = begun(&service, "churn").await;
    log_many(&service, &run, 9_500).await;
    let unsealed = || async {
        let (_, metrics) = service
            .get(&format!("/api/v1/runs/{run}/metrics/loss?points=10"))
            .await;
        metrics["series"][0]["unsealed"].as_u64().unwrap()
    };
    let within = tokio::time::timeout(Duration::from_secs(30), async {
        while unsealed().await > 4_096 {
            tokio::task::yield_now().await;
        }
    });
    within.await.unwrap();
    log(&service, &run, "loss", json!(0.25), 9_500).await;
    let service = service.restart().await;
    let mut steps = Vec::new();
    let mut token = String::new();
    loop {
        let path =
            format!("metrics/get-history?run_id={run}&metric_key=loss&max_results=2000&page_token={token}");
        let (status, page) = get(&service, &path).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        steps.extend(
            page["metrics"]
                .as_array()
                .unwrap()
                .iter()
                .map(|point| point["step"].as_i64().unwrap()),
        );
        let Some(next) = page["next_page_token"].as_str() else {
            break;
        };
        next.clone_into(&mut token);
    }
    assert_eq!(steps, (0..=9_500).collect::<Vec<i64>>());
    let path = format!("metrics/get-history-bulk-interval?run_ids={run}&metric_key=loss&max_results=100");
    let (_, chart) = get(&service, &path).await;
    let points = chart["metrics"].as_array().unwrap();
    assert!(points.len() <= 102, "{}", points.len());
    assert!(
        points.iter().any(|point| point["value"] == json!(99.0)),
        "the peak is there"
    );
    let path = format!(
        "metrics/get-history-bulk-interval?run_ids={run}&metric_key=loss&start_step=3330&end_step=3335"
    );
    let (_, close) = get(&service, &path).await;
    let steps: Vec<i64> = close["metrics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| point["step"].as_i64().unwrap())
        .collect();
    assert_eq!(steps, [3330, 3331, 3332, 3333, 3334, 3335]);
    service.stop().await.unwrap();
}
