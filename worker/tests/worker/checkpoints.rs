//! Checkpoints, and machines that are taken away: what a step saves reaches the store while it runs and once more when it is stopped.

use crate::bench::{Bench, Step, eventually, without_limits};
use std::fs;
use std::path::Path;
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef};
use tidemill_protocol::ids::AttemptId;
use tidemill_protocol::wire::{Control, ReportBody};

/// Writes its pid, saves `1`, waits for the gate, and on SIGTERM saves `last`.
const SAVES: &str = r#"
save() { printf %s "$1" > "$TMPDIR/new" && mv "$TMPDIR/new" "$TIDEMILL_CHECKPOINT/epoch"; }
trap 'save last; exit 0' TERM
save 1
: > "$MARK"
while :; do sleep 0.05; done
"#;

async fn saved(bench: &mut Bench, attempt: AttemptId) -> ArtifactRef {
    loop {
        let report = bench.report().await;
        match report.body {
            ReportBody::Checkpointed { checkpoint } if report.attempt == attempt => return checkpoint,
            ReportBody::Claimed | ReportBody::Progress { .. } => {}
            other => panic!("expected a checkpoint, not {other:?}"),
        }
    }
}

async fn content(bench: &Bench, checkpoint: &ArtifactRef) -> String {
    assert_eq!(checkpoint.kind, ArtifactKind::Tree);
    let tree = bench.store.get_tree(&checkpoint.digest).await.unwrap();
    let names: Vec<_> = tree.entries.iter().map(|entry| entry.path.to_string()).collect();
    assert_eq!(names, ["epoch"]);
    let bytes = bench
        .store
        .get_bytes(&tree.entries[0].digest, 1 << 20)
        .await
        .unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn saves(mark: &Path) -> Step {
    Step::shell(SAVES)
        .variable("MARK", mark.to_str().unwrap())
        .checkpointed()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_step_saves_is_stored_while_it_runs_and_once_more_when_it_is_preempted() {
    let mut bench = Bench::start().await;
    let mark = bench.path("mark");
    let attempt = bench.submit(saves(&mark)).await;
    let first = saved(&mut bench, attempt).await;
    assert_eq!(content(&bench, &first).await, "1");
    bench.control(&Control::Preempt).await;
    let last = saved(&mut bench, attempt).await;
    assert_eq!(content(&bench, &last).await, "last", "saved on the way out");
    let ending = bench.ending(attempt).await;
    assert!(matches!(ending, ReportBody::Preempted { .. }), "{ending:?}");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_file_preempts_too_and_the_worker_takes_nothing_more() {
    let dir = tempfile::tempdir().unwrap();
    let notice = dir.path().join("notice");
    let watched = notice.clone();
    let mut bench = Bench::start_with(|config| config.preemption_notice = Some(watched)).await;
    let mark = bench.path("mark");
    let attempt = bench.submit(saves(&mark)).await;
    eventually("the step runs", async || mark.exists()).await;
    fs::write(&notice, "").unwrap();
    let ending = loop {
        match bench.ending(attempt).await {
            ReportBody::Checkpointed { .. } => {}
            other => break other,
        }
    };
    assert!(matches!(ending, ReportBody::Preempted { .. }), "{ending:?}");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_attempt_finds_what_was_saved_and_may_change_it() {
    let mut bench = Bench::start().await;
    let step = Step::shell(r#"printf 1 > "$TMPDIR/e"; mv "$TMPDIR/e" "$TIDEMILL_CHECKPOINT/epoch"; exit 3"#);
    let attempt = bench.submit(step.checkpointed()).await;
    let first = saved(&mut bench, attempt).await;
    let next = Step::shell(r#"cat "$TIDEMILL_CHECKPOINT/epoch"; echo more >> "$TIDEMILL_CHECKPOINT/epoch""#)
        .checkpointed()
        .after(first);
    let success = bench.run_well(next).await;
    assert_eq!(bench.stdout(&success).await, "1");
    assert_eq!(without_limits(&success), Vec::<String>::new());
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_without_checkpoints_has_no_place_for_them() {
    let mut bench = Bench::start().await;
    let success = bench
        .run_well(Step::shell(r#"printf "<%s>" "$TIDEMILL_CHECKPOINT""#))
        .await;
    assert_eq!(bench.stdout(&success).await, "<>");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_fails_saves_what_it_has() {
    let mut bench = Bench::start().await;
    let step = Step::shell(r#"echo 7 > "$TMPDIR/e"; mv "$TMPDIR/e" "$TIDEMILL_CHECKPOINT/epoch"; exit 3"#);
    let attempt = bench.submit(step.checkpointed()).await;
    let kept = saved(&mut bench, attempt).await;
    assert_eq!(content(&bench, &kept).await, "7\n");
    assert!(matches!(bench.ending(attempt).await, ReportBody::Failed { .. }));
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_is_gone_is_noted_and_the_step_starts_afresh() {
    let mut bench = Bench::start().await;
    let gone = ArtifactRef {
        kind: ArtifactKind::Tree,
        digest: tidemill_protocol::digest::Digest::of(b"never stored"),
        size_bytes: 1,
        files: 1,
    };
    let step = Step::shell(r#"ls -A "$TIDEMILL_CHECKPOINT""#)
        .checkpointed()
        .after(gone);
    let success = bench.run_well(step).await;
    assert_eq!(success.usage.stdout, None, "the folder is there and empty");
    assert!(
        success.usage.notes[0].contains("afresh"),
        "{:?}",
        success.usage.notes
    );
    bench.end().await;
}
