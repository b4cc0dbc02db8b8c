//! From a pipeline file to a run over REST, and what a plan says before it.

use super::harness::Service;
use super::worker::ScriptedWorker;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use tidemill_artifacts::{ScanOptions, scan};
use tidemill_language::{SourceKind, Workspace, load};

const PIPELINE: &str = "\
type: pipeline
name: greeting
settings:
  default_compute: cpu
jobs:
  greet:
    type: command
    code: ./src
    command: python greet.py
    environment: host
";

/// Loads the pipeline, brings its folders to the store, and gives the body of a submission.
async fn submission(service: &Service, folder: &Path) -> Value {
    let loaded = load(&folder.join("pipeline.yml"), &Workspace::default()).unwrap();
    let mut contents = BTreeMap::new();
    for source in &loaded.sources {
        assert!(matches!(source.kind, SourceKind::Folder));
        let scanned = scan(&source.path, &ScanOptions::code()).unwrap();
        contents.insert(source.id, service.store.upload(&scanned, &()).await.unwrap());
    }
    json!({ "spec": loaded.finish(&contents), "submitted_by": "ann", "idempotency_key": null })
}

#[tokio::test]
async fn a_pipeline_file_is_submitted_and_its_rerun_is_planned_as_reuse() {
    let service = Service::start().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pipeline.yml"), PIPELINE).unwrap();
    std::fs::create_dir(folder.path().join("src")).unwrap();
    std::fs::write(folder.path().join("src/greet.py"), "print('hello')").unwrap();
    std::fs::write(folder.path().join("src/other.py"), "").unwrap();

    let body = submission(&service, folder.path()).await;
    let (status, plan) = service.post("/api/v1/plan", &body).await;
    assert_eq!(status, StatusCode::OK, "{plan}");
    assert_eq!(plan["steps"][0]["decision"], "run");
    assert_eq!(plan["steps"][0]["reasons"], json!(["never run before"]));

    let (status, run) = service.post("/api/v1/runs", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{run}");
    worker.work(1).await;
    service.watch(run["id"].as_str().unwrap().parse().unwrap()).await;

    let (_, plan) = service.post("/api/v1/plan", &body).await;
    assert_eq!(plan["steps"][0]["decision"], "reuse", "{plan}");

    std::fs::write(folder.path().join("src/greet.py"), "print('good evening')").unwrap();
    let body = submission(&service, folder.path()).await;
    let (_, plan) = service.post("/api/v1/plan", &body).await;
    assert_eq!(plan["steps"][0]["decision"], "run");
    assert_eq!(plan["steps"][0]["reasons"], json!(["code: greet.py changed"]));
}

#[tokio::test]
async fn the_same_idempotency_key_gives_the_same_run() {
    let service = Service::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pipeline.yml"), PIPELINE).unwrap();
    std::fs::create_dir(folder.path().join("src")).unwrap();
    let mut body = submission(&service, folder.path()).await;
    body["idempotency_key"] = json!("nightly-7");
    let (first, one) = service.post("/api/v1/runs", &body).await;
    let (second, two) = service.post("/api/v1/runs", &body).await;
    assert_eq!((first, second), (StatusCode::CREATED, StatusCode::OK));
    assert_eq!(one["id"], two["id"]);
}

#[tokio::test]
async fn fifty_submissions_at_once_with_one_key_make_one_run() {
    let service = Service::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pipeline.yml"), PIPELINE).unwrap();
    std::fs::create_dir(folder.path().join("src")).unwrap();
    let mut body = submission(&service, folder.path()).await;
    body["idempotency_key"] = json!("nightly-8");
    let answers = futures_util::future::join_all((0..50).map(|_| service.post("/api/v1/runs", &body))).await;
    let (_, first) = &answers[0];
    for (status, answer) in &answers {
        assert!(
            matches!(*status, StatusCode::CREATED | StatusCode::OK),
            "{answer}"
        );
        assert_eq!(answer["id"], first["id"]);
    }
    let made = answers
        .iter()
        .filter(|(status, _)| *status == StatusCode::CREATED);
    assert_eq!(made.count(), 1);
    let (_, runs) = service.get("/api/v1/runs").await;
    assert_eq!(runs["items"].as_array().unwrap().len(), 1, "{runs}");
}

#[tokio::test]
async fn a_parameter_that_no_message_can_carry_is_refused_wherever_a_run_begins_and_leaves_nothing() {
    let service = Service::start().await;
    let mut spec = super::pipelines::pipeline();
    for component in [0, 1] {
        let inputs = &mut spec["components"][component]["inputs"];
        let name = if component == 0 { "n" } else { "trees" };
        inputs[name] = json!({"input_type": {"literal": "string"}});
    }
    super::pipelines::publish(&service, "large", &spec).await;
    let parameters = json!({"trees": "w".repeat(10 * 1024 * 1024)});
    for (path, body) in [
        ("/api/v1/plan", json!({"spec": spec, "parameters": parameters})),
        ("/api/v1/runs", json!({"spec": spec, "parameters": parameters})),
        ("/api/v1/pipelines/large/runs", json!({"parameters": parameters})),
    ] {
        let (status, refused) = service.post(path, &body).await;
        assert!(status.is_client_error(), "{path}: {status}");
        let told = refused.to_string();
        assert!(told.len() < 2_000, "{path}: the answer has {} bytes", told.len());
        if status != StatusCode::PAYLOAD_TOO_LARGE {
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {told}");
            assert_eq!(refused["problems"][0]["code"], "TM0110", "{path}: {told}");
            assert_eq!(refused["problems"][0]["path"], "fit", "{path}: {told}");
        }
    }
    let (_, runs) = service.get("/api/v1/runs").await;
    assert_eq!(runs["items"], json!([]));
}

#[tokio::test]
async fn an_unknown_parameter_is_a_problem_of_the_pipeline() {
    let service = Service::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pipeline.yml"), PIPELINE).unwrap();
    std::fs::create_dir(folder.path().join("src")).unwrap();
    let mut body = submission(&service, folder.path()).await;
    body["parameters"] = json!({ "no_such": "1" });
    let (status, error) = service.post("/api/v1/runs", &body).await;
    assert_eq!(
        (status, &error["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("invalid_pipeline"))
    );
    assert_eq!(error["problems"].as_array().unwrap().len(), 1, "{error}");
}

#[tokio::test]
async fn without_room_on_the_disk_new_runs_are_refused_and_old_ones_go_on() {
    let service = Service::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pipeline.yml"), PIPELINE).unwrap();
    std::fs::create_dir(folder.path().join("src")).unwrap();
    let body = submission(&service, folder.path()).await;
    let (_, old) = service.post("/api/v1/runs", &body).await;
    let service = service
        .restart_with(|config| config.disk_reserve = u64::MAX)
        .await;
    let (status, refusal) = service.post("/api/v1/runs", &body).await;
    assert_eq!(status, StatusCode::INSUFFICIENT_STORAGE, "{refusal}");
    assert_eq!(refusal["code"], "disk_full");
    assert!(refusal["hint"].is_string(), "{refusal}");
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    worker.work(1).await;
    service.watch(old["id"].as_str().unwrap().parse().unwrap()).await;
    let (_, runs) = service.get("/api/v1/runs").await;
    assert_eq!(runs["items"].as_array().unwrap().len(), 1, "{runs}");
    assert_eq!(runs["items"][0]["status"], "succeeded");
    service.stop().await.unwrap();
}
