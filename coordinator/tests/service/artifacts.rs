//! Contents in and out by digest.

use super::harness::Service;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::json;
use tidemill_protocol::artifact::{Tree, TreeEntry};
use tidemill_protocol::digest::Digest;

#[tokio::test]
async fn a_file_comes_back_as_it_was_stored_short_or_long() {
    let service = Service::start().await;
    let long: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251).to_le_bytes()[0]).collect();
    for bytes in [b"short".to_vec(), long] {
        let digest = Digest::of(&bytes);
        let (_, missing) = service
            .post(
                "/api/v1/artifacts/missing",
                &json!({ "blobs": [digest.to_hex()] }),
            )
            .await;
        assert_eq!(missing["blobs"], json!([digest.to_hex()]));
        let path = format!("/api/v1/blobs/{digest}");
        let (status, stored) = service.call("PUT", &path, Body::from(bytes.clone())).await;
        assert_eq!(
            (status, &stored["size_bytes"]),
            (StatusCode::OK, &json!(bytes.len()))
        );
        let response = service
            .send(Request::get(&path).body(Body::empty()).unwrap())
            .await;
        assert_eq!(to_bytes(response.into_body(), usize::MAX).await.unwrap(), bytes);
    }
}

#[tokio::test]
async fn bytes_with_another_digest_are_refused() {
    let service = Service::start().await;
    let announced = Digest::of(b"announced");
    for bytes in [b"sent".to_vec(), vec![7; 2_000_000]] {
        let (status, body) = service
            .call("PUT", &format!("/api/v1/blobs/{announced}"), Body::from(bytes))
            .await;
        assert_eq!(
            (status, &body["code"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("digest_mismatch"))
        );
    }
    let (status, _) = service.get(&format!("/api/v1/blobs/{announced}")).await;
    assert_eq!(
        status,
        StatusCode::NOT_FOUND,
        "nothing was stored under that name"
    );
}

#[tokio::test]
async fn a_folder_needs_its_files_first() {
    let service = Service::start().await;
    let entry = TreeEntry {
        path: "a.txt".parse().unwrap(),
        digest: Digest::of(b"a"),
        size_bytes: 1,
        executable: false,
    };
    let tree = Tree::new(vec![entry], vec![]);
    let bytes = tree.canonical_bytes();
    let path = format!("/api/v1/trees/{}", Digest::of(&bytes));
    let (status, body) = service.call("PUT", &path, Body::from(bytes.clone())).await;
    assert_eq!(
        (status, &body["code"]),
        (StatusCode::CONFLICT, &json!("conflict"))
    );
    service
        .call(
            "PUT",
            &format!("/api/v1/blobs/{}", Digest::of(b"a")),
            Body::from("a"),
        )
        .await;
    let (status, _) = service.call("PUT", &path, Body::from(bytes)).await;
    assert_eq!(status, StatusCode::OK);
    let (_, read) = service.get(&path).await;
    assert_eq!(read["entries"][0]["path"], "a.txt");
}

async fn store(service: &Service, bytes: &'static [u8]) -> String {
    let path = format!("/api/v1/blobs/{}", Digest::of(bytes));
    service.call("PUT", &path, Body::from(bytes)).await;
    path
}

async fn read(service: &Service, path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, Vec<u8>) {
    let request = headers.iter().fold(Request::get(path), |request, (name, value)| {
        request.header(*name, *value)
    });
    let response = service.send(request.body(Body::empty()).unwrap()).await;
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    (parts.status, parts.headers, bytes)
}

#[tokio::test]
async fn a_part_of_a_file_is_read_by_its_range() {
    let service = Service::start().await;
    let path = store(&service, b"0123456789").await;
    let (status, headers, bytes) = read(&service, &path, &[("range", "bytes=3-5")]).await;
    assert_eq!((status, &*bytes), (StatusCode::PARTIAL_CONTENT, &b"345"[..]));
    assert_eq!(headers["content-range"], "bytes 3-5/10");
    assert_eq!(headers["content-length"], "3");
    let (status, headers, _) = read(&service, &path, &[("range", "bytes=10-")]).await;
    assert_eq!(status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(headers["content-range"], "bytes */10");
    let (_, headers, bytes) = read(&service, &path, &[]).await;
    assert_eq!(
        (&*bytes, headers["accept-ranges"].to_str().unwrap()),
        (&b"0123456789"[..], "bytes")
    );
    let (tag, other) = (headers["etag"].to_str().unwrap(), "\"other\"");
    for (tag, expected) in [(tag, StatusCode::PARTIAL_CONTENT), (other, StatusCode::OK)] {
        let (status, _, _) = read(&service, &path, &[("range", "bytes=0-1"), ("if-range", tag)]).await;
        assert_eq!(status, expected, "{tag}");
    }
}

#[tokio::test]
async fn whoever_has_a_file_is_not_sent_it_again() {
    let service = Service::start().await;
    let path = store(&service, b"known").await;
    let (_, headers, _) = read(&service, &path, &[]).await;
    let tag = headers["etag"].to_str().unwrap();
    let (status, headers, bytes) = read(&service, &path, &[("if-none-match", tag)]).await;
    assert_eq!((status, bytes.len()), (StatusCode::NOT_MODIFIED, 0));
    assert!(headers["cache-control"].to_str().unwrap().contains("immutable"));
    let (status, _, _) = read(&service, &path, &[("if-none-match", "\"other\"")]).await;
    assert_eq!(status, StatusCode::OK);
    let missing = format!("/api/v1/blobs/{}", Digest::of(b"missing"));
    let (status, _, _) = read(&service, &missing, &[("if-none-match", "*")]).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_files_sha_256_is_told_to_whoever_asks_for_it() {
    let service = Service::start().await;
    let path = store(&service, b"").await;
    let (_, headers, _) = read(&service, &path, &[("want-repr-digest", "sha-256=1")]).await;
    assert_eq!(
        headers["repr-digest"],
        "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
    );
    for unwanted in [&[][..], &[("want-repr-digest", "sha-512=1, sha-256=0")]] {
        let (_, headers, _) = read(&service, &path, unwanted).await;
        assert!(!headers.contains_key("repr-digest"));
    }
}
