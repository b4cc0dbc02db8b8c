//! Datastores through the API: definitions that may change, revisions that guard them, and no secret in the clear.

use super::harness::Service;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};

async fn put(service: &Service, name: &str, definition: &Value) -> (StatusCode, Value) {
    let body = Body::from(definition.to_string());
    service
        .call("PUT", &format!("/api/v1/datastores/{name}"), body)
        .await
}

fn lake() -> Value {
    json!({"url": "s3://lake/raw", "options": {"aws_region": "eu-1"}})
}

#[tokio::test]
async fn a_datastore_is_defined_listed_and_removed() {
    let service = Service::start_on_disk().await;
    let (status, view) = put(&service, "lake", &lake()).await;
    assert_eq!((status, &view["kind"]), (StatusCode::OK, &json!("s3")));
    assert_eq!(view["definition"], lake());
    let (_, again) = put(&service, "lake", &lake()).await;
    assert_eq!(
        again["revision"], view["revision"],
        "the same again changes nothing"
    );
    let service = service.restart().await;
    let (_, list) = service.get("/api/v1/datastores").await;
    assert_eq!(list, json!([view]), "it outlives a restart");
    let (status, _) = service
        .call("DELETE", "/api/v1/datastores/lake", Body::empty())
        .await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(
        service.get("/api/v1/datastores/lake").await.0,
        StatusCode::NOT_FOUND
    );
    let (status, _) = service
        .call("DELETE", "/api/v1/datastores/lake", Body::empty())
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (_, anew) = put(&service, "lake", &lake()).await;
    assert!(
        anew["revision"].as_u64() > view["revision"].as_u64(),
        "no revision means two definitions"
    );
}

#[tokio::test]
async fn secrets_go_by_their_names_and_must_be_there() {
    let service = Service::start().await;
    let mut clear = lake();
    clear["options"]["aws_secret_access_key"] = json!("swordfish");
    let (status, refused) = put(&service, "lake", &clear).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(!refused.to_string().contains("swordfish"), "{refused}");
    let mut named = lake();
    named["secrets"] = json!({"aws_secret_access_key": "lake-key"});
    let (status, refused) = put(&service, "lake", &named).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(
        refused["hint"]
            .as_str()
            .unwrap()
            .contains("tidemill secret set lake-key")
    );
    let (status, _) = service
        .call("PUT", "/api/v1/secrets/lake-key", Body::from("swordfish"))
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(put(&service, "lake", &named).await.0, StatusCode::OK);
    let (_, list) = service.get("/api/v1/datastores").await;
    assert_eq!(
        list[0]["definition"]["secrets"]["aws_secret_access_key"],
        "lake-key"
    );
    for url in ["lake", "ftp://host/x", "https://user:pw@host/x", "s3://lake?x=1"] {
        let (status, _) = put(&service, "bad", &json!({"url": url})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{url}");
    }
}

#[tokio::test]
async fn who_saw_an_older_revision_changes_nothing() {
    let service = Service::start().await;
    let guarded = |tag: &str, url: &str| {
        Request::put("/api/v1/datastores/lake")
            .header(header::IF_MATCH, tag)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(json!({"url": url}).to_string()))
            .unwrap()
    };
    let made = service.send(guarded("\"0\"", "s3://one")).await;
    assert_eq!(made.status(), StatusCode::OK, "it was not there");
    let tag = made.headers()[header::ETAG].to_str().unwrap().to_owned();
    let late = service.send(guarded("\"0\"", "s3://two")).await;
    assert_eq!(
        late.status(),
        StatusCode::PRECONDITION_FAILED,
        "it is there by now"
    );
    let next = service.send(guarded(&tag, "s3://two")).await;
    assert_eq!(next.status(), StatusCode::OK);
    let late = service.send(guarded(&tag, "s3://three")).await;
    assert_eq!(late.status(), StatusCode::PRECONDITION_FAILED);
    to_bytes(late.into_body(), usize::MAX).await.unwrap();
    let (_, view) = service.get("/api/v1/datastores/lake").await;
    assert_eq!(view["definition"]["url"], "s3://two");
}
