//! Tracking through MLflow's REST API: what is logged is shown, searched and kept; what breaks a rule is refused in the words that clients know.

mod attempt;
mod files;
mod own;

use crate::harness::Service;
use axum::http::StatusCode;
use serde_json::{Value, json};

const API: &str = "/api/2.0/mlflow";

async fn get(service: &Service, path: &str) -> (StatusCode, Value) {
    service.get(&format!("{API}/{path}")).await
}

async fn post(service: &Service, path: &str, body: &Value) -> (StatusCode, Value) {
    service.post(&format!("{API}/{path}"), body).await
}

async fn done(service: &Service, path: &str, body: Value) -> Value {
    let (status, answer) = post(service, path, &body).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
}

/// An experiment with a run in it: their ids.
async fn begun(service: &Service, name: &str) -> (String, String) {
    let made = done(service, "experiments/create", json!({"name": name})).await;
    let experiment = made["experiment_id"].as_str().unwrap().to_owned();
    let asked =
        json!({"experiment_id": experiment, "run_name": "first", "user_id": "ada", "start_time": 1000});
    let made = done(service, "runs/create", asked).await;
    let run = made["run"]["info"]["run_id"].as_str().unwrap().to_owned();
    (experiment, run)
}

async fn shown(service: &Service, run: &str) -> Value {
    let (status, answer) = get(service, &format!("runs/get?run_uuid={run}&run_id={run}")).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer["run"].clone()
}

fn value<'a>(pairs: &'a Value, key: &str) -> &'a Value {
    let pairs = pairs.as_array().unwrap();
    let found = pairs.iter().find(|pair| pair["key"] == key);
    found.map_or(&Value::Null, |pair| &pair["value"])
}

async fn log(service: &Service, run: &str, key: &str, value: Value, step: i64) {
    let point = json!({"run_id": run, "run_uuid": run, "key": key, "value": value, "timestamp": 5000 + step, "step": step});
    done(service, "runs/log-metric", point).await;
}

#[tokio::test]
async fn what_is_logged_is_shown_with_the_last_point_of_each_metric() {
    let service = Service::start().await;
    let (experiment, run) = begun(&service, "churn").await;
    for (step, loss) in [(0, 0.9), (2, 0.5), (1, 0.7)] {
        log(&service, &run, "loss", json!(loss), step).await;
    }
    log(&service, &run, "odd", json!("NaN"), 0).await;
    log(&service, &run, "far", json!("-Infinity"), 0).await;
    done(
        &service,
        "runs/log-parameter",
        json!({"run_id": run, "key": "depth", "value": "3"}),
    )
    .await;
    done(
        &service,
        "runs/set-tag",
        json!({"run_id": run, "key": "owner", "value": "ada"}),
    )
    .await;
    let shown = shown(&service, &run).await;
    assert_eq!(shown["info"]["experiment_id"], json!(experiment));
    assert_eq!(shown["info"]["run_uuid"], json!(run));
    assert_eq!(
        (&shown["info"]["status"], &shown["info"]["start_time"]),
        (&json!("RUNNING"), &json!(1000))
    );
    assert_eq!(
        shown["info"]["artifact_uri"],
        json!(format!("mlflow-artifacts:/{experiment}/{run}/artifacts"))
    );
    assert_eq!(
        value(&shown["data"]["metrics"], "loss"),
        &json!(0.5),
        "by step, not by when it came"
    );
    assert_eq!(value(&shown["data"]["metrics"], "odd"), &json!("NaN"));
    assert_eq!(value(&shown["data"]["metrics"], "far"), &json!("-Infinity"));
    assert_eq!(value(&shown["data"]["params"], "depth"), &json!("3"));
    assert_eq!(value(&shown["data"]["tags"], "owner"), &json!("ada"));
    assert_eq!(value(&shown["data"]["tags"], "mlflow.runName"), &json!("first"));
    let (_, history) = get(
        &service,
        &format!("metrics/get-history?run_id={run}&metric_key=loss"),
    )
    .await;
    let steps: Vec<i64> = history["metrics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| point["step"].as_i64().unwrap())
        .collect();
    assert_eq!(steps, [0, 2, 1], "in the order in which they came");
    let (_, none) = get(
        &service,
        &format!("metrics/get-history?run_id={run}&metric_key=other"),
    )
    .await;
    assert_eq!(none["metrics"], json!([]));
}

#[tokio::test]
async fn a_run_ends_is_renamed_deleted_and_restored() {
    let service = Service::start().await;
    let (experiment, run) = begun(&service, "churn").await;
    let ended = done(
        &service,
        "runs/update",
        json!({"run_id": run, "status": "FINISHED", "end_time": "9000"}),
    )
    .await;
    assert_eq!(
        (&ended["run_info"]["status"], &ended["run_info"]["end_time"]),
        (&json!("FINISHED"), &json!(9000))
    );
    done(
        &service,
        "runs/set-tag",
        json!({"run_id": run, "key": "mlflow.runName", "value": "second"}),
    )
    .await;
    assert_eq!(shown(&service, &run).await["info"]["run_name"], json!("second"));
    done(&service, "runs/delete", json!({"run_id": run})).await;
    let found = |view: &'static str| {
        let asked = json!({"experiment_ids": [experiment], "run_view_type": view});
        let service = &service;
        async move {
            done(service, "runs/search", asked).await["runs"]
                .as_array()
                .unwrap()
                .len()
        }
    };
    assert_eq!(
        (
            found("ACTIVE_ONLY").await,
            found("DELETED_ONLY").await,
            found("ALL").await
        ),
        (0, 1, 1)
    );
    let point = json!({"run_id": run, "key": "x", "value": 1, "timestamp": 1});
    let (status, refused) = post(&service, "runs/log-metric", &point).await;
    assert_eq!(
        (status, &refused["error_code"]),
        (StatusCode::BAD_REQUEST, &json!("INVALID_PARAMETER_VALUE"))
    );
    done(&service, "runs/restore", json!({"run_id": run})).await;
    done(&service, "runs/log-metric", point).await;
}

#[tokio::test]
async fn a_parameter_is_logged_once_and_a_bad_batch_leaves_nothing() {
    let service = Service::start().await;
    let (_, run) = begun(&service, "churn").await;
    let param = |value: &str| json!({"run_id": run, "key": "depth", "value": value});
    done(&service, "runs/log-parameter", param("3")).await;
    done(&service, "runs/log-parameter", param("3")).await;
    let (status, refused) = post(&service, "runs/log-parameter", &param("4")).await;
    assert_eq!(
        (status, &refused["error_code"]),
        (StatusCode::BAD_REQUEST, &json!("INVALID_PARAMETER_VALUE"))
    );
    assert!(
        refused["message"].as_str().unwrap().contains("`depth` is `3`"),
        "{refused}"
    );
    let batch = json!({"run_id": run, "metrics": [{"key": "loss", "value": 1.0, "timestamp": 1, "step": 0}],
        "tags": [{"key": "t", "value": "v"}], "params": [{"key": "depth", "value": "5"}]});
    assert_eq!(
        post(&service, "runs/log-batch", &batch).await.0,
        StatusCode::BAD_REQUEST
    );
    let shown = shown(&service, &run).await;
    assert_eq!(shown["data"]["metrics"], json!([]));
    assert_eq!(value(&shown["data"]["tags"], "t"), &Value::Null);
}

#[tokio::test]
async fn limits_and_unknown_things_are_refused_in_the_words_that_clients_know() {
    let service = Service::start().await;
    let (experiment, run) = begun(&service, "churn").await;
    let many: Vec<Value> = (0..101)
        .map(|n| json!({"key": format!("p{n}"), "value": "1"}))
        .collect();
    let bad = [
        ("runs/log-batch", json!({"run_id": run, "params": many})),
        (
            "runs/log-metric",
            json!({"run_id": run, "key": "a\"b", "value": 1, "timestamp": 1}),
        ),
        (
            "runs/log-metric",
            json!({"run_id": run, "key": "../b", "value": 1, "timestamp": 1}),
        ),
        (
            "runs/log-metric",
            json!({"run_id": run, "key": "x".repeat(251), "value": 1, "timestamp": 1}),
        ),
        (
            "runs/log-metric",
            json!({"run_id": run, "key": "a", "value": "one", "timestamp": 1}),
        ),
        ("runs/log-metric", json!({"run_id": run, "key": "a", "value": 1})),
        ("runs/log-metric", json!({"key": "a", "value": 1, "timestamp": 1})),
        (
            "runs/log-parameter",
            json!({"run_id": run, "key": "a", "value": "x".repeat(6001)}),
        ),
        ("runs/update", json!({"run_id": run, "status": "HAPPY"})),
        (
            "runs/search",
            json!({"experiment_ids": [experiment], "filter": "metrics.a = 'x'"}),
        ),
        (
            "runs/search",
            json!({"experiment_ids": [experiment], "max_results": 0}),
        ),
        (
            "experiments/create",
            json!({"name": "x", "artifact_location": "s3://elsewhere"}),
        ),
        ("experiments/create", json!({"name": " "})),
    ];
    for (path, body) in bad {
        let (status, refused) = post(&service, path, &body).await;
        assert_eq!(
            (status, &refused["error_code"]),
            (StatusCode::BAD_REQUEST, &json!("INVALID_PARAMETER_VALUE")),
            "{path} {body}: {refused}"
        );
    }
}

#[tokio::test]
async fn what_is_taken_unknown_or_deleted_is_refused_in_the_words_that_clients_know() {
    let service = Service::start().await;
    let (experiment, _) = begun(&service, "churn").await;
    let (status, taken) = post(&service, "experiments/create", &json!({"name": "churn"})).await;
    assert_eq!(
        (status, &taken["error_code"]),
        (StatusCode::BAD_REQUEST, &json!("RESOURCE_ALREADY_EXISTS"))
    );
    for path in [
        "experiments/get?experiment_id=77",
        "experiments/get-by-name?experiment_name=none",
        "runs/get?run_id=none",
    ] {
        let (status, refused) = get(&service, path).await;
        assert_eq!(
            (status, &refused["error_code"]),
            (StatusCode::NOT_FOUND, &json!("RESOURCE_DOES_NOT_EXIST")),
            "{path}"
        );
    }
    let (status, refused) = get(&service, "runs/nothing-like-this").await;
    assert_eq!(
        (status, &refused["error_code"]),
        (StatusCode::NOT_FOUND, &json!("ENDPOINT_NOT_FOUND"))
    );
    let deleted = post(
        &service,
        "experiments/delete",
        &json!({"experiment_id": experiment}),
    )
    .await;
    assert_eq!(deleted.0, StatusCode::OK);
    let (status, _) = post(&service, "runs/create", &json!({"experiment_id": experiment})).await;
    assert_eq!(
        status,
        StatusCode::BAD_REQUEST,
        "nothing is begun in a deleted experiment"
    );
}

#[tokio::test]
async fn runs_are_found_by_what_was_logged_in_the_order_that_is_asked_for() {
    let service = Service::start().await;
    let (experiment, _) = begun(&service, "churn").await;
    for (name, loss, model) in [
        ("a", 0.3, "tree"),
        ("b", 0.1, "tree"),
        ("c", 0.2, "line"),
        ("d", 0.9, "tree"),
    ] {
        let made = done(
            &service,
            "runs/create",
            json!({"experiment_id": experiment, "run_name": name, "start_time": 2000}),
        )
        .await;
        let run = made["run"]["info"]["run_id"].as_str().unwrap().to_owned();
        log(&service, &run, "loss", json!(loss), 0).await;
        done(
            &service,
            "runs/log-parameter",
            json!({"run_id": run, "key": "model", "value": model}),
        )
        .await;
    }
    let asked = |token: &str| {
        json!({"experiment_ids": [experiment], "filter": "metrics.loss < 0.5 and params.model LIKE 't%'",
            "order_by": ["metrics.loss ASC"], "max_results": 1, "page_token": token})
    };
    let first = done(&service, "runs/search", asked("")).await;
    assert_eq!(first["runs"][0]["info"]["run_name"], json!("b"));
    let second = done(
        &service,
        "runs/search",
        asked(first["next_page_token"].as_str().unwrap()),
    )
    .await;
    assert_eq!(second["runs"][0]["info"]["run_name"], json!("a"));
    assert_eq!(second["next_page_token"], Value::Null);
}

#[tokio::test]
async fn experiments_are_searched_tagged_renamed_and_their_old_name_is_free() {
    let service = Service::start().await;
    let (experiment, _) = begun(&service, "churn").await;
    let tag = json!({"experiment_id": experiment, "key": "team", "value": "risk"});
    done(&service, "experiments/set-experiment-tag", tag).await;
    done(
        &service,
        "experiments/update",
        json!({"experiment_id": experiment, "new_name": "old churn"}),
    )
    .await;
    let again = done(&service, "experiments/create", json!({"name": "churn"})).await;
    assert_ne!(again["experiment_id"], json!(experiment));
    let (_, found) = get(
        &service,
        "experiments/search?max_results=10&filter=tags.team%20%3D%20%27risk%27",
    )
    .await;
    let names: Vec<&str> = found["experiments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| found["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["old churn"]);
    let all = done(
        &service,
        "experiments/search",
        json!({"max_results": 10, "order_by": ["name ASC"]}),
    )
    .await;
    let names: Vec<&str> = all["experiments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| found["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Default", "churn", "old churn"]);
    let (_, default) = get(&service, "experiments/get?experiment_id=0").await;
    assert_eq!(default["experiment"]["name"], json!("Default"));
}

#[tokio::test]
async fn what_was_logged_outlives_a_power_cut_and_a_snapshot() {
    let service = Service::start_on_disk().await;
    let (experiment, run) = begun(&service, "churn").await;
    for step in 0..1_100 {
        log(
            &service,
            &run,
            "loss",
            json!(f64::from(i32::try_from(step).unwrap())),
            step,
        )
        .await;
    }
    let service = service.restart().await;
    assert_eq!(
        value(&shown(&service, &run).await["data"]["metrics"], "loss"),
        &json!(1099.0)
    );
    let found = done(&service, "runs/search", json!({"experiment_ids": [experiment]})).await;
    assert_eq!(found["runs"].as_array().unwrap().len(), 1);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_point_that_is_sent_again_is_not_there_twice() {
    let service = Service::start().await;
    let (_, run) = begun(&service, "churn").await;
    for _ in 0..3 {
        log(&service, &run, "loss", json!(0.5), 1).await;
    }
    let (_, history) = get(
        &service,
        &format!("metrics/get-history?run_id={run}&metric_key=loss"),
    )
    .await;
    assert_eq!(history["metrics"].as_array().unwrap().len(), 1);
    let points: Vec<Value> = (0..1_000)
        .map(|step| json!({"key": "auc", "value": 0.5, "timestamp": step, "step": step}))
        .collect();
    for _ in 0..2 {
        done(
            &service,
            "runs/log-batch",
            json!({"run_id": run, "metrics": points}),
        )
        .await;
    }
    let (_, history) = get(
        &service,
        &format!("metrics/get-history?run_id={run}&metric_key=auc"),
    )
    .await;
    assert_eq!(history["metrics"].as_array().unwrap().len(), 1_000);
}
