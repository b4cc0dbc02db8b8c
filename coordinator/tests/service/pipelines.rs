//! Published pipelines: from a run after the fact, with data of the catalog, and found again whatever became of the default.

use super::harness::{Service, chain};
use axum::body::Body;
use axum::http::StatusCode;
use serde_json::{Value, json};

/// A pipeline of one step with one whole-numbered parameter, as the loader would write it.
pub(crate) fn pipeline() -> Value {
    json!({
        "format": 1, "name": "train", "display_name": "Train", "experiment": "tests", "root": 1,
        "components": [
            {"deterministic": true, "inputs": {"n": {"input_type": {"literal": "integer"}}},
             "body": {"command": {"command": "echo ${{inputs.n}}"}}},
            {"deterministic": true,
             "inputs": {"trees": {"input_type": {"literal": "integer"}, "default": {"literal": "10"}, "min": "1", "max": "50"}},
             "body": {"graph": {"steps": [
                {"name": "fit", "component": 0, "inputs": {"n": {"source": {"parent": "trees"}}}, "overrides": {"target": {"name": "cpu"}}}
             ]}}}
        ]
    })
}

/// One that takes a file.
pub(crate) fn reader() -> Value {
    let data = json!({"input_type": {"data": "uri_file"}});
    json!({
        "format": 1, "name": "read", "display_name": "Read", "experiment": "tests", "root": 1,
        "components": [
            {"deterministic": true, "inputs": {"f": data}, "body": {"command": {"command": "cat ${{inputs.f}}"}}},
            {"deterministic": true, "inputs": {"file": data},
             "body": {"graph": {"steps": [
                {"name": "read", "component": 0, "inputs": {"f": {"source": {"parent": "file"}}}, "overrides": {"target": {"name": "cpu"}}}
             ]}}}
        ]
    })
}

/// Publishes the next version.
pub(crate) async fn publish(service: &Service, name: &str, spec: &Value) -> Value {
    let body = json!({"source": {"pipeline": spec}, "by": "ada"});
    let (status, view) = service
        .post(&format!("/api/v1/assets/pipeline/{name}/versions"), &body)
        .await;
    assert_eq!(status, StatusCode::CREATED, "{view}");
    view
}

#[tokio::test]
async fn what_a_run_was_submitted_with_is_published_afterwards_with_the_pipelines_own_defaults() {
    let service = Service::start().await;
    let submission = json!({"spec": pipeline(), "parameters": {"trees": "12"}});
    let (status, run) = service.post("/api/v1/runs", &submission).await;
    assert_eq!(status, StatusCode::CREATED, "{run}");
    let path = "/api/v1/assets/pipeline/after/versions";
    let (status, view) = service
        .post(path, &json!({"source": {"run": {"run": "last"}}}))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{view}");
    assert_eq!(view["origin"]["run"], run["id"]);
    assert_eq!(view["body"]["pipeline"]["parameters"][0]["default"], "10");
    let (status, started) = service.post("/api/v1/pipelines/after/runs", &json!({})).await;
    assert_eq!(status, StatusCode::CREATED, "{started}");
    let (_, shown) = service.get("/api/v1/runs/last").await;
    assert_eq!(shown["parameters"]["trees"], "10");
    // That run was submitted with a pipeline, too.
    let (status, _) = service
        .post(path, &json!({"source": {"run": {"run": "last"}}}))
        .await;
    assert_eq!(status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_run_of_which_no_pipeline_was_kept_cannot_be_published() {
    let service = Service::start().await;
    service.submit(chain(&["one"])).await;
    let path = "/api/v1/assets/pipeline/after/versions";
    let (status, refused) = service
        .post(path, &json!({"source": {"run": {"run": "last"}}}))
        .await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(
        refused["hint"].as_str().unwrap().contains("publish FILE"),
        "{refused}"
    );
    let (status, _) = service
        .post(path, &json!({"source": {"run": {"run": "0000"}}}))
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn data_of_the_catalog_is_given_by_its_name_and_a_name_of_nothing_is_refused() {
    let service = Service::start().await;
    publish(&service, "read", &reader()).await;
    let one = service.store.put_bytes("one".into()).await.unwrap();
    let content = json!({"source": {"content": {"artifact": one}}});
    service.post("/api/v1/assets/data/iris/versions", &content).await;
    let address = json!({"source": {"uri": {"type": "uri_folder", "uri": "s3://bucket/sales/"}}});
    service.post("/api/v1/assets/data/sales/versions", &address).await;
    let start = async |file: &str| {
        let body = json!({"parameters": {"file": file}});
        service.post("/api/v1/pipelines/read/runs", &body).await
    };
    for (given, bound) in [
        ("azureml:iris:1", one.digest.short()),
        ("azureml:iris@latest", one.digest.short()),
        ("azureml:sales/2026.csv", "s3://bucket/sales/2026.csv".to_owned()),
        (
            "https://example.org/x.csv",
            "https://example.org/x.csv".to_owned(),
        ),
    ] {
        let (status, run) = start(given).await;
        assert_eq!(status, StatusCode::CREATED, "{given}: {run}");
        let (_, shown) = service.get("/api/v1/runs/last").await;
        assert_eq!(shown["parameters"]["file"], json!(bound), "{given}");
    }
    for nothing in [
        "azureml:rose",
        "azureml:iris:7",
        "azureml:sales/../other",
        "azureml:iris/part",
    ] {
        let (status, refused) = start(nothing).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{nothing}: {refused}");
        assert_eq!(refused["problems"][0]["path"], "inputs.file");
    }
}

#[tokio::test]
async fn data_of_the_catalog_is_given_to_any_pipeline_and_the_run_remembers_the_version() {
    let service = Service::start().await;
    let one = service.store.put_bytes("one".into()).await.unwrap();
    let content = json!({"source": {"content": {"artifact": one}}});
    service.post("/api/v1/assets/data/iris/versions", &content).await;
    let store = json!({"url": "s3://lake/raw"}).to_string();
    service
        .call("PUT", "/api/v1/datastores/lake", Body::from(store))
        .await;
    let submit = async |path: &str, file: &str| {
        let body = json!({"spec": reader(), "parameters": {"file": file}});
        service.post(path, &body).await
    };
    let (status, run) = submit("/api/v1/runs", "azureml:iris@latest").await;
    assert_eq!(status, StatusCode::CREATED, "{run}");
    let (_, shown) = service.get("/api/v1/runs/last").await;
    assert_eq!(
        (&shown["assets"][0]["name"], &shown["assets"][0]["version"]),
        (&json!("iris"), &json!("1")),
        "{shown}"
    );
    let (_, lineage) = service.get("/api/v1/lineage?of=iris:1&direction=down").await;
    let text = lineage.to_string();
    assert!(text.contains(run["id"].as_str().unwrap()), "{lineage}");
    let (status, planned) = submit("/api/v1/plan", "azureml:iris:1").await;
    assert_eq!(status, StatusCode::OK, "{planned}");
    let (status, _) = submit("/api/v1/runs", "azureml://datastores/lake/paths/2024/a.csv").await;
    assert_eq!(status, StatusCode::CREATED);
    let (_, shown) = service.get("/api/v1/runs/last").await;
    assert_eq!(shown["parameters"]["file"], "s3://lake/raw/2024/a.csv");
    for nothing in [
        "azureml:rose",
        "azureml:iris:7",
        "azureml://datastores/none/paths/x",
        "azureml://datastores/lake/paths/../x",
    ] {
        for path in ["/api/v1/runs", "/api/v1/plan"] {
            let (status, refused) = submit(path, nothing).await;
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{nothing}: {refused}");
            assert_eq!(refused["problems"][0]["path"], "inputs.file");
        }
    }
}

#[tokio::test]
async fn a_disabled_version_says_how_it_is_enabled() {
    let service = Service::start().await;
    publish(&service, "train", &pipeline()).await;
    let disable = Body::from(json!({"stage": "disabled"}).to_string());
    service
        .call("PATCH", "/api/v1/assets/pipeline/train/versions/1", disable)
        .await;
    let (status, refused) = service.post("/api/v1/pipelines/train/runs", &json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(
        refused["hint"]
            .as_str()
            .unwrap()
            .contains("enable train --version 1"),
        "{refused}"
    );
}
