//! Drafts through the API: made of a pipeline, a run or a published pipeline, changed by their owner, submitted and published, and there after a restart.

use super::harness::Service;
use super::pipelines::{pipeline, publish};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

async fn put(service: &Service, name: &str, body: &Value) -> (StatusCode, Value) {
    let path = format!("/api/v1/drafts/{name}");
    service.call("PUT", &path, Body::from(body.to_string())).await
}

async fn patch(service: &Service, name: &str, body: &Value) -> (StatusCode, Value) {
    let path = format!("/api/v1/drafts/{name}");
    service.call("PATCH", &path, Body::from(body.to_string())).await
}

fn of_pipeline() -> Value {
    json!({"source": {"pipeline": pipeline()}, "parameters": {"trees": "12"}, "tags": {"team": "a"}, "by": "ada"})
}

#[tokio::test]
async fn a_draft_is_changed_submitted_and_published_and_is_there_after_a_restart() {
    let service = Service::start().await;
    let (status, made) = put(&service, "tuning", &of_pipeline()).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    assert_eq!(
        (
            &made["created_by"],
            &made["revision"],
            &made["draft"]["pipeline"]["parameters"][0]["name"]
        ),
        (&json!("ada"), &json!(1), &json!("trees"))
    );
    let change = json!({"parameters": {"trees": "13"}, "tags": {"team": null, "x": "y"}, "experiment": "vision", "by": "ada"});
    let (status, changed) = patch(&service, "tuning", &change).await;
    assert_eq!(
        (status, &changed["revision"]),
        (StatusCode::OK, &json!(2)),
        "{changed}"
    );
    assert_eq!(changed["draft"]["tags"], json!({"x": "y"}));
    let service = service.restart_after(|| {}).await;
    let (status, run) = service
        .post(
            "/api/v1/drafts/tuning/runs",
            &json!({"by": "ada", "idempotency_key": "k"}),
        )
        .await;
    assert_eq!(status, StatusCode::CREATED, "{run}");
    let (_, shown) = service.get("/api/v1/runs/last").await;
    assert_eq!(
        (
            &shown["parameters"]["trees"],
            &shown["experiment"],
            &shown["tags"]["tidemill.draft"]
        ),
        (&json!("13"), &json!("vision"), &json!("tuning"))
    );
    let again = json!({"by": "ada", "idempotency_key": "k"});
    let (status, same) = service.post("/api/v1/drafts/tuning/runs", &again).await;
    assert_eq!((status, &same["id"]), (StatusCode::OK, &run["id"]));
    let over = json!({"parameters": {"trees": "20"}});
    service.post("/api/v1/drafts/tuning/runs", &over).await;
    let (_, shown) = service.get("/api/v1/runs/last").await;
    assert_eq!(
        shown["parameters"]["trees"], "20",
        "what the call gives counts more"
    );
    let frozen = json!({"name": "train", "labels": ["default"], "by": "ada"});
    let (status, version) = service.post("/api/v1/drafts/tuning/publish", &frozen).await;
    assert_eq!(status, StatusCode::CREATED, "{version}");
    assert_eq!(version["body"]["pipeline"]["parameters"][0]["default"], "13");
    let (status, _) = service.post("/api/v1/pipelines/train/runs", &json!({})).await;
    assert_eq!(status, StatusCode::CREATED);
    let (_, shown) = service.get("/api/v1/runs/last").await;
    assert_eq!(shown["parameters"]["trees"], "13");
    let (status, _) = service
        .call("DELETE", "/api/v1/drafts/tuning", Body::empty())
        .await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _) = service.get("/api/v1/drafts/tuning").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_draft_is_made_of_a_run_and_of_a_published_pipeline() {
    let service = Service::start().await;
    let submission = json!({"spec": pipeline(), "parameters": {"trees": "7"}});
    service.post("/api/v1/runs", &submission).await;
    let (status, made) = put(&service, "again", &json!({"source": {"run": {"run": "last"}}})).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    assert_eq!(made["draft"]["parameters"]["trees"], "7");
    assert!(made["draft"]["made_of"].as_str().unwrap().starts_with("run "));
    publish(&service, "train", &pipeline()).await;
    let of_published = json!({"source": {"published": {"name": "train"}}});
    let (_, made) = put(&service, "next", &of_published).await;
    assert_eq!(made["draft"]["made_of"], "train:1");
    let (_, listed) = service.get("/api/v1/drafts").await;
    let names: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["again", "next"]);
    put(&service, "tagged", &of_pipeline()).await;
    let (_, listed) = service.get("/api/v1/drafts?tag=team=a").await;
    assert_eq!(listed.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_makes_no_draft_is_refused_and_a_change_is_made_to_what_was_seen() {
    let service = Service::start().await;
    for (body, status) in [
        (json!({"parameters": {}}), StatusCode::BAD_REQUEST),
        (json!({"source": {"run": {"run": "0000"}}}), StatusCode::NOT_FOUND),
        (
            json!({"source": {"published": {"name": "none"}}}),
            StatusCode::NOT_FOUND,
        ),
        (
            json!({"source": {"pipeline": pipeline()}, "parameters": {"leaves": "1"}}),
            StatusCode::BAD_REQUEST,
        ),
    ] {
        let (found, answer) = put(&service, "d", &body).await;
        assert_eq!(found, status, "{body}: {answer}");
    }
    put(&service, "d", &of_pipeline()).await;
    let path = "/api/v1/drafts/d";
    let under = async |method: &str, (header, value): (&str, &str), body: Value| {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .header(header, value);
        let request = request.body(Body::from(body.to_string())).unwrap();
        service.send(request).await.status()
    };
    let stale = under("PATCH", ("if-match", "\"7\""), json!({"description": "x"})).await;
    assert_eq!(stale, StatusCode::PRECONDITION_FAILED);
    let exists = under("PUT", ("if-none-match", "*"), of_pipeline()).await;
    assert_eq!(exists, StatusCode::CONFLICT);
    // A parameter that does not fit is said when it is submitted or published; a draft may be half done.
    let (status, _) = patch(&service, "d", &json!({"parameters": {"trees": "99"}})).await;
    assert_eq!(status, StatusCode::OK);
    for action in ["runs", "publish"] {
        let (status, refused) = service.post(&format!("{path}/{action}"), &json!({})).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{action}: {refused}");
    }
}

#[tokio::test]
async fn a_submitter_changes_its_own_drafts_only_and_anybody_who_may_submit_starts_runs_of_them() {
    let service = Service::start().await;
    put(&service, "d", &of_pipeline()).await;
    let token = async |scope: &str, subject: &str| {
        let body = json!({"scope": scope, "subject": subject});
        let (_, created) = service.post("/api/v1/tokens", &body).await;
        created["token"].as_str().unwrap().to_owned()
    };
    let (own, other, reader) = (
        token("submitter", "ada").await,
        token("submitter", "bob").await,
        token("reader", "eve").await,
    );
    let ask = async |token: &str, method: &str, tail: &str| {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1/drafts/d{tail}"))
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"))
            .body(Body::from("{}"))
            .unwrap();
        let nearby = std::net::SocketAddr::from(([127, 0, 0, 1], 40_000));
        service.api.clone().answer(nearby, request).await.status()
    };
    assert_eq!(ask(&other, "PATCH", "").await, StatusCode::FORBIDDEN);
    assert_eq!(ask(&other, "DELETE", "").await, StatusCode::FORBIDDEN);
    assert_eq!(ask(&other, "POST", "/runs").await, StatusCode::CREATED);
    assert_eq!(ask(&reader, "GET", "").await, StatusCode::OK);
    assert_eq!(ask(&reader, "POST", "/runs").await, StatusCode::FORBIDDEN);
    assert_eq!(ask(&own, "PATCH", "").await, StatusCode::OK);
    let (_, run) = service.get("/api/v1/runs/last").await;
    assert_eq!(run["submitted_by"], "bob");
}
