//! Nothing is said before it is durable, and what was said survives a restart.

use super::harness::{Service, chain};
use super::webhooks::cancelled;
use super::worker::ScriptedWorker;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tidemill_coordinator::CoordinatorError;
use tidemill_protocol::wire::{ReportBody, Success};
use tidemill_transport::{Broker, Queue};

#[tokio::test]
async fn nothing_is_answered_or_published_when_the_journal_fails() {
    let service = Service::start().await;
    service.log.break_flush();
    let plan = Arc::new(chain(&["a"]));
    assert!(service.handle().submit_plan(plan, "tester".into()).await.is_err());
    let queue = Queue::Tasks("cpu".parse().unwrap());
    assert_eq!(
        service.broker.depth(&queue).await.map_or(0, |depth| depth.ready),
        0
    );
    // It ends by itself: a coordinator that cannot write must not speak.
    let (dir, log, token) = (service.dir, service.log, service.token);
    let ended = service.coordinator.wait().await;
    assert!(matches!(ended, Err(CoordinatorError::Journal(_))), "{ended:?}");
    assert!(token.is_cancelled());
    assert!(log.power_cut() > 0, "the batch had been written, and was lost");
    drop(dir);
}

#[tokio::test]
async fn a_run_goes_on_after_a_restart_with_an_empty_broker() {
    let service = Service::start().await;
    let run = service.submit(chain(&["prep", "train"])).await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let first = worker.task().await;
    worker.succeed(&first, Success::default()).await;
    let second = worker.task().await;
    assert_eq!(second.path.as_str(), "train");

    let service = service.restart().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let again = worker.task().await;
    assert_eq!(
        (again.attempt, again.token),
        (second.attempt, second.token),
        "the same attempt is published again"
    );
    worker.succeed(&again, Success::default()).await;
    assert_eq!(
        service.watch(run).await.last().unwrap().1["run_status"],
        "succeeded"
    );
    let (_, list) = service.get(&format!("/api/v1/runs/{run}/events")).await;
    assert_eq!(list[0]["event"], "run_submitted", "its history is whole");
    assert_eq!(
        list.as_array().unwrap().len(),
        8,
        "and nothing happened twice: {list}"
    );
}

#[tokio::test]
async fn a_claimed_attempt_keeps_its_worker_over_a_restart() {
    let service = Service::start().await;
    let run = service.submit(chain(&["long"])).await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let task = worker.task().await;
    worker.report(&task, vec![ReportBody::Claimed]).await;
    worker.control().await;
    let epoch = service.get("/api/v1").await.1["epoch"].as_u64().unwrap();

    let service = service.restart().await;
    assert_eq!(service.get("/api/v1").await.1["epoch"], epoch + 1);
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    worker
        .report(&task, vec![ReportBody::Succeeded(Success::default())])
        .await;
    assert_eq!(
        service.watch(run).await.last().unwrap().1["run_status"],
        "succeeded"
    );
    let (_, step) = service.get(&format!("/api/v1/runs/{run}/steps/long")).await;
    assert_eq!(step["attempts"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_restart_from_a_snapshot_knows_what_was_known() {
    let service = Service::start_on_disk().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let names: Vec<String> = (0..400).map(|number| format!("s{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut plan = chain(&names);
    plan.steps.iter_mut().for_each(|step| step.after.clear());
    let run = service.submit(plan).await;
    worker.work(400).await;
    service.watch(run).await;
    let before = service.get(&format!("/api/v1/runs/{run}")).await;
    drop(worker);

    let service = service.restart().await;
    let snapshots = std::fs::read_dir(service.dir.path().join("journal/snapshots"))
        .unwrap()
        .count();
    assert_eq!(snapshots, 1, "more than 1,000 events happened");
    assert_eq!(service.get(&format!("/api/v1/runs/{run}")).await, before);
    let (_, list) = service.get(&format!("/api/v1/runs/{run}/events")).await;
    assert_eq!(
        list.as_array().unwrap().len(),
        2 + 3 * 400,
        "its history begins before the snapshot"
    );
    let again = service.submit(chain(&names[..1])).await;
    assert_eq!(
        service.watch(again).await[1].1["event"],
        "step_reused",
        "results outlive a restart"
    );
}

#[tokio::test]
async fn a_run_whose_events_were_pruned_is_watched_to_its_end() {
    let service = Service::start_on_disk().await;
    let first = service.submit(chain(&["a"])).await;
    service.handle().cancel(first, "ada".into()).await.unwrap();
    assert!(!service.watch(first).await.is_empty());
    let events = format!("/api/v1/runs/{first}/events");
    let mut left = Value::Null;
    for _ in 0..40 {
        cancelled(&service, 1_000).await;
        left = service.get(&events).await.1;
        if left == json!([]) {
            break;
        }
    }
    assert_eq!(left, json!([]), "snapshots hold what happened");
    let watching = tokio::time::timeout(Duration::from_mins(1), service.watch(first));
    assert_eq!(watching.await.expect("the stream ends"), []);
}
