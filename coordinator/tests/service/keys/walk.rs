//! Every call that makes something takes a key: the API's own description is walked, and what it declares is tried, before and after a restart.

use super::{Answer, post, request, send};
use crate::harness::Service;
use crate::pipelines::{pipeline, publish};
use axum::body::Body;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tidemill_coordinator::{CoordinatorConfig, SmtpConfig, SmtpSecurity, openapi};

/// Calls by POST and PUT that make nothing, or the same thing however often they come. A new one belongs here or among the samples.
const MAKING_NOTHING: [&str; 61] = [
    // They ask.
    "POST /api/v1/plan",
    "POST /api/v1/pipelines/load",
    "POST /api/v1/artifacts/missing",
    "POST /api/v1/contents/missing",
    "POST /api/v1/datastores/{name}/test",
    "POST /api/v1/webhooks/{name}/test",
    "POST /api/v1/mailings/{name}/test",
    "POST /api/v1/worker/secrets",
    "POST /api/2.0/mlflow/experiments/search",
    "POST /api/2.0/mlflow/logged-models/search",
    "POST /api/2.0/mlflow/registered-models/get-latest-versions",
    "POST /api/2.0/mlflow/runs/search",
    // They bring bytes to the name that their content has, or files to their path.
    "PUT /api/v1/blobs/{digest}",
    "PUT /api/v1/trees/{digest}",
    "PUT /api/v1/contents/{sha256}",
    "POST /api/v1/contents/artifacts",
    "PUT /api/2.0/mlflow-artifacts/artifacts/{path}",
    "POST /api/2.0/mlflow-artifacts/mpu/create/{path}",
    "PUT /api/2.0/mlflow-artifacts/mpu/part/{upload}/{number}",
    "POST /api/2.0/mlflow-artifacts/mpu/complete/{path}",
    "POST /api/2.0/mlflow-artifacts/mpu/abort/{path}",
    // They change what is there to what they say.
    "PUT /api/v1/projects/{name}/quota",
    "PUT /api/v1/projects/{name}/role",
    "PUT /api/v1/assets/{kind}/{name}/labels/{label}",
    "POST /api/v1/experiments/{name}/restore",
    "POST /api/v1/schedules/{name}/pause",
    "POST /api/v1/schedules/{name}/resume",
    "POST /api/v1/webhooks/{name}/pause",
    "POST /api/v1/webhooks/{name}/resume",
    "POST /api/v1/mailings/{name}/pause",
    "POST /api/v1/mailings/{name}/resume",
    "POST /api/v1/runs/{run}/cancel",
    "POST /api/v1/artifacts/sweep",
    "POST /api/v1/workers/{worker}/drain",
    "POST /api/v1/workers/{worker}/enrol",
    "POST /api/v1/workers/{worker}/preempt",
    "POST /api/v1/workers/{worker}/quarantine",
    "POST /api/v1/workers/{worker}/release",
    "POST /api/v1/workers/{worker}/resume",
    "POST /api/2.0/mlflow/experiments/delete",
    "POST /api/2.0/mlflow/experiments/delete-experiment-tag",
    "POST /api/2.0/mlflow/experiments/restore",
    "POST /api/2.0/mlflow/experiments/set-experiment-tag",
    "POST /api/2.0/mlflow/experiments/update",
    "POST /api/2.0/mlflow/logged-models/{model_id}/params",
    "POST /api/2.0/mlflow/model-versions/set-tag",
    "POST /api/2.0/mlflow/model-versions/transition-stage",
    "POST /api/2.0/mlflow/registered-models/alias",
    "POST /api/2.0/mlflow/registered-models/rename",
    "POST /api/2.0/mlflow/registered-models/set-tag",
    "POST /api/2.0/mlflow/runs/delete",
    "POST /api/2.0/mlflow/runs/delete-tag",
    "POST /api/2.0/mlflow/runs/restore",
    "POST /api/2.0/mlflow/runs/set-tag",
    "POST /api/2.0/mlflow/runs/update",
    // A point, a parameter or a model that is logged twice is there once.
    "POST /api/2.0/mlflow/runs/log-batch",
    "POST /api/2.0/mlflow/runs/log-inputs",
    "POST /api/2.0/mlflow/runs/log-metric",
    "POST /api/2.0/mlflow/runs/log-model",
    "POST /api/2.0/mlflow/runs/log-parameter",
    "POST /api/2.0/mlflow/runs/outputs",
];

/// A call that makes something.
struct Sample {
    /// As the description has it.
    operation: &'static str,
    path: String,
    body: Value,
    /// Where its answer says what was made; none when that is shown once.
    id: Option<&'static str>,
}

fn sample(operation: &'static str, path: &str, id: &'static str, body: Value) -> Sample {
    Sample {
        operation,
        path: path.to_owned(),
        body,
        id: Some(id),
    }
}

/// What the samples need to be there.
async fn furnish(service: &Service) -> String {
    publish(service, "train", &pipeline()).await;
    let (_, run) = service.post("/api/v1/runs", &json!({"spec": pipeline()})).await;
    let run = run["id"].as_str().unwrap().to_owned();
    let cancel = format!("/api/v1/runs/{run}/cancel");
    let made = [
        ("POST", cancel.as_str(), String::new()),
        (
            "PUT",
            "/api/v1/drafts/base",
            json!({"source": {"pipeline": pipeline()}}).to_string(),
        ),
        ("PUT", "/api/v1/secrets/hook-key", "a value".to_owned()),
        (
            "POST",
            "/api/2.0/mlflow/registered-models/create",
            json!({"name": "known"}).to_string(),
        ),
    ];
    for (method, path, body) in made {
        let (status, answer) = service.call(method, path, Body::from(body)).await;
        assert!(status.is_success(), "{method} {path}: {answer}");
    }
    run
}

fn samples(run: &str) -> Vec<Sample> {
    let runs = |rest: &str| format!("/api/v1/runs/{run}{rest}");
    let source = json!({"source": {"uri": {"type": "uri_folder", "uri": "s3://bucket/sales"}}});
    let mut all = vec![
        sample(
            "POST /api/v1/runs",
            "/api/v1/runs",
            "/id",
            json!({"spec": pipeline()}),
        ),
        sample(
            "POST /api/v1/runs/{run}/retry",
            &runs("/retry"),
            "/id",
            Value::Null,
        ),
        sample(
            "POST /api/v1/runs/{run}/comments",
            &runs("/comments"),
            "/number",
            json!({"text": "it diverges"}),
        ),
        sample(
            "POST /api/v1/assets/{kind}/{name}/versions",
            "/api/v1/assets/data/sales/versions",
            "/version",
            source,
        ),
        sample(
            "POST /api/v1/pipelines/{name}/runs",
            "/api/v1/pipelines/train/runs",
            "/id",
            json!({}),
        ),
        sample(
            "PUT /api/v1/drafts/{name}",
            "/api/v1/drafts/made",
            "/revision",
            json!({"source": {"pipeline": pipeline()}}),
        ),
        sample(
            "POST /api/v1/drafts/{name}/runs",
            "/api/v1/drafts/base/runs",
            "/id",
            json!({}),
        ),
        sample(
            "POST /api/v1/drafts/{name}/publish",
            "/api/v1/drafts/base/publish",
            "/version",
            json!({}),
        ),
    ];
    all.extend(places());
    all.extend(others());
    all
}

/// What is set under a name.
fn places() -> Vec<Sample> {
    let schedule = json!({"trigger": {"cron": {"expression": "0 3 * * 1"}}, "pipeline": "train"});
    let hook = json!({"url": "https://hooks.example.org/tidemill", "secret": "hook-key"});
    vec![
        sample(
            "PUT /api/v1/schedules/{name}",
            "/api/v1/schedules/weekly",
            "/name",
            schedule,
        ),
        sample(
            "PUT /api/v1/webhooks/{name}",
            "/api/v1/webhooks/hook",
            "/created_at",
            hook,
        ),
        sample(
            "PUT /api/v1/mailings/{name}",
            "/api/v1/mailings/letter",
            "/created_at",
            json!({"to": ["ada@example.org"]}),
        ),
        sample(
            "PUT /api/v1/datastores/{name}",
            "/api/v1/datastores/lake",
            "/revision",
            json!({"url": "s3://lake/raw"}),
        ),
        sample(
            "PUT /api/v1/secrets/{name}",
            "/api/v1/secrets/made",
            "/version",
            json!("a value of its own"),
        ),
        sample(
            "PUT /api/v1/projects/{name}",
            "/api/v1/projects/vision",
            "/name",
            json!({}),
        ),
        sample(
            "PUT /api/v1/teams/{name}",
            "/api/v1/teams/mill",
            "/name",
            json!({"people": ["ada"]}),
        ),
        sample(
            "POST /api/v1/experiments",
            "/api/v1/experiments",
            "/id",
            json!({"name": "birches"}),
        ),
        Sample {
            operation: "POST /api/v1/tokens",
            path: "/api/v1/tokens".to_owned(),
            body: json!({"scope": "reader", "subject": "ben"}),
            id: None,
        },
        Sample {
            operation: "POST /api/v1/join-tokens",
            path: "/api/v1/join-tokens".to_owned(),
            body: json!({}),
            id: None,
        },
    ]
}

/// Azure ML's words, and MLflow's.
fn others() -> Vec<Sample> {
    let azure = |operation, path: &str| sample(operation, &format!("/azureml/{path}"), "/Id", json!({}));
    let mlflow =
        |operation, path: &str, id, body| sample(operation, &format!("/api/2.0/mlflow/{path}"), id, body);
    vec![
        azure(
            "POST /azureml/v1.0/PipelineRuns/PipelineSubmit/{id}",
            "v1.0/PipelineRuns/PipelineSubmit/train",
        ),
        azure(
            "POST /azureml/v1.0/PipelineRuns/PipelineEndpointSubmit/Name",
            "v1.0/PipelineRuns/PipelineEndpointSubmit/Name?name=train",
        ),
        azure(
            "POST /azureml/v1.0/PipelineRuns/PipelineEndpointSubmit/Id/{id}",
            "v1.0/PipelineRuns/PipelineEndpointSubmit/Id/train",
        ),
        azure(
            "POST /azureml/v1.0/PipelineRuns/PipelineEndpointSubmit/Id/{id}/{version}",
            "v1.0/PipelineRuns/PipelineEndpointSubmit/Id/train/1",
        ),
        sample(
            "POST /azureml/endpoints/{name}/jobs",
            "/azureml/endpoints/train/jobs",
            "/name",
            json!({"properties": {}}),
        ),
        mlflow(
            "POST /api/2.0/mlflow/experiments/create",
            "experiments/create",
            "/experiment_id",
            json!({"name": "oaks"}),
        ),
        mlflow(
            "POST /api/2.0/mlflow/runs/create",
            "runs/create",
            "/run/info/run_id",
            json!({"start_time": 1}),
        ),
        mlflow(
            "POST /api/2.0/mlflow/logged-models",
            "logged-models",
            "/model/info/model_id",
            json!({"name": "oak"}),
        ),
        mlflow(
            "POST /api/2.0/mlflow/registered-models/create",
            "registered-models/create",
            "/registered_model/name",
            json!({"name": "new"}),
        ),
        mlflow(
            "POST /api/2.0/mlflow/model-versions/create",
            "model-versions/create",
            "/model_version/version",
            json!({"name": "known", "source": "s3://bucket/model"}),
        ),
    ]
}

pub(crate) fn with_mail(config: &mut CoordinatorConfig) {
    config.smtp = Some(SmtpConfig {
        host: "127.0.0.1".into(),
        port: 9,
        security: SmtpSecurity::Plaintext,
        login: None,
        ca: None,
        from: "mill@example.org".parse().unwrap(),
    });
}

async fn ask(service: &Service, sample: &Sample, key: &str, more: &str) -> Answer {
    let (method, _) = sample.operation.split_once(' ').unwrap();
    let joint = if sample.path.contains('?') { '&' } else { '?' };
    let path = match more {
        "" => sample.path.clone(),
        more => format!("{}{joint}{more}", sample.path),
    };
    let body = match &sample.body {
        Value::Null => Body::empty(),
        body => Body::from(body.to_string()),
    };
    send(service, request((method, &path), key, body)).await
}

fn check_again(sample: &Sample, first: &Answer, again: &Answer) {
    let (operation, body) = (sample.operation, &again.body);
    let Some(id) = sample.id else {
        assert_eq!(again.status, StatusCode::CONFLICT, "{operation}: {body}");
        return;
    };
    assert!(again.status.is_success(), "{operation}: {} {body}", again.status);
    assert!(
        again.is_replayed(),
        "{operation} does not say that it is an old answer"
    );
    let made = first.body.pointer(id);
    assert!(made.is_some(), "{operation}: {}", first.body);
    assert_eq!(body.pointer(id), made, "{operation}");
}

#[tokio::test]
async fn every_call_that_makes_something_makes_it_once_under_a_key_also_after_a_restart() {
    let service = Service::start_tuned(with_mail).await;
    let run = furnish(&service).await;
    let samples = samples(&run);
    let mut firsts = Vec::new();
    for sample in &samples {
        let operation = sample.operation;
        let too_long = "k".repeat(256);
        let bad = ask(&service, sample, &too_long, "").await;
        assert_eq!(bad.status, StatusCode::BAD_REQUEST, "{operation} reads no key");
        let first = ask(&service, sample, "key", "").await;
        assert!(
            first.status.is_success(),
            "{operation}: {} {}",
            first.status,
            first.body
        );
        assert!(!first.is_replayed(), "{operation}");
        let again = ask(&service, sample, "key", "").await;
        check_again(sample, &first, &again);
        let other = ask(&service, sample, "key", "other=1").await;
        assert_eq!(
            other.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{operation}: {}",
            other.body
        );
        firsts.push(first);
    }
    let counted = counts(&service).await;
    let service = service.restart_with(with_mail).await;
    for (sample, first) in samples.iter().zip(&firsts) {
        let again = ask(&service, sample, "key", "").await;
        check_again(sample, first, &again);
    }
    assert_eq!(counts(&service).await, counted, "nothing more was made");
    assert_eq!(
        counted[0], 9,
        "one run of each call that starts one, and the one that was there"
    );
}

/// How many there are of what is easily made twice.
async fn counts(service: &Service) -> Vec<usize> {
    let mut counts = Vec::new();
    for path in [
        "/api/v1/runs",
        "/api/v1/runs/last/comments",
        "/api/v1/tokens",
        "/api/v1/join-tokens",
        "/api/v1/assets/pipeline/base/versions",
        "/api/v1/assets/data/sales/versions",
        "/api/v1/assets/model/known/versions",
    ] {
        counts.push(super::count(service, path).await);
    }
    let found = service
        .post(
            "/api/2.0/mlflow/logged-models/search",
            &json!({"experiment_ids": ["0"]}),
        )
        .await;
    counts.push(found.1["models"].as_array().unwrap().len());
    counts
}

#[test]
fn every_call_that_makes_something_declares_the_header_and_is_tried_here() {
    let description = serde_json::to_value(openapi()).unwrap();
    let tried: BTreeSet<String> = samples("last")
        .iter()
        .map(|sample| sample.operation.to_owned())
        .collect();
    let (mut declared, mut left) = (BTreeSet::new(), MAKING_NOTHING.to_vec());
    let mut undecided = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for method in ["post", "put"] {
            let Some(operation) = item.get(method) else {
                continue;
            };
            let name = format!("{} {path}", method.to_uppercase());
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let takes_key = parameters
                .filter(|parameter| parameter["in"] == "header")
                .any(|parameter| parameter["name"] == "idempotency-key");
            let exempt = left.iter().position(|other| *other == name);
            match (takes_key, exempt) {
                (true, None) => drop(declared.insert(name)),
                (false, Some(place)) => drop(left.remove(place)),
                (true, Some(_)) | (false, None) => undecided.push(name),
            }
        }
    }
    assert!(
        undecided.is_empty(),
        "these make something and take no key, or stand in the wrong list: {undecided:#?}"
    );
    assert!(left.is_empty(), "these are no calls any more: {left:#?}");
    assert_eq!(declared, tried, "what takes a key is tried above");
}

#[tokio::test]
async fn a_call_that_takes_no_key_does_not_read_one() {
    let service = Service::start().await;
    let (key, spec) = ("k".repeat(256), json!({"spec": pipeline()}));
    let planned = post(&service, "/api/v1/plan", &key, &spec).await;
    assert_eq!(planned.status, StatusCode::OK, "{}", planned.body);
}
