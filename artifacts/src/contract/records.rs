//! Records are written once, name only what is there, and keep what they name from being swept.

use super::contents::{unique, write};
use crate::{ArtifactStore, Marks, ScanOptions, StoreError, SweepOptions, scan};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use tidemill_protocol::artifact::{AttemptManifest, Tree, TreeEntry};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::{AttemptId, FencingToken, RunId, StepIndex};
use tidemill_protocol::key::StepKey;
use tidemill_protocol::time::{Millis, Timestamp};
use uuid::Uuid;

fn manifest(token: u64) -> AttemptManifest {
    AttemptManifest {
        version: 1,
        attempt: AttemptId {
            run: RunId(Uuid::now_v7()),
            step: StepIndex(3),
            attempt: 1,
        },
        token: FencingToken(token),
        key: StepKey(Digest::of(b"key")),
        outputs: BTreeMap::new(),
    }
}

pub(super) async fn one_attempt_commits_one_manifest(store: &ArtifactStore) {
    let ours = manifest(7);
    let error = store
        .read_manifest(&ours.attempt, ours.token)
        .await
        .expect_err("nothing committed");
    assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
    let digest = store.commit(&ours).await.expect("committed");
    assert_eq!(store.commit(&ours).await.expect("committed again"), digest);
    let rival = AttemptManifest {
        key: StepKey(Digest::of(b"another key")),
        ..ours.clone()
    };
    let error = store.commit(&rival).await.expect_err("contradicts");
    assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
    // A coordinator that lost its journal uses the attempt's number again, under another token.
    let later = AttemptManifest {
        token: FencingToken(8),
        ..rival
    };
    store.commit(&later).await.expect("it is another attempt");
    let read = |token| store.read_manifest(&ours.attempt, token);
    assert_eq!(read(later.token).await.expect("read").0, later);
    assert_eq!(read(ours.token).await.expect("read"), (ours.clone(), digest));
}

pub(super) async fn of_many_contradicting_manifests_one_wins(store: &ArtifactStore) {
    let first = manifest(0);
    let rivals: Vec<AttemptManifest> = (0..8)
        .map(|number: u64| AttemptManifest {
            key: StepKey(Digest::of(&number.to_le_bytes())),
            ..first.clone()
        })
        .collect();
    let answers = join_all(rivals.iter().map(|rival| store.commit(rival))).await;
    let winners: Vec<Digest> = answers
        .iter()
        .filter_map(|answer| answer.as_ref().ok().copied())
        .collect();
    let conflicts = answers
        .iter()
        .filter(|answer| matches!(answer, Err(StoreError::Conflict { .. })))
        .count();
    assert_eq!((winners.len(), conflicts), (1, 7), "{answers:?}");
    let (_, committed) = store
        .read_manifest(&first.attempt, first.token)
        .await
        .expect("read");
    assert_eq!(winners, [committed]);
}

pub(super) async fn a_coordinators_record_is_written_once_and_listed(store: &ArtifactStore) {
    let folder = format!("contract-{}", Uuid::now_v7().simple());
    let name = |number: u32| format!("{folder}/beats/{number:020}");
    assert_eq!(store.read_record(&name(1), 100).await.expect("read"), None);
    assert!(store.list_records(&folder).await.expect("listed").is_empty());
    for number in [10, 9, 1] {
        let bytes = format!("beat {number}");
        store
            .create_record(&name(number), bytes.clone().into())
            .await
            .expect("created");
        store
            .create_record(&name(number), bytes.into())
            .await
            .expect("repeated");
    }
    let error = store.create_record(&name(9), "other".into()).await;
    assert!(matches!(error, Err(StoreError::Conflict { .. })), "{error:?}");
    let read = store.read_record(&name(9), 100).await.expect("read");
    assert_eq!(read.as_deref(), Some(b"beat 9".as_slice()));
    let error = store.read_record(&name(9), 3).await;
    assert!(matches!(error, Err(StoreError::TooLarge { .. })), "{error:?}");
    let listed = store.list_records(&format!("{folder}/beats")).await;
    let expected = [1, 9, 10].map(|number| format!("{number:020}"));
    assert_eq!(listed.expect("listed"), expected, "in order");
    assert!(
        store.list_records(&folder).await.expect("listed").is_empty(),
        "what is deeper is not listed"
    );
    let folders = store.list_record_folders(&folder).await.expect("listed");
    assert_eq!(folders, ["beats"]);
    for number in [1, 9, 10, 9] {
        store.delete_record(&name(number)).await.expect("deleted");
    }
    assert_eq!(store.read_record(&name(9), 100).await.expect("read"), None);
}

pub(super) async fn committed_attempts_are_listed(store: &ArtifactStore) {
    let ours = manifest(3);
    store.commit(&ours).await.expect("committed");
    let listed = store.list_committed(usize::MAX).await.expect("listed");
    assert_eq!(
        listed
            .iter()
            .filter(|(attempt, token)| (*attempt, *token) == (ours.attempt, ours.token))
            .count(),
        1
    );
    let error = store.list_committed(0).await;
    assert!(matches!(error, Err(StoreError::TooLarge { .. })), "{error:?}");
}

pub(super) async fn a_tree_without_its_files_is_refused(store: &ArtifactStore) {
    let digest = Digest::of(&unique(50));
    let entry = TreeEntry {
        path: "lost".parse().expect("a path"),
        digest,
        size_bytes: 50,
        executable: false,
    };
    let tree = Tree::new(vec![entry], vec![]);
    let error = store.put_tree(&tree).await.expect_err("refused");
    assert!(
        matches!(&error, StoreError::MissingBlob { path, .. } if path == "lost"),
        "{error}"
    );
    let name = tree.reference(&tree.canonical_bytes()).digest;
    assert_eq!(store.missing(&[], &[name]).await.expect("answered").1, [name]);
}

pub(super) async fn a_sweep_deletes_what_is_old_and_unnamed(store: &ArtifactStore) {
    let folder = tempfile::tempdir().expect("folder");
    write(&folder.path().join("kept/file"), &unique(100));
    write(&folder.path().join("lost/file"), &unique(100));
    let kept = scan(&folder.path().join("kept"), &ScanOptions::data()).expect("scanned");
    let lost = scan(&folder.path().join("lost"), &ScanOptions::data()).expect("scanned");
    for scanned in [&kept, &lost] {
        store.upload(scanned, &()).await.expect("stored");
    }
    let forgotten = manifest(1);
    store.commit(&forgotten).await.expect("committed");
    let marks = Marks {
        artifacts: [kept.reference.digest].into(),
        ..Marks::default()
    };
    let day = Millis::from_secs(24 * 3600);
    let young = SweepOptions {
        now: Timestamp(0),
        grace: day,
        dry_run: false,
    };
    let dry = SweepOptions {
        now: Timestamp(u64::MAX),
        grace: day,
        dry_run: true,
    };
    let old = SweepOptions {
        dry_run: false,
        ..dry
    };

    assert_eq!(
        store.sweep(&marks, &young).await.expect("swept").deleted,
        0,
        "what is young stays"
    );
    let foretold = store.sweep(&marks, &dry).await.expect("swept");
    assert_eq!(
        store.sweep(&marks, &dry).await.expect("swept"),
        foretold,
        "a dry run deletes nothing"
    );
    assert!(
        foretold.deleted >= 3,
        "the lost tree, its file and the manifest: {foretold:?}"
    );
    let swept = store.sweep(&marks, &old).await.expect("swept");
    assert_eq!(
        (swept.deleted, swept.deleted_bytes),
        (foretold.deleted, foretold.deleted_bytes)
    );

    let blobs = [kept.files[0].digest, lost.files[0].digest];
    let trees = [kept.reference.digest, lost.reference.digest];
    let missing = store.missing(&blobs, &trees).await.expect("answered");
    assert_eq!(missing, (vec![blobs[1]], vec![trees[1]]));
    let error = store
        .read_manifest(&forgotten.attempt, forgotten.token)
        .await
        .expect_err("swept");
    assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
    store
        .upload(&lost, &())
        .await
        .expect("what was swept can be stored again");
}
