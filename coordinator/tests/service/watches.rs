//! Schedules on changes of files: what was added or changed since the last look starts one run, nothing is answered twice, and nothing is lost while nobody looks.

use super::harness::Service;
use super::pipelines::{pipeline, publish};
use axum::body::Body;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tidemill_protocol::time::Millis;

const EVERY: Millis = Millis(60_000);

async fn until(service: &Service, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let asking = async {
        loop {
            let (_, answer) = service.get(path).await;
            if is_so(&answer) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(30), asking).await;
    found.unwrap_or_else(|_| panic!("{path} never became so"))
}

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

async fn define(service: &Service, folder: &Path) {
    let definition = json!({"url": format!("file://{}", folder.display())});
    let path = "/api/v1/datastores/lake";
    let (status, answer) = service
        .call("PUT", path, Body::from(definition.to_string()))
        .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

async fn put(service: &Service, trigger: &Value) -> (StatusCode, Value) {
    let spec = json!({
        "trigger": trigger, "pipeline": "train", "overlap": "allow",
        "display_name": "${{trigger.count}} in ${{trigger.path}}: ${{trigger.files}}",
    });
    let path = "/api/v1/schedules/fresh?by=ada";
    service.call("PUT", path, Body::from(spec.to_string())).await
}

fn watched(path: &str) -> Value {
    json!({"files_changed": {"datastore": "lake", "path": path, "every": EVERY.0}})
}

/// What a run is called that is told of these files.
fn told(count: u64, files: &str) -> String {
    format!("{count} in azureml://datastores/lake/paths/in: {files}")
}

async fn watching(folder: &Path) -> Service {
    let service = Service::start().await;
    publish(&service, "train", &pipeline()).await;
    define(&service, folder).await;
    let (status, made) = put(&service, &watched("in")).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    looked(&service, Millis(0)).await;
    service
}

/// Lets the time between two looks pass, and waits for the look.
async fn looked(service: &Service, length: Millis) -> Value {
    let (_, before) = service.get("/api/v1/schedules/fresh").await;
    let before = before["looked"]["at"].as_u64();
    service.clock.advance(length);
    until(service, "/api/v1/schedules/fresh", |view| {
        let at = view["looked"]["at"].as_u64();
        at.is_some() && (at > before || length == Millis(0))
    })
    .await
}

async fn firings(service: &Service, count: usize) -> Vec<Value> {
    let path = "/api/v1/schedules/fresh/firings";
    let found = until(service, path, |found| found.as_array().unwrap().len() >= count).await;
    found.as_array().unwrap().iter().rev().cloned().collect()
}

async fn runs(service: &Service) -> Vec<Value> {
    let (_, page) = service.get("/api/v1/runs?limit=1000").await;
    page["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_first_look_is_the_base_and_all_changes_since_then_start_one_run() {
    let dir = tempfile::tempdir().unwrap();
    for path in ["in/a", "in/deep/b", "beside/c"] {
        write(dir.path(), path, "1");
    }
    let service = watching(dir.path()).await;
    looked(&service, EVERY).await;
    assert_eq!(runs(&service).await.len(), 0, "nothing has changed");
    write(dir.path(), "in/deep/b", "longer");
    write(dir.path(), "in/new/d", "1");
    write(dir.path(), "beside/e", "1");
    let view = looked(&service, EVERY).await;
    assert_eq!(view["looked"]["files"], 3, "{view}");
    let fired = firings(&service, 1).await;
    let (_, run) = service.get("/api/v1/runs/last").await;
    assert_eq!(fired[0]["outcome"]["started"]["run"], run["id"]);
    assert!(!fired[0]["cause"].as_str().unwrap().is_empty(), "{fired:?}");
    assert_eq!(run["display_name"], told(2, r#"["deep/b","new/d"]"#));
    assert_eq!(run["submitted_by"], "ada");
    looked(&service, EVERY).await;
    assert_eq!(runs(&service).await.len(), 1, "one change is one run");
}

#[tokio::test]
async fn files_that_only_went_away_start_nothing_and_are_not_remembered() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "in/a", "1");
    write(dir.path(), "in/b", "1");
    let service = watching(dir.path()).await;
    std::fs::remove_file(dir.path().join("in/a")).unwrap();
    looked(&service, EVERY).await;
    write(dir.path(), "in/c", "1");
    looked(&service, EVERY).await;
    let fired = firings(&service, 1).await;
    assert_eq!(fired.len(), 1);
    let (_, run) = service.get("/api/v1/runs/last").await;
    assert_eq!(run["display_name"], told(1, r#"["c"]"#));
}

#[tokio::test]
async fn what_changed_while_no_coordinator_was_there_is_seen_at_the_next_look_and_once() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "in/a", "1");
    let service = watching(dir.path()).await;
    let clock = std::sync::Arc::clone(&service.clock);
    let service = service
        .restart_after(|| {
            write(dir.path(), "in/b", "1");
            clock.advance(Millis(100 * EVERY.0));
        })
        .await;
    firings(&service, 1).await;
    // What was seen is durable, what was started is found: a third coordinator has nothing to do.
    let service = service.restart_after(|| clock.advance(EVERY)).await;
    looked(&service, Millis(0)).await;
    looked(&service, EVERY).await;
    assert_eq!(
        (runs(&service).await.len(), firings(&service, 1).await.len()),
        (1, 1)
    );
}

#[tokio::test]
async fn what_changes_while_it_is_paused_does_not_count() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "in/a", "1");
    let service = watching(dir.path()).await;
    service.post("/api/v1/schedules/fresh/pause", &json!({})).await;
    write(dir.path(), "in/b", "1");
    service.clock.advance(EVERY);
    service.post("/api/v1/schedules/fresh/resume", &json!({})).await;
    looked(&service, EVERY).await;
    looked(&service, EVERY).await;
    assert_eq!(runs(&service).await.len(), 0);
    write(dir.path(), "in/c", "1");
    looked(&service, EVERY).await;
    firings(&service, 1).await;
    let (_, run) = service.get("/api/v1/runs/last").await;
    assert_eq!(run["display_name"], told(1, r#"["c"]"#));
}

#[tokio::test]
async fn what_cannot_be_watched_is_refused_and_what_cannot_be_listed_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::start().await;
    publish(&service, "train", &pipeline()).await;
    let (status, _) = put(&service, &watched("in")).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "there is no such datastore");
    let missing = dir.path().join("missing");
    define(&service, &missing).await;
    for trigger in [
        watched("../x"),
        json!({"files_changed": {"datastore": "lake", "every": 10}}),
        json!({"files_changed": {"datastore": "lake", "every": 1_000_000_000}}),
    ] {
        let (status, refused) = put(&service, &trigger).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{refused}");
    }
    let (status, _) = put(&service, &watched("")).await;
    assert_eq!(status, StatusCode::OK);
    let view = looked(&service, Millis(0)).await;
    assert!(view["looked"]["problem"].is_string(), "{view}");
    assert!(!missing.exists(), "a look makes nothing");
    let web = json!({"url": "https://example.org/data"}).to_string();
    service
        .call("PUT", "/api/v1/datastores/lake", Body::from(web))
        .await;
    let (status, _) = put(&service, &watched("in")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "a web server cannot be listed");
}
