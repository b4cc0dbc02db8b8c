//! `OpenLineage` events: what a service hears of a run, in the order in which it happened, and that a service which is away holds nothing up.

use super::harness::{Service, chain};
use super::worker::ScriptedWorker;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tidemill_coordinator::{CoordinatorConfig, OpenLineageConfig};
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::key::InputValue;
use tidemill_protocol::plan::{InputBinding, Plan};
use tidemill_protocol::wire::Success;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A service that takes everything while the set is kept; its address and what it heard.
async fn listen() -> (String, Arc<Mutex<Vec<Value>>>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heard: Arc<Mutex<Vec<Value>>> = Arc::default();
    let notes = Arc::clone(&heard);
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            let body = loop {
                let mut piece = [0; 4096];
                let read = stream.read(&mut piece).await.unwrap();
                assert!(read > 0, "the request broke off");
                bytes.extend_from_slice(&piece[..read]);
                if let Some(body) = whole_body(&bytes) {
                    break body;
                }
            };
            notes.lock().unwrap().push(body);
            let answer = "HTTP/1.1 201 Created\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, heard, serving)
}

/// The body, once all of it is there.
fn whole_body(bytes: &[u8]) -> Option<Value> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    assert!(head.starts_with("POST /api/v1/lineage "), "{head}");
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().unwrap())
    })?;
    (body.len() >= length).then(|| serde_json::from_str(body).unwrap())
}

async fn telling(url: String) -> Service {
    let service = Service::start().await;
    let tune = |config: &mut CoordinatorConfig| {
        config.openlineage = Some(OpenLineageConfig {
            url,
            namespace: "tests".into(),
        });
    };
    service.restart_with(tune).await
}

fn reading(raw: ArtifactRef) -> Plan {
    let mut plan = chain(&["train"]);
    let raw = InputBinding::Value(InputValue::Artifact(raw));
    plan.steps[0].inputs = vec![("raw".parse().unwrap(), raw)];
    plan
}

async fn trained(service: &Service) -> (ArtifactRef, ArtifactRef) {
    let mut worker = ScriptedWorker::join(service, "w1").await;
    let raw = service.store.put_bytes("raw".into()).await.unwrap();
    let model = service.store.put_bytes("model".into()).await.unwrap();
    let run = service.submit(reading(raw)).await;
    let task = worker.task().await;
    let outputs = BTreeMap::from([("model".parse().unwrap(), model)]);
    let success = Success {
        outputs,
        ..Success::default()
    };
    worker.succeed(&task, success).await;
    service.watch(run).await;
    (raw, model)
}

#[tokio::test]
async fn a_service_hears_of_runs_and_steps_and_of_their_data() {
    let (url, heard, _serving) = listen().await;
    let service = telling(url).await;
    let (raw, model) = trained(&service).await;
    let all = || heard.lock().unwrap().clone();
    while all().len() < 4 {
        tokio::task::yield_now().await;
    }
    let all = all();
    let kinds: Vec<(&str, &str)> = all
        .iter()
        .map(|event| {
            (
                event["job"]["name"].as_str().unwrap(),
                event["eventType"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        kinds,
        [
            ("pipe", "START"),
            ("pipe.train", "START"),
            ("pipe.train", "COMPLETE"),
            ("pipe", "COMPLETE")
        ]
    );
    let step = &all[2];
    assert_eq!(
        step["run"]["facets"]["parent"]["run"]["runId"],
        all[0]["run"]["runId"]
    );
    assert_eq!(
        step["run"]["runId"], all[1]["run"]["runId"],
        "one run of the step"
    );
    assert_eq!(step["inputs"][0]["name"], format!("content/{}", raw.digest));
    assert_eq!(step["outputs"][0]["name"], "pipe/train/model");
    assert_eq!(
        step["outputs"][0]["facets"]["version"]["datasetVersion"],
        model.digest.to_string()
    );
    assert_eq!(step["job"]["namespace"], "tests");
    assert!(step["eventTime"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn a_service_that_is_away_holds_nothing_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let service = telling(url).await;
    trained(&service).await;
    let (_, shown) = service.get("/api/v1/runs/last").await;
    assert_eq!(shown["status"], "succeeded");
    service.stop().await.unwrap();
}
