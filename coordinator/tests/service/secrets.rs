//! Secrets at the coordinator: kept sealed, shown to nobody, and given to the worker that holds the attempt of a step that names them, and to no other.

use crate::enrolment::{enrolled, key};
use crate::harness::{Service, chain, template};
use crate::worker::ScriptedWorker;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use std::net::SocketAddr;
use std::sync::Arc;
use tidemill_coordinator::SubmitError;
use tidemill_coordinator::secrets::{GiveError, KEY_FILE};
use tidemill_protocol::api::routes;
use tidemill_protocol::ids::FencingToken;
use tidemill_protocol::plan::{Plan, SecretForm, SecretUse, StepTemplate};
use tidemill_protocol::proof::{RequestProof, RequestText};
use tidemill_protocol::secret::{GivenSecrets, SecretsRequest};
use tidemill_protocol::time::Clock;
use tidemill_protocol::wire::{ReportBody, SignerKey, StepTask, Success};

const VALUE: &str = "hunter2-of-the-forest";

async fn set(service: &Service, name: &str, value: &str) -> (StatusCode, serde_json::Value) {
    let path = format!("/api/v1/secrets/{name}?by=ada");
    service.call("PUT", &path, Body::from(value.to_owned())).await
}

/// A plan of one step that names the secret `db`.
fn naming_db() -> Plan {
    let plain = template("true");
    let mut work = plain.work.clone();
    let wanted = SecretUse {
        secret: "db".parse().unwrap(),
        form: SecretForm::Variable,
    };
    work.secrets.insert("DB".into(), wanted);
    let mut plan = chain(&["a"]);
    plan.templates = vec![Arc::new(StepTemplate::new(work, Arc::clone(&plain.rules)))];
    plan
}

fn request(task: &StepTask) -> SecretsRequest {
    SecretsRequest {
        attempt: task.attempt,
        token: task.token,
    }
}

async fn give(service: &Service, worker: &str, request: SecretsRequest) -> Result<Vec<String>, GiveError> {
    let given = service
        .handle()
        .give_secrets(worker.parse().unwrap(), request)
        .await?;
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
    Ok(given
        .0
        .iter()
        .map(|(name, value)| format!("{name}={}", text(value.reveal())))
        .collect())
}

#[tokio::test]
async fn a_secret_is_listed_without_its_value_and_survives_a_restart() {
    let service = Service::start_on_disk().await;
    let (status, view) = set(&service, "db", "an older value").await;
    assert_eq!(
        (status, view["version"].as_u64()),
        (StatusCode::OK, Some(1)),
        "{view}"
    );
    set(&service, "db", VALUE).await;
    let service = service.restart().await;
    let (_, listed) = service.get("/api/v1/secrets").await;
    assert_eq!(listed[0]["name"], "db");
    assert_eq!(listed[0]["version"], 2);
    assert_eq!(listed[0]["set_by"], "ada");
    assert_eq!(listed[0].as_object().unwrap().len(), 4, "{listed}");
    let (status, _) = service.call("DELETE", "/api/v1/secrets/db", Body::empty()).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _) = service.call("DELETE", "/api/v1/secrets/db", Body::empty()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn lengths_and_names_out_of_bounds_are_refused_and_not_said_back() {
    let service = Service::start().await;
    let (status, body) = set(&service, "db", "four").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(!body.to_string().contains("four"), "{body}");
    let (status, _) = set(&service, "db", &"x".repeat(64 * 1024 + 1)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let (status, _) = set(&service, "-db", VALUE).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(
        !service.dir.path().join(KEY_FILE).exists(),
        "nothing was kept, so no key was made"
    );
}

#[tokio::test]
async fn a_plan_that_names_an_unknown_secret_is_refused_and_says_how_to_set_it() {
    let service = Service::start().await;
    let submitted = service
        .handle()
        .submit_plan(Arc::new(naming_db()), "ada".into())
        .await;
    let Err(SubmitError::Invalid(problems)) = submitted else {
        panic!("{submitted:?}");
    };
    assert_eq!(problems[0].path, "a.secrets.DB");
    assert_eq!(
        problems[0].help.as_deref(),
        Some("set it with `tidemill secret set db`")
    );
    set(&service, "db", VALUE).await;
    service.submit(naming_db()).await;
}

#[tokio::test]
async fn only_the_worker_that_holds_the_attempt_is_given_its_secrets() {
    let service = Service::start().await;
    set(&service, "db", VALUE).await;
    set(&service, "other", "not for this step").await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    service.submit(naming_db()).await;
    let task = worker.task().await;
    let early = give(&service, "w1", request(&task)).await;
    assert!(matches!(early, Err(GiveError::NotYet(_))), "{early:?}");
    worker.report(&task, vec![ReportBody::Claimed]).await;
    worker.control().await;
    assert_eq!(
        give(&service, "w1", request(&task)).await.unwrap(),
        [format!("db={VALUE}")]
    );
    let stranger = give(&service, "w2", request(&task)).await;
    assert!(matches!(stranger, Err(GiveError::NotHeld(_))), "{stranger:?}");
    let stale = SecretsRequest {
        token: FencingToken(task.token.0 + 1),
        ..request(&task)
    };
    let stale = give(&service, "w1", stale).await;
    assert!(matches!(stale, Err(GiveError::NotHeld(_))), "{stale:?}");
    worker
        .report(&task, vec![ReportBody::Succeeded(Success::default())])
        .await;
    worker.control().await;
    let late = give(&service, "w1", request(&task)).await;
    assert!(matches!(late, Err(GiveError::NotHeld(_))), "{late:?}");
}

#[tokio::test]
async fn what_was_removed_or_cannot_be_opened_is_not_given() {
    let service = Service::start().await;
    set(&service, "db", VALUE).await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    service.submit(naming_db()).await;
    let task = worker.task().await;
    worker.report(&task, vec![ReportBody::Claimed]).await;
    worker.control().await;
    let key = service.dir.path().join(KEY_FILE);
    let bytes = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    let keyless = give(&service, "w1", request(&task)).await;
    assert!(matches!(keyless, Err(GiveError::Key(_))), "{keyless:?}");
    let (status, body) = set(&service, "db", VALUE).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        body["hint"].as_str().unwrap().contains("put the key file back"),
        "{body}"
    );
    write_private(&key, &[7; 32]);
    let other = give(&service, "w1", request(&task)).await;
    assert!(matches!(other, Err(GiveError::Sealed { .. })), "{other:?}");
    std::fs::remove_file(&key).unwrap();
    write_private(&key, &bytes);
    give(&service, "w1", request(&task)).await.unwrap();
    service.call("DELETE", "/api/v1/secrets/db", Body::empty()).await;
    let removed = give(&service, "w1", request(&task)).await;
    assert!(matches!(removed, Err(GiveError::Missing(_))), "{removed:?}");
}

fn write_private(path: &std::path::Path, bytes: &[u8]) {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .unwrap();
    file.write_all(bytes).unwrap();
}

/// What the route for workers answers to a request that this worker signed with this key, from another machine.
async fn ask_as(
    service: &Service,
    (worker, key): (&str, &SignerKey),
    request: &SecretsRequest,
    nonce: u64,
) -> (StatusCode, Vec<u8>) {
    let body = serde_json::to_vec(request).unwrap();
    let coordinator = service.coordinator.public_key();
    let text = RequestText {
        coordinator: &coordinator,
        method: "POST",
        path: routes::WORKER_SECRETS,
        body: &body,
    };
    let proof = RequestProof::sign(key, worker.parse().unwrap(), service.clock.now(), nonce, &text);
    let request = Request::post(routes::WORKER_SECRETS)
        .header("content-type", "application/json")
        .header("authorization", proof.to_string())
        .body(Body::from(body))
        .unwrap();
    let peer = SocketAddr::from(([10, 1, 2, 3], 40_000));
    let response = service.api.clone().answer(peer, request).await;
    let status = response.status();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, bytes.to_vec())
}

#[tokio::test]
async fn over_the_api_only_the_holders_own_signature_opens_a_secret_and_no_persons_token() {
    let service = Service::start().await;
    set(&service, "db", VALUE).await;
    let (own, other) = (key(1), key(2));
    enrolled(&service, "w1", &own).await;
    enrolled(&service, "w2", &other).await;
    let mut worker = ScriptedWorker::join_with(&service, "w1", Some(own.clone())).await;
    service.submit(naming_db()).await;
    let task = worker.task().await;
    let question = request(&task);
    let (status, _) = ask_as(&service, ("w1", &own), &question, 1).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "its claim is on its way");
    worker.report(&task, vec![ReportBody::Claimed]).await;
    worker.control().await;
    let (status, bytes) = ask_as(&service, ("w1", &own), &question, 2).await;
    assert_eq!(status, StatusCode::OK);
    let given = GivenSecrets::from_bytes(&bytes).unwrap();
    let value = given.0.values().next().unwrap();
    assert_eq!((given.0.len(), value.reveal()), (1, VALUE.as_bytes()));
    let (status, _) = ask_as(&service, ("w2", &other), &question, 1).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "another worker's attempt");
    let (status, _) = ask_as(&service, ("w1", &other), &question, 3).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "another worker's key");
    let body = serde_json::to_value(&question).unwrap();
    let (status, answer) = service.post(routes::WORKER_SECRETS, &body).await;
    assert_eq!(
        status,
        StatusCode::FORBIDDEN,
        "the operator of the state folder: {answer}"
    );
    let (_, audit) = service.get("/api/v1/audit").await;
    let audit = audit.to_string();
    assert!(
        audit.contains(routes::WORKER_SECRETS) && !audit.contains(VALUE),
        "{audit}"
    );
}
