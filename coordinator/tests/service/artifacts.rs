//! Contents in and out by digest.

use super::harness::Service;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
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
