//! Projects, people and teams: who may start runs where and change those of others, what a quota holds back, and that nobody meets projects who has none.

use super::harness::{Service, chain};
use super::worker::ScriptedWorker;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use tidemill_language::{Workspace, load};
use tidemill_protocol::ids::RunId;

const PIPELINE: &str = "\
type: pipeline
name: greeting
settings:
  default_compute: cpu
jobs:
  greet:
    type: command
    command: echo hello
    environment: host
";

async fn put(service: &Service, path: &str, body: &Value) -> (StatusCode, Value) {
    service.call("PUT", path, Body::from(body.to_string())).await
}

async fn ok(service: &Service, path: &str, body: Value) -> Value {
    let (status, answer) = put(service, path, &body).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
}

/// Two projects: in `cars` the team `eyes` (ada, bob) submits and carol operates; in `boats` nobody has a role.
async fn service() -> Service {
    let service = Service::start_on_disk().await;
    ok(
        &service,
        "/api/v1/projects/cars",
        json!({"description": "what cars see"}),
    )
    .await;
    ok(&service, "/api/v1/projects/boats", json!({})).await;
    ok(&service, "/api/v1/teams/eyes", json!({"people": ["ada", "bob"]})).await;
    let role = |member: &str, name: &str, role: &str| json!({(member): name, "role": role});
    let path = "/api/v1/projects/cars/role";
    ok(&service, path, role("team", "eyes", "submitter")).await;
    ok(&service, path, role("person", "carol", "operator")).await;
    ok(&service, path, role("person", "rita", "reader")).await;
    service
}

async fn token(service: &Service, body: Value) -> String {
    let (status, made) = service.post("/api/v1/tokens", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    format!("Bearer {}", made["token"].as_str().unwrap())
}

async fn submitter(service: &Service, subject: &str) -> String {
    token(service, json!({"scope": "submitter", "subject": subject})).await
}

async fn send(
    service: &Service,
    token: &str,
    (method, path): (&str, &str),
    body: &Value,
) -> (StatusCode, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .header("authorization", token)
        .body(Body::from(body.to_string()))
        .unwrap();
    let peer = SocketAddr::from(([10, 0, 0, 1], 40_000));
    let response = service.api.clone().answer(peer, request).await;
    let status = response.status();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

/// The body of a submission of a pipeline of one step.
fn submission() -> Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pipeline.yml");
    std::fs::write(&file, PIPELINE).unwrap();
    let loaded = load(&file, &Workspace::default()).unwrap();
    json!({ "spec": loaded.finish(&BTreeMap::new()), "force_rerun": true })
}

/// Submits it.
async fn submit(service: &Service, token: &str, project: Option<&str>) -> (StatusCode, Value) {
    let mut body = submission();
    if let Some(project) = project {
        body["project"] = json!(project);
    }
    send(service, token, ("POST", "/api/v1/runs"), &body).await
}

/// A run in a project, of this person.
async fn run_in(service: &Service, project: &str, name: &str, by: &str) -> RunId {
    let mut plan = chain(&[name]);
    plan.project = project.parse().unwrap();
    let submitted = service.handle().submit_plan(Arc::new(plan), by.into()).await;
    submitted.unwrap().run
}

#[tokio::test]
async fn runs_are_started_in_a_project_by_those_who_have_a_role_in_it_and_by_nobody_else() {
    let service = service().await;
    for (subject, project, expected) in [
        ("ada", Some("cars"), StatusCode::CREATED),
        ("carol", Some("cars"), StatusCode::CREATED),
        ("rita", Some("cars"), StatusCode::FORBIDDEN),
        ("eve", Some("cars"), StatusCode::FORBIDDEN),
        ("ada", Some("boats"), StatusCode::FORBIDDEN),
        ("ada", Some("planes"), StatusCode::NOT_FOUND),
        ("eve", Some("default"), StatusCode::CREATED),
        ("eve", None, StatusCode::CREATED),
    ] {
        let token = submitter(&service, subject).await;
        let (status, answer) = submit(&service, &token, project).await;
        assert_eq!(status, expected, "{subject} in {project:?}: {answer}");
        if status == StatusCode::CREATED {
            assert_eq!(answer["project"], json!(project.unwrap_or("default")));
        }
    }
    let admin = token(&service, json!({"scope": "admin", "subject": "root"})).await;
    assert_eq!(
        submit(&service, &admin, Some("boats")).await.0,
        StatusCode::CREATED
    );
    let (_, listed) = service.get("/api/v1/runs?project=cars").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_role_that_is_taken_away_and_a_person_who_leaves_a_team_may_not_any_more() {
    let service = service().await;
    let (ada, carol) = (
        submitter(&service, "ada").await,
        submitter(&service, "carol").await,
    );
    assert_eq!(submit(&service, &ada, Some("cars")).await.0, StatusCode::CREATED);
    ok(&service, "/api/v1/teams/eyes", json!({"people": ["bob"]})).await;
    assert_eq!(
        submit(&service, &ada, Some("cars")).await.0,
        StatusCode::FORBIDDEN
    );
    ok(&service, "/api/v1/projects/cars/role", json!({"person": "carol"})).await;
    assert_eq!(
        submit(&service, &carol, Some("cars")).await.0,
        StatusCode::FORBIDDEN
    );
    let service = service.restart().await;
    assert_eq!(
        submit(&service, &ada, Some("cars")).await.0,
        StatusCode::FORBIDDEN,
        "also after a restart"
    );
}

#[tokio::test]
async fn runs_of_a_project_are_changed_by_their_submitter_and_its_operators_only() {
    let service = service().await;
    let run = run_in(&service, "cars", "one", "ada").await;
    let path = format!("/api/v1/runs/{run}");
    let tags = json!({"tags": {"a": "b"}});
    for (subject, describes, comments) in [
        ("ada", true, true),
        ("bob", false, true),
        ("carol", true, true),
        ("rita", false, false),
        ("eve", false, false),
    ] {
        let token = submitter(&service, subject).await;
        let may = |status: StatusCode, expected: bool| {
            let refused = status == StatusCode::FORBIDDEN;
            assert_eq!(refused, !expected, "{subject}: {status}");
        };
        may(send(&service, &token, ("PATCH", &path), &tags).await.0, describes);
        let comment = json!({"text": "well"});
        let there = format!("{path}/comments");
        may(
            send(&service, &token, ("POST", &there), &comment).await.0,
            comments,
        );
        if !describes {
            for (method, path) in [("POST", format!("{path}/cancel")), ("DELETE", path.clone())] {
                may(send(&service, &token, (method, &path), &json!({})).await.0, false);
            }
        }
    }
    let ex_member = run_in(&service, "boats", "two", "ada").await;
    let ada = submitter(&service, "ada").await;
    let path = format!("/api/v1/runs/{ex_member}/cancel");
    let (status, _) = send(&service, &ada, ("POST", &path), &json!({})).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "without a role not even her own");
    let operator = token(&service, json!({"scope": "operator", "subject": "olga"})).await;
    let (status, _) = send(&service, &operator, ("POST", &path), &json!({})).await;
    assert_eq!(status, StatusCode::OK, "who operates the service needs no role");
}

#[tokio::test]
async fn a_token_for_one_project_starts_and_changes_runs_there_and_nowhere_else() {
    let service = service().await;
    let body = json!({"scope": "submitter", "subject": "ada", "project": "cars"});
    let bound = token(&service, body).await;
    let (status, run) = submit(&service, &bound, None).await;
    assert_eq!((status, &run["project"]), (StatusCode::CREATED, &json!("cars")));
    for other in ["default", "boats"] {
        assert_eq!(
            submit(&service, &bound, Some(other)).await.0,
            StatusCode::FORBIDDEN,
            "{other}"
        );
    }
    let elsewhere = run_in(&service, "default", "one", "ada").await;
    let path = format!("/api/v1/runs/{elsewhere}/cancel");
    let (status, _) = send(&service, &bound, ("POST", &path), &json!({})).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "her own run, in another project");
    let (_, who) = send(&service, &bound, ("GET", "/api/v1/whoami"), &json!({})).await;
    assert_eq!(who["project"], "cars");
    let refused = json!({"scope": "operator", "subject": "ada", "project": "cars"});
    let (status, _) = service.post("/api/v1/tokens", &refused).await;
    assert_eq!(
        status,
        StatusCode::BAD_REQUEST,
        "operators act on the whole service"
    );
    let unknown = json!({"scope": "submitter", "subject": "ada", "project": "planes"});
    assert_eq!(
        service.post("/api/v1/tokens", &unknown).await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_teams_service_has_the_teams_role_and_a_person_of_its_name_has_not() {
    let service = service().await;
    let body = json!({"scope": "submitter", "subject": "eyes", "kind": "team"});
    let team = token(&service, body).await;
    assert_eq!(submit(&service, &team, Some("cars")).await.0, StatusCode::CREATED);
    let person = submitter(&service, "eyes").await;
    assert_eq!(
        submit(&service, &person, Some("cars")).await.0,
        StatusCode::FORBIDDEN
    );
    let ghost = json!({"scope": "submitter", "subject": "ears", "kind": "team"});
    assert_eq!(
        service.post("/api/v1/tokens", &ghost).await.0,
        StatusCode::NOT_FOUND
    );
    let (status, _) = service.call("DELETE", "/api/v1/teams/eyes", Body::empty()).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    ok(&service, "/api/v1/teams/eyes", json!({"people": []})).await;
    assert_eq!(
        submit(&service, &team, Some("cars")).await.0,
        StatusCode::FORBIDDEN,
        "a team that is made again begins without roles"
    );
}

#[tokio::test]
async fn whoever_made_no_project_meets_none() {
    let service = Service::start().await;
    let token = submitter(&service, "ada").await;
    let (status, run) = submit(&service, &token, None).await;
    assert_eq!(
        (status, &run["project"]),
        (StatusCode::CREATED, &json!("default"))
    );
    let (_, listed) = service.get("/api/v1/projects").await;
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["name"], "default");
    for (method, path, body) in [
        ("DELETE", "/api/v1/projects/default", json!({})),
        (
            "PUT",
            "/api/v1/projects/default/role",
            json!({"person": "ada", "role": "reader"}),
        ),
    ] {
        let (status, refused) = service.call(method, path, Body::from(body.to_string())).await;
        assert_eq!(status, StatusCode::CONFLICT, "{refused}");
    }
    assert_eq!(
        service.get("/api/v1/projects/cars").await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_quota_holds_steps_back_says_so_and_outlives_a_restart() {
    let service = service().await;
    ok(
        &service,
        "/api/v1/projects/cars/quota",
        json!({"running_steps": 1, "queued_runs": 1}),
    )
    .await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let first = run_in(&service, "cars", "one", "ada").await;
    let task = worker.task().await;
    assert_eq!(task.attempt.run, first);
    let second = run_in(&service, "cars", "two", "ada").await;
    let (_, explained) = service
        .get(&format!("/api/v1/runs/{second}/steps/two/explain"))
        .await;
    let said = explained["reasons"].to_string();
    assert!(
        said.contains("the project's quota of 1 running steps is full"),
        "{said}"
    );
    let ada = submitter(&service, "ada").await;
    let (status, refused) = submit(&service, &ada, Some("cars")).await;
    assert_eq!(status, StatusCode::CONFLICT, "{refused}");
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("quota of project cars"),
        "{refused}"
    );
    assert_eq!(
        submit(&service, &ada, None).await.0,
        StatusCode::CREATED,
        "the default project is free"
    );
    let (_, shown) = service.get("/api/v1/projects/cars").await;
    assert_eq!(
        (&shown["usage"]["running_steps"], &shown["usage"]["queued_runs"]),
        (&json!(1), &json!(1))
    );
    let service = service.restart().await;
    let (_, after) = service.get("/api/v1/projects/cars").await;
    assert_eq!(
        (&after["quota"], &after["usage"]),
        (&shown["quota"], &shown["usage"])
    );
    let unknown = put(
        &service,
        "/api/v1/projects/planes/quota",
        &json!({"running_steps": 1}),
    )
    .await;
    assert_eq!(unknown.0, StatusCode::NOT_FOUND);
    let (status, _) = put(&service, "/api/v1/projects/cars/quota", &json!({"running": 1})).await;
    assert!(status.is_client_error(), "an unknown word is no quota");
}

#[tokio::test]
async fn a_project_is_removed_once_its_runs_have_ended_and_takes_roles_and_quota_with_it() {
    let service = service().await;
    ok(
        &service,
        "/api/v1/projects/cars/quota",
        json!({"running_steps": 1}),
    )
    .await;
    let run = run_in(&service, "cars", "one", "ada").await;
    let path = "/api/v1/projects/cars";
    let (status, refused) = service.call("DELETE", path, Body::empty()).await;
    assert_eq!(status, StatusCode::CONFLICT, "{refused}");
    service
        .post(&format!("/api/v1/runs/{run}/cancel"), &json!({}))
        .await;
    service.watch(run).await;
    let (status, _) = service.call("DELETE", path, Body::empty()).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    ok(&service, path, json!({})).await;
    let (_, anew) = service.get(path).await;
    assert_eq!((&anew["quota"], &anew["people"]), (&json!({}), &Value::Null));
    let ada = submitter(&service, "ada").await;
    assert_eq!(
        submit(&service, &ada, Some("cars")).await.0,
        StatusCode::FORBIDDEN
    );
}
