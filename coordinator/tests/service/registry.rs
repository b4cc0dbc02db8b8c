//! Models in the registry: stages into which versions come, what was measured of them, and names that change while everything that used the old ones goes on.

use super::harness::{Service, chain};
use super::worker::ScriptedWorker;
use axum::body::Body;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_protocol::plan::{Plan, Registration, StepTemplate};
use tidemill_protocol::time::{Clock, Millis};
use tidemill_protocol::wire::{StepTask, Success};

const MLFLOW: &str = "/api/2.0/mlflow";

async fn add(service: &Service, path: &str, bytes: &'static [u8]) {
    let artifact = service.store.put_bytes(bytes.into()).await.unwrap();
    let body = json!({"source": {"content": {"artifact": artifact}}});
    let path = format!("/api/v1/assets/{path}/versions");
    let (status, answer) = service.post(&path, &body).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
}

async fn patch(service: &Service, path: &str, body: Value) -> (StatusCode, Value) {
    let body = Body::from(body.to_string());
    service
        .call("PATCH", &format!("/api/v1/assets/{path}"), body)
        .await
}

async fn shown(service: &Service, path: &str) -> Value {
    let (status, view) = service.get(&format!("/api/v1/assets/{path}")).await;
    assert_eq!(status, StatusCode::OK, "{path}: {view}");
    view
}

async fn stages(service: &Service, model: &str) -> BTreeMap<String, String> {
    let list = shown(service, &format!("model/{model}/versions")).await;
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let versions = list["items"].as_array().unwrap().iter();
    versions
        .map(|one| (word(&one["version"]), word(&one["model_stage"])))
        .collect()
}

fn expected(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(version, stage)| ((*version).to_owned(), (*stage).to_owned()))
        .collect()
}

#[tokio::test]
async fn a_version_comes_into_a_stage_and_the_one_that_it_replaces_is_archived_when_that_is_asked_for() {
    let service = Service::start().await;
    for bytes in [&b"one"[..], b"two", b"three"] {
        add(&service, "model/churn", bytes).await;
    }
    for version in ["1", "2"] {
        let (status, view) = patch(
            &service,
            &format!("model/churn/versions/{version}"),
            json!({"model_stage": "production"}),
        )
        .await;
        assert_eq!(
            (status, &view["model_stage"]),
            (StatusCode::OK, &json!("production"))
        );
        assert_eq!(view["stage"], "active", "whether it may be used is another thing");
    }
    let both = [("1", "production"), ("2", "production"), ("3", "none")];
    assert_eq!(stages(&service, "churn").await, expected(&both));
    let replace = json!({"model_stage": "production", "archive_existing": true});
    patch(&service, "model/churn/versions/3", replace).await;
    let service = service.restart().await;
    let replaced = [("1", "archived"), ("2", "archived"), ("3", "production")];
    assert_eq!(stages(&service, "churn").await, expected(&replaced));
    let asset = shown(&service, "model/churn").await;
    assert_eq!(asset["model_stages"], json!({"production": "3", "archived": "2"}));
}

#[tokio::test]
async fn a_stage_that_is_none_or_of_no_model_or_comes_with_something_else_changes_nothing() {
    let service = Service::start().await;
    add(&service, "model/churn", b"one").await;
    add(&service, "data/iris", b"two").await;
    let before = shown(&service, "model/churn").await;
    let wrong = [
        ("model/churn/versions/1", json!({"model_stage": "live"})),
        (
            "model/churn/versions/1",
            json!({"model_stage": "archived", "archive_existing": true}),
        ),
        ("model/churn/versions/1", json!({"archive_existing": true})),
        (
            "model/churn/versions/1",
            json!({"model_stage": "staging", "description": "good"}),
        ),
        ("model/churn/versions/1", json!({"name": "leavers"})),
        ("model/churn", json!({"model_stage": "staging"})),
        (
            "model/churn",
            json!({"name": "leavers", "description": "who leaves"}),
        ),
        ("data/iris/versions/1", json!({"model_stage": "staging"})),
    ];
    for (path, body) in wrong {
        let (status, answer) = patch(&service, path, body.clone()).await;
        assert!(status.is_client_error(), "{path} {body}: {answer}");
    }
    let unknown = patch(
        &service,
        "model/churn/versions/7",
        json!({"model_stage": "staging"}),
    )
    .await;
    assert_eq!(unknown.0, StatusCode::NOT_FOUND);
    assert_eq!(shown(&service, "model/churn").await, before);
    let data = shown(&service, "data/iris/versions/1").await;
    assert_eq!(data.get("model_stage"), None, "data is in no stage");
}

async fn mlflow(service: &Service, path: &str, body: Value) -> (StatusCode, Value) {
    service.post(&format!("{MLFLOW}/{path}"), &body).await
}

#[tokio::test]
async fn stages_are_moved_and_asked_for_by_the_protocol_of_mlflow() {
    let service = Service::start().await;
    for bytes in [&b"one"[..], b"two", b"three"] {
        add(&service, "model/churn", bytes).await;
    }
    let to = |version: &str, stage: &str, archive: bool| json!({"name": "churn", "version": version, "stage": stage, "archive_existing_versions": archive});
    let (status, moved) = mlflow(
        &service,
        "model-versions/transition-stage",
        to("1", "production", false),
    )
    .await;
    assert_eq!(
        (status, &moved["model_version"]["current_stage"]),
        (StatusCode::OK, &json!("Production"))
    );
    mlflow(
        &service,
        "model-versions/transition-stage",
        to("2", "Production", true),
    )
    .await;
    let latest = |stages: Value| {
        mlflow(
            &service,
            "registered-models/get-latest-versions",
            json!({"name": "churn", "stages": stages}),
        )
    };
    let versions = |answer: &Value| -> Vec<(String, String)> {
        let versions = answer["model_versions"].as_array().unwrap().iter();
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        versions
            .map(|one| (word(&one["version"]), word(&one["current_stage"])))
            .collect()
    };
    let all = latest(json!([])).await.1;
    let word = |version: &str, stage: &str| (version.to_owned(), stage.to_owned());
    assert_eq!(
        versions(&all),
        [word("3", "None"), word("2", "Production"), word("1", "Archived")]
    );
    let one = latest(json!(["Production"])).await.1;
    assert_eq!(versions(&one), [word("2", "Production")]);
    let (_, none) = latest(json!(["Staging"])).await;
    assert_eq!(none["model_versions"], json!([]));
    for (path, body) in [
        (
            "registered-models/get-latest-versions",
            json!({"name": "churn", "stages": ["Live"]}),
        ),
        ("model-versions/transition-stage", to("1", "Live", false)),
        ("model-versions/transition-stage", to("1", "Archived", true)),
    ] {
        let (status, refused) = mlflow(&service, path, body).await;
        assert_eq!(
            (status, &refused["error_code"]),
            (StatusCode::BAD_REQUEST, &json!("INVALID_PARAMETER_VALUE")),
            "{refused}"
        );
    }
}

/// A plan of one step, whose output `model` is to become a version of `churn`.
fn naming(word: &str) -> Plan {
    let mut plan = chain(&[word]);
    let template = StepTemplate::clone(&plan.templates[0]);
    let mut rules = (*template.rules).clone();
    let registration = Registration {
        name: "churn".parse().unwrap(),
        version: None,
        label: None,
        data_type: Some("mlflow_model".into()),
        description: String::new(),
        tags: BTreeMap::new(),
    };
    rules.registers = BTreeMap::from([("model".parse().unwrap(), registration)]);
    plan.templates = vec![Arc::new(StepTemplate::new(template.work, rules))];
    plan
}

/// Runs it; the step logs how good its model is.
async fn trained(service: &Service, worker: &mut ScriptedWorker, word: &'static str, auc: f64) -> String {
    let artifact = service.store.put_bytes(word.as_bytes().into()).await.unwrap();
    let run = service.submit(naming(word)).await;
    let task: StepTask = worker.task().await;
    let tracked = format!("{}-0-1", run.0.simple());
    let point = json!({"run_id": tracked, "key": "auc", "value": auc, "timestamp": 5, "step": 3});
    let (status, answer) = mlflow(service, "runs/log-metric", point).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let success = Success {
        outputs: BTreeMap::from([("model".parse().unwrap(), artifact)]),
        ..Success::default()
    };
    worker.succeed(&task, success).await;
    service.watch(run).await;
    tracked
}

#[tokio::test]
async fn a_version_shows_what_the_step_measured_that_made_it() {
    let service = Service::start().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let tracked = trained(&service, &mut worker, "train", 0.75).await;
    let version = shown(&service, "model/churn/versions/1").await;
    let metric = json!({"key": "auc", "last": {"step": 3, "time": 5, "value": 0.75}, "tracked_run": tracked});
    assert_eq!(version["metrics"], json!([metric]));
    let (_, known) = service
        .get(&format!("{MLFLOW}/model-versions/get?name=churn&version=1"))
        .await;
    let known = &known["model_version"];
    assert_eq!(known["run_id"], json!(tracked), "the way back to the run");
    assert_eq!(known["model_metrics"][0]["value"], json!(0.75));
    let list = shown(&service, "model/churn/versions").await;
    assert_eq!(list["items"][0].get("metrics"), None, "a list does not tell");
    add(&service, "model/alone", b"bytes of nobody").await;
    let alone = shown(&service, "model/alone/versions/1").await;
    assert_eq!(
        alone.get("metrics"),
        None,
        "nothing is known of what nobody measured"
    );
}

#[tokio::test]
async fn a_renamed_model_keeps_versions_labels_and_lineage_and_its_old_name_goes_on_to_mean_it() {
    let service = Service::start().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    trained(&service, &mut worker, "train", 0.75).await;
    let label = Body::from(json!({"version": "1"}).to_string());
    service
        .call("PUT", "/api/v1/assets/model/churn/labels/champion", label)
        .await;
    let (status, view) = patch(&service, "model/churn", json!({"name": "leavers"})).await;
    assert_eq!(status, StatusCode::OK, "{view}");
    assert_eq!(
        (&view["name"], &view["former_names"]),
        (&json!("leavers"), &json!(["churn"]))
    );
    // The pipeline still names its output as it did.
    trained(&service, &mut worker, "again", 0.8).await;
    let service = service.restart().await;
    for name in ["leavers", "churn"] {
        let champion = shown(&service, &format!("model/{name}/versions/champion")).await;
        assert_eq!(
            (&champion["name"], &champion["version"]),
            (&json!("leavers"), &json!("1")),
            "{name}"
        );
        let latest = shown(&service, &format!("model/{name}/versions/latest")).await;
        assert_eq!(latest["version"], "2", "{name}");
        let (_, lineage) = service
            .get(&format!("/api/v1/lineage?of={name}:1&direction=up"))
            .await;
        assert!(lineage["nodes"].as_array().unwrap().len() >= 3, "{lineage}");
    }
    let list = shown(&service, "model").await;
    assert_eq!(
        list["items"].as_array().unwrap().len(),
        1,
        "it is there once: {list}"
    );
}

#[tokio::test]
async fn no_name_is_taken_from_another_and_a_name_is_free_again_when_its_asset_is_gone() {
    let service = Service::start().await;
    add(&service, "data/iris", b"one").await;
    add(&service, "data/sales", b"two").await;
    patch(&service, "data/iris", json!({"name": "flowers"})).await;
    for taken in ["flowers", "iris"] {
        let (status, refused) = patch(&service, "data/sales", json!({"name": taken})).await;
        assert_eq!(status, StatusCode::CONFLICT, "{taken}: {refused}");
    }
    assert_eq!(shown(&service, "data/sales").await["name"], "sales");
    // Back again, and on: one asset, whatever it was called.
    patch(&service, "data/flowers", json!({"name": "iris"})).await;
    patch(&service, "data/flowers", json!({"name": "blossoms"})).await;
    for name in ["iris", "flowers", "blossoms"] {
        let view = shown(&service, &format!("data/{name}")).await;
        assert_eq!(view["name"], "blossoms", "{name}");
    }
    let (status, _) = service
        .call("DELETE", "/api/v1/assets/data/iris/versions/1", Body::empty())
        .await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _) = patch(&service, "data/sales", json!({"name": "flowers"})).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        service.get("/api/v1/assets/data/blossoms").await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_model_is_renamed_by_the_protocol_of_mlflow_with_and_without_versions() {
    let service = Service::start().await;
    add(&service, "model/churn", b"one").await;
    mlflow(
        &service,
        "registered-models/create",
        json!({"name": "empty", "description": "not yet"}),
    )
    .await;
    let rename = |name: &str, to: &str| {
        mlflow(
            &service,
            "registered-models/rename",
            json!({"name": name, "new_name": to}),
        )
    };
    let (status, taken) = rename("churn", "empty").await;
    assert_eq!(
        (status, &taken["error_code"]),
        (StatusCode::BAD_REQUEST, &json!("RESOURCE_ALREADY_EXISTS"))
    );
    let (_, refused) = patch(&service, "model/churn", json!({"name": "empty"})).await;
    assert_eq!(refused["code"], "conflict", "nor over our own API: {refused}");
    let (status, renamed) = rename("churn", "leavers").await;
    assert_eq!(
        (status, &renamed["registered_model"]["name"]),
        (StatusCode::OK, &json!("leavers"))
    );
    let (status, renamed) = rename("empty", "soon").await;
    assert_eq!(
        (status, &renamed["registered_model"]["description"]),
        (StatusCode::OK, &json!("not yet"))
    );
    let (status, _) = service
        .get(&format!("{MLFLOW}/registered-models/get?name=empty"))
        .await;
    assert_eq!(
        status,
        StatusCode::NOT_FOUND,
        "nothing refers to a model without versions"
    );
    let (status, _) = rename("nobody", "somebody").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_said_of_a_model_or_version_moves_the_moment_of_its_last_change_and_of_nothing_else() {
    let service = Service::start().await;
    for (path, bytes) in [
        ("model/churn", &b"one"[..]),
        ("model/churn", b"two"),
        ("model/other", b"three"),
    ] {
        add(&service, path, bytes).await;
    }
    mlflow(&service, "registered-models/create", json!({"name": "empty"})).await;
    let began = service.clock.now().0;
    let changes = [
        (
            "PATCH",
            "model-versions/update",
            json!({"name": "churn", "version": "1", "description": "the first"}),
        ),
        (
            "POST",
            "model-versions/transition-stage",
            json!({"name": "churn", "version": "2", "stage": "Staging"}),
        ),
        (
            "PATCH",
            "registered-models/update",
            json!({"name": "churn", "description": "who leaves"}),
        ),
        (
            "POST",
            "registered-models/set-tag",
            json!({"name": "empty", "key": "team", "value": "blue"}),
        ),
    ];
    for (method, path, body) in changes {
        service.clock.advance(Millis(1000));
        let path = format!("{MLFLOW}/{path}");
        let (status, answer) = service.call(method, &path, Body::from(body.to_string())).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    let service = service.restart().await;
    let changed = async |path: &str, what: &str| {
        let (_, answer) = service.get(&format!("{MLFLOW}/{path}")).await;
        let shown = &answer[what];
        assert_eq!(shown["creation_timestamp"], json!(began), "{answer}");
        shown["last_updated_timestamp"].as_u64().unwrap() - began
    };
    let version = "model-versions/get?name=churn&version=";
    assert_eq!(changed(&format!("{version}1"), "model_version").await, 1000);
    assert_eq!(changed(&format!("{version}2"), "model_version").await, 2000);
    let model = "registered-models/get?name=";
    assert_eq!(changed(&format!("{model}churn"), "registered_model").await, 3000);
    assert_eq!(changed(&format!("{model}empty"), "registered_model").await, 4000);
    assert_eq!(changed(&format!("{model}other"), "registered_model").await, 0);
}
