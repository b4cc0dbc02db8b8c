//! Folders over REST: page by page, one file out of one, and as archives.

use super::harness::Service;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::sync::Arc;
use tidemill_artifacts::{ArtifactStore, StoreConfig};
use tidemill_coordinator::ArchiveMode;
use tidemill_protocol::artifact::{Tree, TreeEntry};
use tidemill_protocol::digest::Digest;

const FILES: [(&str, &[u8], bool); 4] = [
    ("a/one.txt", b"one", false),
    ("a/two.txt", b"two", false),
    ("größe 1.csv", b"", false),
    ("run.sh", b"#!/bin/sh", true),
];

async fn store(service: &Service) -> String {
    let mut entries = Vec::new();
    for (path, bytes, executable) in FILES {
        let digest = Digest::of(bytes);
        let stored = service
            .call("PUT", &format!("/api/v1/blobs/{digest}"), Body::from(bytes))
            .await;
        assert_eq!(stored.0, StatusCode::OK);
        entries.push(TreeEntry {
            path: path.parse().unwrap(),
            digest,
            size_bytes: bytes.len() as u64,
            executable,
        });
    }
    put(service, &Tree::new(entries, vec!["empty/inner".parse().unwrap()])).await
}

async fn put(service: &Service, tree: &Tree) -> String {
    let bytes = tree.canonical_bytes();
    let path = format!("/api/v1/trees/{}", Digest::of(&bytes));
    let (status, body) = service.call("PUT", &path, Body::from(bytes)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    path
}

async fn bytes(service: &Service, path: &str) -> (StatusCode, Vec<u8>) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = service.send(request).await;
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await;
    (status, body.map(|body| body.to_vec()).unwrap_or_default())
}

#[tokio::test]
async fn a_folder_is_listed_in_pages() {
    let service = Service::start().await;
    let tree = store(&service).await;
    let paths = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap();
        items
            .iter()
            .map(|item| item["path"].as_str().unwrap().to_owned())
            .collect()
    };
    let (_, first) = service.get(&format!("{tree}/files?limit=3")).await;
    assert_eq!(paths(&first), ["a/one.txt", "a/two.txt", "größe 1.csv"]);
    let (_, rest) = service
        .get(&format!("{tree}/files?limit=3&cursor=gr%C3%B6%C3%9Fe%201.csv"))
        .await;
    assert_eq!(
        (paths(&rest), &rest["next_cursor"]),
        (vec!["run.sh".to_owned()], &json!(null))
    );
    let (_, below) = service.get(&format!("{tree}/files?prefix=a/")).await;
    assert_eq!(paths(&below), ["a/one.txt", "a/two.txt"]);
    assert_eq!(below["items"][0]["size_bytes"], 3);
    let (status, _) = service.get(&format!("{tree}/files?cursor=../x")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _) = service
        .get(&format!("/api/v1/trees/{}/files", Digest::of(b"none")))
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn one_file_is_read_out_of_a_folder() {
    let service = Service::start().await;
    let tree = store(&service).await;
    let read = async |path: &str| bytes(&service, &format!("{tree}/files/{path}")).await;
    assert_eq!(read("a/two.txt").await, (StatusCode::OK, b"two".to_vec()));
    assert_eq!(
        read("gr%C3%B6%C3%9Fe%201.csv").await,
        (StatusCode::OK, Vec::new())
    );
    for missing in [
        "a",
        "a/",
        "a/three.txt",
        "empty/inner",
        "..%2Frun.sh",
        "a/../run.sh",
    ] {
        assert_eq!(read(missing).await.0, StatusCode::NOT_FOUND, "{missing}");
    }
    let part = Request::get(format!("{tree}/files/a/one.txt"))
        .header("range", "bytes=1-1")
        .body(Body::empty())
        .unwrap();
    assert_eq!(service.send(part).await.status(), StatusCode::PARTIAL_CONTENT);
}

#[tokio::test]
async fn a_folder_is_always_the_same_zip() {
    let service = Service::start().await;
    let tree = store(&service).await;
    let (status, first) = bytes(&service, &format!("{tree}/archive")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        bytes(&service, &format!("{tree}/archive?format=zip")).await.1,
        first
    );
    let mut archive = zip::ZipArchive::new(Cursor::new(first)).unwrap();
    let names: Vec<String> = archive
        .file_names()
        .map(|name| name.unwrap().into_owned())
        .collect();
    assert_eq!(
        names,
        ["a/one.txt", "a/two.txt", "größe 1.csv", "run.sh", "empty/inner/"]
    );
    for (path, expected, executable) in FILES {
        let mut file = archive.by_name(path).unwrap();
        let mut found = Vec::new();
        file.read_to_end(&mut found).unwrap();
        assert_eq!(found, expected);
        assert_eq!(file.unix_mode().unwrap() & 0o100 != 0, executable);
    }
}

#[tokio::test]
async fn a_folder_is_always_the_same_tar() {
    let service = Service::start().await;
    let tree = store(&service).await;
    let path = format!("{tree}/archive?format=tar");
    let (_, first) = bytes(&service, &path).await;
    assert_eq!(bytes(&service, &path).await.1, first);
    let mut archive = tar::Archive::new(Cursor::new(first));
    let found: Vec<_> = archive
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            let path = entry.path().unwrap().display().to_string();
            (path, bytes, entry.header().mode().unwrap() & 0o100 != 0)
        })
        .collect();
    let mut expected: Vec<_> = FILES
        .iter()
        .map(|(path, bytes, executable)| ((*path).to_owned(), bytes.to_vec(), *executable))
        .collect();
    expected.push(("empty/inner/".to_owned(), Vec::new(), true));
    assert_eq!(found, expected);
    let (status, _) = bytes(&service, &format!("{tree}/archive?format=rar")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_archive_of_a_folder_with_a_file_that_is_gone_or_damaged_breaks_off() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig {
        url: format!("file://{}", folder.path().display()),
        options: BTreeMap::new(),
    };
    let store = ArtifactStore::open(&config).await.unwrap();
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let service = Service::start_archived(dir, store, ArchiveMode::Async)
        .await
        .unwrap();
    let (long, last) = (vec![7_u8; 2_000_000], b"the last file".to_vec());
    let entry = |path: &str, bytes: &[u8]| TreeEntry {
        path: path.parse().unwrap(),
        digest: Digest::of(bytes),
        size_bytes: bytes.len() as u64,
        executable: false,
    };
    let tree = Tree::new(vec![entry("a", &long), entry("b", &last)], vec![]);
    let hex = Digest::of(&last).to_hex();
    service.store.put_bytes(long.into()).await.unwrap();
    service.store.put_bytes(last.into()).await.unwrap();
    let path = put(&service, &tree).await;
    let file = folder.path().join("blobs").join(hex.get(..2).unwrap()).join(&hex);
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::write(&file, b"the lost file").unwrap();
    for what in ["damaged", "gone"] {
        for format in ["zip", "tar"] {
            let request = Request::get(format!("{path}/archive?format={format}"));
            let response = service.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(response.status(), StatusCode::OK);
            let read = to_bytes(response.into_body(), usize::MAX).await;
            assert!(
                read.is_err(),
                "a {format} with a file that is {what} ended like a whole one"
            );
        }
        drop(std::fs::remove_file(&file));
    }
}
