//! Workers that fall silent, messages that vanish or come twice, and those who are not meant.

use super::harness::{Service, chain, template};
use super::worker::ScriptedWorker;
use std::sync::Arc;
use tidemill_protocol::codec;
use tidemill_protocol::ids::{FencingToken, RunId};
use tidemill_protocol::time::Millis;
use tidemill_protocol::wire::{Control, ENVELOPE_BYTES_MAX, Kind, ReportBody, StopReason, Success};
use tidemill_transport::{Broker, Queue};

#[tokio::test]
async fn a_task_that_the_broker_lost_is_published_again() {
    let service = Service::start().await;
    let queue = Queue::Tasks("cpu".parse().unwrap());
    service.submit(chain(&["a"])).await;
    let mut lost = 0;
    while lost == 0 {
        lost = service.broker.purge(&queue).await.unwrap_or(0);
        tokio::task::yield_now().await;
    }
    service.clock.advance(Millis(150));
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    // The reconciler sees it unclaimed once, and missing after its patience.
    let task = loop {
        tokio::select! {
            task = worker.task() => break task,
            () = tokio::task::yield_now() => service.clock.advance(Millis(1)),
        }
    };
    assert_eq!(task.attempt.attempt, 1);
}

#[tokio::test]
async fn a_task_that_was_set_aside_is_made_again() {
    let service = Service::start().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    service.submit(chain(&["a"])).await;
    worker.refuse().await;
    let task = loop {
        tokio::select! {
            task = worker.task() => break task,
            // Until the pause before the next attempt is over.
            () = tokio::task::yield_now() => service.clock.advance(Millis(1)),
        }
    };
    assert_eq!(task.attempt.attempt, 2);
    let told = written_down(&service).await;
    assert!(told.contains("a worker refused it"), "{told}");
    check_counted(&service, "tidemill_dead_letters_total 1\n").await;
    check_counted(&service, "tidemill_dead_letters_foreign_total 0\n").await;
}

#[tokio::test]
async fn a_step_that_fits_no_message_fails_and_keeps_nobody_from_their_turn() {
    let service = Service::start().await;
    let mut plan = chain(&["large"]);
    // As a coordinator took it that did not look at sizes yet.
    plan.templates = vec![Arc::new(template(&"w".repeat(ENVELOPE_BYTES_MAX)))];
    let large = service.submit(plan).await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let small = service.submit(chain(&["small"])).await;
    worker.work(1).await;
    service.watch(small).await;
    assert_eq!(status(&service, small).await, "succeeded");
    while status(&service, large).await != "failed" {
        // The pauses between attempts.
        service.clock.advance(Millis::from_secs(1));
    }
}

async fn status(service: &Service, run: RunId) -> String {
    let (_, view) = service.get(&format!("/api/v1/runs/{run}")).await;
    view["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_task_that_the_coordinator_did_not_seal_was_not_set_aside() {
    let service = Service::start().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let run = service.submit(chain(&["a"])).await;
    let task = worker.task().await;
    worker
        .publish(Queue::DeadLetters, Kind::Task, codec::encode(&task))
        .await;
    loop {
        let depth = service.broker.depth(&Queue::DeadLetters).await.unwrap();
        if depth.ready == 0 && depth.unsettled == Some(0) {
            break;
        }
        tokio::task::yield_now().await;
    }
    let told = written_down(&service).await;
    assert!(told.contains("it is no task of this coordinator"), "{told}");
    check_counted(&service, "tidemill_dead_letters_foreign_total 1\n").await;
    check_counted(&service, "tidemill_dead_letters_total 0\n").await;
    worker.succeed(&task, Success::default()).await;
    service.watch(run).await;
    let (_, view) = service.get(&format!("/api/v1/runs/{run}")).await;
    assert_eq!(
        view["steps_list"][0]["attempts"].as_array().unwrap().len(),
        1,
        "{view}"
    );
}

/// What the audit log says of tasks.
async fn written_down(service: &Service) -> String {
    loop {
        let (_, entries) = service.get("/api/v1/audit?limit=2000&decision=refused").await;
        let entries = entries["items"].as_array().unwrap().iter();
        let of_tasks = entries.filter(|entry| entry["method"] == "TASK");
        let lines: Vec<String> = of_tasks.map(serde_json::Value::to_string).collect();
        if !lines.is_empty() {
            return lines.join("\n");
        }
        tokio::task::yield_now().await;
    }
}

async fn check_counted(service: &Service, line: &str) {
    let request = axum::http::Request::get("/metrics").body(axum::body::Body::empty());
    let answer = service.send(request.unwrap()).await;
    let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX)
        .await
        .unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.contains(line), "{line} is not in {text}");
}

#[tokio::test]
async fn a_silent_worker_loses_its_attempt_and_its_late_report_changes_nothing() {
    let service = Service::start().await;
    let mut silent = ScriptedWorker::join(&service, "silent").await;
    let run = service.submit(chain(&["a"])).await;
    let lost = silent.task().await;
    silent.report(&lost, vec![ReportBody::Claimed]).await;
    silent.control().await;
    service.clock.advance(Millis::from_secs(61));
    drop(silent);
    let mut worker = ScriptedWorker::join(&service, "w2").await;
    let task = loop {
        tokio::select! {
            task = worker.task() => break task,
            // Until the pause before the next attempt is over too.
            () = tokio::task::yield_now() => service.clock.advance(Millis(1)),
        }
    };
    assert_eq!(task.attempt.attempt, 2);
    assert!(task.token > lost.token, "{:?} {:?}", task.token, lost.token);
    // Until somebody claims the replacement the silent one could come back.
    worker.report(&task, vec![ReportBody::Claimed]).await;
    worker.control().await;
    let mut back = ScriptedWorker::join(&service, "silent").await;
    back.report(&lost, vec![ReportBody::Succeeded(Success::default())])
        .await;
    let (_, step) = service.get(&format!("/api/v1/runs/{run}/steps/a")).await;
    assert_ne!(step["status"], "succeeded");
    worker.succeed(&task, Success::default()).await;
    service.watch(run).await;
    let (_, step) = service.get(&format!("/api/v1/runs/{run}/steps/a")).await;
    assert_eq!(step["attempts"][0]["status"], "lost");
    assert_eq!(step["attempts"][1]["worker"], "w2");
}

#[tokio::test]
async fn a_worker_that_works_on_what_is_not_its_own_is_told_to_stop() {
    let service = Service::start().await;
    let mut first = ScriptedWorker::join(&service, "w1").await;
    let mut second = ScriptedWorker::join(&service, "w2").await;
    service.submit(chain(&["a"])).await;
    let task = tokio::select! {
        task = first.task() => task,
        task = second.task() => task,
    };
    first.report(&task, vec![ReportBody::Claimed]).await;
    first.control().await;
    second.heartbeat(&[&task], false).await;
    let Control::Stop { reason, .. } = second.order().await else {
        panic!("it is told to stop")
    };
    assert_eq!(reason, StopReason::Fenced);
}

#[tokio::test]
async fn a_report_with_another_token_changes_nothing() {
    let service = Service::start().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let run = service.submit(chain(&["a"])).await;
    let task = worker.task().await;
    let mut forged = task.clone();
    forged.token = FencingToken(task.token.0 + 1);
    worker.succeed(&forged, Success::default()).await;
    worker.control().await;
    let (_, step) = service.get(&format!("/api/v1/runs/{run}/steps/a")).await;
    assert_eq!(step["status"], "dispatched");
    worker.succeed(&task, Success::default()).await;
    assert_eq!(
        service.watch(run).await.last().unwrap().1["run_status"],
        "succeeded"
    );
}
