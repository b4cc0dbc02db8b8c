//! Whoever may write to the store is not the coordinator by that: what somebody else puts into the archive is never believed, whatever it says, and what has to stop
//! because of it says so.

use super::archive::{SOON, archived, folder, objects, store, work};
use super::harness::{Service, TestClock, chain};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tidemill_artifacts::ArtifactStore;
use tidemill_coordinator::archive::{
    ArchiveError, RecordFlaw, RecoverOptions, RecoveredState, Segment, Trust, recover_state, stand_by,
};
use tidemill_coordinator::{ArchiveConfig, ArchiveMode, CoordinatorConfig};
use tidemill_protocol::codec;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::wire::{SignerKey, TrustedKey};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The key of somebody who has the workers' right to write to the store, and no more.
fn strangers_key() -> SignerKey {
    SignerKey::from_seed(&[66; 32])
}

async fn recover(
    store: &ArtifactStore,
    to: &Path,
    options: &RecoverOptions,
) -> Result<RecoveredState, ArchiveError> {
    recover_state(store, to, options, &TestClock::default()).await
}

fn with_key_of(dir: &Path) -> RecoverOptions {
    RecoverOptions {
        signing_key: Some(dir.join("coordinator.key")),
        ..RecoverOptions::default()
    }
}

/// The bytes of an object as versions without signatures wrote them.
fn unsigned(kind: [u8; 8], content: &impl Serialize) -> Vec<u8> {
    let content = codec::encode(content);
    let mut bytes = kind.to_vec();
    bytes.extend_from_slice(Digest::of(&content).as_bytes());
    bytes.extend_from_slice(&content);
    bytes
}

fn read(bytes: &[u8], key: TrustedKey) -> Segment {
    Segment::from_bytes(bytes, &Trust::reading(key)).unwrap().0
}

/// The fact that an admin's token was made, of which its maker has the secret: from a coordinator of the stranger's own.
async fn a_token_of_their_own() -> serde_bytes::ByteBuf {
    let (place, dir) = (tempfile::tempdir().unwrap(), folder());
    let theirs = store(&place).await;
    let service = archived(&dir, &theirs, ArchiveMode::Sync).await;
    let wanted = json!({"scope": "admin", "subject": "mallory"});
    let (status, _) = service.post("/api/v1/tokens", &wanted).await;
    assert_eq!(status, StatusCode::CREATED);
    let key = service.coordinator.public_key();
    service.stop().await.unwrap();
    let segments = objects(&place, "segments").into_iter();
    let mut events = segments.flat_map(|path| read(&fs::read(path).unwrap(), key).events);
    let of_token = |event: &serde_bytes::ByteBuf| {
        let text = String::from_utf8_lossy(event).into_owned();
        text.contains("mallory") && text.contains("token_created")
    };
    events.find(of_token).expect("the token is in the journal")
}

/// A segment that fits behind the last one in every way, and makes the stranger an admin.
async fn forged(place: &TempDir, key: TrustedKey) -> Segment {
    let last = fs::read(objects(place, "segments").pop().unwrap()).unwrap();
    let before = read(&last, key);
    Segment {
        slot: before.slot + 1,
        first: before.last() + 1,
        previous: Digest::of(&last),
        events: vec![a_token_of_their_own().await],
        ..before
    }
}

/// The two ways to write a segment without the coordinator's key.
fn spellings(segment: &Segment) -> [Vec<u8>; 2] {
    [
        unsigned(*b"TMSEGM1\0", segment),
        segment.to_bytes(&strangers_key()),
    ]
}

fn is_of_strangers(error: &ArchiveError) -> bool {
    matches!(
        error,
        ArchiveError::Damaged {
            source: RecordFlaw::Unsigned | RecordFlaw::Forged,
            ..
        }
    )
}

#[tokio::test]
async fn a_forged_segment_with_an_admins_token_is_replayed_by_no_recovery_and_followed_by_no_standby() {
    let (place, dir) = (tempfile::tempdir().unwrap(), folder());
    let store = store(&place).await;
    let service = archived(&dir, &store, ArchiveMode::Sync).await;
    work(&service, 1).await;
    let key = service.coordinator.public_key();
    service.stop().await.unwrap();
    let forged = forged(&place, key).await;
    let segments = objects(&place, "segments").pop().unwrap();
    let next = segments.with_file_name(format!("{:020}", forged.slot));
    for bytes in spellings(&forged) {
        fs::write(&next, bytes).unwrap();
        let lost = folder();
        let refused = recover(&store, lost.path(), &with_key_of(dir.path())).await;
        let refused = refused.expect_err("nobody believes it");
        assert!(is_of_strangers(&refused), "{refused:?}");
        assert!(!lost.path().join("journal").exists(), "and nothing is left of it");

        let standby = folder();
        let config = standby_of(dir.path(), standby.path());
        let token = CancellationToken::new();
        let following = stand_by(&config, &store, &token);
        let refused = tokio::time::timeout(SOON, following)
            .await
            .expect("it says so soon");
        let refused = refused.expect_err("a standby does not follow it");
        assert!(is_of_strangers(&refused), "{refused:?}");

        let refused = Service::start_archived(Arc::clone(&dir), store.clone(), ArchiveMode::Sync).await;
        let refused = refused.err().expect("nor does it start behind it");
        assert!(
            matches!(&refused, tidemill_coordinator::StartError::Archive(error) if is_of_strangers(error)),
            "{refused:?}"
        );
    }
    fs::remove_file(&next).unwrap();
    let lost = folder();
    recover(&store, lost.path(), &with_key_of(dir.path()))
        .await
        .unwrap();
    let service = archived(&dir, &store, ArchiveMode::Sync).await;
    let (_, tokens) = service.get("/api/v1/tokens").await;
    assert_eq!(tokens, json!([]));
    service.stop().await.unwrap();
}

fn standby_of(active: &Path, state_dir: &Path) -> CoordinatorConfig {
    CoordinatorConfig {
        signing_key: Some(active.join("coordinator.key")),
        archive: Some(ArchiveConfig {
            mode: ArchiveMode::Sync,
            address: "test://standby".to_owned(),
        }),
        ..CoordinatorConfig::new(state_dir)
    }
}

#[tokio::test]
async fn a_standby_that_follows_takes_nothing_from_a_forged_segment_and_does_not_take_over() {
    let (place, dir) = (tempfile::tempdir().unwrap(), folder());
    let store = store(&place).await;
    let service = archived(&dir, &store, ArchiveMode::Sync).await;
    work(&service, 1).await;
    let key = service.coordinator.public_key();
    service.stop().await.unwrap();
    let forged = forged(&place, key).await;
    let last = objects(&place, "segments").pop().unwrap();
    let standby = folder();
    let config = standby_of(dir.path(), standby.path());
    let token = CancellationToken::new();
    let following = stand_by(&config, &store, &token);
    let forging = async {
        // It is up to date first, so that the forged one is news.
        while !standby.path().join("journal").exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let next = last.with_file_name(format!("{:020}", forged.slot));
        fs::write(next, forged.to_bytes(&strangers_key())).unwrap();
    };
    let (followed, ()) = tokio::join!(tokio::time::timeout(SOON, following), forging);
    let refused = followed
        .expect("it ends soon")
        .expect_err("and not as the coordinator");
    assert!(is_of_strangers(&refused), "{refused:?}");
}

/// A claim as versions without signatures wrote them.
#[derive(Serialize)]
struct Claim {
    epoch: u64,
    incarnation: Uuid,
    address: String,
    started_at: u64,
    mode: &'static str,
}

#[tokio::test]
async fn a_forged_epoch_ends_no_coordinator_is_counted_and_is_in_nobodys_way() {
    let (place, dir) = (tempfile::tempdir().unwrap(), folder());
    let store = store(&place).await;
    let service = archived(&dir, &store, ArchiveMode::Sync).await;
    let own = objects(&place, "epochs").pop().unwrap();
    let epoch = service.get("/api/v1").await.1["epoch"].as_u64().unwrap();
    let copied = fs::read(&own).unwrap();
    for number in [epoch + 1, u64::MAX] {
        let claim = Claim {
            epoch: number,
            incarnation: Uuid::from_u128(7),
            address: "https://evil.example".to_owned(),
            started_at: 1,
            mode: "sync",
        };
        fs::write(own.with_file_name(format!("{number:020}")), codec::encode(&claim)).unwrap();
    }
    // One that was signed for another epoch is no claim of this one.
    fs::write(own.with_file_name(format!("{:020}", epoch + 2)), copied).unwrap();
    let told = async {
        loop {
            let metrics = text(&service, "/metrics").await;
            if metrics.contains("tidemill_archive_strangers_total 3\n") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(SOON, told)
        .await
        .expect("they are seen soon");
    work(&service, 1).await;
    service.stop().await.unwrap();
    let service = archived(&dir, &store, ArchiveMode::Sync).await;
    let next = service.get("/api/v1").await.1["epoch"].as_u64().unwrap();
    assert_eq!(next, epoch + 3, "the first that nobody has taken");
    work(&service, 1).await;
    service.stop().await.unwrap();
}

async fn text(service: &Service, path: &str) -> String {
    let request = axum::http::Request::get(path).body(axum::body::Body::empty());
    let response = service.send(request.unwrap()).await;
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await;
    String::from_utf8(bytes.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn a_forged_segment_in_the_next_slot_ends_no_coordinator_and_is_told_until_it_is_taken_away() {
    let (place, dir) = (tempfile::tempdir().unwrap(), folder());
    let store = store(&place).await;
    let service = archived(&dir, &store, ArchiveMode::Sync).await;
    let key = service.coordinator.public_key();
    work(&service, 1).await;
    let forged = forged(&place, key).await;
    let last = objects(&place, "segments").pop().unwrap();
    let next = last.with_file_name(format!("{:020}", forged.slot));
    fs::write(&next, forged.to_bytes(&strangers_key())).unwrap();
    let handle = service.handle();
    let mut submission = Box::pin(handle.submit_plan(Arc::new(chain(&["a"])), "tester".into()));
    let told = async {
        while !text(&service, "/metrics")
            .await
            .contains("tidemill_archive_strangers_total 1\n")
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        _ = &mut submission => panic!("nothing is answered that the archive does not hold"),
        told = tokio::time::timeout(SOON, told) => told.expect("it is seen soon"),
    }
    fs::remove_file(&next).unwrap();
    let accepted = tokio::time::timeout(SOON, submission).await;
    accepted.expect("it goes on by itself").unwrap();
    let (_, tokens) = service.get("/api/v1/tokens").await;
    assert_eq!(tokens, json!([]));
    service.stop().await.unwrap();
}

#[tokio::test]
async fn an_archive_that_was_moved_to_another_coordinators_key_is_not_that_coordinators() {
    let (place, dir) = (tempfile::tempdir().unwrap(), folder());
    let store = store(&place).await;
    let service = archived(&dir, &store, ArchiveMode::Sync).await;
    work(&service, 1).await;
    let theirs = service.coordinator.public_key().to_string();
    service.stop().await.unwrap();
    let other = folder();
    let key = archived(&other, &store, ArchiveMode::Sync).await;
    let ours = key.coordinator.public_key().to_string();
    key.stop().await.unwrap();
    let journal = place.path().join("journal");
    fs::remove_dir_all(journal.join(&ours)).unwrap();
    fs::rename(journal.join(theirs), journal.join(ours)).unwrap();
    let lost = folder();
    let refused = recover(&store, lost.path(), &with_key_of(other.path())).await;
    let refused = refused.expect_err("it is signed with another key");
    assert!(is_of_strangers(&refused), "{refused:?}");
}

#[tokio::test]
async fn a_recovery_believes_the_coordinator_that_is_named_and_not_the_only_one_that_it_finds() {
    let (place, dir) = (tempfile::tempdir().unwrap(), folder());
    let store = store(&place).await;
    let service = archived(&dir, &store, ArchiveMode::Sync).await;
    work(&service, 1).await;
    let key = service.coordinator.public_key().to_string();
    service.stop().await.unwrap();
    let lost = folder();
    let named = |digits: &str| RecoverOptions {
        coordinator: Some(digits.to_owned()),
        ..RecoverOptions::default()
    };
    let refused = recover(&store, lost.path(), &RecoverOptions::default()).await;
    assert!(
        matches!(&refused, Err(ArchiveError::Unnamed(keys)) if *keys == [key.clone()]),
        "{refused:?}"
    );
    let refused = recover(&store, lost.path(), &named(key.get(..8).unwrap())).await;
    assert!(matches!(refused, Err(ArchiveError::ShortKey(_))), "{refused:?}");
    let forced = RecoverOptions {
        force: true,
        ..named(&key)
    };
    let refused = recover(&store, lost.path(), &forced).await;
    assert!(matches!(refused, Err(ArchiveError::Keyless)), "{refused:?}");
    let recovered = recover(&store, lost.path(), &named(key.get(..16).unwrap()))
        .await
        .unwrap();
    assert_eq!((recovered.coordinator, recovered.runs), (key, 1));
}

/// Writes an archive anew as versions without signatures wrote it.
fn take_signatures_away(place: &TempDir, key: TrustedKey) {
    let mut previous = Digest::from_bytes([0; 32]);
    for path in objects(place, "segments") {
        let segment = Segment {
            previous,
            ..read(&fs::read(&path).unwrap(), key)
        };
        let bytes = unsigned(*b"TMSEGM1\0", &segment);
        previous = Digest::of(&bytes);
        fs::write(path, bytes).unwrap();
    }
    for kind in ["epochs", "snapshots"] {
        for path in objects(place, kind) {
            fs::remove_file(path).unwrap();
        }
    }
}

#[tokio::test]
async fn an_archive_from_before_there_were_signatures_is_gone_on_with_and_is_recovered_by_whoever_accepts_it()
{
    let (place, dir) = (tempfile::tempdir().unwrap(), folder());
    let store = store(&place).await;
    let service = archived(&dir, &store, ArchiveMode::Sync).await;
    work(&service, 1).await;
    let key = service.coordinator.public_key();
    service.stop().await.unwrap();
    take_signatures_away(&place, key);
    let lost = folder();
    let refused = recover(&store, lost.path(), &with_key_of(dir.path())).await;
    let refused = refused.expect_err("nobody vouches for it");
    assert!(is_of_strangers(&refused), "{refused:?}");
    // The coordinator itself finds there what its own journal has.
    let service = archived(&dir, &store, ArchiveMode::Sync).await;
    work(&service, 1).await;
    service.stop().await.unwrap();
    let accepting = RecoverOptions {
        accept_unsigned: true,
        ..with_key_of(dir.path())
    };
    let recovered = recover(&store, lost.path(), &accepting).await.unwrap();
    assert_eq!((recovered.first, recovered.runs), (1, 2), "{recovered:?}");
}
