//! A store that is away when a step has ended costs time and no attempt. For how long it is borne is tested beside the pauses themselves.

use crate::bench::{Bench, DEADLINE, Step};
use bytes::Bytes;
use std::fs;
use std::path::{Path, PathBuf};
use tidemill_protocol::failure::FailureReason;
use tidemill_protocol::ids::AttemptId;
use tidemill_protocol::key::InputValue;
use tidemill_protocol::name::PortName;
use tidemill_protocol::plan::PortType;
use tidemill_protocol::wire::{Phase, ReportBody, Success};

/// Marks that it ran, and writes an output.
const SCRIPT: &str = "echo x >> \"$DIR/started\"; echo weights > \"$TIDEMILL_OUTPUT_model\"; echo trained";

/// The store of a bench while there is something else in its place, as where a disk is not mounted.
struct Away(PathBuf);

impl Away {
    fn from(dir: &Path) -> Self {
        let place = dir.join("store");
        fs::rename(&place, dir.join("store-elsewhere")).unwrap();
        fs::write(&place, "").unwrap();
        Self(place)
    }

    fn comes_back(self) {
        fs::remove_file(&self.0).unwrap();
        fs::rename(self.0.with_file_name("store-elsewhere"), self.0).unwrap();
    }
}

/// Waits until the outputs of an attempt wait for the store.
async fn waits(bench: &mut Bench, attempt: AttemptId) {
    loop {
        let report = bench.report().await;
        let storing = ReportBody::Progress {
            phase: Phase::Storing,
        };
        match report.body {
            body if report.attempt == attempt && body == storing => return,
            ReportBody::Claimed | ReportBody::Progress { .. } => {}
            other => panic!("it did not wait: {other:?}"),
        }
    }
}

async fn begin(bench: &mut Bench) -> (AttemptId, Away) {
    let away = Away::from(bench.dir.path());
    let dir = bench.dir.path().to_str().unwrap().to_owned();
    let step = Step::shell(SCRIPT)
        .variable("DIR", &dir)
        .output("model", PortType::File);
    let attempt = bench.submit(step).await;
    waits(bench, attempt).await;
    (attempt, away)
}

async fn check(bench: &Bench, success: &Success) {
    let name: PortName = "model".parse().unwrap();
    assert_eq!(bench.text(&success.outputs[&name]).await, "weights\n");
    assert_eq!(bench.stdout(success).await, "trained\n", "its log waited too");
    let started = fs::read_to_string(bench.path("started")).unwrap();
    assert_eq!(started, "x\n", "the step ran once");
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_wait_for_a_store_that_is_away_and_the_step_runs_once() {
    let mut bench = Bench::start().await;
    let (attempt, away) = begin(&mut bench).await;
    away.comes_back();
    let success = bench.success(attempt).await;
    check(&bench, &success).await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_daemon_stores_what_waited_when_its_predecessor_left() {
    let mut bench = Bench::start().await;
    let (_, away) = begin(&mut bench).await;
    let dir = bench.leave().await;
    away.comes_back();
    let mut next = Bench::start_in(dir, |_| {}).await;
    let success = next.next_success().await;
    check(&next, &success).await;
    next.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_whose_outputs_wait_can_be_stopped() {
    let mut bench = Bench::start().await;
    let (attempt, away) = begin(&mut bench).await;
    bench.stop(attempt).await;
    let ending = bench.ending(attempt).await;
    assert!(matches!(ending, ReportBody::Stopped { .. }), "{ending:?}");
    away.comes_back();
    bench.run_well(Step::argv(&["/bin/true"])).await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_drains_leaves_when_what_waited_is_stored() {
    let mut bench = Bench::start().await;
    let (attempt, away) = begin(&mut bench).await;
    bench.worker.drain();
    away.comes_back();
    let success = bench.success(attempt).await;
    check(&bench, &success).await;
    let left = tokio::time::timeout(DEADLINE, bench.worker.wait()).await;
    assert!(left.is_ok(), "the worker has left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_whose_inputs_cannot_be_reached_did_not_begin_and_says_whose_fault_that_is() {
    let mut bench = Bench::start().await;
    let data = bench.store.put_bytes(Bytes::from_static(b"rows")).await.unwrap();
    let away = Away::from(bench.dir.path());
    let step = Step::argv(&["/bin/true"]).input("data", InputValue::Artifact(data));
    let body = bench.run(step).await;
    let ReportBody::Failed { failure, .. } = body else {
        panic!("expected a failure, not {body:?}");
    };
    assert_eq!(failure.reason, FailureReason::StoreUnavailable, "{failure:?}");
    away.comes_back();
    bench.end().await;
}
