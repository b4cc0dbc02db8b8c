//! Runs of tidemill's own as tracked runs, and who may log what.

use super::{API, begun, done, get, log, post, shown, value};
use crate::harness::{Service, chain};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;

#[tokio::test]
async fn a_run_of_tidemill_is_shown_in_its_experiment_without_anything_being_kept_of_it() {
    let service = Service::start().await;
    let run = service.submit(chain(&["prep", "train"])).await;
    let id = run.0.simple().to_string();
    let (_, experiment) = get(&service, "experiments/get-by-name?experiment_name=tests").await;
    let experiment = experiment["experiment"]["experiment_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let found = || async {
        let found = done(&service, "runs/search", json!({"experiment_ids": [experiment]})).await;
        found["runs"].as_array().unwrap().clone()
    };
    until(|| async { found().await.len() == 2 }).await;
    let runs = found().await;
    let parent = runs
        .iter()
        .find(|found| found["info"]["run_id"] == json!(id))
        .unwrap();
    assert_eq!(parent["info"]["run_name"], json!("a pipe"));
    let attempt = runs
        .iter()
        .find(|found| found["info"]["run_id"] == json!(format!("{id}-0-1")))
        .unwrap();
    assert_eq!(attempt["info"]["run_name"], json!("prep"));
    assert_eq!(value(&attempt["data"]["tags"], "mlflow.parentRunId"), &json!(id));
    assert_eq!(attempt["info"]["status"], json!("SCHEDULED"));
    log(&service, &format!("{id}-0-1"), "loss", json!(0.5), 1).await;
    done(
        &service,
        "runs/update",
        json!({"run_id": format!("{id}-0-1"), "status": "FINISHED"}),
    )
    .await;
    let attempt = shown(&service, &format!("{id}-0-1")).await;
    assert_eq!(value(&attempt["data"]["metrics"], "loss"), &json!(0.5));
    assert_eq!(
        attempt["info"]["status"],
        json!("SCHEDULED"),
        "its worker says how it stands"
    );
    assert_eq!(found().await.len(), 2, "nothing is shown twice");
    let (status, _) = post(&service, "experiments/create", &json!({"name": "tests"})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "it is there");
    let (status, _) = get(&service, &format!("runs/get?run_id={id}-0-2")).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "there is no second attempt");
}

/// Asks until it is so: steps are released by the driver in a moment of its own.
async fn until<F: Future<Output = bool>>(is_so: impl Fn() -> F) {
    let within = tokio::time::timeout(std::time::Duration::from_secs(10), async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    });
    within.await.unwrap();
}

/// Asks over a port; answers the status.
async fn ask(service: &Service, path: &str, body: &Value, token: &str) -> StatusCode {
    let request = Request::builder()
        .method("POST")
        .uri(format!("{API}/{path}"))
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"));
    let request = request.body(Body::from(body.to_string())).unwrap();
    let peer = SocketAddr::from(([10, 0, 0, 1], 40_000));
    service.api.clone().answer(peer, request).await.status()
}

async fn token(service: &Service, scope: &str) -> String {
    let (status, made) = service
        .post("/api/v1/tokens", &json!({"scope": scope, "subject": scope}))
        .await;
    assert_eq!(status, StatusCode::CREATED);
    made["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_reader_looks_and_a_submitter_logs() {
    let service = Service::start().await;
    let (experiment, run) = begun(&service, "churn").await;
    let (reader, submitter) = (
        token(&service, "reader").await,
        token(&service, "submitter").await,
    );
    let search = json!({"experiment_ids": [experiment]});
    assert_eq!(
        ask(&service, "runs/search", &search, &reader).await,
        StatusCode::OK
    );
    let point = json!({"run_id": run, "key": "x", "value": 1, "timestamp": 1});
    assert_eq!(
        ask(&service, "runs/log-metric", &point, &reader).await,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        ask(&service, "runs/log-metric", &point, &submitter).await,
        StatusCode::OK
    );
    let made = json!({"experiment_id": experiment, "user_id": "somebody else"});
    assert_eq!(
        ask(&service, "runs/create", &made, &submitter).await,
        StatusCode::OK
    );
    let found = done(
        &service,
        "runs/search",
        json!({"experiment_ids": [experiment], "filter": "attributes.user_id = 'submitter'"}),
    )
    .await;
    assert_eq!(
        found["runs"].as_array().unwrap().len(),
        1,
        "nobody logs in another name"
    );
}
