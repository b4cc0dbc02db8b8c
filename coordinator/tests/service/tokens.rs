//! Tokens are as durable as runs: they survive a restart, from events and from a snapshot, and do not disturb whoever reads the journal.

use crate::harness::{Service, chain};
use tidemill_coordinator::access::{Access, AccessCommand, Secret};
use tidemill_protocol::access::{Scope, SubjectKind};

async fn create(service: &Service) -> Secret {
    let secret = Secret::draw().unwrap();
    let command = AccessCommand::CreateToken {
        id: secret.id().clone(),
        hash: secret.hash(),
        scope: Scope::Reader,
        subject: "grafana".into(),
        kind: SubjectKind::Person,
        project: None,
        expires_at: None,
        by: "ada".into(),
    };
    service.handle().change::<Access>(command).await.unwrap().unwrap();
    secret
}

async fn revoke(service: &Service, secret: &Secret) {
    let command = AccessCommand::RevokeToken {
        id: secret.id().clone(),
        by: "ada".into(),
    };
    service.handle().change::<Access>(command).await.unwrap().unwrap();
}

#[tokio::test]
async fn tokens_survive_a_restart() {
    let service = Service::start().await;
    let (kept, revoked) = (create(&service).await, create(&service).await);
    revoke(&service, &revoked).await;
    let before = service.handle().access();
    let service = service.restart().await;
    assert_eq!(service.handle().access(), before);
    assert!(before.token(kept.id()).unwrap().revoked_at.is_none());
    assert!(before.token(revoked.id()).unwrap().revoked_at.is_some());
}

#[tokio::test]
async fn tokens_survive_in_a_snapshot() {
    let service = Service::start_on_disk().await;
    let kept = create(&service).await;
    // More events than the snapshot waits for.
    for _ in 0..1_000 {
        let passing = create(&service).await;
        revoke(&service, &passing).await;
    }
    let before = service.handle().access();
    let service = service.restart().await;
    let snapshots = std::fs::read_dir(service.dir.path().join("journal/snapshots")).unwrap();
    assert!(snapshots.count() > 0, "no snapshot was written");
    assert_eq!(service.handle().access(), before);
    assert!(before.token(kept.id()).is_some());
}

#[tokio::test]
async fn a_watcher_of_a_run_passes_over_what_is_about_tokens() {
    let service = Service::start().await;
    create(&service).await;
    let run = service.submit(chain(&["a"])).await;
    create(&service).await;
    service.handle().cancel(run, "ada".into()).await.unwrap();
    create(&service).await;
    let seen = service.watch(run).await;
    let last = &seen.last().unwrap().1;
    assert_eq!(last["event"], "run_finished", "{seen:?}");
}
