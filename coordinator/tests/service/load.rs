//! Contents by SHA-256, and pipeline files that are read for a client.

use super::harness::Service;
use axum::body::Body;
use axum::http::StatusCode;
use serde_json::{Value, json};

const LOAD: &str = "/api/v1/pipelines/load";
const PIPELINE: &str = "type: pipeline\ninputs:\n  rows: {type: uri_file}\n  rate: {type: number, default: 0.5}\njobs:\n  fit:\n    component: ./fit.yml\n    inputs: {rows: '${{parent.inputs.rows}}', rate: '${{parent.inputs.rate}}'}\n";
const COMPONENT: &str = "type: command\ninputs:\n  rows: {type: uri_file}\n  rate: {type: number}\ncode: ./src\ncommand: python fit.py ${{inputs.rows}} ${{inputs.rate}}\n";
/// A program, and what it goes by.
const CODE: &str = "print()";
const CODE_SHA: &str = "525d513313416cf187f44fa87e1753ee6d11552c22097537ddc32b4ed34fa68f";
/// Nothing, and what that goes by.
const EMPTY_SHA: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn told() -> Value {
    json!({
        "file": "p/pipeline.yml",
        "texts": [
            {"path": "p/pipeline.yml", "text": PIPELINE},
            {"path": "p/fit.yml", "text": COMPONENT},
        ],
        "parameters": {"rows": "rows.csv", "rate": "0.25"},
        "sources": [
            {"path": "p/src", "role": "code", "folder": true, "files": [
                {"path": "fit.py", "sha256": CODE_SHA, "size_bytes": CODE.len(), "executable": true},
            ]},
            {"path": "p/rows.csv", "role": "data", "folder": false, "files": [
                {"sha256": EMPTY_SHA, "size_bytes": 0},
            ]},
        ],
    })
}

async fn send(service: &Service, sha256: &str, bytes: &'static str) -> (StatusCode, Value) {
    let path = format!("/api/v1/contents/{sha256}");
    service.call("PUT", &path, Body::from(bytes)).await
}

#[tokio::test]
async fn a_file_is_asked_for_and_stored_by_its_sha_256() {
    let service = Service::start().await;
    let question = json!({"sha256": [CODE_SHA, EMPTY_SHA]});
    let (_, answer) = service.post("/api/v1/contents/missing", &question).await;
    assert_eq!(answer["missing"], json!([CODE_SHA, EMPTY_SHA]));
    let (status, stored) = send(&service, CODE_SHA, CODE).await;
    assert_eq!((status, &stored["size_bytes"]), (StatusCode::OK, &json!(7)));
    let (status, again) = send(&service, CODE_SHA, CODE).await;
    assert_eq!((status, again), (StatusCode::OK, stored.clone()));
    let (_, answer) = service.post("/api/v1/contents/missing", &question).await;
    assert_eq!(answer["missing"], json!([EMPTY_SHA]));
    let digest = stored["digest"].as_str().unwrap();
    let (status, _) = service.get(&format!("/api/v1/blobs/{digest}")).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn bytes_with_another_sha_256_are_refused_and_are_not_found_by_it() {
    let service = Service::start().await;
    let (status, body) = send(&service, EMPTY_SHA, CODE).await;
    assert_eq!(
        (status, &body["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("digest_mismatch"))
    );
    let (status, _) = send(&service, "xyz", CODE).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let question = json!({"sha256": [EMPTY_SHA]});
    let (_, answer) = service.post("/api/v1/contents/missing", &question).await;
    assert_eq!(answer["missing"], json!([EMPTY_SHA]));
    let many = json!({"sha256": vec![EMPTY_SHA; 10_001]});
    let (status, _) = service.post("/api/v1/contents/missing", &many).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn files_that_were_sent_make_a_folder_which_goes_by_the_name_that_every_client_gives_it() {
    let service = Service::start().await;
    let folder = json!({
        "folder": true,
        "files": [{"path": "fit.py", "sha256": CODE_SHA, "size_bytes": 7}],
        "empty_folders": ["out"],
    });
    let (status, _) = service.post("/api/v1/contents/artifacts", &folder).await;
    assert_eq!(status, StatusCode::CONFLICT, "its file was not sent yet");
    let (_, stored) = send(&service, CODE_SHA, CODE).await;
    let (status, made) = service.post("/api/v1/contents/artifacts", &folder).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    let entry = tidemill_protocol::artifact::TreeEntry {
        path: "fit.py".parse().unwrap(),
        digest: stored["digest"].as_str().unwrap().parse().unwrap(),
        size_bytes: 7,
        executable: false,
    };
    let tree = tidemill_protocol::artifact::Tree::new(vec![entry], vec!["out".parse().unwrap()]);
    let expected = tree.reference(&tree.canonical_bytes());
    assert_eq!(made, serde_json::to_value(expected).unwrap());
    let file = json!({"folder": false, "files": [{"sha256": CODE_SHA, "size_bytes": 7}]});
    let (_, made) = service.post("/api/v1/contents/artifacts", &file).await;
    assert_eq!(made, stored);
}

#[tokio::test]
async fn each_answer_names_what_the_files_that_are_known_lead_to_until_the_pipeline_is_read() {
    let service = Service::start().await;
    send(&service, CODE_SHA, CODE).await;
    send(&service, EMPTY_SHA, "").await;
    let mut request = told();
    let texts = request["texts"].take();
    let sources = request["sources"].take();
    request["texts"] = json!([]);
    request["sources"] = json!([]);
    let needs = async |request: &Value| service.post(LOAD, request).await.1["needs"].take();
    assert_eq!(
        needs(&request).await,
        json!([{"path": "p/pipeline.yml", "role": "text", "files": false}])
    );
    request["texts"] = json!([texts[0]]);
    assert_eq!(
        needs(&request).await,
        json!([{"path": "p/fit.yml", "role": "text", "files": false}])
    );
    request["texts"] = texts;
    assert_eq!(
        needs(&request).await,
        json!([{"path": "p/src", "role": "code", "files": false}])
    );
    let shape =
        |source: &Value| json!({"path": source["path"], "role": source["role"], "folder": source["folder"]});
    request["sources"] = json!([shape(&sources[0])]);
    assert_eq!(
        needs(&request).await,
        json!([{"path": "p/rows.csv", "role": "data", "files": false}])
    );
    request["sources"] = json!([shape(&sources[0]), shape(&sources[1])]);
    assert_eq!(
        needs(&request).await,
        json!([
            {"path": "p/src", "role": "code", "files": true},
            {"path": "p/rows.csv", "role": "data", "files": true},
        ])
    );
    request["sources"] = sources;
    let (status, read) = service.post(LOAD, &request).await;
    assert_eq!(status, StatusCode::OK, "{read}");
    assert_eq!(
        read["parameters"],
        json!({"rate": "0.25"}),
        "what named data is no parameter any more"
    );
    let submission = json!({"spec": read["spec"], "parameters": read["parameters"]});
    let (status, run) = service.post("/api/v1/runs", &submission).await;
    assert_eq!(
        (status, &run["pipeline"]),
        (StatusCode::CREATED, &json!("p")),
        "{run}"
    );
}

#[tokio::test]
async fn a_pipeline_with_problems_is_refused_with_all_of_them_before_anything_is_uploaded() {
    let service = Service::start().await;
    let mut request = told();
    request["texts"][1]["text"] =
        json!("type: command\ncode: ./src\ncomand: echo\ninputs: {rows: {type: uri_fil}}\n");
    request["absent"] = json!(["p/src"]);
    request["sources"] = json!([]);
    let (status, body) = service.post(LOAD, &request).await;
    assert_eq!(
        (status, &body["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("invalid_pipeline"))
    );
    let problems = body["problems"].as_array().unwrap();
    assert!(problems.len() >= 3, "{problems:?}");
    for problem in problems {
        assert_eq!(problem["file"], "p/fit.yml", "{problem}");
        assert!(problem["line"].is_u64(), "{problem}");
    }
}

#[tokio::test]
async fn what_only_planning_finds_has_its_place_too() {
    let service = Service::start().await;
    let mut request = told();
    request["parameters"]["rate"] = json!("fast");
    let (status, body) = service.post(LOAD, &request).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    assert_eq!(body["problems"][0]["file"], "p/pipeline.yml", "{body}");
    assert_eq!(body["problems"][0]["line"], 4, "{body}");
}

#[tokio::test]
async fn nothing_is_read_from_the_coordinators_own_disk() {
    let service = Service::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pipeline.yml"), PIPELINE).unwrap();
    let file = folder.path().join("pipeline.yml").display().to_string();
    let (status, body) = service.post(LOAD, &json!({"file": file})).await;
    assert_eq!(
        (status, &body["needs"]),
        (
            StatusCode::OK,
            &json!([{"path": file, "role": "text", "files": false}])
        )
    );
    let workspace = "[datastores]\nhere = \"/etc\"\n";
    let pipeline = "type: pipeline\njobs:\n  a:\n    command: cat ${{inputs.x}}\n    inputs: {x: {type: uri_file, path: 'azureml://datastores/here/paths/passwd'}}\n";
    let request = json!({
        "file": "pipeline.yml",
        "texts": [{"path": "pipeline.yml", "text": pipeline}],
        "workspace": [{"path": "tidemill.toml", "text": workspace}],
    });
    let (_, body) = service.post(LOAD, &request).await;
    assert_eq!(
        body["needs"],
        json!([{"path": "/etc/passwd", "role": "data", "files": false}])
    );
}

#[tokio::test]
async fn files_that_are_not_in_the_store_and_sources_that_make_no_sense_are_refused() {
    let service = Service::start().await;
    let (status, body) = service.post(LOAD, &told()).await;
    assert_eq!(
        (status, &body["hint"]),
        (StatusCode::CONFLICT, &json!("upload it first")),
        "{body}"
    );
    send(&service, CODE_SHA, CODE).await;
    send(&service, EMPTY_SHA, "").await;
    let code = "/sources/0/files/0";
    let wrong: [(&str, Value); 6] = [
        ("/sources/0/files/0/size_bytes", json!(8)),
        (
            "/sources/1/files/0",
            json!({"path": "a", "sha256": EMPTY_SHA, "size_bytes": 0}),
        ),
        (code, json!({"sha256": CODE_SHA, "size_bytes": 7})),
        (
            code,
            json!({"path": "../fit.py", "sha256": CODE_SHA, "size_bytes": 7}),
        ),
        ("/sources/0/role", json!("text")),
        ("/file", json!("p/\u{0}")),
    ];
    for (place, value) in wrong {
        let mut request = told();
        *request.pointer_mut(place).unwrap() = value;
        let (status, body) = service.post(LOAD, &request).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{place}: {body}");
    }
    let mut request = told();
    let twice = request["sources"][0]["files"][0].clone();
    request["sources"][0]["files"].as_array_mut().unwrap().push(twice);
    let (status, _) = service.post(LOAD, &request).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _) = service.post(LOAD, &told()).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_components_file_is_read_for_itself_and_kept_under_a_name() {
    let service = Service::start().await;
    send(&service, CODE_SHA, CODE).await;
    let mut request = told();
    request["file"] = json!("p/fit.yml");
    request["component"] = json!(true);
    request["parameters"] = json!({});
    let (status, read) = service.post(LOAD, &request).await;
    assert_eq!(status, StatusCode::OK, "{read}");
    let version = json!({"source": {"pipeline": read["spec"]}});
    let (status, added) = service
        .post("/api/v1/assets/component/fit/versions", &version)
        .await;
    assert_eq!(status, StatusCode::CREATED, "{added}");
    assert_eq!(added["body"]["component"]["parameters"][0]["name"], "rate");
    let (status, _) = service
        .post("/api/v1/assets/pipeline/fit/versions", &version)
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "it is no pipeline");
}
