//! What travels over the broker: one golden message for each kind, and one sealed envelope that must open for ever.

use crate::golden::{bytes, check};
use crate::samples as s;
use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_protocol::compute::ComputeTarget;
use tidemill_protocol::key::InputValue;
use tidemill_protocol::time::Millis;
use tidemill_protocol::wire::{
    Audience, Control, EnvelopeError, Heartbeat, HiddenText, Kind, LogChunk, LogStream, Offer, Phase, Report,
    ReportBatch, ReportBody, RunningAttempt, SignerKey, StepTask, StopReason, TrackingGrant, TrustedKeys,
    open, open_from_worker, open_unsigned, seal, seal_as_worker, seal_unsigned,
};

fn task() -> StepTask {
    StepTask {
        attempt: s::attempt(),
        token: s::TOKEN,
        key: s::key(),
        path: "train.fit".parse().expect("is a path"),
        pipeline: s::name("digits"),
        experiment: s::name("vision"),
        template: s::templates().remove(0),
        inputs: BTreeMap::from([
            (s::port("data"), InputValue::Artifact(s::folder())),
            (s::port("rate"), InputValue::Literal(s::literal())),
        ]),
        checkpoint: None,
        trace_parent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        tracking: None,
    }
}

fn batch(body: ReportBody) -> ReportBatch {
    ReportBatch {
        worker: s::worker(),
        incarnation: 77,
        first_sequence: 12,
        reports: vec![Report {
            attempt: s::attempt(),
            token: s::TOKEN,
            at: s::MOMENT,
            body,
        }],
    }
}

fn heartbeat() -> Heartbeat {
    Heartbeat {
        worker: s::worker(),
        incarnation: 77,
        offer: Offer {
            targets: vec![ComputeTarget {
                name: s::name("gpu-cluster"),
                compute_type: s::name("gpu"),
            }],
            slots: 4,
            cpus: 16,
            memory_bytes: 1 << 36,
            gpus: vec!["NVIDIA A100".into()],
            host: "gpu-box".into(),
            version: "0.1.0".into(),
            draining: true,
            disk_full: false,
        },
        running: vec![RunningAttempt {
            attempt: s::attempt(),
            token: s::TOKEN,
            phase: Phase::Staging,
        }],
    }
}

#[test]
fn every_task_that_was_ever_sent_is_read_as_it_was_meant() {
    let continued = StepTask {
        checkpoint: Some(s::folder()),
        ..task()
    };
    let with_secrets = StepTask {
        template: Arc::new(s::template_with_secrets()),
        ..task()
    };
    let that_logs = StepTask {
        tracking: Some(TrackingGrant {
            experiment: "1234".into(),
            run: "0193-1-1".into(),
            token: HiddenText::new("tma_0193-1-1_7_abc".into()),
        }),
        ..task()
    };
    let [copy, register] = s::built_in().map(|template| StepTask {
        template: Arc::new(template),
        ..task()
    });
    check(
        "tasks",
        &[
            ("task", task()),
            ("task-with-a-checkpoint", continued),
            ("task-with-secrets", with_secrets),
            ("task-that-logs", that_logs),
            ("task-copy", copy),
            ("task-register-model", register),
        ],
    );
}

#[test]
fn every_report_that_was_ever_sent_is_read_as_it_was_meant() {
    let bodies = [
        ("claimed", ReportBody::Claimed),
        (
            "progress",
            ReportBody::Progress {
                phase: Phase::Storing,
            },
        ),
        ("succeeded", ReportBody::Succeeded(s::success())),
        (
            "failed",
            ReportBody::Failed {
                failure: s::failure(),
                usage: s::usage(),
            },
        ),
        ("returned", ReportBody::Returned),
        ("stopped", ReportBody::Stopped { usage: s::usage() }),
        (
            "checkpointed",
            ReportBody::Checkpointed {
                checkpoint: s::folder(),
            },
        ),
        ("preempted", ReportBody::Preempted { usage: s::usage() }),
    ];
    check("reports", &bodies.map(|(name, body)| (name, batch(body))));
}

#[test]
fn every_heartbeat_that_was_ever_sent_is_read_as_it_was_meant() {
    check("heartbeats", &[("heartbeat", heartbeat())]);
}

#[test]
fn every_control_that_was_ever_sent_is_read_as_it_was_meant() {
    let (attempt, token) = (s::attempt(), s::TOKEN);
    let stop = |reason| Control::Stop {
        attempt,
        token,
        reason,
    };
    check(
        "controls",
        &[
            ("stop-cancelled", stop(StopReason::Cancelled)),
            ("stop-aborted", stop(StopReason::Aborted)),
            ("stop-fenced", stop(StopReason::Fenced)),
            ("drain", Control::Drain),
            ("resume", Control::Resume),
            ("preempt", Control::Preempt),
            (
                "stored",
                Control::Stored {
                    incarnation: 77,
                    sequence: 12,
                },
            ),
            ("announce", Control::Announce),
            (
                "follow-log",
                Control::FollowLog {
                    attempt,
                    follow: true,
                },
            ),
            (
                "quarantine",
                Control::Quarantine {
                    length: Millis(60_000),
                },
            ),
        ],
    );
}

#[test]
fn every_piece_of_a_log_that_was_ever_sent_is_read_as_it_was_meant() {
    let chunk = LogChunk {
        attempt: s::attempt(),
        stream: LogStream::Stderr,
        offset: 4096,
        bytes: b"epoch 3\n\x1b[31mred\x1b[0m".to_vec(),
    };
    check("logs", &[("chunk", chunk)]);
}

#[test]
fn what_a_worker_ever_signed_still_opens_and_what_one_without_a_key_sent_is_still_read() {
    let key = SignerKey::from_seed(&[6; 32]);
    let mut complaints = Vec::new();
    let write = || seal_as_worker(&key, Kind::Reports, b"body").expect("is small");
    let mut signed = bytes("envelopes", "reports", write, &mut complaints);
    let audience = Audience::coordinator();
    let write = || seal_unsigned(Kind::Reports, audience, b"body").expect("is small");
    let unsigned = bytes("envelopes", "reports-unsigned", write, &mut complaints);
    assert_eq!(complaints, Vec::<String>::new());
    let opened = open_from_worker(&key.trusted(), Kind::Reports, &signed).expect("it opens");
    assert_eq!(opened.body, b"body");
    for sent in [&signed, &unsigned] {
        let opened = open_unsigned(Kind::Reports, audience, sent).expect("it is an envelope");
        assert_eq!(opened.body, b"body");
    }
    assert!(open_from_worker(&key.trusted(), Kind::Reports, &unsigned).is_err());
    *signed.last_mut().expect("it has a body") ^= 1;
    let changed = open_from_worker(&key.trusted(), Kind::Reports, &signed);
    assert_eq!(changed.unwrap_err(), EnvelopeError::BadSignature);
}

#[test]
fn an_envelope_that_was_ever_sealed_still_opens_and_no_other_does() {
    let key = SignerKey::from_seed(&[5; 32]);
    let audience = Audience::target("gpu-cluster");
    let mut complaints = Vec::new();
    let write = || seal(&key, Kind::Task, audience, s::MOMENT, b"body").expect("is small");
    let mut sealed = bytes("envelopes", "task", write, &mut complaints);
    assert_eq!(complaints, Vec::<String>::new());
    let trusted = TrustedKeys(vec![key.trusted()]);
    let opened = open(&trusted, Kind::Task, audience, s::MOMENT, &sealed).expect("it opens");
    assert_eq!(opened.body, b"body");
    *sealed.last_mut().expect("it has a body") ^= 1;
    let changed = open(&trusted, Kind::Task, audience, s::MOMENT, &sealed);
    assert_eq!(changed.unwrap_err(), EnvelopeError::BadSignature);
}
