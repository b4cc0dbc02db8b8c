//! Experiments and compute targets through the API: one list of experiments for runs of pipelines and for clients of tracking, and of each compute target what
//! waits, what runs and who serves it.

use super::harness::{Service, chain};
use super::worker::ScriptedWorker;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use tidemill_protocol::plan::Plan;
use tidemill_protocol::wire::ReportBody;

const MLFLOW: &str = "/api/2.0/mlflow";

async fn shown(service: &Service, path: &str) -> Value {
    let (status, view) = service.get(&format!("/api/v1/{path}")).await;
    assert_eq!(status, StatusCode::OK, "{path}: {view}");
    view
}

async fn logged(service: &Service, path: &str, body: Value) -> Value {
    let (status, answer) = service.post(&format!("{MLFLOW}/{path}"), &body).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
}

async fn patch(service: &Service, name: &str, body: Value) -> (StatusCode, Value) {
    let body = Body::from(body.to_string());
    service
        .call("PATCH", &format!("/api/v1/experiments/{name}"), body)
        .await
}

fn in_experiment(name: &str) -> Plan {
    let mut plan = chain(&["a"]);
    plan.experiment = name.parse().unwrap();
    plan
}

fn names(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap().iter();
    items.map(|one| one["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_runs_name_and_what_clients_made_is_one_list_of_experiments() {
    let service = Service::start().await;
    service.submit(in_experiment("churn")).await;
    let last = service.submit(in_experiment("churn")).await;
    let made = logged(&service, "experiments/create", json!({"name": "by hand/2"})).await;
    let id = &made["experiment_id"];
    for experiment in [id, &shown(&service, "experiments/churn").await["id"]] {
        logged(
            &service,
            "runs/create",
            json!({"experiment_id": experiment, "start_time": 1}),
        )
        .await;
    }
    let page = shown(&service, "experiments").await;
    assert_eq!(names(&page), ["Default", "by hand/2", "churn"]);
    let churn = shown(&service, "experiments/churn").await;
    assert_eq!(
        (&churn["runs"], &churn["tracked_runs"], &churn["last_run"]["id"]),
        (&json!(2), &json!(1), &json!(last))
    );
    let by_hand = shown(&service, "experiments/by%20hand%2F2").await;
    assert_eq!(
        (&by_hand["id"], &by_hand["runs"], &by_hand["tracked_runs"]),
        (id, &json!(0), &json!(1))
    );
    assert_eq!(by_hand.get("last_run"), None, "no pipeline ran in it");
    let (status, _) = service.get("/api/v1/experiments/nobody").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let first = shown(&service, "experiments?limit=1").await;
    assert_eq!(names(&first), ["Default"]);
    let next = first["next_cursor"].as_str().unwrap();
    let rest = shown(&service, &format!("experiments?limit=9&cursor={next}")).await;
    assert_eq!(names(&rest), ["by hand/2", "churn"]);
    assert_eq!(names(&shown(&service, "experiments?prefix=c").await), ["churn"]);
    assert_eq!(
        names(&shown(&service, "experiments?search=HAND").await),
        ["by hand/2"]
    );
    let busiest = shown(&service, "experiments?sort=-runs&limit=1").await;
    assert_eq!(names(&busiest), ["churn"]);
}

#[tokio::test]
async fn an_experiment_is_described_and_the_clients_of_tracking_read_the_same() {
    let service = Service::start().await;
    service.submit(in_experiment("churn")).await;
    let (status, view) = patch(
        &service,
        "churn",
        json!({"description": "who leaves", "tags": {"owner": "ada"}}),
    )
    .await;
    assert_eq!(status, StatusCode::OK, "{view}");
    let service = service.restart().await;
    let view = shown(&service, "experiments/churn").await;
    assert_eq!(
        (&view["description"], &view["tags"], &view["runs"]),
        (&json!("who leaves"), &json!({"owner": "ada"}), &json!(1))
    );
    let (_, known) = service
        .get(&format!("{MLFLOW}/experiments/get-by-name?experiment_name=churn"))
        .await;
    let tags = known["experiment"]["tags"].to_string();
    assert!(
        tags.contains("mlflow.note.content") && tags.contains("who leaves"),
        "{tags}"
    );
    let (_, view) = patch(
        &service,
        "churn",
        json!({"description": "", "tags": {"owner": null}}),
    )
    .await;
    assert_eq!(
        (view.get("description"), view.get("tags")),
        (None, None),
        "{view}"
    );
    assert_eq!(
        patch(&service, "nobody", json!({"description": "x"})).await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn an_experiment_is_made_renamed_deleted_and_brought_back_and_a_name_is_taken_once() {
    let service = Service::start().await;
    service.submit(in_experiment("churn")).await;
    let create = async |service: &Service, name: &str| {
        let body = json!({"name": name, "description": "who leaves", "tags": {"owner": "ada"}});
        service.post("/api/v1/experiments", &body).await
    };
    let (status, made) = create(&service, "by hand/2").await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!(
        (&made["description"], &made["tags"]),
        (&json!("who leaves"), &json!({"owner": "ada"}))
    );
    for taken in ["by hand/2", "churn", "Default"] {
        let (status, refused) = create(&service, taken).await;
        assert_eq!(status, StatusCode::CONFLICT, "{taken}: {refused}");
        let (status, refused) = patch(&service, "by%20hand%2F2", json!({"name": taken})).await;
        let expected = if taken == "by hand/2" {
            StatusCode::OK
        } else {
            StatusCode::CONFLICT
        };
        assert_eq!(status, expected, "{taken}: {refused}");
        let (status, _) = patch(&service, "nobody", json!({"name": taken})).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "whatever it was to be called");
    }
    let (status, refused) = create(&service, "").await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{refused}");

    let (status, renamed) = patch(&service, "churn", json!({"name": "Who leaves?"})).await;
    assert_eq!(
        (status, &renamed["name"], &renamed["runs"]),
        (StatusCode::OK, &json!("Who leaves?"), &json!(1))
    );
    let path = "/api/v1/experiments/Who%20leaves%3F";
    let (status, _) = service.call("DELETE", path, Body::empty()).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let service = service.restart().await;
    assert_eq!(
        names(&shown(&service, "experiments").await),
        ["Default", "by hand/2"]
    );
    let (status, refused) = create(&service, "Who leaves?").await;
    assert_eq!(status, StatusCode::CONFLICT, "{refused}");
    let (status, back) = service.post(&format!("{path}/restore"), &json!({})).await;
    assert_eq!(status, StatusCode::OK, "{back}");
    assert_ne!(back["is_deleted"], json!(true), "{back}");
    assert_eq!(
        names(&shown(&service, "experiments").await),
        ["Default", "Who leaves?", "by hand/2"]
    );
    for (method, path) in [("DELETE", "nobody"), ("POST", "nobody/restore")] {
        let path = format!("/api/v1/experiments/{path}");
        let (status, _) = service.call(method, &path, Body::empty()).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{method} {path}");
    }
}

/// Sends this under `If-Match`, where one is given; the status, and the revision of the answer.
async fn conditional(
    service: &Service,
    (method, path): (&str, &str),
    expected: Option<&str>,
    body: Value,
) -> (StatusCode, String) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(expected) = expected {
        request = request.header("if-match", expected);
    }
    let request = request.header("content-type", "application/json");
    let answer = service
        .send(request.body(Body::from(body.to_string())).unwrap())
        .await;
    let shown = answer.headers().get("etag");
    let shown = shown.map_or("", |shown| shown.to_str().unwrap());
    (answer.status(), shown.to_owned())
}

#[tokio::test]
async fn an_experiment_keeps_its_revision_over_a_new_name_and_nobody_changes_what_they_did_not_see() {
    let service = Service::start().await;
    let path = |name: &str| format!("/api/v1/experiments/{name}");
    let (status, made) = conditional(
        &service,
        ("POST", "/api/v1/experiments"),
        None,
        json!({"name": "oaks"}),
    )
    .await;
    assert_eq!(status, StatusCode::CREATED);
    let (_, seen) = conditional(&service, ("GET", &path("oaks")), None, Value::Null).await;
    assert_eq!(seen, made);
    let rename = json!({"name": "elms"});
    let (status, renamed) = conditional(&service, ("PATCH", &path("oaks")), Some(&made), rename).await;
    assert_eq!(status, StatusCode::OK);
    let (_, seen) = conditional(&service, ("GET", &path("elms")), None, Value::Null).await;
    assert_eq!(seen, renamed);
    assert_ne!(renamed, made);
    for (method, name, expected) in [
        ("DELETE", "elms", StatusCode::PRECONDITION_FAILED),
        ("DELETE", "oaks", StatusCode::NOT_FOUND),
        ("PATCH", "oaks", StatusCode::NOT_FOUND),
    ] {
        let (status, _) = conditional(
            &service,
            (method, &path(name)),
            Some(&made),
            json!({"name": "ashes"}),
        )
        .await;
        assert_eq!(status, expected, "{method} {name}");
    }
    let (status, deleted) =
        conditional(&service, ("DELETE", &path("elms")), Some(&renamed), Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let restore = path("elms/restore");
    let stale = conditional(&service, ("POST", &restore), Some(&renamed), Value::Null).await;
    assert_eq!(stale.0, StatusCode::PRECONDITION_FAILED);
    let (status, back) = conditional(&service, ("POST", &restore), Some(&deleted), Value::Null).await;
    assert_eq!((status, back), (StatusCode::OK, renamed));
}

#[tokio::test]
async fn runs_of_a_renamed_experiment_are_found_by_both_its_names_until_another_has_the_old_one() {
    let service = Service::start().await;
    let run = service.submit(in_experiment("churn")).await;
    let other = service.submit(in_experiment("other")).await;
    let found = async |name: &str| {
        let page = shown(&service, &format!("runs?experiment={name}")).await;
        let items = page["items"].as_array().unwrap().iter();
        items.map(|run| run["id"].clone()).collect::<Vec<Value>>()
    };
    let id = &shown(&service, "experiments/churn").await["id"];
    let renamed = json!({"experiment_id": id, "new_name": "Who leaves?"});
    logged(&service, "experiments/update", renamed).await;
    assert_eq!(found("Who%20leaves%3F").await, [json!(run)]);
    assert_eq!(
        found("churn").await,
        [json!(run)],
        "as pipelines go on to name it"
    );
    assert_eq!(found("other").await, [json!(other)]);
    logged(&service, "experiments/create", json!({"name": "churn"})).await;
    assert_eq!(found("churn").await, [] as [Value; 0], "that is another one now");
    assert_eq!(found("nobody").await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_deleted_experiment_is_listed_only_when_that_is_asked_for_and_does_not_change() {
    let service = Service::start().await;
    let made = logged(&service, "experiments/create", json!({"name": "old"})).await;
    logged(
        &service,
        "experiments/delete",
        json!({"experiment_id": made["experiment_id"]}),
    )
    .await;
    assert_eq!(names(&shown(&service, "experiments").await), ["Default"]);
    let all = shown(&service, "experiments?deleted=true").await;
    assert_eq!(names(&all), ["Default", "old"]);
    assert_eq!(all["items"][1]["is_deleted"], json!(true));
    let (status, refused) = patch(&service, "old", json!({"description": "x"})).await;
    assert_eq!(status, StatusCode::CONFLICT, "{refused}");
}

#[tokio::test]
async fn a_compute_target_shows_what_waits_what_runs_and_who_serves_it() {
    let service = Service::start().await;
    assert_eq!(shown(&service, "compute-targets").await["items"], json!([]));
    let (status, refused) = service.get("/api/v1/compute-targets/cpu").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(
        refused["hint"].as_str().unwrap().contains("--compute cpu"),
        "{refused}"
    );
    service.submit(chain(&["a"])).await;
    let waiting = shown(&service, "compute-targets/cpu").await;
    assert_eq!(
        (
            &waiting["queue"]["dispatched"],
            &waiting["slots_free"],
            &waiting["workers"]
        ),
        (&json!(1), &json!(0), &json!([]))
    );
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let task = worker.task().await;
    worker.report(&task, vec![ReportBody::Claimed]).await;
    worker.control().await;
    worker.heartbeat(&[&task], false).await;
    let served = loop {
        let view = shown(&service, "compute-targets/cpu").await;
        if view["workers"][0]["slots_used"] == 1 {
            break view;
        }
    };
    assert_eq!(
        (
            &served["name"],
            &served["compute_type"],
            &served["queue"]["running"]
        ),
        (&json!("cpu"), &json!("cpu"), &json!(1))
    );
    assert_eq!(
        (&served["queue"]["slots"], &served["slots_free"]),
        (&json!(8), &json!(7))
    );
    let (_, queues) = service.get("/api/v1/queues").await;
    assert_eq!(served["queue"]["running"], queues[0]["running"], "one truth");
    let (_, workers) = service.get("/api/v1/workers").await;
    assert_eq!(served["workers"][0]["id"], workers[0]["id"]);
    let page = shown(&service, "compute-targets?limit=1").await;
    assert_eq!((names(&page), page.get("next_cursor")), (vec!["cpu"], None));
    assert_eq!(
        shown(&service, "compute-targets?search=gpu").await["items"],
        json!([])
    );
}

#[tokio::test]
async fn a_worker_that_drains_is_shown_and_its_slots_are_not_free() {
    let service = Service::start().await;
    let worker = ScriptedWorker::join(&service, "w1").await;
    worker.heartbeat(&[], true).await;
    let view = loop {
        let view = shown(&service, "compute-targets").await["items"][0].clone();
        if view["workers"][0]["status"] == "draining" {
            break view;
        }
    };
    assert_eq!(view["slots_free"], json!(0), "{view}");
}
