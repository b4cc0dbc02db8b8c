//! Pipelines that nobody means well with, over REST: each is refused with the one body that refusals have, soon, and nothing of it is kept.

use super::harness::Service;
use super::pipelines::pipeline;
use axum::body::Body;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::{Duration, Instant};
use tidemill_coordinator::journal::EventLog;

/// Everything that takes a pipeline as it was read.
const TAKES_SPECS: [&str; 3] = [
    "/api/v1/runs",
    "/api/v1/plan",
    "/api/v1/assets/pipeline/hostile/versions",
];
const LOAD: &str = "/api/v1/pipelines/load";
/// Longest body of a submission.
const SUBMISSION_BYTES_MAX: usize = 64 * 1024 * 1024;
/// None of it may keep the coordinator busy. Generous: the tests are not optimised, and share the machine.
const SOON: Duration = Duration::from_secs(20);

fn body_for(path: &str, spec: &Value) -> Value {
    if path.ends_with("versions") {
        json!({"source": {"pipeline": spec}})
    } else {
        json!({"spec": spec})
    }
}

/// Posts it and answers the code of the refusal.
async fn refused(service: &Service, path: &str, body: Body, status: StatusCode) -> String {
    let began = Instant::now();
    let (found, answer) = service.call("POST", path, body).await;
    assert_eq!(found, status, "{path}: {answer}");
    assert!(!answer["message"].as_str().unwrap().is_empty(), "{answer}");
    assert!(!answer["request_id"].as_str().unwrap().is_empty(), "{answer}");
    assert!(
        began.elapsed() < SOON,
        "{path}: refused after {:?}",
        began.elapsed()
    );
    if found == StatusCode::UNPROCESSABLE_ENTITY {
        let problems = answer["problems"].as_array().unwrap();
        assert!(!problems.is_empty() && problems.len() <= 1_000, "{answer}");
    }
    answer["code"].as_str().unwrap().to_owned()
}

async fn nothing_is_kept(service: &Service, last: u64) {
    let (_, runs) = service.get("/api/v1/runs").await;
    assert_eq!(runs["items"], json!([]));
    let (_, kept) = service.get("/api/v1/assets/pipeline").await;
    assert_eq!(kept["items"], json!([]), "{kept}");
    assert_eq!(service.log.last(), last, "the journal has what it had");
}

/// The pipeline with these steps.
fn with_steps(steps: &Value) -> Value {
    let mut spec = pipeline();
    spec["components"][1]["body"]["graph"]["steps"] = steps.clone();
    spec
}

fn step(name: &str, component: usize, after: &[&str]) -> Value {
    json!({
        "name": name, "component": component, "depends_on": after,
        "inputs": {"n": {"source": {"parent": "trees"}}}, "overrides": {"target": {"name": "cpu"}},
    })
}

/// Each pipeline holds the one before it ten times.
fn laughing(levels: usize) -> Value {
    let mut spec = pipeline();
    let input = json!({"input_type": {"literal": "integer"}});
    let mut components = vec![spec["components"][0].clone()];
    for level in 0..levels {
        let from = if level + 1 == levels { "trees" } else { "n" };
        let steps: Vec<Value> = (0..10)
            .map(|number| {
                let mut step = step(&format!("s{number}"), level, &[]);
                step["inputs"]["n"]["source"] = json!({"parent": from});
                step
            })
            .collect();
        let mut input = input.clone();
        if from == "trees" {
            input["default"] = json!({"literal": "10"});
        }
        components.push(json!({
            "deterministic": true, "inputs": {from: input}, "body": {"graph": {"steps": steps}},
        }));
    }
    spec["root"] = json!(levels);
    spec["components"] = Value::Array(components);
    spec
}

#[tokio::test]
async fn a_posted_circle_is_refused_and_shown_and_nothing_is_kept() {
    let service = Service::start().await;
    let last = service.log.last();
    let circle = with_steps(&json!([
        step("a", 0, &["b"]),
        step("b", 0, &["c"]),
        step("c", 0, &["a"])
    ]));
    let itself = with_steps(&json!([step("a", 0, &["a"])]));
    let within = with_steps(&json!([step("a", 1, &[])]));
    let gone = with_steps(&json!([step("a", 0, &["nobody"])]));
    for path in TAKES_SPECS {
        for spec in [&circle, &itself, &within, &gone] {
            let body = Body::from(body_for(path, spec).to_string());
            let code = refused(&service, path, body, StatusCode::UNPROCESSABLE_ENTITY).await;
            assert_eq!(code, "invalid_pipeline", "{path}");
        }
    }
    let (_, answer) = service.post("/api/v1/runs", &json!({"spec": circle})).await;
    let said = answer["problems"].to_string();
    assert!(said.contains("circle"), "{said}");
    nothing_is_kept(&service, last).await;
    // The same pipeline without its circle is taken.
    let sound = with_steps(&json!([step("a", 0, &["b"]), step("b", 0, &[])]));
    let (status, run) = service.post("/api/v1/runs", &json!({"spec": sound})).await;
    assert_eq!(status, StatusCode::CREATED, "{run}");
}

#[tokio::test]
async fn a_posted_pipeline_that_holds_ten_of_ten_of_ten_is_refused_before_it_is_unfolded() {
    let service = Service::start().await;
    let last = service.log.last();
    for path in TAKES_SPECS {
        let body = Body::from(body_for(path, &laughing(12)).to_string());
        refused(&service, path, body, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    let (_, answer) = service.post("/api/v1/plan", &json!({"spec": laughing(12)})).await;
    assert_eq!(
        answer["problems"][0]["code"], "TM0108",
        "there are too many steps: {answer}"
    );
    nothing_is_kept(&service, last).await;
    let (status, plan) = service.post("/api/v1/plan", &json!({"spec": laughing(2)})).await;
    assert_eq!(status, StatusCode::OK, "{plan}");
    assert_eq!(plan["steps"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn a_body_that_is_too_long_or_no_submission_is_refused_with_a_body() {
    let service = Service::start().await;
    let last = service.log.last();
    for path in ["/api/v1/runs", "/api/v1/plan"] {
        let long = Body::from(vec![b' '; SUBMISSION_BYTES_MAX + 1]);
        let code = refused(&service, path, long, StatusCode::PAYLOAD_TOO_LARGE).await;
        assert_eq!(code, "too_large");
    }
    let deep = "[".repeat(1_000_000);
    let deep_spec = format!("{{\"spec\": {deep}");
    for bad in [
        deep.as_str(),
        &deep_spec,
        "{\"spec\": \u{0}}",
        "{\"spec\": 1e999}",
        "",
    ] {
        let code = refused(
            &service,
            "/api/v1/runs",
            Body::from(bad.to_owned()),
            StatusCode::BAD_REQUEST,
        )
        .await;
        assert_eq!(code, "bad_request");
    }
    nothing_is_kept(&service, last).await;
}

#[tokio::test]
async fn hostile_files_are_refused_over_rest_as_they_are_at_the_command_line() {
    let service = Service::start().await;
    let last = service.log.last();
    let mut bomb = "a0: &a0 [lol,lol,lol,lol,lol,lol,lol,lol,lol]\n".to_owned();
    for level in 1..12 {
        let list = vec![format!("*a{}", level - 1); 9].join(",");
        writeln!(bomb, "a{level}: &a{level} [{list}]").unwrap();
    }
    let circle = "type: pipeline\nsettings: {default_compute: cpu}\njobs:\n  a: {command: x, depends_on: [b]}\n  b: {command: x, depends_on: [a]}\n";
    let hostile = [
        bomb,
        "[".repeat(20_000) + &"]".repeat(20_000),
        "type: pipeline\ntype: pipeline\njobs: {a: {command: x}}\n".to_owned(),
        circle.to_owned(),
        circle.replace("depends_on: [a]", "depends_on: [gone]"),
        "\u{1}\u{2}".to_owned(),
    ];
    for text in hostile {
        let request = json!({"file": "p.yml", "texts": [{"path": "p.yml", "text": text}]});
        let body = Body::from(request.to_string());
        let code = refused(&service, LOAD, body, StatusCode::UNPROCESSABLE_ENTITY).await;
        assert_eq!(code, "invalid_pipeline");
    }
    nothing_is_kept(&service, last).await;
}
