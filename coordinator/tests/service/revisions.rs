//! Whoever changes what they have seen changes nothing that somebody else changed meanwhile: each thing that may change shows its revision, and a change that names an old one is refused.

use super::harness::Service;
use super::keys::walk::with_mail;
use super::pipelines::{pipeline, publish};
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use tidemill_coordinator::openapi;

/// An answer: its status, its headers, its body.
type Answer = (StatusCode, HeaderMap, Value);

async fn send(
    service: &Service,
    (method, path): (&str, &str),
    body: &Value,
    headers: &[(&str, &str)],
) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = match body {
        Value::Null => Body::empty(),
        body => Body::from(body.to_string()),
    };
    let response = service.send(request.body(body).unwrap()).await;
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    (parts.status, parts.headers, body)
}

/// The revision that a thing shows, and what it shows beside it.
async fn seen(service: &Service, path: &str) -> (String, Value) {
    let (status, headers, body) = send(service, ("GET", path), &Value::Null, &[]).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    let tag = headers
        .get("etag")
        .unwrap_or_else(|| panic!("{path} shows no revision"));
    (tag.to_str().unwrap().to_owned(), body)
}

/// A thing, and three ways to change it.
struct Thing {
    path: String,
    changes: [(&'static str, String, Value); 3],
}

fn thing(path: &str, changes: [(&'static str, &str, Value); 3]) -> Thing {
    Thing {
        path: path.to_owned(),
        changes: changes.map(|(method, rest, body)| (method, format!("{path}{rest}"), body)),
    }
}

async fn furnished() -> (Service, Vec<Thing>) {
    let service = Service::start_tuned(with_mail).await;
    publish(&service, "train", &pipeline()).await;
    let (_, run) = service.post("/api/v1/runs", &json!({"spec": pipeline()})).await;
    let run = format!("/api/v1/runs/{}", run["id"].as_str().unwrap());
    let text = |text: &str| json!({"text": text});
    let (status, _) = service.post(&format!("{run}/comments"), &text("one")).await;
    assert_eq!(status, StatusCode::CREATED);
    let hook = json!({"url": "https://hooks.example.org/tidemill", "secret": "hook-key"});
    let letter = json!({"to": ["ada@example.org"]});
    let source = json!({"source": {"uri": {"type": "uri_folder", "uri": "s3://bucket/sales"}}});
    for (method, path, body) in [
        ("PUT", "/api/v1/projects/vision", json!({})),
        ("PUT", "/api/v1/teams/mill", json!({"people": ["ada"]})),
        ("PUT", "/api/v1/secrets/hook-key", json!("the first value")),
        ("PUT", "/api/v1/webhooks/hook", hook.clone()),
        ("PUT", "/api/v1/mailings/letter", letter.clone()),
        ("PUT", "/api/v1/datastores/lake", json!({"url": "s3://lake/raw"})),
        (
            "PUT",
            "/api/v1/drafts/base",
            json!({"source": {"pipeline": pipeline()}}),
        ),
        ("PUT", "/api/v1/schedules/weekly", schedule("0 3 * * 1")),
        ("POST", "/api/v1/assets/data/sales/versions", source),
    ] {
        let (status, _, answer) = send(&service, (method, path), &body, &[]).await;
        assert!(status.is_success(), "{method} {path}: {answer}");
    }
    let mut things = of_people(&run);
    things.extend(of_operators(&hook, &letter));
    (service, things)
}

fn schedule(expression: &str) -> Value {
    json!({"trigger": {"cron": {"expression": expression}}, "pipeline": "train"})
}

fn of_people(run: &str) -> Vec<Thing> {
    let described = |text: &str| json!({"description": text});
    let versions = "/api/v1/assets/data/sales/versions/1";
    vec![
        thing(
            run,
            [
                ("PATCH", "", described("good")),
                ("PATCH", "", json!({"tags": {"stage": "prod"}})),
                ("PATCH", "", json!({"display_name": "first"})),
            ],
        ),
        thing(
            &format!("{run}/comments/1"),
            [
                ("PATCH", "", json!({"text": "two"})),
                ("DELETE", "", Value::Null),
                ("PATCH", "", json!({"text": "three"})),
            ],
        ),
        thing(
            versions,
            [
                ("PATCH", "", described("good")),
                ("DELETE", "", Value::Null),
                ("PATCH", "", json!({"tags": {"stage": "prod"}})),
            ],
        ),
        thing(
            "/api/v1/assets/data/sales",
            [
                ("PATCH", "", described("good")),
                ("PUT", "/labels/best", json!({"version": "1"})),
                ("PATCH", "", described("better")),
            ],
        ),
        thing(
            "/api/v1/drafts/base",
            [
                ("PATCH", "", described("good")),
                ("DELETE", "", Value::Null),
                ("PATCH", "", described("better")),
            ],
        ),
        thing(
            "/api/v1/schedules/weekly",
            [
                ("PUT", "", schedule("0 4 * * 1")),
                ("POST", "/pause", json!({})),
                ("POST", "/pause", json!({"reason": "a holiday"})),
            ],
        ),
        thing(
            "/api/v1/experiments/Default",
            [
                ("PATCH", "", described("good")),
                ("PATCH", "", json!({"tags": {"season": "autumn"}})),
                ("PATCH", "", described("better")),
            ],
        ),
    ]
}

fn of_operators(hook: &Value, letter: &Value) -> Vec<Thing> {
    let subscribed = |path: &str, spec: &Value| {
        let mut other = spec.clone();
        other["runs"] = json!(["failed"]);
        thing(
            path,
            [
                ("PUT", "", other),
                ("DELETE", "", Value::Null),
                ("POST", "/pause", json!({"reason": "a holiday"})),
            ],
        )
    };
    vec![
        thing(
            "/api/v1/projects/vision",
            [
                ("PUT", "/quota", json!({"queued_runs": 5})),
                ("PUT", "/role", json!({"person": "ada", "role": "submitter"})),
                ("PUT", "", json!({"description": "sees"})),
            ],
        ),
        thing(
            "/api/v1/teams/mill",
            [
                ("PUT", "", json!({"people": ["ada", "ben"]})),
                ("DELETE", "", Value::Null),
                ("PUT", "", json!({"people": ["ben"]})),
            ],
        ),
        subscribed("/api/v1/webhooks/hook", hook),
        subscribed("/api/v1/mailings/letter", letter),
        thing(
            "/api/v1/secrets/hook-key",
            [
                ("PUT", "", json!("the second value")),
                ("DELETE", "", Value::Null),
                ("PUT", "", json!("the third value")),
            ],
        ),
        thing(
            "/api/v1/datastores/lake",
            [
                ("PUT", "", json!({"url": "s3://lake/raw", "description": "good"})),
                ("DELETE", "", Value::Null),
                ("PUT", "", json!({"url": "s3://lake/better"})),
            ],
        ),
    ]
}

#[tokio::test]
async fn a_change_of_an_old_revision_is_refused_and_one_of_the_newest_is_made() {
    let (service, things) = furnished().await;
    for Thing { path, changes } in things {
        let [first, second, third] = changes;
        let (old, _) = seen(&service, &path).await;
        assert_eq!(
            seen(&service, &path).await.0,
            old,
            "{path} changes by being looked at"
        );
        let if_old = [("if-match", old.as_str())];
        let (status, headers, body) = send(&service, (first.0, &first.1), &first.2, &if_old).await;
        assert_eq!(status, StatusCode::OK, "{} {}: {body}", first.0, first.1);
        let (new, before) = seen(&service, &path).await;
        assert_ne!(new, old, "{path}");
        assert_eq!(headers.get("etag").unwrap(), new.as_str(), "{path}");
        for (method, path, body) in [&second, &third] {
            let (status, _, refusal) = send(&service, (method, path), body, &if_old).await;
            assert_eq!(
                (status, &refusal["code"]),
                (StatusCode::PRECONDITION_FAILED, &json!("precondition_failed")),
                "{method} {path}: {refusal}"
            );
            assert!(refusal["hint"].is_string(), "{refusal}");
        }
        assert_eq!(
            seen(&service, &path).await,
            (new.clone(), before),
            "nothing was changed"
        );
        let (status, _, answer) = send(&service, (third.0, &third.1), &third.2, &[("if-match", &new)]).await;
        assert_eq!(status, StatusCode::OK, "{} {}: {answer}", third.0, third.1);
        assert_ne!(seen(&service, &path).await.0, new, "{path}");
        let (status, _, answer) = send(&service, (first.0, &first.1), &first.2, &[("if-match", "*")]).await;
        assert_eq!(status, StatusCode::OK, "{} {}: {answer}", first.0, first.1);
    }
}

#[tokio::test]
async fn of_many_who_have_seen_the_same_one_changes_it() {
    let service = Service::start().await;
    let team = "/api/v1/teams/mill";
    send(&service, ("PUT", team), &json!({"people": ["ada"]}), &[]).await;
    let (tag, _) = seen(&service, team).await;
    let bodies: Vec<Value> = (0..20)
        .map(|number| json!({"people": [format!("p{number}")]}))
        .collect();
    let headers = [("if-match", tag.as_str())];
    let asked = bodies
        .iter()
        .map(|body| send(&service, ("PUT", team), body, &headers));
    let answers = futures_util::future::join_all(asked).await;
    let made: Vec<&Answer> = answers
        .iter()
        .filter(|answer| answer.0 == StatusCode::OK)
        .collect();
    assert_eq!(made.len(), 1);
    let refused = answers
        .iter()
        .filter(|answer| answer.0 == StatusCode::PRECONDITION_FAILED);
    assert_eq!(refused.count(), 19);
    let (_, shown) = seen(&service, team).await;
    assert_eq!(shown["people"], made[0].2["people"]);
}

#[tokio::test]
async fn a_conditional_change_that_is_sent_again_under_its_key_is_not_refused_for_its_own_doing() {
    let service = Service::start().await;
    let team = "/api/v1/teams/mill";
    send(&service, ("PUT", team), &json!({"people": ["ada"]}), &[]).await;
    let (tag, _) = seen(&service, team).await;
    let headers = [("if-match", tag.as_str()), ("idempotency-key", "k")];
    let other = json!({"people": ["ben"]});
    let first = send(&service, ("PUT", team), &other, &headers).await;
    let again = send(&service, ("PUT", team), &other, &headers).await;
    assert_eq!(
        (first.0, again.0),
        (StatusCode::OK, StatusCode::OK),
        "{}",
        again.2
    );
    assert_eq!(first.1["etag"], again.1["etag"]);
}

#[tokio::test]
async fn what_is_not_there_is_changed_by_nobody_who_has_seen_it() {
    let service = Service::start().await;
    let team = "/api/v1/teams/mill";
    let body = json!({"people": ["ada"]});
    let (status, _, refusal) = send(&service, ("PUT", team), &body, &[("if-match", "\"17\"")]).await;
    assert_eq!(status, StatusCode::PRECONDITION_FAILED, "{refusal}");
    let (status, ..) = send(&service, ("GET", team), &Value::Null, &[]).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _, refusal) = send(&service, ("PUT", team), &body, &[("if-match", "seventeen")]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{refusal}");
}

#[tokio::test]
async fn what_a_run_does_is_no_change_of_what_is_said_of_it_and_a_restart_is_none_of_anything() {
    let (service, things) = furnished().await;
    let run = things[0].path.clone();
    let mut tags = Vec::new();
    for Thing { path, .. } in &things {
        tags.push(seen(&service, path).await.0);
    }
    let (status, _) = service
        .call("POST", &format!("{run}/cancel"), Body::empty())
        .await;
    assert_eq!(status, StatusCode::OK);
    let service = service.restart_with(with_mail).await;
    for (Thing { path, .. }, tag) in things.iter().zip(&tags) {
        assert_eq!(seen(&service, path).await.0, *tag, "{path}");
    }
}

#[test]
fn whatever_may_be_refused_for_its_revision_says_how_one_is_named_and_where_it_is_shown() {
    let description = serde_json::to_value(openapi()).unwrap();
    let mut heeding = 0;
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let takes = parameters
                .filter(|parameter| parameter["name"] == "if-match")
                .count();
            let refuses = operation["responses"].get("412").is_some();
            assert_eq!(takes == 1, refuses, "{method} {path}");
            heeding += takes;
        }
    }
    assert!(heeding >= 30, "{heeding}");
    for path in [
        "/api/v1/runs/{run}",
        "/api/v1/teams/{name}",
        "/api/v1/drafts/{name}",
    ] {
        let answer = &description["paths"][path]["get"]["responses"]["200"];
        assert!(answer["headers"]["etag"].is_object(), "{path}");
    }
}
