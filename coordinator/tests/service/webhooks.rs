//! Webhooks: each end is told once and signed, a deaf address is told again, and no address in our own networks is told unless that is wanted.

use super::harness::{Service, chain};
use super::worker::ScriptedWorker;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use ring::hmac;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tidemill_coordinator::Entry;
use tidemill_coordinator::journal::EventLog as _;
use tidemill_coordinator::ledger::{LedgerEvent, LedgerFact};
use tidemill_coordinator::webhooks::WebhookFact;
use tidemill_protocol::destination::Destinations;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

const KEY: &str = "a key of some length";

/// An address that hears, deaf to the first few calls.
struct Receiver {
    url: String,
    heard: mpsc::Receiver<(HeaderMap, Bytes)>,
    deaf: Arc<AtomicU32>,
    _serving: JoinSet<()>,
}

#[derive(Clone)]
struct Ear {
    heard: mpsc::Sender<(HeaderMap, Bytes)>,
    deaf: Arc<AtomicU32>,
}

async fn hear(State(ear): State<Ear>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if ear.deaf.load(Ordering::SeqCst) > 0 {
        ear.deaf.fetch_sub(1, Ordering::SeqCst);
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    ear.heard.send((headers, body)).await.unwrap();
    StatusCode::NO_CONTENT
}

impl Receiver {
    async fn start(deaf: u32) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (sender, heard) = mpsc::channel(64);
        let deaf = Arc::new(AtomicU32::new(deaf));
        let ear = Ear {
            heard: sender,
            deaf: Arc::clone(&deaf),
        };
        let router = Router::new()
            .route("/hook", axum::routing::post(hear))
            .with_state(ear);
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            heard,
            deaf,
            _serving: serving,
        }
    }

    /// It is deaf no more.
    fn hear(&self) {
        self.deaf.store(0, Ordering::SeqCst);
    }

    /// What it hears next, with its signature checked.
    async fn next(&mut self) -> Value {
        let heard = tokio::time::timeout(Duration::from_secs(30), self.heard.recv()).await;
        let (headers, body) = heard.unwrap().unwrap();
        let text = |name: &str| headers[name].to_str().unwrap().to_owned();
        let signed = [text("x-tidemill-timestamp").as_bytes(), b".", &body].concat();
        let digits = text("x-tidemill-signature")
            .strip_prefix("sha256=")
            .unwrap()
            .to_owned();
        let bytes: Vec<u8> = (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(digits.get(at..at + 2).unwrap(), 16).unwrap())
            .collect();
        let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
        hmac::verify(&key, &signed, &bytes).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["id"], json!(text("x-tidemill-delivery")));
        body
    }
}

/// A coordinator that may tell this machine.
fn loopback() -> Destinations {
    Destinations::with(&["127.0.0.1"]).unwrap()
}

async fn open() -> Service {
    let service = Service::start_tuned(|config| config.webhook_allow = loopback()).await;
    service.call("PUT", "/api/v1/secrets/key", Body::from(KEY)).await;
    service
}

async fn put(service: &Service, spec: &Value) -> (StatusCode, Value) {
    let body = Body::from(spec.to_string());
    service.call("PUT", "/api/v1/webhooks/hook", body).await
}

#[tokio::test]
async fn the_end_of_a_run_is_told_signed_and_those_that_are_not_wanted_are_not() {
    let service = open().await;
    let mut receiver = Receiver::start(0).await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let before = service.submit(chain(&["before"])).await;
    worker.work(1).await;
    service.watch(before).await;
    let spec = json!({"url": receiver.url, "secret": "key", "runs": ["failed"], "steps": ["succeeded"]});
    let (status, made) = put(&service, &spec).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    let good = service.submit(chain(&["good"])).await;
    worker.work(1).await;
    service.watch(good).await;
    let bad = service.submit(chain(&["bad"])).await;
    let task = worker.task().await;
    worker.fail(&task).await;
    service.watch(bad).await;
    let step = receiver.next().await;
    assert_eq!(
        (&step["event"], &step["step"]["path"], &step["step"]["status"]),
        (&json!("step_ended"), &json!("good"), &json!("succeeded"))
    );
    assert_eq!(step["run"]["id"], json!(good.to_string()));
    let run = receiver.next().await;
    assert_eq!(
        (&run["event"], &run["run"]["id"], &run["run"]["status"]),
        (&json!("run_ended"), &json!(bad.to_string()), &json!("failed"))
    );
    assert!(
        receiver.heard.try_recv().is_err(),
        "what ended before, and ends that are not named, are not told"
    );
    let (_, listed) = service.get("/api/v1/webhooks").await;
    assert!(!listed.to_string().contains(KEY));
}

#[tokio::test]
async fn what_is_not_taken_is_told_again_and_what_ended_meanwhile_is_not_forgotten() {
    let service = open().await;
    let mut receiver = Receiver::start(1).await;
    put(&service, &json!({"url": receiver.url, "secret": "key"})).await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    for name in ["one", "two"] {
        let run = service.submit(chain(&[name])).await;
        worker.work(1).await;
        service.watch(run).await;
    }
    let (first, second) = (receiver.next().await, receiver.next().await);
    assert_ne!(first["run"]["id"], second["run"]["id"]);
    let asking = async {
        loop {
            let (_, deliveries) = service.get("/api/v1/webhooks/hook/deliveries").await;
            if deliveries.as_array().unwrap().len() == 2 {
                return deliveries;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let deliveries = tokio::time::timeout(Duration::from_secs(30), asking)
        .await
        .unwrap();
    assert_eq!(deliveries[1]["tries"], 2);
    assert_eq!(deliveries[0]["outcome"]["delivered"]["status"], 204);
    let service = service.restart().await;
    let (_, after) = service.get("/api/v1/webhooks/hook/deliveries").await;
    assert_eq!(after, deliveries);
}

#[tokio::test]
async fn an_address_in_our_own_networks_is_refused_and_so_is_what_makes_no_sense() {
    let service = Service::start().await;
    let url = "https://93.184.216.34/hook";
    let (status, refused) = put(&service, &json!({"url": url, "secret": "key"})).await;
    assert_eq!(status, StatusCode::CONFLICT, "there is no such secret: {refused}");
    service.call("PUT", "/api/v1/secrets/key", Body::from(KEY)).await;
    for address in [
        "http://127.0.0.1:9/x",
        "http://169.254.169.254/latest",
        "http://[::1]/",
        "file:///etc/passwd",
        "words",
    ] {
        let (status, refused) = put(&service, &json!({"url": address, "secret": "key"})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{address}: {refused}");
    }
    for (spec, word) in [
        (json!({"url": url, "secret": "key", "runs": []}), "nothing"),
        (
            json!({"url": url, "secret": "key", "runs": ["running"]}),
            "no end",
        ),
    ] {
        let (status, refused) = put(&service, &spec).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(refused["message"].as_str().unwrap().contains(word), "{refused}");
    }
    assert_eq!(service.get("/api/v1/webhooks").await.1, json!([]));
    let (status, _) = service
        .call("DELETE", "/api/v1/webhooks/hook", Body::empty())
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_test_is_sent_at_once_and_says_what_came_back() {
    let service = open().await;
    let mut receiver = Receiver::start(1).await;
    put(&service, &json!({"url": receiver.url, "secret": "key"})).await;
    let (_, deaf) = service.post("/api/v1/webhooks/hook/test", &json!({})).await;
    assert_eq!((&deaf["status"], &deaf["is_good"]), (&json!(503), &json!(false)));
    let (_, good) = service.post("/api/v1/webhooks/hook/test", &json!({})).await;
    assert_eq!(good["is_good"], true);
    assert_eq!(receiver.next().await["event"], "test");
}

/// Runs so many steps, and ends them before they begin.
pub(crate) async fn cancelled(service: &Service, steps: usize) {
    let names: Vec<String> = (0..steps).map(|number| format!("step{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let run = service.submit(chain(&names)).await;
    service.handle().cancel(run, "ada".into()).await.unwrap();
    service.watch(run).await;
}

async fn deliveries_when(service: &Service, is_so: impl Fn(&Value) -> bool) -> Value {
    let asking = async {
        loop {
            let (_, deliveries) = service.get("/api/v1/webhooks/hook/deliveries").await;
            if is_so(&deliveries) {
                return deliveries;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), asking)
        .await
        .unwrap()
}

/// How often its position was written down, and the last position.
fn advances(service: &Service) -> Vec<u64> {
    let events = service.log.reader().read(1, usize::MAX).unwrap();
    let entries = events.iter().map(|(_, bytes)| Entry::decode(bytes).unwrap());
    let advanced = entries.filter_map(|entry| match entry {
        Entry::Ledger(LedgerEvent {
            fact: LedgerFact::Webhooks(WebhookFact::WebhookAdvanced { sequence, .. }),
            ..
        }) => Some(sequence),
        _ => None,
    });
    advanced.collect()
}

#[tokio::test]
async fn a_webhook_with_nothing_to_tell_writes_down_now_and_then_how_far_it_has_come() {
    let service = open().await;
    let mut receiver = Receiver::start(0).await;
    put(
        &service,
        &json!({"url": receiver.url, "secret": "key", "runs": ["failed"]}),
    )
    .await;
    let writing = async {
        while advances(&service).len() < 2 {
            cancelled(&service, 1_000).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), writing)
        .await
        .unwrap();
    let seen = advances(&service);
    assert!(seen.windows(2).all(|two| two[1] - two[0] >= 4_096), "{seen:?}");
    let service = service
        .restart_with(|config| config.webhook_allow = loopback())
        .await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let run = service.submit(chain(&["bad"])).await;
    let task = worker.task().await;
    worker.fail(&task).await;
    service.watch(run).await;
    assert_eq!(receiver.next().await["run"]["id"], json!(run.to_string()));
    assert_eq!(advances(&service).len(), seen.len());
}

#[tokio::test]
async fn what_the_journal_no_longer_holds_is_noted_as_missed_and_what_ends_later_is_told() {
    let service = Service::start_on_disk().await;
    let service = service
        .restart_with(|config| config.webhook_allow = loopback())
        .await;
    service.call("PUT", "/api/v1/secrets/key", Body::from(KEY)).await;
    let mut receiver = Receiver::start(u32::MAX).await;
    let spec = |more: &str| json!({"url": receiver.url, "secret": "key", "runs": ["cancelled", more]});
    let (plain, other) = (spec("failed"), spec("aborted"));
    put(&service, &plain).await;
    cancelled(&service, 1).await;
    // It cannot tell the first end, so it stays where it is while the journal goes on and loses its beginning.
    let is_missed = |deliveries: &Value| deliveries.to_string().contains("missed");
    let mut deliveries = Value::Null;
    for round in 0..40 {
        cancelled(&service, 1_000).await;
        // Set again, it begins anew where it was.
        put(&service, if round % 2 == 0 { &other } else { &plain }).await;
        deliveries = service.get("/api/v1/webhooks/hook/deliveries").await.1;
        if is_missed(&deliveries) {
            break;
        }
    }
    let missed = deliveries_when(&service, is_missed).await;
    let gap = &missed[0]["outcome"]["missed"];
    assert!(
        gap["first"].as_u64() < gap["last"].as_u64(),
        "{deliveries} {missed}"
    );
    assert_eq!(
        (&missed[0]["sequence"], &missed[0]["tries"]),
        (&gap["last"], &json!(0))
    );
    receiver.hear();
    put(
        &service,
        &json!({"url": receiver.url, "secret": "key", "runs": ["failed"]}),
    )
    .await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let run = service.submit(chain(&["bad"])).await;
    // Tasks of what was cancelled lie before it.
    let mut task = worker.task().await;
    while task.attempt.run != run {
        task = worker.task().await;
    }
    worker.fail(&task).await;
    service.watch(run).await;
    assert_eq!(receiver.next().await["run"]["id"], json!(run.to_string()));
}

#[tokio::test]
async fn a_paused_webhook_tells_nothing_and_what_ended_meanwhile_stays_untold() {
    let service = open().await;
    let mut receiver = Receiver::start(0).await;
    put(&service, &json!({"url": receiver.url, "secret": "key"})).await;
    let reason = json!({"reason": "the chat is moving"});
    let (status, paused) = service.post("/api/v1/webhooks/hook/pause?by=ada", &reason).await;
    assert_eq!(
        (status, &paused["pause"]["reason"]),
        (StatusCode::OK, &reason["reason"])
    );
    cancelled(&service, 1).await;
    let (_, resumed) = service.post("/api/v1/webhooks/hook/resume", &Value::Null).await;
    assert_eq!(resumed["pause"], Value::Null);
    let mut plan = chain(&["other"]);
    plan.experiment = "another".parse().unwrap();
    let spec = json!({"url": receiver.url, "secret": "key", "experiment": "another"});
    put(&service, &spec).await;
    cancelled(&service, 1).await;
    let told = service.submit(plan).await;
    service.handle().cancel(told, "ada".into()).await.unwrap();
    service.watch(told).await;
    let heard = receiver.next().await;
    assert_eq!(
        heard["run"]["id"],
        json!(told.to_string()),
        "only of its experiment"
    );
    assert!(receiver.heard.try_recv().is_err());
    let (status, _) = service.post("/api/v1/webhooks/none/pause", &reason).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
