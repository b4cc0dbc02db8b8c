//! Published pipelines in the words of Azure ML's REST API: what is taken, what is answered, and how what is wrong is said.

use super::harness::Service;
use super::pipelines::{pipeline, publish, reader};
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

const SUBMIT: &str = "/azureml/v1.0/PipelineRuns/PipelineSubmit";
const ENDPOINT: &str = "/azureml/v1.0/PipelineRuns/PipelineEndpointSubmit";

#[tokio::test]
async fn the_body_of_an_older_caller_starts_a_run_and_what_is_not_known_in_it_is_ignored() {
    let service = Service::start().await;
    publish(&service, "train", &pipeline()).await;
    let body = json!({
        "ExperimentName": "nightly", "Description": "from the factory", "RunSource": "ADF", "tags": {"team": "mill"},
        "ParameterAssignments": {"trees": 12}, "EnableNotification": true, "Properties": {"x": "y"}, "RunType": "HTTP",
    });
    let (status, run) = service.post(&format!("{SUBMIT}/train"), &body).await;
    assert_eq!(status, StatusCode::OK, "{run}");
    assert!(run["Status"]["StatusCode"].as_u64().unwrap() <= 1, "{run}");
    assert_eq!(
        (&run["PipelineId"], &run["RunHistoryExperimentName"]),
        (&json!("train:1"), &json!("nightly"))
    );
    let id = run["Id"].as_str().unwrap();
    let (_, shown) = service.get(&format!("/api/v1/runs/{id}")).await;
    assert_eq!(shown["parameters"]["trees"], "12");
    assert_eq!(shown["display_name"], "from the factory");
    assert_eq!(
        (&shown["tags"]["team"], &shown["tags"]["azureml.run_source"]),
        (&json!("mill"), &json!("ADF"))
    );
    let (status, again) = service.get(&format!("/azureml/v1.0/PipelineRuns/{id}")).await;
    assert_eq!((status, &again["Id"]), (StatusCode::OK, &json!(id)));
}

#[tokio::test]
async fn an_endpoint_starts_its_default_version_unless_another_is_named() {
    let service = Service::start().await;
    publish(&service, "train", &pipeline()).await;
    let mut second = pipeline();
    second["description"] = json!("the second");
    publish(&service, "train", &second).await;
    let default = Body::from(json!({"version": "1"}).to_string());
    service
        .call("PUT", "/api/v1/assets/pipeline/train/labels/default", default)
        .await;
    for (path, version) in [
        (format!("{ENDPOINT}/Name?name=train"), "train:1"),
        (format!("{ENDPOINT}/Name?name=train&pipelineVersion=2"), "train:2"),
        (format!("{ENDPOINT}/Id/train"), "train:1"),
        (format!("{ENDPOINT}/Id/train/2"), "train:2"),
        (format!("{SUBMIT}/train:2"), "train:2"),
    ] {
        let (status, run) = service.call("POST", &path, Body::empty()).await;
        assert_eq!(
            (status, &run["PipelineId"]),
            (StatusCode::OK, &json!(version)),
            "{path}: {run}"
        );
    }
}

#[tokio::test]
async fn a_data_path_lies_in_the_datastore_of_its_name_or_else_behind_the_data_asset() {
    let service = Service::start().await;
    publish(&service, "read", &reader()).await;
    let lake = Body::from(json!({"url": "s3://lake/raw/"}).to_string());
    let (status, made) = service.call("PUT", "/api/v1/datastores/lake", lake).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    for (name, address) in [("lake", "s3://other/place"), ("sales", "s3://bucket/sales")] {
        let body = json!({"source": {"uri": {"type": "uri_folder", "uri": address}}});
        let path = format!("/api/v1/assets/data/{name}/versions");
        let (status, made) = service.post(&path, &body).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
    }
    let start = async |store: &str, path: &str| {
        let body = json!({"DataPathAssignments": {"file": {"DataStoreName": store, "RelativePath": path}}});
        service.post(&format!("{SUBMIT}/read"), &body).await
    };
    for (store, path, address) in [
        ("lake", "2026/a.csv", "s3://lake/raw/2026/a.csv"),
        ("lake", "/2026/", "s3://lake/raw/2026"),
        ("lake", "", "s3://lake/raw/"),
        ("sales", "2026.csv", "s3://bucket/sales/2026.csv"),
    ] {
        let (status, run) = start(store, path).await;
        assert_eq!(status, StatusCode::OK, "{store} {path}: {run}");
        let (_, shown) = service
            .get(&format!("/api/v1/runs/{}", run["Id"].as_str().unwrap()))
            .await;
        assert_eq!(shown["parameters"]["file"], address, "{shown}");
    }
    for (store, path, word) in [
        ("lake", "../other", "leads out"),
        ("lake", "a/../../b", "leads out"),
        ("river", "x", "river"),
    ] {
        let (status, refused) = start(store, path).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{refused}");
        assert!(refused.to_string().contains(word), "{refused}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_in_their_words_with_every_problem() {
    let service = Service::start().await;
    publish(&service, "train", &pipeline()).await;
    let wrong = json!({"ParameterAssignments": {"trees": 99, "forests": "1"}});
    let (status, refused) = service.post(&format!("{SUBMIT}/train"), &wrong).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused["Error"]["Code"], "UserError");
    let message = refused["Error"]["Message"].as_str().unwrap();
    assert!(message.contains("50") && message.contains("forests"), "{message}");
    assert!(refused["Error"]["Details"].as_array().unwrap().len() >= 2);
    assert!(!refused["Correlation"]["RequestId"].as_str().unwrap().is_empty());
    let (status, unknown) = service.post(&format!("{SUBMIT}/nobody"), &json!({})).await;
    assert_eq!(
        (status, &unknown["Error"]["InnerError"]["Code"]),
        (StatusCode::NOT_FOUND, &json!("NotFound"))
    );
    let (status, _) = service
        .call("POST", &format!("{SUBMIT}/train"), Body::from("{no json"))
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (_, runs) = service.get("/api/v1/runs").await;
    assert_eq!(runs["items"], json!([]), "nothing was started");
}

/// A call of a batch endpoint.
async fn call(service: &Service, deployment: Option<&str>, properties: &Value) -> (StatusCode, Value) {
    let mut request =
        Request::post("/azureml/endpoints/train/jobs").header("content-type", "application/json");
    if let Some(deployment) = deployment {
        request = request.header("azureml-model-deployment", deployment);
    }
    let body = Body::from(json!({"properties": properties}).to_string());
    let answer = service.send(request.body(body).unwrap()).await;
    let status = answer.status();
    let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn a_batch_endpoint_is_a_published_pipeline_and_its_deployments_are_the_versions() {
    let service = Service::start().await;
    publish(&service, "train", &pipeline()).await;
    let input = json!({"InputData": {"trees": {"JobInputType": "Literal", "Value": 7}}});
    let (status, job) = call(&service, None, &input).await;
    assert_eq!(status, StatusCode::CREATED, "{job}");
    let status = job["properties"]["status"].as_str().unwrap();
    assert!(["NotStarted", "Running"].contains(&status), "{job}");
    let (_, shown) = service
        .get(&format!("/api/v1/runs/{}", job["name"].as_str().unwrap()))
        .await;
    assert_eq!(shown["parameters"]["trees"], "7");
    let (status, refused) = call(&service, Some("blue"), &input).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (StatusCode::NOT_FOUND, &json!("NotFound"))
    );
    let (status, refused) = call(
        &service,
        None,
        &json!({"OutputData": {"elsewhere": {"Uri": "s3://b/x"}}}),
    )
    .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(
        refused["error"]["message"]
            .as_str()
            .unwrap()
            .contains("elsewhere"),
        "{refused}"
    );
}

#[tokio::test]
async fn the_id_of_a_job_leads_to_the_job_and_to_no_run_of_another_pipeline() {
    let service = Service::start().await;
    publish(&service, "train", &pipeline()).await;
    publish(&service, "other", &pipeline()).await;
    let (_, made) = call(&service, None, &json!({"DisplayName": "by hand"})).await;
    let id = made["id"].as_str().unwrap();
    let (status, job) = service.get(id).await;
    assert_eq!(status, StatusCode::OK, "{job}");
    for word in ["id", "name", "type"] {
        assert_eq!(job[word], made[word], "{word}");
    }
    assert_eq!(
        job["properties"]["displayName"],
        made["properties"]["displayName"]
    );
    let run = made["name"].as_str().unwrap();
    service
        .post(&format!("/api/v1/runs/{run}/cancel"), &json!({}))
        .await;
    let (_, job) = service.get(id).await;
    let ended = job["properties"]["status"].as_str().unwrap();
    assert!(["CancelRequested", "Canceled"].contains(&ended), "{job}");

    let (_, unpublished) = service.post("/api/v1/runs", &json!({"spec": pipeline()})).await;
    let unpublished = unpublished["id"].as_str().unwrap();
    for path in [
        format!("/azureml/endpoints/other/jobs/{run}"),
        format!("/azureml/endpoints/nobody/jobs/{run}"),
        format!("/azureml/endpoints/train/jobs/{unpublished}"),
        "/azureml/endpoints/train/jobs/01a22b94-0000-7000-8000-000000000000".to_owned(),
    ] {
        let (status, refused) = service.get(&path).await;
        assert_eq!(
            (status, &refused["error"]["code"]),
            (StatusCode::NOT_FOUND, &json!("NotFound")),
            "{path}: {refused}"
        );
    }
}

/// The same pipeline with an output, and nothing that says where its steps run but the step itself.
fn modelling() -> Value {
    let mut spec = pipeline();
    let folder = json!({"data_type": "uri_folder"});
    spec["components"][0]["outputs"] = json!({"model": folder});
    spec["components"][0]["body"]["command"]["command"] = json!("echo ${{inputs.n}} > ${{outputs.model}}/m");
    spec["components"][1]["outputs"] = json!({"best": folder});
    spec["components"][1]["body"]["graph"]["outputs"] = json!({"best": {"step": "fit", "output": "model"}});
    spec
}

#[tokio::test]
async fn an_output_that_shall_go_to_a_datastore_is_copied_there_by_a_step_of_the_run() {
    let service = Service::start().await;
    publish(&service, "train", &modelling()).await;
    let share = Body::from(json!({"url": "file:///mnt/share"}).to_string());
    let (status, made) = service.call("PUT", "/api/v1/datastores/share", share).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    let to = |uri: &str| json!({"OutputData": {"best": {"JobOutputType": "UriFolder", "Uri": uri}}});
    let (status, job) = call(&service, None, &to("azureml://datastores/share/paths/models/1")).await;
    assert_eq!(status, StatusCode::CREATED, "{job}");
    let (_, run) = service
        .get(&format!("/api/v1/runs/{}", job["name"].as_str().unwrap()))
        .await;
    let steps = run["steps_list"].as_array().unwrap();
    assert_eq!(steps.len(), 2, "{run}");
    let copy = &steps[1];
    assert_eq!(
        (&copy["path"], &copy["kind"], &copy["depends_on"], &copy["target"]),
        (
            &json!("copy_best"),
            &json!("copy"),
            &json!(["fit"]),
            &json!("cpu")
        )
    );
    assert_eq!(
        run["outputs"]["best"], "fit.model",
        "the output itself stays what it is"
    );
    for (uri, word) in [
        ("s3://bucket/models", "no path in a datastore"),
        ("file:///etc/models", "no path in a datastore"),
        ("azureml://datastores/nowhere/paths/models", "nowhere"),
        ("azureml://datastores/share/paths/../../etc", "leads out"),
    ] {
        let (status, refused) = call(&service, None, &to(uri)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{uri}: {refused}");
        let message = refused["error"]["message"].as_str().unwrap();
        assert!(message.contains(word), "{uri}: {message}");
    }
    let (_, runs) = service.get("/api/v1/runs").await;
    assert_eq!(
        runs["items"].as_array().unwrap().len(),
        1,
        "nothing else was started"
    );
}
