//! Whose word counts: once a worker is enrolled, what nobody enrolled has signed changes nothing and stands in the audit log; nothing of a quarantined worker counts,
//! and what it did is made elsewhere.

use super::enrolment::{enrolled, key};
use super::harness::{Service, chain};
use super::worker::ScriptedWorker;
use serde_json::{Value, json};
use std::time::Duration;
use tidemill_coordinator::enrolment::EnrolmentRule;
use tidemill_protocol::time::Millis;
use tidemill_protocol::wire::{Control, ReportBody, StopReason, Success};

/// How long anything may take on a machine that stalls.
const PATIENCE: Duration = Duration::from_mins(2);

/// So many refusals of a kind stand in the audit log one by one.
const WRITTEN_OUT: usize = 10;
/// More messages than the audit log writes out of one kind.
const FLOOD: usize = 40;

/// Asks for the metrics until they hold this.
async fn metrics_until(service: &Service, wanted: &str) {
    let asking = async {
        loop {
            let request = axum::http::Request::get("/metrics").body(axum::body::Body::empty());
            let body = service.send(request.unwrap()).await.into_body();
            let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            if std::str::from_utf8(&bytes).unwrap().contains(wanted) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let told = tokio::time::timeout(PATIENCE, asking).await;
    assert!(told.is_ok(), "the metrics never held `{wanted}`");
}

/// Asks until the answer is as wished.
async fn until(service: &Service, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let asking = async {
        loop {
            let (_, answer) = service.get(path).await;
            if is_so(&answer) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let answer = tokio::time::timeout(PATIENCE, asking).await;
    answer.unwrap_or_else(|_| panic!("{path} never was as wished"))
}

async fn refusals(service: &Service, why: &str) -> usize {
    let path = "/api/v1/audit?limit=2000&decision=refused";
    let page = until(service, path, |page| page.to_string().contains(why)).await;
    lines(&page, why)
}

fn lines(page: &Value, why: &str) -> usize {
    let entries = page["items"].as_array().unwrap();
    entries
        .iter()
        .filter(|entry| entry["why"].as_str().is_some_and(|text| text.contains(why)))
        .count()
}

async fn quarantine(service: &Service, worker: &str) {
    let path = format!("/api/v1/workers/{worker}/quarantine");
    let (status, body) = service.post(&path, &json!({"reason": "odd results"})).await;
    assert_eq!(status, 204, "{body}");
}

#[tokio::test]
async fn before_anybody_is_enrolled_a_worker_without_a_key_is_believed() {
    let service = Service::start().await;
    let mut old = ScriptedWorker::join(&service, "old").await;
    let mut new = ScriptedWorker::join_with(&service, "new", Some(key(1))).await;
    let run = service.submit(chain(&["a", "b"])).await;
    old.work(1).await;
    new.work(1).await;
    let last = service.watch(run).await;
    assert_eq!(last.last().unwrap().1["event"], "run_finished");
}

#[tokio::test]
async fn once_a_worker_is_enrolled_what_nobody_enrolled_has_signed_changes_nothing_and_is_written_down() {
    let service = Service::start().await;
    enrolled(&service, "good", &key(1)).await;
    enrolled(&service, "other", &key(2)).await;
    let mut good = ScriptedWorker::join_with(&service, "good", Some(key(1))).await;
    let run = service.submit(chain(&["a"])).await;
    let task = good.task().await;
    good.report(&task, vec![ReportBody::Claimed]).await;
    let step = format!("/api/v1/runs/{run}/steps/a");
    until(&service, &step, |step| step["status"] == "running").await;
    let success = || vec![ReportBody::Succeeded(Success::default())];
    for (forged_with, why) in [
        (None, "nobody has signed it"),
        (Some(key(3)), "of which nobody is known"),
        (
            Some(key(2)),
            "worker other has signed it in the name of worker good",
        ),
    ] {
        good.key = forged_with;
        good.report(&task, success()).await;
        assert_eq!(refusals(&service, why).await, 1, "{why}");
    }
    let (_, shown) = service.get(&step).await;
    assert_eq!(shown["status"], "running", "none of them counted");
    good.key = Some(key(1));
    good.report(&task, success()).await;
    until(&service, &step, |step| step["status"] == "succeeded").await;
}

#[tokio::test]
async fn while_enrolment_is_optional_a_stranger_is_believed_but_not_in_an_enrolled_workers_name() {
    let service = Service::start().await;
    let optional = |config: &mut tidemill_coordinator::CoordinatorConfig| {
        config.enrolment = EnrolmentRule::Optional;
    };
    let service = service.restart_with(optional).await;
    enrolled(&service, "good", &key(1)).await;
    let mut old = ScriptedWorker::join(&service, "old").await;
    let run = service.submit(chain(&["a"])).await;
    let task = old.task().await;
    let mut forger = ScriptedWorker::join(&service, "good").await;
    forger.succeed(&task, Success::default()).await;
    assert!(refusals(&service, "in the name of worker good, which has not signed it").await >= 1);
    old.succeed(&task, Success::default()).await;
    let seen = service.watch(run).await;
    assert_eq!(seen.last().unwrap().1["event"], "run_finished");
}

#[tokio::test]
async fn a_token_for_people_closes_the_door_to_workers_without_keys_too() {
    let service = Service::start().await;
    let body = json!({"scope": "admin", "subject": "ada"});
    service.post("/api/v1/tokens", &body).await;
    let _old = ScriptedWorker::join(&service, "old").await;
    assert!(refusals(&service, "nobody has signed it").await >= 1);
    let (_, workers) = service.get("/api/v1/workers").await;
    assert_eq!(workers, json!([]), "it was not heard of");
}

#[tokio::test]
async fn a_quarantined_workers_attempt_is_made_elsewhere_and_its_word_changes_nothing() {
    let service = Service::start().await;
    let mut bad = ScriptedWorker::join(&service, "bad").await;
    let run = service.submit(chain(&["a"])).await;
    let task = bad.task().await;
    bad.report(&task, vec![ReportBody::Claimed]).await;
    let step = format!("/api/v1/runs/{run}/steps/a");
    until(&service, &step, |step| step["status"] == "running").await;
    quarantine(&service, "bad").await;
    let mut orders = vec![bad.order().await, bad.order().await];
    orders.sort_by_key(|order| matches!(order, Control::Stop { .. }));
    let stop = Control::Stop {
        attempt: task.attempt,
        token: task.token,
        reason: StopReason::Fenced,
    };
    let length = Millis::from_secs(60);
    assert_eq!(orders, [Control::Quarantine { length }, stop]);
    let workers = until(&service, "/api/v1/workers", |workers| {
        workers[0]["status"] == "quarantined"
    })
    .await;
    assert_eq!(workers[0]["quarantine"]["reason"], "odd results");
    // Its success comes too late, although nobody has taken its place.
    bad.report(&task, vec![ReportBody::Succeeded(Success::default())])
        .await;
    assert!(refusals(&service, "worker bad is quarantined").await >= 1);
    // Time passes: the attempt is made again, and the broker has lost its task to the quarantined worker, so it is published again.
    let clock = service.clock.clone();
    let mut passing = tokio::task::JoinSet::<()>::new();
    passing.spawn(async move {
        loop {
            clock.advance(Millis(1_000));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let second = bad.task().await;
    assert_eq!(second.attempt.attempt, 2, "the attempt is made again");
    bad.report(&second, vec![ReportBody::Claimed]).await;
    let why = format!("{step}/explain");
    until(&service, &why, |why| {
        why.to_string()
            .contains("worker bad serves cpu, but is quarantined: odd results")
    })
    .await;
    drop(bad);
    let mut good = ScriptedWorker::join(&service, "good").await;
    let again = good.task().await;
    passing.abort_all();
    assert_eq!(again.attempt, second.attempt);
    good.succeed(&again, Success::default()).await;
    let shown = until(&service, &step, |step| step["status"] == "succeeded").await;
    assert_eq!(shown["attempts"][0]["status"], "lost");
    assert_eq!(shown["attempts"][1]["worker"], "good");
}

#[tokio::test]
async fn a_quarantine_survives_a_restart_and_a_release_ends_it() {
    let service = Service::start().await;
    quarantine(&service, "bad").await;
    let service = service.restart().await;
    let mut bad = ScriptedWorker::join(&service, "bad").await;
    let run = service.submit(chain(&["a"])).await;
    let length = Millis::from_secs(60);
    assert_eq!(bad.order().await, Control::Quarantine { length });
    let (_, queues) = service.get("/api/v1/queues").await;
    assert_eq!(queues[0]["workers"], 0, "it is counted on for nothing");
    let (status, _) = service.post("/api/v1/workers/bad/release", &json!({})).await;
    assert_eq!(status, 204);
    let length = Millis(0);
    assert_eq!(bad.order().await, Control::Quarantine { length });
    bad.heartbeat(&[], false).await;
    bad.work(1).await;
    let seen = service.watch(run).await;
    assert_eq!(seen.last().unwrap().1["event"], "run_finished");
}

#[tokio::test]
async fn a_worker_that_joined_for_one_target_makes_no_attempts_of_another() {
    let service = Service::start().await;
    let (_, created) = service
        .post("/api/v1/join-tokens", &json!({"targets": ["gpu"]}))
        .await;
    let text = |field: &str| created[field].as_str().unwrap().to_owned();
    let (status, body) =
        super::enrolment::enrol(&service, &(text("id"), text("token")), "narrow", &key(1)).await;
    assert_eq!(status, 200, "{body}");
    let mut narrow = ScriptedWorker::join_with(&service, "narrow", Some(key(1))).await;
    let run = service.submit(chain(&["a"])).await;
    let task = narrow.task().await;
    narrow.succeed(&task, Success::default()).await;
    let stop = Control::Stop {
        attempt: task.attempt,
        token: task.token,
        reason: StopReason::Fenced,
    };
    assert_eq!(narrow.order().await, stop);
    let (_, shown) = service.get(&format!("/api/v1/runs/{run}/steps/a")).await;
    assert_eq!(shown["status"], "dispatched");
    let (_, queues) = service.get("/api/v1/queues").await;
    assert_eq!(queues[0]["workers"], 0, "it does not serve that target");

    // Each message of it is an entry of the audit log, until there are too many: those are counted.
    let why = "worker narrow may not serve the compute target cpu";
    assert_eq!(refusals(&service, why).await, 1);
    for _ in 0..FLOOD {
        narrow.succeed(&task, Success::default()).await;
    }
    let refused = format!("tidemill_reports_refused_total {}", 2 * (FLOOD + 1));
    metrics_until(&service, &refused).await;
    let path = "/api/v1/audit?limit=2000&decision=refused";
    let page = until(&service, path, |page| lines(page, why) >= WRITTEN_OUT).await;
    assert_eq!(lines(&page, why), WRITTEN_OUT, "of {FLOOD} messages");
}
