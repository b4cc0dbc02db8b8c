//! Outputs that their pipeline gives names: versions in the catalog, each made once, whatever happens between the step's end and the next start.

use super::harness::{Service, chain};
use super::worker::ScriptedWorker;
use axum::body::Body;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_coordinator::Entry;
use tidemill_coordinator::journal::{Batch, EventLog, EventReader, MemoryLog};
use tidemill_coordinator::ledger::LedgerFact;
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::ids::RunId;
use tidemill_protocol::plan::{Plan, Registration, StepTemplate};
use tidemill_protocol::wire::{StepTask, Success};

/// A plan of one step, whose output `model` is to become a version of this asset.
fn naming(word: &str, registration: &Registration) -> Plan {
    let mut plan = chain(&[word]);
    let template = StepTemplate::clone(&plan.templates[0]);
    let mut rules = (*template.rules).clone();
    rules.registers = BTreeMap::from([("model".parse().unwrap(), registration.clone())]);
    plan.templates = vec![Arc::new(StepTemplate::new(template.work, rules))];
    plan
}

fn churn() -> Registration {
    Registration {
        name: "churn".parse().unwrap(),
        version: None,
        label: None,
        data_type: Some("mlflow_model".into()),
        description: String::new(),
        tags: BTreeMap::new(),
    }
}

fn success(artifact: ArtifactRef) -> Success {
    Success {
        outputs: BTreeMap::from([("model".parse().unwrap(), artifact)]),
        ..Success::default()
    }
}

/// A copy of the journal without its last entries, which are about the catalog.
fn without_tail(log: &MemoryLog, lost: usize) -> MemoryLog {
    let entries = log.read(1, usize::MAX).unwrap();
    let (kept, cut) = entries.split_at(entries.len() - lost);
    for (_, bytes) in cut {
        let entry = Entry::decode(bytes).unwrap();
        assert!(matches!(&entry, Entry::Ledger(event) if matches!(event.fact, LedgerFact::Catalog(_))));
    }
    let mut copy = MemoryLog::new();
    for (_, bytes) in kept {
        let mut batch = Batch::default();
        batch.push(bytes);
        copy.append(&batch).unwrap();
    }
    copy
}

async fn stored(service: &Service, bytes: &'static [u8]) -> ArtifactRef {
    service.store.put_bytes(bytes.into()).await.unwrap()
}

async fn made(service: &Service, worker: &mut ScriptedWorker, plan: Plan, bytes: &'static [u8]) -> RunId {
    let artifact = stored(service, bytes).await;
    let run = service.submit(plan).await;
    let task: StepTask = worker.task().await;
    worker.succeed(&task, success(artifact)).await;
    service.watch(run).await;
    run
}

async fn versions(service: &Service, asset: &str) -> Vec<String> {
    let (status, list) = service.get(&format!("/api/v1/assets/{asset}/versions")).await;
    if status == StatusCode::NOT_FOUND {
        return Vec::new();
    }
    let versions = list["items"].as_array().unwrap().iter();
    versions
        .map(|one| one["version"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_named_output_becomes_a_version_that_knows_where_it_came_from() {
    let service = Service::start().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let labelled = Registration {
        label: Some("candidate".into()),
        ..churn()
    };
    let run = made(&service, &mut worker, naming("train", &labelled), b"weights").await;
    let (_, version) = service.get("/api/v1/assets/model/churn/versions/candidate").await;
    assert_eq!(
        (&version["version"], &version["created_by"]),
        (&json!("1"), &json!("tester"))
    );
    assert_eq!(version["body"]["model"]["type"], "mlflow_model");
    assert_eq!(
        version["origin"],
        json!({"run": run.to_string(), "step": "train", "output": "model"})
    );
    let (_, step) = service.get(&format!("/api/v1/runs/{run}/steps/train")).await;
    assert_eq!(
        step["named"],
        json!([{"output": "model", "kind": "model", "name": "churn", "version": "1"}])
    );
    let events = service.watch(run).await;
    let named: Vec<&Value> = events
        .iter()
        .map(|(_, event)| event)
        .filter(|e| e["event"] == "output_named")
        .collect();
    assert_eq!(named.len(), 1);
    assert_eq!(named[0]["detail"], "model is model churn:1");
    assert!(
        versions(&service, "data/churn").await.is_empty(),
        "a model is no data"
    );
}

#[tokio::test]
async fn a_result_that_is_taken_over_makes_a_version_only_where_the_latest_is_another() {
    let service = Service::start().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    made(&service, &mut worker, naming("train", &churn()), b"one").await;
    let again = service.submit(naming("train", &churn())).await;
    service.watch(again).await;
    assert_eq!(versions(&service, "model/churn").await, ["1"]);
    let (_, step) = service.get(&format!("/api/v1/runs/{again}/steps/train")).await;
    assert_eq!(
        (&step["status"], &step["named"][0]["version"]),
        (&json!("reused"), &json!("1"))
    );
    made(&service, &mut worker, naming("train-more", &churn()), b"two").await;
    let back = service.submit(naming("train", &churn())).await;
    service.watch(back).await;
    assert_eq!(
        versions(&service, "model/churn").await,
        ["3", "2", "1"],
        "the older one is the newest again"
    );
    let executed_again = made(&service, &mut worker, naming("train-else", &churn()), b"one").await;
    let (_, step) = service
        .get(&format!("/api/v1/runs/{executed_again}/steps/train-else"))
        .await;
    assert_eq!(
        step["named"][0]["version"], "4",
        "what was executed makes a version, whatever it made"
    );
}

#[tokio::test]
async fn a_step_that_fails_makes_no_version() {
    let service = Service::start().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let run = service.submit(naming("train", &churn())).await;
    let task = worker.task().await;
    worker.fail(&task).await;
    service.watch(run).await;
    assert!(versions(&service, "model/churn").await.is_empty());
    let (_, step) = service.get(&format!("/api/v1/runs/{run}/steps/train")).await;
    assert_eq!(step.get("named"), None);
}

#[tokio::test]
async fn a_version_with_other_content_is_refused_and_the_step_stays_as_it_ended() {
    let service = Service::start().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let fixed = Registration {
        version: Some("2024-01".into()),
        ..churn()
    };
    made(&service, &mut worker, naming("train", &fixed), b"one").await;
    let run = made(&service, &mut worker, naming("train-again", &fixed), b"two").await;
    let (_, shown) = service.get(&format!("/api/v1/runs/{run}")).await;
    assert_eq!(shown["status"], "succeeded");
    let named = &shown["steps_list"][0]["named"][0];
    assert_eq!(named.get("version"), None);
    assert!(named["refused"].as_str().unwrap().contains("2024-01"), "{named}");
    let (_, why) = service
        .get(&format!("/api/v1/runs/{run}/steps/train-again/explain"))
        .await;
    let said = why["reasons"].as_array().unwrap().iter().any(|reason| {
        let reason = reason.as_str().unwrap();
        reason.contains("no version of model churn") && reason.contains("2024-01")
    });
    assert!(said, "{why}");
    let events = service.watch(run).await;
    assert!(events.iter().any(|(_, event)| event["event"] == "output_refused"));
    assert_eq!(versions(&service, "model/churn").await, ["2024-01"]);
}

#[tokio::test]
async fn a_restart_neither_repeats_what_was_made_nor_brings_back_what_was_removed() {
    let service = Service::start_on_disk().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    made(&service, &mut worker, naming("one", &churn()), b"one").await;
    made(&service, &mut worker, naming("two", &churn()), b"two").await;
    let (status, _) = service
        .call("DELETE", "/api/v1/assets/model/churn/versions/1", Body::empty())
        .await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    drop(worker);
    let service = service.restart().await;
    assert_eq!(versions(&service, "model/churn").await, ["2"]);
    let service = service.restart().await;
    assert_eq!(versions(&service, "model/churn").await, ["2"]);
}

#[tokio::test]
async fn what_a_cut_journal_left_undecided_is_decided_once_at_the_next_start() {
    let service = Service::start().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let run = made(&service, &mut worker, naming("train", &churn()), b"weights").await;
    drop(worker);
    // Everything up to the step's end, and nothing of what followed from it for the catalog: one fact of the two, and both.
    for lost in [1, 2] {
        let again = service.start_on(without_tail(&service.log, lost)).await;
        assert_eq!(
            versions(&again, "model/churn").await,
            ["1"],
            "without the last {lost}"
        );
        let (_, step) = again.get(&format!("/api/v1/runs/{run}/steps/train")).await;
        assert_eq!(step["named"][0]["version"], "1");
        drop(again.stop().await);
    }
    drop(service.stop().await);
}
