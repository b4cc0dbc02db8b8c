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

/// An S3 server that counts who asks it.
fn counting() -> (u16, std::sync::Arc<std::sync::atomic::AtomicU32>) {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = std::sync::Arc::<std::sync::atomic::AtomicU32>::default();
    let counted = std::sync::Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let mut head = [0; 4_096];
            assert!(stream.read(&mut head).unwrap() > 0, "it asks");
            let body = "<?xml version=\"1.0\"?><ListBucketResult><Name>lake</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>";
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).ok();
        }
    });
    (port, asked)
}

fn at(endpoint: &str) -> Value {
    json!({"url": "s3://lake/raw", "options": {
        "aws_endpoint": endpoint, "aws_allow_http": "true", "aws_region": "eu-1", "aws_skip_signature": "true",
    }})
}

async fn tried(service: &Service, definition: &Value) -> Value {
    let (status, shown) = put(service, "lake", definition).await;
    assert_eq!(status, StatusCode::OK, "{shown}");
    let (status, tried) = service.post("/api/v1/datastores/lake/test", &json!({})).await;
    assert_eq!(status, StatusCode::OK, "{tried}");
    tried
}

#[tokio::test]
async fn an_endpoint_within_our_networks_is_not_asked_unless_this_machines_settings_open_it() {
    let (port, asked) = counting();
    let service = Service::start().await;
    for endpoint in [
        format!("http://127.0.0.1:{port}"),
        format!("http://localhost:{port}"),
        format!("http://2130706433:{port}"),
        format!("http://[::ffff:127.0.0.1]:{port}"),
        "http://169.254.169.254".to_owned(),
        "http://10.0.0.1:9000".to_owned(),
    ] {
        let refused = tried(&service, &at(&endpoint)).await;
        assert_eq!(refused["is_reached"], false, "{endpoint}: {refused}");
        let message = refused["message"].as_str().unwrap();
        assert!(message.contains("datastore_allow"), "{endpoint}: {message}");
    }
    // Neither are the credentials of the machine asked for.
    let mut nameless = lake();
    nameless["options"] = json!({"aws_region": "eu-1"});
    let refused = tried(&service, &nameless).await;
    assert!(
        refused["message"].as_str().unwrap().contains("169.254.169.254"),
        "{refused}"
    );
    let emulator = json!({"url": "az://lake", "options": {"azure_storage_use_emulator": "true"}});
    let refused = tried(&service, &emulator).await;
    assert!(
        refused["message"].as_str().unwrap().contains("datastore_allow"),
        "{refused}"
    );
    let mut detour = at("http://93.184.216.34");
    detour["options"]["proxy_url"] = json!(format!("http://127.0.0.1:{port}"));
    let refused = tried(&service, &detour).await;
    assert!(
        refused["message"].as_str().unwrap().contains("without a proxy"),
        "{refused}"
    );
    assert_eq!(
        asked.load(std::sync::atomic::Ordering::SeqCst),
        0,
        "nobody was asked"
    );

    let open = tidemill_protocol::destination::Destinations::with(&["127.0.0.1"]).unwrap();
    let service = Service::start_tuned(|config| config.datastore_allow = open).await;
    let reached = tried(&service, &at(&format!("http://127.0.0.1:{port}"))).await;
    assert_eq!(reached["is_reached"], true, "{reached}");
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 1);
}

/// A web server that answers every request with this status; its port.
fn answering(status: &'static str) -> u16 {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4_096];
            assert!(stream.read(&mut head).unwrap() > 0, "it asks");
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).ok();
        }
    });
    port
}

#[tokio::test]
async fn a_web_server_is_reached_unless_it_lets_nobody_in_or_fails() {
    let open = tidemill_protocol::destination::Destinations::with(&["127.0.0.1"]).unwrap();
    let service = Service::start_tuned(|config| config.datastore_allow = open).await;
    for (answer, is_reached, word) in [
        ("200 OK", true, "200"),
        ("404 Not Found", true, "404"),
        ("405 Method Not Allowed", true, "405"),
        ("401 Unauthorized", false, "has no login"),
        ("403 Forbidden", false, "has no login"),
        ("500 Internal Server Error", false, "try again"),
        ("503 Service Unavailable", false, "try again"),
    ] {
        let url = format!("http://127.0.0.1:{}/data", answering(answer));
        let tried = tried(&service, &json!({ "url": url })).await;
        assert_eq!(tried["is_reached"], is_reached, "{answer}: {tried}");
        let message = tried["message"].as_str().unwrap();
        let status = answer.split(' ').next().unwrap();
        assert!(message.contains(word) && message.contains(status), "{message}");
    }
}

#[tokio::test]
async fn a_folder_of_the_machines_is_made_a_datastore_by_an_admin_only() {
    let service = Service::start().await;
    let folder = json!({"url": "file:///etc"}).to_string();
    for (scope, expected) in [("operator", StatusCode::FORBIDDEN), ("admin", StatusCode::OK)] {
        let (_, created) = service
            .post("/api/v1/tokens", &json!({"scope": scope, "subject": scope}))
            .await;
        let token = created["token"].as_str().unwrap();
        let request = |path: &str, body: &str| {
            let request = Request::put(path)
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::AUTHORIZATION, format!("Bearer {token}"));
            request.body(Body::from(body.to_owned())).unwrap()
        };
        let peer = std::net::SocketAddr::from(([10, 0, 0, 7], 40_000));
        let put = request("/api/v1/datastores/etc", &folder);
        let answer = service.api.clone().answer(peer, put).await;
        assert_eq!(answer.status(), expected, "{scope}");
        let put = request("/api/v1/datastores/lake", &lake().to_string());
        let answer = service.api.clone().answer(peer, put).await;
        assert_eq!(
            answer.status(),
            StatusCode::OK,
            "{scope}: a bucket is an operator's business"
        );
    }
}
