//! The page that describes the API.

use super::harness::Service;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, header};

const FILE_BYTES_MAX: usize = 16 << 20;

async fn ask(service: &Service, path: &str) -> Response<Body> {
    let request = Request::get(path).body(Body::empty()).unwrap();
    service.send(request).await
}

#[tokio::test]
async fn the_page_is_served_whole_and_asks_nobody_else() {
    let service = Service::start().await;
    let begin = ask(&service, "/api/docs").await;
    assert_eq!(begin.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(begin.headers()[header::LOCATION], "/api/docs/index.html");
    for name in [
        "index.html",
        "index.css",
        "swagger-initializer.js",
        "swagger-ui.css",
        "swagger-ui-bundle.js",
        "swagger-ui-standalone-preset.js",
    ] {
        let file = ask(&service, &format!("/api/docs/{name}")).await;
        assert_eq!(file.status(), StatusCode::OK, "{name}");
        let policy = file.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'self';"), "{policy}");
        assert!(!policy.contains("http"), "{policy}");
        let bytes = to_bytes(file.into_body(), FILE_BYTES_MAX).await.unwrap();
        assert!(!bytes.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn the_page_reads_our_description_and_has_it_judged_by_nobody() {
    let service = Service::start().await;
    let file = ask(&service, "/api/docs/swagger-initializer.js").await;
    let bytes = to_bytes(file.into_body(), FILE_BYTES_MAX).await.unwrap();
    let text = std::str::from_utf8(&bytes).unwrap();
    assert!(text.contains(r#""url": "/api/v1/openapi.json""#), "{text}");
    assert!(text.contains(r#""validatorUrl": "none""#), "{text}");
}

#[tokio::test]
async fn what_is_no_file_of_the_page_is_not_found() {
    let service = Service::start().await;
    for name in ["other.html", "..%2f..%2fetc%2fpasswd", ".."] {
        let answer = ask(&service, &format!("/api/docs/{name}")).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{name}");
    }
}
