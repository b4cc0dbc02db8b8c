//! What the token of an attempt opens: its own run and those that it made, in the experiment of its run, while it lives and a little longer; and nothing else.

use super::{API, done};
use crate::harness::{Service, chain};
use crate::worker::ScriptedWorker;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tidemill_protocol::time::Millis;
use tidemill_protocol::wire::{ReportBody, StepTask, Success};

/// Asks over a port with this token.
async fn ask(
    service: &Service,
    (method, path): (&str, &str),
    body: &Value,
    token: &str,
) -> (StatusCode, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"));
    let body = if method == "GET" {
        Body::empty()
    } else {
        Body::from(body.to_string())
    };
    let peer = SocketAddr::from(([10, 0, 0, 7], 40_000));
    let answer = service
        .api
        .clone()
        .answer(peer, request.body(body).unwrap())
        .await;
    let status = answer.status();
    let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

async fn post(service: &Service, path: &str, body: Value, token: &str) -> (StatusCode, Value) {
    ask(service, ("POST", &format!("{API}/{path}")), &body, token).await
}

/// A step that runs: its worker and its task.
async fn running(service: &Service) -> (ScriptedWorker, StepTask) {
    let mut worker = ScriptedWorker::join(service, "w1").await;
    service.submit(chain(&["train"])).await;
    let task = worker.task().await;
    worker.report(&task, vec![ReportBody::Claimed]).await;
    (worker, task)
}

#[tokio::test]
async fn a_task_brings_what_its_process_needs_to_log() {
    let service = Service::start().await;
    let (_worker, task) = running(&service).await;
    let grant = task.tracking.clone().unwrap();
    let token = grant.token.reveal();
    let point = json!({"run_id": grant.run, "key": "loss", "value": 0.5, "timestamp": 1, "step": 3});
    assert_eq!(
        post(&service, "runs/log-metric", point, token).await.0,
        StatusCode::OK
    );
    let (status, shown) = ask(
        &service,
        ("GET", &format!("{API}/runs/get?run_id={}", grant.run)),
        &Value::Null,
        token,
    )
    .await;
    assert_eq!(status, StatusCode::OK, "{shown}");
    assert_eq!(shown["run"]["info"]["experiment_id"], json!(grant.experiment));
    assert_eq!(shown["run"]["data"]["metrics"][0]["value"], json!(0.5));
    let search = json!({"experiment_ids": [grant.experiment]});
    assert_eq!(
        post(&service, "runs/search", search, token).await.0,
        StatusCode::OK
    );
    assert!(
        !format!("{task:?}").contains(token),
        "a task that is logged does not show it"
    );
}

#[tokio::test]
async fn an_attempt_makes_runs_in_its_experiment_and_logs_to_them() {
    let service = Service::start().await;
    let (_worker, task) = running(&service).await;
    let grant = task.tracking.clone().unwrap();
    let token = grant.token.reveal();
    let create = json!({"experiment_id": grant.experiment, "tags": [{"key": "mlflow.parentRunId", "value": grant.run}]});
    let (status, made) = post(&service, "runs/create", create, token).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    let child = made["run"]["info"]["run_id"].as_str().unwrap();
    let point = json!({"run_id": child, "key": "loss", "value": 0.5, "timestamp": 1});
    assert_eq!(
        post(&service, "runs/log-metric", point, token).await.0,
        StatusCode::OK
    );
}

#[tokio::test]
async fn an_attempt_reaches_nothing_else() {
    let service = Service::start().await;
    let (_worker, task) = running(&service).await;
    let grant = task.tracking.clone().unwrap();
    let token = grant.token.reveal();
    let made = done(
        &service,
        "runs/create",
        json!({"experiment_id": grant.experiment}),
    )
    .await;
    let same = made["run"]["info"]["run_id"].as_str().unwrap().to_owned();
    let made = done(&service, "runs/create", json!({"experiment_id": "0"})).await;
    let other = made["run"]["info"]["run_id"].as_str().unwrap().to_owned();
    let point = |run: &str| json!({"run_id": run, "key": "loss", "value": 0.5, "timestamp": 1});
    for (path, body) in [
        ("runs/log-metric", point(&same)),
        ("runs/log-metric", point(&other)),
        ("runs/create", json!({"experiment_id": "0"})),
        ("runs/search", json!({"experiment_ids": ["0"]})),
        ("runs/delete", json!({"run_id": grant.run})),
        ("experiments/create", json!({"name": "mine"})),
        ("experiments/delete", json!({"experiment_id": grant.experiment})),
    ] {
        let (status, refused) = post(&service, path, body, token).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}: {refused}");
        assert_eq!(refused["error_code"], json!("PERMISSION_DENIED"), "{path}");
    }
    for path in [
        format!("{API}/runs/get?run_id={other}"),
        format!("{API}/experiments/get-by-name?experiment_name=none"),
        "/api/v1/runs".to_owned(),
        "/api/v1/tokens".to_owned(),
    ] {
        let (status, _) = ask(&service, ("GET", &path), &Value::Null, token).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
    }
    let (status, _) = post(
        &service,
        "runs/log-metric",
        point(&same),
        &token.replace("-0-1_", "-0-2_"),
    )
    .await;
    assert_eq!(
        status,
        StatusCode::UNAUTHORIZED,
        "a token that was changed is none"
    );
}

/// Every operation of the API's own description: method, a path that fits it, and whether attempts may come in by their tokens, or anybody.
fn operations() -> Vec<(String, String, bool)> {
    let json = serde_json::to_value(tidemill_coordinator::openapi()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in json["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let security = operation["security"].as_array().unwrap();
            let is_let_in = |way: &Value| way.get("attempt").is_some() || *way == json!({});
            operations.push((
                method.to_uppercase(),
                path.replace(['{', '}'], ""),
                security.iter().any(is_let_in),
            ));
        }
    }
    operations
}

#[tokio::test]
async fn no_route_that_is_not_declared_for_attempts_takes_the_token_of_one() {
    let service = Service::start().await;
    let (_worker, task) = running(&service).await;
    let token = task.tracking.clone().unwrap().token.reveal().to_owned();
    let (mut refused, mut let_in) = (0, 0);
    for (method, path, is_let_in) in operations() {
        if is_let_in {
            let_in += 1;
            continue;
        }
        let (status, answer) = ask(&service, (&method, &path), &json!({}), &token).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}: {answer}");
        refused += 1;
    }
    assert!(refused > 100, "only {refused} routes were asked");
    assert!(
        let_in < refused,
        "{let_in} routes let attempts in, {refused} do not"
    );
}

#[tokio::test]
async fn the_token_of_an_attempt_ends_some_minutes_after_it() {
    let service = Service::start().await;
    let (mut worker, task) = running(&service).await;
    let grant = task.tracking.clone().unwrap();
    let token = grant.token.reveal().to_owned();
    worker
        .report(&task, vec![ReportBody::Succeeded(Success::default())])
        .await;
    service.watch(task.attempt.run).await;
    let point = json!({"run_id": grant.run, "key": "loss", "value": 0.5, "timestamp": 1});
    service.clock.advance(Millis::from_secs(60));
    assert_eq!(
        post(&service, "runs/log-metric", point.clone(), &token).await.0,
        StatusCode::OK
    );
    service.clock.advance(Millis::from_secs(600));
    assert_eq!(
        post(&service, "runs/log-metric", point, &token).await.0,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn the_port_for_steps_serves_attempts_and_nobody_else() {
    let service = Service::start().await;
    let (_worker, task) = running(&service).await;
    let grant = task.tracking.clone().unwrap();
    let call = |authorization: Option<String>| {
        let service = &service;
        let path = format!("{API}/runs/get?run_id={}", grant.run);
        async move {
            let mut request = Request::get(path);
            if let Some(authorization) = authorization {
                request = request.header("authorization", format!("Bearer {authorization}"));
            }
            let peer = SocketAddr::from(([127, 0, 0, 1], 40_000));
            let api = service.coordinator.api().for_steps();
            api.answer(peer, request.body(Body::empty()).unwrap())
                .await
                .status()
        }
    };
    assert_eq!(
        call(None).await,
        StatusCode::UNAUTHORIZED,
        "this machine may do nothing there"
    );
    let operator =
        std::fs::read_to_string(service.dir.path().join(tidemill_coordinator::OPERATOR_FILE)).unwrap();
    assert_eq!(
        call(Some(operator.trim().to_owned())).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(call(Some(grant.token.reveal().to_owned())).await, StatusCode::OK);
}
