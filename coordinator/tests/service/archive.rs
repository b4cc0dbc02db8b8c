//! The journal's copy in the store: what it holds comes back, what is damaged is refused, and of two coordinators with one key only one goes on.

use super::harness::{Service, chain};
use super::worker::ScriptedWorker;
use axum::http::StatusCode;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tidemill_artifacts::{ArtifactStore, StoreConfig};
use tidemill_coordinator::archive::{
    ANSWERS_WAIT_MAX, ArchiveError, RecoverOptions, RecoveredState, recover_state,
};
use tidemill_coordinator::{ArchiveMode, CoordinatorError, StartError};
use tidemill_protocol::ids::RunId;

/// How long something may take on a busy machine that takes a moment.
pub(crate) const SOON: Duration = Duration::from_mins(1);

pub(crate) fn folder() -> Arc<TempDir> {
    Arc::new(tempfile::tempdir().unwrap())
}

/// A store in a folder, where objects can be tampered with.
pub(crate) async fn store(dir: &TempDir) -> ArtifactStore {
    let config = StoreConfig::local(dir.path()).unwrap();
    ArtifactStore::open(&config).await.unwrap()
}

pub(crate) async fn archived(dir: &Arc<TempDir>, store: &ArtifactStore, mode: ArchiveMode) -> Service {
    let started = Service::start_archived(Arc::clone(dir), store.clone(), mode).await;
    started.unwrap()
}

pub(crate) async fn work(service: &Service, steps: usize) -> RunId {
    let names: Vec<String> = (0..steps).map(|number| format!("s{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut plan = chain(&names);
    plan.steps.iter_mut().for_each(|step| step.after.clear());
    plan.force_rerun = true;
    let run = service.submit(plan).await;
    let mut worker = ScriptedWorker::join(service, "w1").await;
    worker.work(steps).await;
    service.watch(run).await;
    run
}

/// Recovers with the key of the coordinator whose state folder `of` was.
async fn recover(store: &ArtifactStore, of: &Path, to: &Path) -> Result<RecoveredState, ArchiveError> {
    let clock = super::harness::TestClock::default();
    let options = RecoverOptions {
        signing_key: Some(of.join("coordinator.key")),
        ..RecoverOptions::default()
    };
    recover_state(store, to, &options, &clock).await
}

/// The files of a kind in the archive of the only coordinator, in order.
pub(crate) fn objects(store: &TempDir, kind: &str) -> Vec<PathBuf> {
    let mut coordinators = fs::read_dir(store.path().join("journal")).unwrap();
    let folder = coordinators.next().unwrap().unwrap().path().join(kind);
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Copies what makes a state folder: the journal and the key.
fn copy_state(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy_state(&path, &target);
        } else {
            fs::copy(&path, target).unwrap();
        }
    }
}

#[tokio::test]
async fn a_lost_state_folder_comes_back_from_its_archive() {
    let (place, dir) = (tempfile::tempdir().unwrap(), folder());
    let store = store(&place).await;
    let service = archived(&dir, &store, ArchiveMode::Async).await;
    let run = work(&service, 3).await;
    let before = service.get(&format!("/api/v1/runs/{run}")).await;
    let epoch = service.get("/api/v1").await.1["epoch"].as_u64().unwrap();
    let key = dir.path().join("coordinator.key");
    let kept = fs::read(&key).unwrap();
    service.stop().await.unwrap();

    let lost = folder();
    let recovered = recover(&store, dir.path(), lost.path()).await.unwrap();
    assert_eq!((recovered.runs, recovered.runs_going_on), (1, 0), "{recovered:?}");
    assert_eq!((recovered.first, recovered.epoch), (1, epoch));
    assert!(
        recovered.adopted_results.is_empty() && recovered.left_results.is_empty(),
        "{recovered:?}"
    );
    let again = recover(&store, dir.path(), lost.path()).await;
    assert!(matches!(again, Err(ArchiveError::Exists(_))), "{again:?}");

    let path = lost.path().join("coordinator.key");
    fs::write(&path, kept).unwrap();
    fs::set_permissions(&path, fs::metadata(&key).unwrap().permissions()).unwrap();
    let service = archived(&lost, &store, ArchiveMode::Async).await;
    assert_eq!(service.get(&format!("/api/v1/runs/{run}")).await, before);
    assert_eq!(service.get("/api/v1").await.1["epoch"], epoch + 1);
    work(&service, 1).await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_long_archive_is_cut_behind_its_snapshots_and_still_gives_everything_back() {
    let (place, dir) = (tempfile::tempdir().unwrap(), folder());
    let store = store(&place).await;
    let (mut runs, mut before) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let service = archived(&dir, &store, ArchiveMode::Async).await;
        runs.push(work(&service, 400).await);
        before = Vec::new();
        for run in &runs {
            before.push(service.get(&format!("/api/v1/runs/{run}")).await);
        }
        // The end archives what is left, the snapshot too.
        service.stop().await.unwrap();
    }
    assert_eq!(objects(&place, "snapshots").len(), 3, "older ones are deleted");
    let segments = objects(&place, "segments");
    let first = segments[0].file_name().unwrap().to_str().unwrap();
    assert!(
        first.parse::<u64>().unwrap() > 1,
        "{first}: what snapshots cover is deleted"
    );

    let lost = folder();
    let recovered = recover(&store, dir.path(), lost.path()).await.unwrap();
    assert!(
        recovered.first > 1 && recovered.snapshot >= recovered.first - 1,
        "{recovered:?}"
    );
    // Without the old key it is a new coordinator with an archive of its own, which begins with the snapshot.
    let service = archived(&lost, &store, ArchiveMode::Async).await;
    for (run, before) in runs.iter().zip(&before) {
        assert_eq!(service.get(&format!("/api/v1/runs/{run}")).await, *before);
    }
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_damaged_or_incomplete_archive_is_refused_and_leaves_nothing_behind() {
    let (place, dir) = (tempfile::tempdir().unwrap(), folder());
    let store = store(&place).await;
    let service = archived(&dir, &store, ArchiveMode::Sync).await;
    work(&service, 2).await;
    service.stop().await.unwrap();
    let segments = objects(&place, "segments");
    assert!(segments.len() >= 3, "{segments:?}");
    let victim = &segments[1];
    let whole = fs::read(victim).unwrap();
    let mut bent = whole.clone();
    let middle = bent.len() / 2;
    bent[middle] ^= 1;
    let lost = folder();
    for damaged in [
        Some(bent),
        Some(whole[..middle].to_vec()),
        Some(fs::read(&segments[2]).unwrap()),
        None,
    ] {
        match &damaged {
            Some(bytes) => fs::write(victim, bytes).unwrap(),
            None => fs::remove_file(victim).unwrap(),
        }
        let refused = recover(&store, dir.path(), lost.path()).await;
        assert!(
            matches!(
                refused,
                Err(ArchiveError::Damaged { .. } | ArchiveError::Broken(_))
            ),
            "{refused:?}"
        );
        assert!(
            !lost.path().join("journal").exists(),
            "half a journal must not look like one"
        );
    }
    fs::write(victim, whole).unwrap();
    recover(&store, dir.path(), lost.path()).await.unwrap();
}

#[tokio::test]
async fn an_old_copy_of_a_state_folder_is_refused() {
    let (place, dir) = (tempfile::tempdir().unwrap(), folder());
    let store = store(&place).await;
    let service = archived(&dir, &store, ArchiveMode::Async).await;
    work(&service, 1).await;
    service.stop().await.unwrap();
    let old = folder();
    copy_state(dir.path(), old.path());
    let service = archived(&dir, &store, ArchiveMode::Async).await;
    service.stop().await.unwrap();
    let refused = Service::start_archived(old, store, ArchiveMode::Async).await;
    assert!(
        matches!(refused, Err(StartError::Archive(ArchiveError::Behind { .. }))),
        "it would forget an epoch at least"
    );
}

#[tokio::test]
async fn of_two_coordinators_on_copies_of_one_state_the_older_ends_before_it_answers_anything() {
    let (place, dir) = (tempfile::tempdir().unwrap(), folder());
    let store = store(&place).await;
    let service = archived(&dir, &store, ArchiveMode::Async).await;
    service.stop().await.unwrap();
    let copy = folder();
    copy_state(dir.path(), copy.path());
    let older = archived(&dir, &store, ArchiveMode::Sync).await;
    // What the older one has appended since is not in the copy; a standby would have it from the archive.
    fs::remove_dir_all(copy.path().join("journal")).unwrap();
    // A recovery is refused for the sake of one that has left a sign of life.
    while !has_beaten(&place) {
        tokio::task::yield_now().await;
    }
    recover_forced(&store, copy.path()).await;
    let newer = archived(&copy, &store, ArchiveMode::Sync).await;
    let answer = older
        .handle()
        .submit_plan(Arc::new(chain(&["a"])), "tester".into())
        .await;
    assert!(answer.is_err(), "its slot is taken: {answer:?}");
    let ended = tokio::time::timeout(SOON, older.coordinator.wait()).await;
    let ended = ended.expect("it ends by itself");
    assert!(
        matches!(&ended, Err(CoordinatorError::Archive(error)) if error.is_superseded()),
        "{ended:?}"
    );
    let run = work(&newer, 1).await;
    assert_eq!(
        newer.get(&format!("/api/v1/runs/{run}")).await.1["status"],
        "succeeded"
    );
    newer.stop().await.unwrap();
}

/// Whether a whole sign of life lies in the store.
fn has_beaten(store: &TempDir) -> bool {
    objects(store, "beats").iter().any(|epoch| {
        let numbers = fs::read_dir(epoch).into_iter().flatten().flatten();
        let mut names = numbers.map(|number| number.file_name());
        names.any(|name| name.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()))
    })
}

async fn recover_forced(store: &ArtifactStore, to: &Path) {
    let options = RecoverOptions {
        force: true,
        ..RecoverOptions::default()
    };
    let alive = recover(store, to, to).await;
    assert!(matches!(alive, Err(ArchiveError::Alive { .. })), "{alive:?}");
    let clock = super::harness::TestClock::default();
    recover_state(store, to, &options, &clock).await.unwrap();
}

#[tokio::test]
async fn in_synchronous_mode_nothing_is_answered_that_the_archive_does_not_hold() {
    let (place, dir) = (tempfile::tempdir().unwrap(), folder());
    let store = store(&place).await;
    let service = archived(&dir, &store, ArchiveMode::Sync).await;
    let segments = objects(&place, "segments")[0].parent().unwrap().to_owned();
    let away = segments.with_file_name("away");
    fs::rename(&segments, &away).unwrap();
    fs::write(&segments, "a file where the store wants a folder").unwrap();
    let handle = service.handle();
    let mut answer = Box::pin(handle.submit_plan(Arc::new(chain(&["a"])), "tester".into()));
    let early = tokio::time::timeout(Duration::from_millis(500), &mut answer).await;
    assert!(early.is_err(), "it was answered: {early:?}");
    fs::remove_file(&segments).unwrap();
    fs::rename(&away, &segments).unwrap();
    let run = tokio::time::timeout(SOON, answer)
        .await
        .expect("it goes on")
        .unwrap()
        .run;
    let newest = objects(&place, "segments").pop().unwrap();
    let held = objects(&place, "segments").iter().any(|path| {
        let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        text.contains("run_submitted")
    });
    assert!(held, "{run} is not in {}", newest.display());
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_result_committed_after_the_last_segment_is_its_steps_after_a_recovery() {
    let (place, dir) = (tempfile::tempdir().unwrap(), folder());
    let store = store(&place).await;
    let service = archived(&dir, &store, ArchiveMode::Sync).await;
    let run = service.submit(chain(&["a", "b"])).await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let task = worker.task().await;
    let manifest = tidemill_protocol::artifact::AttemptManifest {
        version: 1,
        attempt: task.attempt,
        token: task.token,
        key: task.key,
        outputs: std::collections::BTreeMap::new(),
    };
    store.commit(&manifest).await.unwrap();
    // Of another work at the same step, and of a run that nobody knows.
    let foreign = tidemill_protocol::artifact::AttemptManifest {
        token: tidemill_protocol::ids::FencingToken(task.token.0 + 1),
        key: tidemill_protocol::key::StepKey(tidemill_protocol::digest::Digest::of(b"another work")),
        ..manifest.clone()
    };
    store.commit(&foreign).await.unwrap();
    let mut unknown = manifest.clone();
    unknown.attempt.run = RunId(uuid::Uuid::from_u128(7));
    store.commit(&unknown).await.unwrap();
    service.stop().await.unwrap();
    let lost = folder();
    let recovered = recover(&store, dir.path(), lost.path()).await.unwrap();
    assert_eq!(recovered.adopted_results, [task.attempt]);
    let mut left: Vec<&str> = recovered
        .left_results
        .iter()
        .map(|left| left.reason.as_str())
        .collect();
    left.sort_unstable();
    assert_eq!(left, ["its run is not in the journal", "its step has ended"]);
    assert_eq!(recovered.runs_going_on, 1, "a step comes after it");
    let service = archived(&lost, &store, ArchiveMode::Sync).await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let next = worker.task().await;
    let epoch = service.get("/api/v1").await.1["epoch"].as_u64().unwrap();
    assert_eq!(
        next.token.0 >> 32,
        epoch,
        "nothing is made out before the epoch has begun"
    );
    worker
        .succeed(&next, tidemill_protocol::wire::Success::default())
        .await;
    service.watch(run).await;
    let (_, shown) = service.get(&format!("/api/v1/runs/{run}")).await;
    assert_eq!(shown["status"], "succeeded", "{shown}");
    service.stop().await.unwrap();
}

/// Puts a file where the store wants a folder, until the answer is called: nothing below it can be written meanwhile.
pub(crate) fn block(folder: PathBuf) -> impl FnOnce() {
    let away = folder.with_extension("away");
    fs::rename(&folder, &away).unwrap();
    fs::write(&folder, "a file where the store wants a folder").unwrap();
    move || {
        fs::remove_file(&folder).unwrap();
        fs::rename(&away, &folder).unwrap();
    }
}

/// Asks for the runs until the answer has this status. Answers its body.
async fn runs_until(service: &Service, status: StatusCode) -> serde_json::Value {
    let asking = async {
        loop {
            match service.get("/api/v1/runs").await {
                (found, body) if found == status => return body,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    tokio::time::timeout(SOON, asking).await.expect("it says so soon")
}

async fn text(service: &Service, path: &str) -> (StatusCode, Option<String>, String) {
    let request = axum::http::Request::get(path).body(axum::body::Body::empty());
    let response = service.send(request.unwrap()).await;
    let retry_after = response.headers().get("retry-after");
    let retry_after = retry_after.map(|value| value.to_str().unwrap().to_owned());
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    (status, retry_after, String::from_utf8(bytes.to_vec()).unwrap())
}

/// What a coordinator says of itself that cannot answer.
async fn check_it_says_so(service: &Service, awaited: &str) {
    let (status, retry_after, body) = text(service, "/api/v1/runs").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(retry_after.is_some_and(|seconds| seconds.parse::<u64>().is_ok()));
    assert!(
        body.contains("\"unavailable\"") && body.contains(awaited),
        "{body}"
    );
    assert!(body.contains("\"hint\""), "{body}");
    let (status, _, body) = text(service, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    assert!(body.contains(awaited), "{body}");
    let (status, _, body) = text(service, "/healthz").await;
    assert_eq!(status, StatusCode::OK, "nothing is gained by a restart");
    assert!(body.starts_with("ok\n") && body.contains(awaited), "{body}");
    let (status, _, body) = text(service, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.contains("tidemill_may_answer 0\n"), "{body}");
}

#[tokio::test]
async fn while_the_archive_takes_nothing_whoever_asks_is_told_so_within_a_bound_and_everything_is_there_afterwards()
 {
    let (place, dir) = (tempfile::tempdir().unwrap(), folder());
    let store = store(&place).await;
    let service = archived(&dir, &store, ArchiveMode::Sync).await;
    let segments = objects(&place, "segments")[0].parent().unwrap().to_owned();
    let well_again = block(segments);
    let handle = service.handle();
    let mut submission = Box::pin(handle.submit_plan(Arc::new(chain(&["a"])), "tester".into()));
    let early = tokio::time::timeout(Duration::from_millis(500), &mut submission).await;
    assert!(early.is_err(), "it was answered: {early:?}");

    let asked = tokio::time::Instant::now();
    let refused = runs_until(&service, StatusCode::SERVICE_UNAVAILABLE).await;
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("answers wait for the object store"), "{refused}");
    assert!(
        asked.elapsed() < ANSWERS_WAIT_MAX * 3,
        "nobody waits much longer than that: {:?}",
        asked.elapsed()
    );
    check_it_says_so(&service, "answers wait for the object store").await;
    let (status, body) = service
        .post("/api/v1/workers/w1/drain", &serde_json::json!({}))
        .await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");

    well_again();
    let run = tokio::time::timeout(SOON, submission)
        .await
        .expect("it goes on")
        .unwrap()
        .run;
    let listed = runs_until(&service, StatusCode::OK).await;
    assert_eq!(listed["items"][0]["id"], run.to_string(), "{listed}");
    assert_eq!(service.get("/readyz").await.0, StatusCode::OK);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_coordinator_that_cannot_be_sure_of_itself_shows_nothing_as_if_it_were_so() {
    let (place, dir) = (tempfile::tempdir().unwrap(), folder());
    let store = store(&place).await;
    let service = archived(&dir, &store, ArchiveMode::Async).await;
    let run = work(&service, 1).await;
    let before = service.get(&format!("/api/v1/runs/{run}")).await;
    let well_again = block(place.path().join("journal"));
    runs_until(&service, StatusCode::SERVICE_UNAVAILABLE).await;
    check_it_says_so(&service, "another coordinator may have taken over").await;
    let (status, body) = service
        .post("/api/v1/workers/w1/drain", &serde_json::json!({}))
        .await;
    assert_eq!(
        status,
        StatusCode::SERVICE_UNAVAILABLE,
        "nothing is changed either: {body}"
    );
    well_again();
    runs_until(&service, StatusCode::OK).await;
    assert_eq!(service.get(&format!("/api/v1/runs/{run}")).await, before);
    service.stop().await.unwrap();
}
