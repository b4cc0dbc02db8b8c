//! A step's secrets on a worker: asked for after the claim, never missing when the process starts, covered in what it writes, and gone afterwards.

use crate::bench::{Bench, DEADLINE, Step, eventually};
use async_trait::async_trait;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tidemill_protocol::codec;
use tidemill_protocol::failure::{Failure, FailureReason};
use tidemill_protocol::plan::{SecretForm, SecretUse};
use tidemill_protocol::secret::{GivenSecrets, SecretValue, SecretsRequest};
use tidemill_protocol::wire::{Control, Kind, LogChunk, ReportBody, TrustedKey, open_from_worker};
use tidemill_transport::{Broker, Consumer, Queue};
use tidemill_worker::{AskError, SecretSource};

const VALUE: &str = "hunter2-of-the-forest";

/// Gives the same value for every attempt, after it has answered what it was told to answer first.
#[derive(Debug, Default)]
struct Scripted {
    first: Mutex<VecDeque<AskError>>,
    asked: Mutex<Vec<SecretsRequest>>,
    value: Option<Vec<u8>>,
}

impl Scripted {
    fn after(first: impl IntoIterator<Item = AskError>) -> Arc<Self> {
        Arc::new(Self {
            first: Mutex::new(first.into_iter().collect()),
            ..Self::default()
        })
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

#[async_trait]
impl SecretSource for Scripted {
    async fn ask(&self, request: SecretsRequest) -> Result<GivenSecrets, AskError> {
        self.asked.lock().unwrap().push(request);
        if let Some(error) = self.first.lock().unwrap().pop_front() {
            return Err(error);
        }
        let value = self.value.clone().unwrap_or_else(|| VALUE.into());
        let value = SecretValue::new(value).unwrap();
        Ok(GivenSecrets([("db".parse().unwrap(), value)].into()))
    }
}

/// A script that is given the secret `db` as this variable.
fn step(script: &str, form: SecretForm) -> Step {
    let mut step = Step::shell(script);
    let wanted = SecretUse {
        secret: "db".parse().unwrap(),
        form,
    };
    step.work.secrets.insert("DB".into(), wanted);
    step
}

fn failure(body: ReportBody) -> Failure {
    match body {
        ReportBody::Failed { failure, .. } => failure,
        other => panic!("expected a failure, not {other:?}"),
    }
}

fn later() -> AskError {
    AskError::Later("not yet".into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_waits_for_its_secrets_and_is_given_them_as_it_asked() {
    let source = Scripted::after([later(), later(), later()]);
    let mut bench = Bench::start_asking(source.clone(), |_| {}).await;
    let script = format!("test \"$DB\" = {VALUE} && echo \"it is $DB\"");
    let success = bench.run_well(step(&script, SecretForm::Variable)).await;
    assert_eq!(bench.stdout(&success).await, "it is ***\n");
    assert_eq!(source.asked(), 4);
    let script = format!("test \"$(cat \"$DB\")\" = {VALUE} && stat -c %a \"$DB\" \"$(dirname \"$DB\")\"");
    let success = bench.run_well(step(&script, SecretForm::File)).await;
    assert_eq!(bench.stdout(&success).await, "400\n700\n");
    eventually("nothing is left of them", async || {
        !bench.path("secrets").exists()
    })
    .await;
    let without = bench.run_well(Step::shell("echo \"<$DB>\"")).await;
    assert_eq!(bench.stdout(&without).await, "<>\n");
    assert_eq!(source.asked(), 5, "a step without secrets asks nobody");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_whose_secrets_cannot_be_had_never_starts_and_is_made_elsewhere() {
    let source = Scripted::after(std::iter::repeat_n(later(), 1_000));
    let patience = |config: &mut tidemill_worker::WorkerConfig| {
        config.secrets_patience = Duration::from_millis(200);
    };
    let mut bench = Bench::start_asking(source.clone(), patience).await;
    let touched = bench.path("touched");
    let script = format!("touch {}", touched.display());
    let failure = failure(bench.run(step(&script, SecretForm::Variable)).await);
    assert_eq!(failure.reason, FailureReason::SecretsUnavailable);
    assert!(
        failure.reason.is_infrastructure() && failure.message.contains("not yet"),
        "{failure:?}"
    );
    assert!(!touched.exists(), "the process never ran");
    assert!(source.asked() > 1);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_fails_the_attempt_with_the_coordinators_words() {
    let source = Scripted::after([AskError::Missing("the coordinator has no secret `db`".into())]);
    let mut bench = Bench::start_asking(source, |_| {}).await;
    let failed = failure(bench.run(step("true", SecretForm::Variable)).await);
    assert_eq!(failed.reason, FailureReason::SecretMissing);
    assert!(
        !failed.reason.is_infrastructure() && failed.message.contains("`db`"),
        "{failed:?}"
    );
    bench.end().await;
    let mut bench = Bench::start().await;
    let failed = failure(bench.run(step("true", SecretForm::Variable)).await);
    assert_eq!(failed.reason, FailureReason::SecretsUnavailable);
    assert!(failed.message.contains("no way to ask"), "{failed:?}");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_no_variable_can_hold_is_refused_as_one_and_given_as_a_file() {
    let source = Arc::new(Scripted {
        value: Some(b"two\0halves".to_vec()),
        ..Scripted::default()
    });
    let mut bench = Bench::start_asking(source, |_| {}).await;
    let failed = failure(bench.run(step("true", SecretForm::Variable)).await);
    assert_eq!(failed.reason, FailureReason::SecretMissing);
    assert!(failed.message.contains("as: file"), "{failed:?}");
    let success = bench.run_well(step("wc -c < \"$DB\"", SecretForm::File)).await;
    assert_eq!(bench.stdout(&success).await.trim(), "10");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tail_of_a_failure_is_covered() {
    let mut bench = Bench::start_asking(Scripted::after([]), |_| {}).await;
    let script = "echo \"cannot log in with $DB\" >&2; exit 3";
    let failed = failure(bench.run(step(script, SecretForm::Variable)).await);
    assert_eq!(failed.stderr_tail, "cannot log in with ***");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_step_waits_for_its_secrets_no_longer() {
    let source = Scripted::after(std::iter::repeat_n(later(), 10_000));
    let mut bench = Bench::start_asking(source.clone(), |_| {}).await;
    let attempt = bench.submit(step("true", SecretForm::Variable)).await;
    bench.claimed(attempt).await;
    eventually("it is asked for", async || source.asked() > 0).await;
    bench.stop(attempt).await;
    let ending = bench.ending(attempt).await;
    assert!(matches!(ending, ReportBody::Stopped { .. }), "{ending:?}");
    bench.end().await;
}

/// A step that has printed its secret and waits, and whose daemon has left.
async fn left_running() -> tempfile::TempDir {
    let mut bench = Bench::start_asking(Scripted::after([]), |_| {}).await;
    let (go, begun) = (bench.path("go"), bench.path("begun"));
    let script = format!(
        "echo \"first $DB\"; touch {}; until [ -e {} ]; do sleep 0.02; done; echo \"last $DB\"",
        begun.display(),
        go.display()
    );
    let attempt = bench.submit(step(&script, SecretForm::Variable)).await;
    bench.claimed(attempt).await;
    eventually("the step runs", async || begun.exists()).await;
    bench.leave().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_daemon_covers_the_secrets_of_a_step_that_it_did_not_start() {
    let mut bench = Bench::start_in(left_running().await, |_| {}).await;
    std::fs::write(bench.path("go"), "").unwrap();
    let success = bench.next_success().await;
    assert_eq!(bench.stdout(&success).await, "first ***\nlast ***\n");
    eventually("nothing is left of them", async || {
        !bench.path("secrets").exists()
    })
    .await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_daemon_that_has_lost_the_secrets_withholds_what_the_step_wrote() {
    let dir = left_running().await;
    std::fs::remove_dir_all(dir.path().join("secrets")).unwrap();
    let mut bench = Bench::start_in(dir, |_| {}).await;
    std::fs::write(bench.path("go"), "").unwrap();
    let success = bench.next_success().await;
    assert_eq!(success.usage.stdout, None);
    let notes = success.usage.notes.join("\n");
    assert!(notes.contains("stdout is withheld"), "{notes}");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_the_beginning_of_a_secret_is_not_sent_when_somebody_stops_following() {
    let mut bench = Bench::start_asking(Scripted::after([]), |_| {}).await;
    let mut logs = bench.broker.consume(&Queue::Logs, 10).await.unwrap();
    let flag = bench.path("flag");
    let script = "echo early; printf %.8s \"$DB\"; : > \"$FLAG.half\"; until [ -e \"$FLAG\" ]; do sleep 0.02; done; echo \"${DB#????????} done\"";
    let step = step(script, SecretForm::Variable).variable("FLAG", flag.to_str().unwrap());
    let attempt = bench.submit(step).await;
    eventually("half of the secret is written", async || {
        bench.path("flag.half").exists()
    })
    .await;
    let mut seen = Vec::new();
    let key = bench.worker_key();
    for follow in [true, false, true] {
        bench.control(&Control::FollowLog { attempt, follow }).await;
        if follow {
            while !seen.ends_with(b"early\n") {
                seen.extend(chunk(&mut logs, &key).await);
            }
            seen.clear();
        }
    }
    std::fs::write(&flag, "").unwrap();
    while !seen.ends_with(b"done\n") {
        seen.extend(chunk(&mut logs, &key).await);
    }
    assert_eq!(String::from_utf8(seen).unwrap(), "*** done\n");
    bench.success(attempt).await;
    bench.end().await;
}

/// The next piece of a followed log.
async fn chunk(logs: &mut Consumer, key: &TrustedKey) -> Vec<u8> {
    let delivery = tokio::time::timeout(DEADLINE, logs.next())
        .await
        .unwrap()
        .unwrap();
    let opened = open_from_worker(key, Kind::Log, &delivery.bytes).unwrap();
    let chunk: LogChunk = codec::decode(opened.body).unwrap();
    chunk.bytes
}
