//! Schedules as a whole: they fire once at each moment, whatever happens between, and what does not fire says why.

use super::harness::Service;
use super::pipelines::{pipeline, publish};
use super::worker::ScriptedWorker;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tidemill_protocol::time::Millis;

const MINUTE: Millis = Millis(60_000);

/// Asks until an answer is so.
async fn until(service: &Service, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let asking = async {
        loop {
            let (_, answer) = service.get(path).await;
            if is_so(&answer) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(30), asking).await;
    found.unwrap_or_else(|_| panic!("{path} never became so"))
}

async fn put(service: &Service, name: &str, spec: &Value) -> (StatusCode, Value) {
    let path = format!("/api/v1/schedules/{name}?by=ada");
    service.call("PUT", &path, Body::from(spec.to_string())).await
}

fn minutely(more: &Value) -> Value {
    let mut spec = json!({"trigger": {"cron": {"expression": "* * * * *"}}, "pipeline": "train"});
    spec.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    spec
}

async fn with_minutely(more: &Value) -> Service {
    let service = Service::start().await;
    publish(&service, "train", &pipeline()).await;
    let (status, made) = put(&service, "often", &minutely(more)).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    service
}

/// The outcomes of its moments, oldest first, once there are so many.
async fn outcomes(service: &Service, count: usize) -> Vec<Value> {
    let path = "/api/v1/schedules/often/firings";
    let firings = until(service, path, |firings| {
        firings.as_array().unwrap().len() >= count
    })
    .await;
    let firings = firings.as_array().unwrap().iter().rev();
    firings.map(|firing| firing["outcome"].clone()).collect()
}

async fn runs(service: &Service) -> Vec<Value> {
    let (_, page) = service.get("/api/v1/runs?limit=1000").await;
    page["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_moment_that_comes_starts_one_run_in_its_makers_name_with_what_was_said() {
    let more = json!({"parameters": {"trees": "12"}, "experiment": "nightly", "display_name": "at ${{creation_context.trigger_time}}"});
    let service = with_minutely(&more).await;
    let (_, made) = service.get("/api/v1/schedules/often").await;
    assert!(made["next_at"].as_u64().is_some(), "{made}");
    assert_eq!(runs(&service).await.len(), 0, "its moment is still to come");
    service.clock.advance(MINUTE);
    let outcomes = outcomes(&service, 1).await;
    let (_, run) = service.get("/api/v1/runs/last").await;
    assert_eq!(outcomes[0]["started"]["run"], run["id"]);
    assert_eq!(
        (&run["submitted_by"], &run["parameters"]["trees"]),
        (&json!("ada"), &json!("12"))
    );
    assert_eq!(run["tags"]["tidemill.schedule"], "often");
    let moment = run["tags"]["tidemill.schedule_time"].as_str().unwrap();
    assert_eq!(run["display_name"], json!(format!("at {moment}")));
    assert_eq!(runs(&service).await.len(), 1);
    let (_, audit) = service.get("/api/v1/audit?who=ada").await;
    let fired = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["method"] == "FIRE" && entry["decision"] == "accepted");
    assert_eq!(fired.unwrap()["ids"]["run"], run["id"]);
}

#[tokio::test]
async fn while_a_run_goes_on_nothing_is_started_unless_the_schedule_says_otherwise() {
    let service = with_minutely(&json!({})).await;
    service.clock.advance(MINUTE);
    outcomes(&service, 1).await;
    service.clock.advance(MINUTE);
    assert_eq!(outcomes(&service, 2).await[1], "overlapped");
    assert_eq!(runs(&service).await.len(), 1);
    let service = with_minutely(&json!({"overlap": "allow"})).await;
    for count in 1..=3 {
        service.clock.advance(MINUTE);
        assert!(outcomes(&service, count).await[count - 1]["started"].is_object());
    }
    assert_eq!(runs(&service).await.len(), 3);
}

#[tokio::test]
async fn a_queued_moment_starts_when_the_run_before_it_has_ended() {
    let service = with_minutely(&json!({"overlap": "queue"})).await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    service.clock.advance(MINUTE);
    outcomes(&service, 1).await;
    service.clock.advance(MINUTE);
    assert_eq!(outcomes(&service, 2).await[1], "queued");
    let (_, view) = service.get("/api/v1/schedules/often").await;
    assert_eq!(view["waiting"], 1);
    assert_eq!(runs(&service).await.len(), 1);
    worker.work(1).await;
    let outcomes = outcomes(&service, 3).await;
    assert!(outcomes[2]["started"].is_object(), "{outcomes:?}");
    assert_eq!(runs(&service).await.len(), 2);
}

#[tokio::test]
async fn cancel_running_ends_the_run_that_goes_on() {
    let service = with_minutely(&json!({"overlap": "cancel_running"})).await;
    service.clock.advance(MINUTE);
    outcomes(&service, 1).await;
    service.clock.advance(MINUTE);
    outcomes(&service, 2).await;
    let runs = runs(&service).await;
    assert_eq!((runs.len(), &runs[1]["status"]), (2, &json!("cancelled")));
}

#[tokio::test]
async fn a_coordinator_that_was_away_does_what_the_policy_says() {
    for (policy, started, missed) in [("none", 1, 59), ("last", 1, 59), ("all", 60, 0)] {
        let service = with_minutely(&json!({"catch_up": policy, "overlap": "allow"})).await;
        let clock = std::sync::Arc::clone(&service.clock);
        let service = service
            .restart_after(|| clock.advance(Millis(60 * MINUTE.0)))
            .await;
        let found = outcomes(&service, started + usize::from(missed > 0)).await;
        let times = found
            .iter()
            .find_map(|outcome| outcome["missed"]["times"].as_u64());
        assert_eq!(times.unwrap_or(0), missed, "{policy}: {found:?}");
        assert_eq!(runs(&service).await.len(), started, "{policy}");
    }
}

#[tokio::test]
async fn a_restart_starts_nothing_twice_and_forgets_nothing() {
    let service = Service::start_on_disk().await;
    publish(&service, "train", &pipeline()).await;
    put(&service, "often", &minutely(&json!({"overlap": "allow"}))).await;
    service.clock.advance(MINUTE);
    outcomes(&service, 1).await;
    // Enough events for a snapshot.
    for number in 0..1_100 {
        let patch = Body::from(json!({"description": number.to_string()}).to_string());
        service
            .call("PATCH", "/api/v1/assets/pipeline/train", patch)
            .await;
    }
    let (_, before) = service.get("/api/v1/schedules/often").await;
    let service = service.restart().await;
    let (_, after) = service.get("/api/v1/schedules/often").await;
    assert_eq!(after, before);
    service.clock.advance(MINUTE);
    outcomes(&service, 2).await;
    assert_eq!(runs(&service).await.len(), 2);
}

#[tokio::test]
async fn a_run_that_was_started_before_its_fact_was_written_is_found_and_not_started_again() {
    let service = with_minutely(&json!({})).await;
    // What a coordinator does that ends right after the start: the run is there under the firing's key, and no fact.
    let (_, made) = service.get("/api/v1/schedules/often").await;
    let (_, next) = service.get("/api/v1/schedules/often/next?count=1").await;
    let key = format!("schedule/often@{}/{}", made["created_at"], next[0]["nominal"]);
    let submission = json!({"spec": pipeline(), "idempotency_key": key});
    let (_, run) = service.post("/api/v1/runs", &submission).await;
    // So long after the moment that it would be missed.
    service.clock.advance(Millis(30 * MINUTE.0));
    let outcomes = outcomes(&service, 1).await;
    assert_eq!(outcomes[0]["started"]["run"], run["id"]);
    let settled = until(&service, "/api/v1/schedules/often/firings", |firings| {
        firings.as_array().unwrap().len() >= 2
    });
    settled.await;
    let own = runs(&service).await;
    let twice = own.iter().filter(|one| one["id"] == run["id"]).count();
    assert_eq!(twice, 1);
}

#[tokio::test]
async fn what_the_pipeline_refuses_is_a_firing_with_its_reason() {
    let service = with_minutely(&json!({"parameters": {"trees": "51"}})).await;
    service.clock.advance(MINUTE);
    let outcomes = outcomes(&service, 1).await;
    assert!(
        outcomes[0]["refused"]["why"].as_str().unwrap().contains("50"),
        "{outcomes:?}"
    );
    assert_eq!(runs(&service).await.len(), 0);
}

#[tokio::test]
async fn a_paused_schedule_fires_nothing_and_makes_up_for_nothing() {
    let service = with_minutely(&json!({"catch_up": "all", "overlap": "allow"})).await;
    let pause = json!({"reason": "the source is down"});
    let (status, paused) = service.post("/api/v1/schedules/often/pause", &pause).await;
    assert_eq!(
        (status, &paused["pause"]["reason"]),
        (StatusCode::OK, &json!("the source is down"))
    );
    service.clock.advance(Millis(10 * MINUTE.0));
    let (_, resumed) = service.post("/api/v1/schedules/often/resume", &json!({})).await;
    assert_eq!(resumed["pause"], Value::Null);
    service.clock.advance(MINUTE);
    outcomes(&service, 1).await;
    assert_eq!(runs(&service).await.len(), 1);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_what_is_wrong() {
    let service = Service::start().await;
    publish(&service, "train", &pipeline()).await;
    let cron = |expression: &str, zone: &str| json!({"trigger": {"cron": {"expression": expression, "time_zone": zone}}, "pipeline": "train"});
    for (bad, word) in [
        (cron("* * * *", "UTC"), "five"),
        (cron("0 0 30 2 *", "UTC"), "never"),
        (cron("0 0 * * *", "Mars"), "time zone"),
        (
            json!({"trigger": {"recurrence": {"frequency": "day", "interval": 0}}, "pipeline": "train"}),
            "interval",
        ),
        (
            json!({"trigger": {"recurrence": {"frequency": "hour", "hours": [3]}}, "pipeline": "train"}),
            "hours",
        ),
    ] {
        let (status, refused) = put(&service, "bad", &bad).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}: {refused}");
        assert!(refused["message"].as_str().unwrap().contains(word), "{refused}");
    }
    let mut nobody = cron("0 0 * * *", "UTC");
    nobody["pipeline"] = json!("nobody");
    assert_eq!(put(&service, "bad", &nobody).await.0, StatusCode::NOT_FOUND);
    assert_eq!(service.get("/api/v1/schedules").await.1, json!([]));
}

#[tokio::test]
async fn two_people_do_not_overwrite_each_others_change() {
    let service = with_minutely(&json!({})).await;
    let send = async |tag: (&'static str, &'static str), trees: &str| {
        let spec = minutely(&json!({"parameters": {"trees": trees}}));
        let request = Request::put("/api/v1/schedules/often")
            .header("content-type", "application/json")
            .header(tag.0, tag.1)
            .body(Body::from(spec.to_string()))
            .unwrap();
        let answer = service.send(request).await;
        let etag = answer.headers().get("etag").cloned();
        let status = answer.status();
        let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, etag, serde_json::from_slice::<Value>(&bytes).unwrap())
    };
    let (status, etag, _) = send(("if-match", "\"1\""), "3").await;
    assert_eq!(
        (status, etag.unwrap().to_str().unwrap()),
        (StatusCode::OK, "\"2\"")
    );
    assert_eq!(
        send(("if-match", "\"1\""), "4").await.0,
        StatusCode::PRECONDITION_FAILED
    );
    assert_eq!(send(("if-none-match", "*"), "4").await.0, StatusCode::CONFLICT);
    let (_, shown) = service.get("/api/v1/schedules/often").await;
    assert_eq!(shown["spec"]["parameters"]["trees"], "3");
}

#[tokio::test]
async fn a_submitter_changes_its_own_schedules_only() {
    let service = with_minutely(&json!({})).await;
    let token = async |scope: &str, subject: &str| {
        let body = json!({"scope": scope, "subject": subject});
        let (_, created) = service.post("/api/v1/tokens", &body).await;
        created["token"].as_str().unwrap().to_owned()
    };
    let (own, other, operator) = (
        token("submitter", "ada").await,
        token("submitter", "bob").await,
        token("operator", "eve").await,
    );
    let pause = async |token: &str| {
        let request = Request::post("/api/v1/schedules/often/pause")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"))
            .body(Body::from("{}"))
            .unwrap();
        let nearby = std::net::SocketAddr::from(([127, 0, 0, 1], 40_000));
        service.api.clone().answer(nearby, request).await.status()
    };
    assert_eq!(pause(&other).await, StatusCode::FORBIDDEN);
    assert_eq!(pause(&own).await, StatusCode::OK);
    let (_, resumed) = service.post("/api/v1/schedules/often/resume", &json!({})).await;
    assert_eq!(resumed["pause"], Value::Null);
    assert_eq!(pause(&operator).await, StatusCode::OK);
}

#[tokio::test]
async fn each_new_version_of_data_starts_one_run_that_is_told_which() {
    let service = Service::start().await;
    publish(&service, "train", &pipeline()).await;
    let spec = json!({
        "trigger": {"new_version": {"name": "iris"}}, "pipeline": "train", "overlap": "allow",
        "display_name": "iris ${{trigger.version}}",
    });
    let (status, made) = put(&service, "often", &spec).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    for text in ["one", "two", "three"] {
        let one = service.store.put_bytes(text.into()).await.unwrap();
        let content = json!({"source": {"content": {"artifact": one}}});
        service.post("/api/v1/assets/data/iris/versions", &content).await;
    }
    outcomes(&service, 3).await;
    let names = runs(&service).await;
    let mut names: Vec<&str> = names
        .iter()
        .map(|run| run["display_name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["iris 1", "iris 2", "iris 3"]);
    let service = service.restart().await;
    let (_, firings) = service.get("/api/v1/schedules/often/firings").await;
    assert_eq!(firings.as_array().unwrap().len(), 3);
    assert_eq!(runs(&service).await.len(), 3, "nothing twice");
}

#[tokio::test]
async fn each_run_that_ends_as_wished_starts_the_next_pipeline_and_no_other_end_does() {
    let service = Service::start().await;
    publish(&service, "train", &pipeline()).await;
    let circle = json!({"trigger": {"run_ended": {"pipeline": "train"}}, "pipeline": "train"});
    assert_eq!(put(&service, "round", &circle).await.0, StatusCode::BAD_REQUEST);
    let spec = json!({
        "trigger": {"run_ended": {"pipeline": "pipe", "outcomes": ["failed"]}}, "pipeline": "train",
        "display_name": "after ${{trigger.run}}",
    });
    assert_eq!(put(&service, "often", &spec).await.0, StatusCode::OK);
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let good = service.submit(super::harness::chain(&["good"])).await;
    worker.work(1).await;
    service.watch(good).await;
    let bad = service.submit(super::harness::chain(&["bad"])).await;
    let task = worker.task().await;
    worker.fail(&task).await;
    service.watch(bad).await;
    outcomes(&service, 1).await;
    let (_, firings) = service.get("/api/v1/schedules/often/firings").await;
    assert_eq!(firings[0]["cause"], json!(bad.to_string()));
    let (_, run) = service.get("/api/v1/runs/last").await;
    assert_eq!(run["display_name"], json!(format!("after {bad}")));
    assert_eq!(firings.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_runs_of_a_schedule_count_for_its_project_and_for_none_that_is_gone() {
    let service = Service::start().await;
    publish(&service, "train", &pipeline()).await;
    let made = service
        .call("PUT", "/api/v1/projects/cars", Body::from("{}"))
        .await;
    assert_eq!(made.0, StatusCode::OK, "{}", made.1);
    let unknown = put(&service, "often", &minutely(&json!({"project": "planes"}))).await;
    assert_eq!(unknown.0, StatusCode::NOT_FOUND, "{}", unknown.1);
    let spec = minutely(&json!({"project": "cars", "overlap": "allow"}));
    let (status, set) = put(&service, "often", &spec).await;
    assert_eq!(
        (status, &set["spec"]["project"]),
        (StatusCode::OK, &json!("cars"))
    );
    service.clock.advance(MINUTE);
    outcomes(&service, 1).await;
    assert_eq!(runs(&service).await[0]["project"], "cars");
    // A project is not removed while runs of it go on.
    let run = runs(&service).await[0]["id"].as_str().unwrap().to_owned();
    let cancel = format!("/api/v1/runs/{run}/cancel");
    service.call("POST", &cancel, Body::empty()).await;
    let (status, refusal) = service
        .call("DELETE", "/api/v1/projects/cars", Body::empty())
        .await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{refusal}");
    service.clock.advance(MINUTE);
    let outcomes = outcomes(&service, 2).await;
    let why = outcomes[1]["refused"]["why"].as_str().unwrap_or_default();
    assert!(why.contains("no project `cars`"), "{outcomes:?}");
    assert_eq!(runs(&service).await.len(), 1, "nothing is filed elsewhere");
}

#[tokio::test]
async fn nobody_makes_a_schedule_in_a_project_where_they_may_start_nothing() {
    let service = Service::start().await;
    publish(&service, "train", &pipeline()).await;
    service
        .call("PUT", "/api/v1/projects/cars", Body::from("{}"))
        .await;
    let role = json!({"person": "ada", "role": "submitter"});
    service
        .call("PUT", "/api/v1/projects/cars/role", Body::from(role.to_string()))
        .await;
    let token = async |body: Value| {
        let (_, created) = service.post("/api/v1/tokens", &body).await;
        created["token"].as_str().unwrap().to_owned()
    };
    let ada = token(json!({"scope": "submitter", "subject": "ada"})).await;
    let bob = token(json!({"scope": "submitter", "subject": "bob"})).await;
    let bound = token(json!({"scope": "submitter", "subject": "ada", "project": "cars"})).await;
    let set = async |name: &str, token: &str, more: Value| {
        let request = Request::put(format!("/api/v1/schedules/{name}"))
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"))
            .body(Body::from(minutely(&more).to_string()))
            .unwrap();
        let nearby = std::net::SocketAddr::from(([127, 0, 0, 1], 40_000));
        let answer = service.api.clone().answer(nearby, request).await;
        let status = answer.status();
        let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice::<Value>(&bytes).unwrap())
    };
    let (status, refused) = set("bobs", &bob, json!({"project": "cars"})).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{refused}");
    let (status, made) = set("adas", &ada, json!({"project": "cars"})).await;
    assert_eq!(
        (status, &made["spec"]["project"]),
        (StatusCode::OK, &json!("cars"))
    );
    let (status, plain) = set("plain", &bob, json!({})).await;
    assert_eq!(
        (status, plain["spec"].get("project")),
        (StatusCode::OK, None),
        "the default project is everybody's"
    );
    let (status, made) = set("bound", &bound, json!({})).await;
    assert_eq!(
        (status, &made["spec"]["project"]),
        (StatusCode::OK, &json!("cars")),
        "a token that is bound to a project files nothing elsewhere"
    );
    let (status, refused) = set("away", &bound, json!({"project": "default"})).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{refused}");
}
