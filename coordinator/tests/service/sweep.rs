//! The store's garbage: what nothing names goes, and nothing else ever does.

use super::harness::{Service, chain};
use super::worker::ScriptedWorker;
use axum::body::Body;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_artifacts::{ArtifactStore, StoreConfig};
use tidemill_coordinator::ArchiveMode;
use tidemill_coordinator::catalog::{Catalog, CatalogCommand, Changes, NewVersion};
use tidemill_protocol::artifact::{ArtifactRef, AttemptManifest, Tree, TreeEntry};
use tidemill_protocol::catalog::{AssetBody, AssetKind, Origin, PipelineBody};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::RunId;
use tidemill_protocol::time::Millis;
use tidemill_protocol::wire::{AttemptUsage, StepTask, Success};

/// Longer than anything is young.
const YEARS: Millis = Millis::from_secs(5 * 365 * 24 * 3600);

/// A coordinator on a store in which another process writes, too: what that stores is not pinned here.
struct Yard {
    service: Service,
    outside: ArtifactStore,
    _folder: tempfile::TempDir,
}

impl Yard {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig::local(folder.path()).unwrap();
        let store = ArtifactStore::open(&config).await.unwrap();
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let service = Service::start_archived(dir, store, ArchiveMode::Async)
            .await
            .unwrap();
        Self {
            service,
            outside: ArtifactStore::open(&config).await.unwrap(),
            _folder: folder,
        }
    }

    async fn put(&self, text: &str) -> ArtifactRef {
        self.outside.put_bytes(text.to_owned().into()).await.unwrap()
    }

    /// A folder of one file.
    async fn put_tree(&self, text: &str) -> (ArtifactRef, ArtifactRef) {
        let file = self.put(text).await;
        let entry = TreeEntry {
            path: "file".parse().unwrap(),
            digest: file.digest,
            size_bytes: file.size_bytes,
            executable: false,
        };
        let tree = Tree::new(vec![entry], vec![]);
        (self.outside.put_tree(&tree).await.unwrap(), file)
    }

    /// A sweep long after everything was stored.
    async fn sweep(&self, body: Value) -> (StatusCode, Value) {
        self.service.clock.advance(YEARS);
        self.service.post("/api/v1/artifacts/sweep", &body).await
    }

    async fn has(&self, digest: Digest) -> bool {
        let (blobs, trees) = self.outside.missing(&[digest], &[digest]).await.unwrap();
        blobs.is_empty() || trees.is_empty()
    }

    /// A run of one step, which leaves this behind.
    async fn run_with(&self, worker: &mut ScriptedWorker, word: &str, output: ArtifactRef) -> RunId {
        let run = self.service.submit(chain(&[word])).await;
        let task = worker.task().await;
        worker.succeed(&task, success(output)).await;
        self.service.watch(run).await;
        run
    }
}

fn success(output: ArtifactRef) -> Success {
    Success {
        outputs: BTreeMap::from([("out".parse().unwrap(), output)]),
        manifest: None,
        usage: AttemptUsage::default(),
    }
}

fn manifest(task: &StepTask, output: ArtifactRef) -> AttemptManifest {
    AttemptManifest {
        version: 1,
        attempt: task.attempt,
        token: task.token,
        key: task.key,
        outputs: success(output).outputs,
    }
}

#[tokio::test]
async fn what_nothing_names_is_counted_by_a_dry_run_and_deleted_by_a_sweep() {
    let yard = Yard::open().await;
    let (tree, file) = yard.put_tree("garbage").await;
    let (status, counted) = yard.sweep(json!({"dry_run": true})).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        (&counted["deleted"], &counted["dry_run"]),
        (&json!(2), &json!(true))
    );
    assert!(
        yard.has(tree.digest).await && yard.has(file.digest).await,
        "a dry run deletes nothing"
    );
    let (_, swept) = yard.sweep(json!({})).await;
    assert_eq!(swept["deleted"], 2);
    assert_eq!(swept["deleted_bytes"], counted["deleted_bytes"]);
    assert!(swept.get("failed").is_none(), "{swept}");
    assert!(!yard.has(tree.digest).await && !yard.has(file.digest).await);
    let (_, again) = yard.sweep(json!({})).await;
    assert_eq!(again["deleted"], 0);
}

#[tokio::test]
async fn what_runs_and_the_catalog_name_stays_with_all_that_is_in_it() {
    let yard = Yard::open().await;
    let mut worker = ScriptedWorker::join(&yard.service, "w1").await;
    let (output, inner) = yard.put_tree("a result").await;
    yard.run_with(&mut worker, "train", output).await;
    let model = yard.put("a model").await;
    let body = json!({"source": {"content": {"artifact": model}}});
    let (status, _) = yard
        .service
        .post("/api/v1/assets/model/churn/versions", &body)
        .await;
    assert_eq!(status, StatusCode::CREATED);
    // A published pipeline: its record is in the store, and names code that nothing else does.
    let (code, script) = yard.put_tree("print(1)").await;
    let spec = json!({
        "format": 1, "name": "p", "display_name": "P", "experiment": "tests", "root": 1, "contents": [code],
        "components": [
            {"deterministic": true, "body": {"command": {"command": "python file", "code": 0}}},
            {"deterministic": true, "body": {"graph": {"steps": [
                {"name": "s", "component": 0, "overrides": {"target": {"name": "cpu"}}}
            ]}}}
        ]
    });
    let body = json!({"source": {"pipeline": spec}});
    let (status, refused) = yard
        .service
        .post("/api/v1/assets/pipeline/p/versions", &body)
        .await;
    assert_eq!(status, StatusCode::CREATED, "{refused}");
    let lost = yard.put("garbage").await;

    let (_, swept) = yard.sweep(json!({})).await;
    assert!(swept.get("failed").is_none(), "{swept}");
    for kept in [output, inner, model, code, script] {
        assert!(yard.has(kept.digest).await, "{kept:?}");
    }
    assert!(!yard.has(lost.digest).await);
    assert_eq!(
        swept["deleted"], 1,
        "the pipeline's own record stays, too: {swept}"
    );
}

#[tokio::test]
async fn a_result_that_is_committed_and_not_reported_yet_stays() {
    let yard = Yard::open().await;
    let mut worker = ScriptedWorker::join(&yard.service, "w1").await;
    yard.service.submit(chain(&["train"])).await;
    let task = worker.task().await;
    let (output, file) = yard.put_tree("a result").await;
    yard.outside.commit(&manifest(&task, output)).await.unwrap();
    yard.sweep(json!({})).await;
    assert!(yard.has(output.digest).await && yard.has(file.digest).await);
    let committed = yard.outside.read_manifest(&task.attempt, task.token).await;
    assert!(committed.is_ok(), "{committed:?}");
}

#[tokio::test]
async fn an_upload_under_way_is_spared_whatever_was_there_before() {
    let yard = Yard::open().await;
    let (tree, file) = yard.put_tree("old, and wanted again").await;
    let lost = yard.put("old, and not wanted").await;
    // A client finds it there and does not send it again.
    let asked = json!({"blobs": [file.digest], "trees": [tree.digest]});
    let (_, missing) = yard.service.post("/api/v1/artifacts/missing", &asked).await;
    assert_eq!((&missing["blobs"], &missing["trees"]), (&json!([]), &json!([])));
    // Another sends what it has.
    let path = format!("/api/v1/blobs/{}", Digest::of(b"sent"));
    let (status, _) = yard.service.call("PUT", &path, Body::from("sent")).await;
    assert_eq!(status, StatusCode::OK);
    let (_, swept) = yard.sweep(json!({})).await;
    assert_eq!((&swept["deleted"], &swept["young"]), (&json!(1), &json!(2)));
    assert!(yard.has(tree.digest).await && yard.has(file.digest).await);
    assert!(yard.has(Digest::of(b"sent")).await && !yard.has(lost.digest).await);
}

#[tokio::test]
async fn what_is_young_stays_and_an_hour_is_the_least_that_is_called_so() {
    let yard = Yard::open().await;
    let young = yard.put("just stored").await;
    let (_, swept) = yard.service.post("/api/v1/artifacts/sweep", &json!({})).await;
    assert_eq!((&swept["deleted"], &swept["young"]), (&json!(0), &json!(1)));
    let hasty = json!({"older_than": 60_000});
    let (status, refused) = yard.sweep(hasty).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(
        refused["message"].as_str().unwrap().contains("one hour"),
        "{refused}"
    );
    assert!(yard.has(young.digest).await);
}

#[tokio::test]
async fn a_deleted_run_frees_what_only_it_named_and_a_run_that_goes_on_is_not_deleted() {
    let yard = Yard::open().await;
    let mut worker = ScriptedWorker::join(&yard.service, "w1").await;
    let (own, shared) = (yard.put("only its own").await, yard.put("of both").await);
    let first = yard.run_with(&mut worker, "a", own).await;
    let second = yard.run_with(&mut worker, "b", shared).await;
    let third = yard.run_with(&mut worker, "c", shared).await;
    let open = yard.service.submit(chain(&["d"])).await;
    let delete = async |run: RunId| {
        let path = format!("/api/v1/runs/{run}");
        yard.service.call("DELETE", &path, Body::empty()).await
    };
    let (status, refused) = delete(open).await;
    assert_eq!(status, StatusCode::CONFLICT, "{refused}");
    for run in [first, second] {
        let (status, deleted) = delete(run).await;
        assert_eq!((status, &deleted["id"]), (StatusCode::OK, &json!(run)));
    }
    assert_eq!(delete(first).await.0, StatusCode::NOT_FOUND);
    assert_eq!(
        yard.service.get(&format!("/api/v1/runs/{first}")).await.0,
        StatusCode::NOT_FOUND
    );
    yard.sweep(json!({})).await;
    assert!(!yard.has(own.digest).await);
    assert!(yard.has(shared.digest).await, "run {third} names it");
}

#[tokio::test]
async fn a_sweep_leaves_the_journals_archive_and_stops_before_another_coordinators() {
    let yard = Yard::open().await;
    let own = yard.service.coordinator.public_key().to_string();
    let records = async || {
        let folders = yard.outside.list_record_folders(&own).await.unwrap();
        let mut all = Vec::new();
        for folder in folders {
            let folder = format!("{own}/{folder}");
            all.extend(yard.outside.list_records(&folder).await.unwrap());
        }
        all
    };
    let before = records().await;
    assert!(!before.is_empty());
    yard.sweep(json!({})).await;
    let after = records().await;
    assert!(
        before.iter().all(|record| after.contains(record)),
        "{before:?} {after:?}"
    );

    let garbage = yard.put("garbage").await;
    let others = "ab".repeat(32);
    yard.outside
        .create_record(&format!("{others}/beats/1"), "x".into())
        .await
        .unwrap();
    let (status, refused) = yard.sweep(json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(
        refused["message"].as_str().unwrap().contains(&others),
        "{refused}"
    );
    assert!(yard.has(garbage.digest).await);
    let (_, swept) = yard.sweep(json!({"ignore_others": true})).await;
    assert_eq!(swept["deleted"], 1);
}

#[tokio::test]
async fn a_pipeline_that_cannot_be_read_stops_the_sweep_before_it_deletes_anything() {
    let yard = Yard::open().await;
    let spec = yard.put("not there for long").await;
    let garbage = yard.put("garbage").await;
    let body = AssetBody::Pipeline(PipelineBody {
        spec: ArtifactRef {
            digest: Digest::of(b"never stored"),
            ..spec
        },
        parameters: vec![],
    });
    let add = CatalogCommand {
        kind: AssetKind::Pipeline,
        name: "p".parse().unwrap(),
        expect: None,
        by: "ada".into(),
        change: Changes::Add(NewVersion {
            version: None,
            body,
            description: String::new(),
            tags: BTreeMap::new(),
            labels: vec![],
            origin: Origin::default(),
        }),
    };
    let handle = yard.service.handle();
    handle.change::<Catalog>(add).await.unwrap().unwrap();
    let (status, _) = yard.sweep(json!({})).await;
    assert!(!status.is_success(), "{status}");
    assert!(yard.has(garbage.digest).await);
}

#[tokio::test]
async fn a_coordinator_that_was_just_started_deletes_nothing_from_a_remote_store_unless_told_to() {
    let service = Service::start().await;
    let sweep = async |body: Value| service.post("/api/v1/artifacts/sweep", &body).await;
    let (status, refused) = sweep(json!({})).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{refused}");
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("it sweeps in 360 min"), "{refused}");
    let hint = refused["hint"].as_str().unwrap();
    assert!(hint.contains("--ignore-restart"), "{refused}");
    for body in [json!({"dry_run": true}), json!({"ignore_restart": true})] {
        let (status, swept) = sweep(body).await;
        assert_eq!(status, StatusCode::OK, "{swept}");
    }
}
