//! The audit log from outside: what was changed and by whom, who was refused, that it shows when somebody touches it, and that without it nothing is changed.

use crate::harness::{Service, chain};
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tidemill_coordinator::audit::{AUDIT_DIR, AuditDamage, AuditLimits, verify, verify_file};

/// How long anything may take on a machine that stalls.
const PATIENCE: Duration = Duration::from_mins(2);

fn stranger() -> SocketAddr {
    SocketAddr::from(([10, 1, 2, 3], 4_000))
}

/// A request over a port with this token; its status.
async fn ask(service: &Service, method: &str, path: &str, token: Option<&str>) -> StatusCode {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Body::from("{}")).unwrap();
    let response = service.api.clone().answer(stranger(), request).await;
    response.status()
}

async fn entries(service: &Service, query: &str) -> Vec<Value> {
    let (status, page) = service.get(&format!("/api/v1/audit?limit=2000&{query}")).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    page["items"].as_array().unwrap().clone()
}

/// Entries that fit, once there are so many: what came of a request is written after its answer.
async fn at_least(service: &Service, query: &str, count: usize) -> Vec<Value> {
    let looking = async {
        loop {
            let found = entries(service, query).await;
            if found.len() >= count {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking)
        .await
        .expect("they are written")
}

async fn token(service: &Service, scope: &str, subject: &str) -> (String, String) {
    let body = json!({"scope": scope, "subject": subject});
    let (status, created) = service.post("/api/v1/tokens", &body).await;
    assert_eq!(status, StatusCode::CREATED);
    let text = |name: &str| created[name].as_str().unwrap().to_owned();
    (text("token"), text("id"))
}

fn folder(service: &Service) -> PathBuf {
    service.dir.path().join(AUDIT_DIR)
}

fn all_text(folder: &PathBuf) -> String {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.map(|file| fs::read_to_string(file).unwrap()).collect()
}

#[tokio::test]
async fn a_change_and_a_refusal_are_there_with_who_and_from_where_and_no_token_is() {
    let service = Service::start().await;
    let (admin, admin_id) = token(&service, "admin", "ada").await;
    let (reader, _) = token(&service, "reader", "rob").await;
    let run = service.submit(chain(&["a"])).await;
    let cancel = format!("/api/v1/runs/{run}/cancel");
    assert_eq!(
        ask(&service, "POST", &cancel, Some(&reader)).await,
        StatusCode::FORBIDDEN
    );
    assert_eq!(ask(&service, "POST", &cancel, Some(&admin)).await, StatusCode::OK);
    assert_eq!(
        ask(&service, "GET", "/api/v1/runs", None).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        ask(&service, "GET", "/api/v1/runs", Some(&admin)).await,
        StatusCode::OK
    );
    let in_path = format!("/api/v1/tokens/{reader}");
    assert_eq!(
        ask(&service, "DELETE", &in_path, Some(&admin)).await,
        StatusCode::NOT_FOUND
    );

    let made = at_least(&service, "decision=accepted&who=ada", 1).await;
    assert_eq!(made.len(), 1, "a look is not written down: {made:#?}");
    let made = &made[0];
    assert_eq!(made["ids"]["run"], json!(run.to_string()));
    assert_eq!(made["route"], "/api/v1/runs/{run}/cancel");
    assert_eq!(
        (&made["token"], &made["from"]),
        (&json!(admin_id), &json!("10.1.2.3"))
    );
    let announced = entries(&service, "decision=admitted&who=ada").await;
    assert_eq!(announced[0]["sequence"], made["of"]);

    let refused = at_least(&service, "decision=refused", 3).await;
    let brief = |entry: &Value| (entry["who"].clone(), entry["status"].clone());
    let briefs: Vec<_> = refused.iter().map(brief).collect();
    for wanted in [
        (json!("rob"), json!(403)),
        (json!("nobody"), json!(401)),
        (json!("ada"), json!(404)),
    ] {
        assert!(briefs.contains(&wanted), "{wanted:?} is not among {briefs:?}");
    }
    assert!(
        refused
            .iter()
            .any(|entry| entry["why"].as_str().unwrap().contains("scope submitter"))
    );
    let created = entries(
        &service,
        "decision=accepted&who=operator of the state folder"
            .replace(' ', "%20")
            .as_str(),
    )
    .await;
    assert_eq!(created[0]["ids"]["id"], json!(admin_id), "{created:#?}");

    let (folder, _dir) = (folder(&service), Arc::clone(&service.dir));
    service.stop().await.unwrap();
    verify(&folder).unwrap();
    let text = all_text(&folder);
    for token in [&admin, &reader] {
        let secret = token.rsplit_once('_').unwrap().1;
        assert!(!text.contains(token.as_str()) && !text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn a_flood_of_refusals_is_a_few_lines_and_their_sum() {
    let service = Service::start().await;
    token(&service, "admin", "ada").await;
    for _ in 0..100 {
        assert_eq!(
            ask(&service, "POST", "/api/v1/runs", None).await,
            StatusCode::UNAUTHORIZED
        );
    }
    let (folder, _dir) = (folder(&service), Arc::clone(&service.dir));
    service.stop().await.unwrap();
    let lines = all_text(&folder);
    let refused: Vec<&str> = lines
        .lines()
        .filter(|line| line.contains("\"refused\""))
        .collect();
    assert!(refused.len() < 20, "{} lines", refused.len());
    let sums = refused
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let stand_for: u64 = sums.map(|entry| entry["count"].as_u64().unwrap_or(1)).sum();
    assert_eq!(stand_for, 100);
}

/// A service that has written some lines and stopped.
async fn written() -> (Service, PathBuf) {
    let service = Service::start().await;
    for _ in 0..4 {
        token(&service, "reader", "x").await;
    }
    let folder = folder(&service);
    at_least(&service, "decision=accepted", 4).await;
    (service, folder)
}

#[tokio::test]
async fn a_line_that_was_changed_removed_or_moved_is_found() {
    let (service, folder) = written().await;
    let _dir = Arc::clone(&service.dir);
    service.stop().await.unwrap();
    let whole = verify(&folder).unwrap();
    assert_eq!((whole.first, whole.last), (1, 8));
    let file = folder.join("00000000000000000001.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let damaged = |lines: &[&str]| {
        fs::write(&file, lines.join("\n") + "\n").unwrap();
        verify(&folder).expect_err("it is noticed")
    };
    for at in 0..lines.len() {
        let changed = lines[at]
            .replacen("reader", "admin!", 1)
            .replacen("\"at\":1", "\"at\":2", 1);
        assert_ne!(changed, lines[at]);
        let mut copy = lines.clone();
        copy[at] = &changed;
        damaged(&copy);
        let mut copy = lines.clone();
        copy.remove(at);
        damaged(&copy);
        if at > 0 {
            let mut copy = lines.clone();
            copy.swap(at - 1, at);
            damaged(&copy);
        }
    }
    let short = damaged(&lines[..lines.len() - 1]);
    assert!(
        matches!(short, AuditDamage::Short { last: 7, head: 8 }),
        "{short}"
    );
    fs::write(&file, &text).unwrap();
    assert_eq!(verify(&folder).unwrap(), whole);
}

#[tokio::test]
async fn a_log_that_is_not_whole_stops_the_coordinator_and_a_torn_line_does_not() {
    let (service, folder) = written().await;
    let file = folder.join("00000000000000000001.jsonl");
    let service = service.restart().await;
    let more = |bytes: &[u8]| {
        let mut text = fs::read(&file).unwrap();
        text.extend_from_slice(bytes);
        fs::write(&file, text).unwrap();
    };
    let (dir, store) = (service.dir.clone(), service.store.clone());
    service.stop().await.unwrap();
    more(b"{\"sequence\":9,\"at\"");
    let again = || async {
        let mode = tidemill_coordinator::ArchiveMode::Async;
        Service::start_archived(dir.clone(), store.clone(), mode).await
    };
    let service = again().await.unwrap();
    verify(&folder).unwrap();
    service.stop().await.unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let (rest, _) = text.trim_end().rsplit_once('\n').unwrap();
    fs::write(&file, format!("{rest}\n")).unwrap();
    let refused = again().await.err().expect("it does not start").to_string();
    assert!(refused.contains("tidemill audit verify"), "{refused}");
}

#[tokio::test]
async fn what_is_forgotten_leaves_an_anchor_and_an_export_is_whole_in_itself() {
    let limits = AuditLimits {
        file_bytes_max: 1,
        total_bytes_max: 2_000,
    };
    let service = Service::start_with_audit(limits).await;
    for _ in 0..10 {
        token(&service, "reader", "x").await;
    }
    at_least(&service, "cursor=19", 1).await;
    let folder = folder(&service);
    let whole = verify(&folder).unwrap();
    assert!(whole.first > 1, "the oldest were forgotten");
    assert_eq!(whole.last, 20);

    let request = Request::get("/api/v1/audit/export").body(Body::empty()).unwrap();
    let body = service.send(request).await.into_body();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let file = service.dir.path().join("export.jsonl");
    fs::write(&file, &bytes).unwrap();
    assert_eq!(verify_file(&file).unwrap(), whole);
    fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    assert!(verify_file(&file).is_err());

    let _dir = Arc::clone(&service.dir);
    service.stop().await.unwrap();
    let oldest = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    let oldest = oldest.filter(|path| path.extension().is_some()).min().unwrap();
    fs::remove_file(oldest).unwrap();
    assert!(verify(&folder).is_err(), "one more was taken away");
}

#[tokio::test]
async fn nothing_is_changed_while_the_log_cannot_be_written_and_reads_go_on() {
    let limits = AuditLimits {
        file_bytes_max: 1,
        ..AuditLimits::default()
    };
    let service = Service::start_with_audit(limits).await;
    token(&service, "reader", "x").await;
    at_least(&service, "decision=accepted", 1).await;
    // The next line needs a new file, for which there is no folder.
    let (folder, aside) = (folder(&service), service.dir.path().join("aside"));
    fs::rename(&folder, &aside).unwrap();
    let body = json!({"scope": "reader", "subject": "y"});
    let (status, answer) = service.post("/api/v1/tokens", &body).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{answer}");
    assert!(
        answer["message"].as_str().unwrap().contains("audit log"),
        "{answer}"
    );
    let (status, tokens) = service.get("/api/v1/tokens").await;
    assert_eq!((status, tokens.as_array().unwrap().len()), (StatusCode::OK, 1));
    fs::rename(&aside, &folder).unwrap();
    token(&service, "reader", "y").await;
    at_least(&service, "decision=accepted", 2).await;
    verify(&folder).unwrap();
}
