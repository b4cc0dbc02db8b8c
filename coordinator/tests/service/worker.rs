//! A worker by the book of the wire, whose every move the test decides.

use super::harness::Service;
use bytes::Bytes;
use std::sync::Arc;
use tidemill_protocol::codec;
use tidemill_protocol::compute::ComputeTarget;
use tidemill_protocol::failure::{Failure, FailureReason};
use tidemill_protocol::time::{Clock, Timestamp};
use tidemill_protocol::wire::{
    AttemptUsage, Audience, Control, Heartbeat, Kind, Offer, Phase, Report, ReportBatch, ReportBody,
    RunningAttempt, SignerKey, StepTask, Success, TrustedKeys, open, seal_as_worker, seal_unsigned,
};
use tidemill_transport::{Broker, Consumer, LocalBroker, Queue};

pub(crate) struct ScriptedWorker {
    name: String,
    broker: Arc<LocalBroker>,
    keys: TrustedKeys,
    tasks: Consumer,
    controls: Consumer,
    sequence: u64,
    now: Timestamp,
    /// With what it signs; nothing for one that is older than workers' keys.
    pub(crate) key: Option<SignerKey>,
}

impl ScriptedWorker {
    /// A worker for the target `cpu` with 8 slots, of which the coordinator has heard.
    pub(crate) async fn join(service: &Service, name: &str) -> Self {
        Self::join_with(service, name, None).await
    }

    /// The same with a key.
    pub(crate) async fn join_with(service: &Service, name: &str, key: Option<SignerKey>) -> Self {
        let broker = service.broker.clone();
        let target = Queue::Tasks("cpu".parse().unwrap());
        broker.declare(&target).await.unwrap();
        let worker = Self {
            name: name.to_owned(),
            keys: TrustedKeys(vec![service.coordinator.public_key()]),
            tasks: broker.consume(&target, 8).await.unwrap(),
            controls: broker
                .consume(&Queue::Control(name.parse().unwrap()), 8)
                .await
                .unwrap(),
            broker,
            sequence: 1,
            key,
            now: service.clock.now(),
        };
        worker.heartbeat(&[], false).await;
        worker
    }

    pub(crate) async fn heartbeat(&self, running: &[&StepTask], draining: bool) {
        let heartbeat = Heartbeat {
            worker: self.name.parse().unwrap(),
            incarnation: 1,
            offer: Offer {
                targets: vec![ComputeTarget {
                    name: "cpu".parse().unwrap(),
                    compute_type: "cpu".parse().unwrap(),
                }],
                slots: 8,
                cpus: 8,
                memory_bytes: 1 << 30,
                gpus: vec![],
                host: "testhost".into(),
                version: "0".into(),
                draining,
                disk_full: false,
            },
            running: running
                .iter()
                .map(|task| RunningAttempt {
                    attempt: task.attempt,
                    token: task.token,
                    phase: Phase::Running,
                })
                .collect(),
        };
        self.publish(Queue::Heartbeats, Kind::Heartbeat, codec::encode(&heartbeat))
            .await;
    }

    pub(crate) async fn publish(&self, queue: Queue, kind: Kind, body: Vec<u8>) {
        let sealed = match &self.key {
            Some(key) => seal_as_worker(key, kind, &body).unwrap(),
            None => seal_unsigned(kind, Audience::coordinator(), &body).unwrap(),
        };
        self.broker.publish(&queue, Bytes::from(sealed)).await.unwrap();
    }

    /// The next task, with its signature checked and its delivery acknowledged.
    pub(crate) async fn task(&mut self) -> StepTask {
        let delivery = self.tasks.next().await.unwrap();
        let audience = Audience::target("cpu");
        let opened = open(&self.keys, Kind::Task, audience, self.now, &delivery.bytes).unwrap();
        let task = codec::decode(opened.body).unwrap();
        delivery.ack().await.unwrap();
        task
    }

    /// Refuses the next task; the broker sets it aside.
    pub(crate) async fn refuse(&mut self) {
        let delivery = self.tasks.next().await.unwrap();
        delivery.reject(false).await.unwrap();
    }

    /// The next instruction, with its signature checked.
    pub(crate) async fn control(&mut self) -> Control {
        let delivery = self.controls.next().await.unwrap();
        let audience = Audience::worker(&self.name);
        let opened = open(&self.keys, Kind::Control, audience, self.now, &delivery.bytes).unwrap();
        let control = codec::decode(opened.body).unwrap();
        delivery.ack().await.unwrap();
        control
    }

    /// The next instruction that is no receipt.
    pub(crate) async fn order(&mut self) -> Control {
        loop {
            match self.control().await {
                Control::Stored { .. } => {}
                control => return control,
            }
        }
    }

    pub(crate) async fn report(&mut self, task: &StepTask, bodies: Vec<ReportBody>) {
        let count = bodies.len() as u64;
        let reports = bodies.into_iter().map(|body| Report {
            attempt: task.attempt,
            token: task.token,
            at: self.now,
            body,
        });
        let batch = ReportBatch {
            worker: self.name.parse().unwrap(),
            incarnation: 1,
            first_sequence: self.sequence,
            reports: reports.collect(),
        };
        self.sequence += count;
        self.publish(Queue::Reports, Kind::Reports, codec::encode(&batch))
            .await;
    }

    pub(crate) async fn succeed(&mut self, task: &StepTask, success: Success) {
        self.report(task, vec![ReportBody::Claimed, ReportBody::Succeeded(success)])
            .await;
    }

    pub(crate) async fn fail(&mut self, task: &StepTask) {
        let failed = ReportBody::Failed {
            failure: Failure::new(FailureReason::ExitCode { code: 3 }),
            usage: AttemptUsage::default(),
        };
        self.report(task, vec![ReportBody::Claimed, failed]).await;
    }

    /// Makes the next `count` tasks succeed without outputs.
    pub(crate) async fn work(&mut self, count: usize) {
        for _ in 0..count {
            let task = self.task().await;
            self.succeed(&task, Success::default()).await;
        }
    }
}
