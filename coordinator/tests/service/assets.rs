//! The catalog through the API: versions that never change, labels that do, revisions that guard against each other, and pipelines that are published and started.

use super::harness::{Service, chain};
use super::worker::ScriptedWorker;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};
use tidemill_protocol::artifact::ArtifactRef;

async fn stored(service: &Service, bytes: &'static [u8]) -> ArtifactRef {
    service.store.put_bytes(bytes.into()).await.unwrap()
}

fn content(artifact: ArtifactRef) -> Value {
    json!({"source": {"content": {"artifact": artifact}}})
}

async fn add(service: &Service, path: &str, body: &Value) -> (StatusCode, Value) {
    service
        .post(&format!("/api/v1/assets/{path}/versions"), body)
        .await
}

#[tokio::test]
async fn versions_are_numbered_and_the_last_one_is_the_latest() {
    let service = Service::start().await;
    let (one, two) = (stored(&service, b"one").await, stored(&service, b"two").await);
    let (status, view) = add(&service, "data/iris", &content(one)).await;
    assert_eq!((status, &view["version"]), (StatusCode::CREATED, &json!("1")));
    assert_eq!(view["body"]["data"]["type"], "uri_file");
    add(&service, "data/iris", &content(two)).await;
    let (_, latest) = service.get("/api/v1/assets/data/iris/versions/latest").await;
    assert_eq!(latest["version"], "2");
    assert_eq!(latest["labels"], json!(["latest"]));
    let (_, list) = service.get("/api/v1/assets/data/iris/versions").await;
    let versions: Vec<&str> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["version"].as_str().unwrap())
        .collect();
    assert_eq!(versions, ["2", "1"]);
    let (_, nothing) = service.get("/api/v1/assets/model").await;
    assert_eq!(nothing["items"], json!([]), "data is no model");
}

#[tokio::test]
async fn a_version_never_becomes_something_else() {
    let service = Service::start().await;
    let (one, two) = (stored(&service, b"one").await, stored(&service, b"two").await);
    let body = |artifact| json!({"version": "2024-01", "source": {"content": {"artifact": artifact}}});
    let (status, _) = add(&service, "data/sales", &body(one)).await;
    assert_eq!(status, StatusCode::CREATED);
    let (status, _) = add(&service, "data/sales", &body(one)).await;
    assert_eq!(status, StatusCode::OK, "the same again changes nothing");
    let (status, refused) = add(&service, "data/sales", &body(two)).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(refused["hint"].as_str().unwrap().contains("version"));
    let (_, asset) = service.get("/api/v1/assets/data/sales").await;
    assert_eq!((&asset["versions"], &asset["revision"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn what_the_store_lacks_or_what_is_of_another_kind_is_not_added() {
    let service = Service::start().await;
    let gone = json!({"kind": "blob", "digest": tidemill_protocol::digest::Digest::of(b"never stored"), "size_bytes": 1, "files": 1});
    let (status, _) = add(
        &service,
        "data/d",
        &json!({"source": {"content": {"artifact": gone}}}),
    )
    .await;
    assert_eq!(status, StatusCode::CONFLICT);
    let one = stored(&service, b"one").await;
    let wrong = json!({"source": {"content": {"type": "mlflow_model", "artifact": one}}});
    let (status, _) = add(&service, "data/d", &wrong).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let nowhere = json!({"source": {"uri": {"type": "uri_file", "uri": "just words"}}});
    let (status, _) = add(&service, "data/d", &nowhere).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let software = json!({"source": {"environment": {"image": "python:3.11"}}});
    assert_eq!(
        add(&service, "data/d", &software).await.0,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        add(&service, "environment/py", &software).await.0,
        StatusCode::CREATED
    );
    assert_eq!(
        service.get("/api/v1/assets/data/d").await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_label_moves_and_is_gone_with_its_version() {
    let service = Service::start().await;
    let (one, two) = (stored(&service, b"one").await, stored(&service, b"two").await);
    let model = |artifact| json!({"source": {"content": {"artifact": artifact}}, "labels": ["champion"]});
    add(&service, "model/churn", &model(one)).await;
    add(&service, "model/churn", &model(two)).await;
    let (_, champion) = service.get("/api/v1/assets/model/churn/versions/champion").await;
    assert_eq!(champion["version"], "2");
    let back = Body::from(json!({"version": "1"}).to_string());
    let (status, _) = service
        .call("PUT", "/api/v1/assets/model/churn/labels/champion", back)
        .await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (_, champion) = service.get("/api/v1/assets/model/churn/versions/champion").await;
    assert_eq!(champion["version"], "1");
    let taken = Body::from(json!({"version": "1"}).to_string());
    let (status, _) = service
        .call("PUT", "/api/v1/assets/model/churn/labels/2", taken)
        .await;
    assert_eq!(status, StatusCode::CONFLICT, "a label hides no version");
    let (status, _) = service
        .call("DELETE", "/api/v1/assets/model/churn/versions/1", Body::empty())
        .await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _) = service.get("/api/v1/assets/model/churn/versions/champion").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (_, third) = add(&service, "model/churn", &content(one)).await;
    assert_eq!(
        third["version"], "3",
        "the number of a removed version is not given again"
    );
}

#[tokio::test]
async fn who_saw_an_older_revision_changes_nothing() {
    let service = Service::start().await;
    let one = stored(&service, b"one").await;
    add(&service, "data/iris", &content(one)).await;
    let patch = |revision: &str, text: &str| {
        Request::patch("/api/v1/assets/data/iris")
            .header(header::IF_MATCH, revision)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(
                json!({"description": text, "tags": {"owner": "ada"}}).to_string(),
            ))
            .unwrap()
    };
    let shown = Request::get("/api/v1/assets/data/iris")
        .body(Body::empty())
        .unwrap();
    let shown = service.send(shown).await;
    let tag = shown.headers()[header::ETAG].to_str().unwrap().to_owned();
    assert_eq!(
        service.send(patch(&tag, "flowers")).await.status(),
        StatusCode::OK
    );
    let late = service.send(patch(&tag, "petals")).await;
    assert_eq!(late.status(), StatusCode::PRECONDITION_FAILED);
    let late: Value = serde_json::from_slice(&to_bytes(late.into_body(), usize::MAX).await.unwrap()).unwrap();
    assert_eq!(late["code"], "precondition_failed");
    let (_, asset) = service.get("/api/v1/assets/data/iris").await;
    assert_eq!(asset["description"], "flowers");
    let (_, tagged) = service.get("/api/v1/assets/data?tag=owner%3Dada").await;
    assert_eq!(tagged["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn lists_come_in_pages_that_leave_nothing_out() {
    let service = Service::start().await;
    let one = stored(&service, b"one").await;
    for name in ["a", "b", "c", "d", "e"] {
        add(&service, &format!("data/{name}"), &content(one)).await;
    }
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let (_, page) = service.get(&format!("/api/v1/assets/data?limit=2{cursor}")).await;
        let items = page["items"].as_array().unwrap();
        names.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
}

#[tokio::test]
async fn an_output_becomes_a_model_that_knows_where_it_came_from() {
    let service = Service::start().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let run = service.submit(chain(&["train"])).await;
    worker.work(1).await;
    service.watch(run).await;
    let wanted = json!({"source": {"output": {"run": "last", "step": "train", "output": "nothing"}}});
    let (status, refused) = add(&service, "model/m", &wanted).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(refused["message"].as_str().unwrap().contains("nothing"));
}

#[tokio::test]
async fn the_catalog_survives_a_restart_and_a_snapshot() {
    let service = Service::start_on_disk().await;
    let one = stored(&service, b"one").await;
    let body = json!({"source": {"content": {"artifact": one}}, "labels": ["good"], "tags": {"k": "v"}});
    add(&service, "data/iris", &body).await;
    let (_, before) = service.get("/api/v1/assets/data/iris/versions/good").await;
    let service = service.restart().await;
    assert_eq!(
        service.get("/api/v1/assets/data/iris/versions/good").await.1,
        before
    );
    // Enough events for a snapshot.
    for number in 0..1_100 {
        let patch = json!({"description": number.to_string()});
        service
            .call("PATCH", "/api/v1/assets/data/iris", Body::from(patch.to_string()))
            .await;
    }
    let (_, before) = service.get("/api/v1/assets/data/iris").await;
    let service = service.restart().await;
    assert_eq!(service.get("/api/v1/assets/data/iris").await.1, before);
    assert_eq!(before["description"], "1099");
}

/// A pipeline of one step with one whole-numbered parameter, as the loader would write it.
fn pipeline() -> Value {
    json!({
        "format": 1, "name": "train", "display_name": "Train", "experiment": "tests", "root": 1,
        "components": [
            {"deterministic": true, "inputs": {"n": {"input_type": {"literal": "integer"}}},
             "body": {"command": {"command": "echo ${{inputs.n}}"}}},
            {"deterministic": true,
             "inputs": {"trees": {"input_type": {"literal": "integer"}, "default": {"literal": "10"}, "min": "1", "max": "50", "description": "how many"}},
             "body": {"graph": {"steps": [
                {"name": "fit", "component": 0, "inputs": {"n": {"source": {"parent": "trees"}}}, "overrides": {"target": {"name": "cpu"}}}
             ]}}}
        ]
    })
}

#[tokio::test]
async fn a_published_pipeline_tells_its_parameters_and_starts_runs() {
    let service = Service::start().await;
    let (status, view) = add(
        &service,
        "pipeline/train",
        &json!({"source": {"pipeline": pipeline()}}),
    )
    .await;
    assert_eq!(status, StatusCode::CREATED, "{view}");
    let parameter = &view["body"]["pipeline"]["parameters"][0];
    assert_eq!(parameter["name"], "trees");
    assert_eq!(
        (&parameter["type"], &parameter["default"], &parameter["max"]),
        (&json!("integer"), &json!("10"), &json!("50"))
    );
    let start = "/api/v1/pipelines/train/runs";
    let (status, run) = service
        .post(start, &json!({"parameters": {"trees": "12"}, "by": "ada"}))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{run}");
    assert_eq!(run["tags"]["tidemill.pipeline"], "train:1");
    let (_, shown) = service.get("/api/v1/runs/last").await;
    assert_eq!(shown["parameters"]["trees"], "12");
    let (status, refused) = service.post(start, &json!({"parameters": {"trees": "51"}})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        refused["problems"][0]["message"].as_str().unwrap().contains("50"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_disabled_version_starts_nothing_and_the_default_decides_which_does() {
    let service = Service::start().await;
    let source = json!({"pipeline": pipeline()});
    add(
        &service,
        "pipeline/train",
        &json!({"source": source, "labels": ["default"]}),
    )
    .await;
    let mut second = pipeline();
    second["description"] = json!("the second");
    add(
        &service,
        "pipeline/train",
        &json!({"source": {"pipeline": second}}),
    )
    .await;
    let start = "/api/v1/pipelines/train/runs";
    let (_, run) = service.post(start, &json!({})).await;
    assert_eq!(
        run["tags"]["tidemill.pipeline"], "train:1",
        "the default, not the latest"
    );
    let (_, run) = service.post(&format!("{start}?version=latest"), &json!({})).await;
    assert_eq!(run["tags"]["tidemill.pipeline"], "train:2");
    let disable = Body::from(json!({"stage": "disabled"}).to_string());
    let (status, _) = service
        .call("PATCH", "/api/v1/assets/pipeline/train/versions/1", disable)
        .await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = service.post(start, &json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let (_, runs) = service.get("/api/v1/runs").await;
    assert_eq!(runs["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_pipeline_that_could_never_run_is_not_published() {
    let service = Service::start().await;
    let mut broken = pipeline();
    broken["components"][1]["body"]["graph"]["steps"][0]["inputs"]["n"]["source"] =
        json!({"step": {"step": "nobody", "output": "leaves"}});
    let (status, refused) = add(
        &service,
        "pipeline/train",
        &json!({"source": {"pipeline": broken}}),
    )
    .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!refused["problems"].as_array().unwrap().is_empty());
    assert_eq!(
        service.get("/api/v1/assets/pipeline/train").await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_pipeline_that_is_read_for_a_client_takes_names_from_the_catalog() {
    let service = Service::start().await;
    let one = stored(&service, b"one").await;
    add(&service, "data/iris", &content(one)).await;
    let text = |name: &str| {
        format!(
            "type: pipeline\nsettings: {{default_compute: cpu}}\njobs:\n  a: {{type: command, command: 'cat ${{{{inputs.x}}}}', inputs: {{x: {{type: uri_file, path: 'azureml:{name}'}}}}}}\n"
        )
    };
    let request = |name: &str| json!({"file": "p.yml", "texts": [{"path": "p.yml", "text": text(name)}]});
    let load = "/api/v1/pipelines/load";
    let (status, read) = service.post(load, &request("iris@latest")).await;
    assert_eq!(status, StatusCode::OK, "{read}");
    let used = &read["spec"]["assets"][0];
    assert_eq!((&used["name"], &used["version"]), (&json!("iris"), &json!("1")));
    assert_eq!(read["spec"]["contents"][0]["digest"], one.digest.to_string());
    let (status, refused) = service.post(load, &request("iris:7")).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let help = refused["problems"][0]["help"].as_str().unwrap();
    assert!(
        help.contains("tidemill data add iris") && !help.contains("no coordinator"),
        "{help}"
    );
}
