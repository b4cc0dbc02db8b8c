//! The parts around the driver, each a task of the coordinator's own: what it sends, what it hears, and what it does by itself. None of them may end before the
//! coordinator does. In which order they start is said in `mod.rs`.

use super::Coordinator;
use crate::archive::Sure;
use crate::config::CoordinatorConfig;
use crate::effects::{Outbox, Outgoing, Publisher, Reconciler, SetAlarm, run_alarms};
use crate::error::CoordinatorError;
use crate::inbox::{
    Ear, LETTERS_WINDOW, PASSING_WINDOW, REPORTS_WINDOW, run_dead_letters, run_heartbeats, run_logs,
    run_reports,
};
use crate::lost::run_lost;
use crate::notifications;
use crate::openlineage::run_openlineage;
use crate::schedules::{run_schedules, run_watches};
use crate::tracking::run_sealer;
use std::future::Future;
use std::sync::Arc;
use tidemill_protocol::mailing::MailingSpec;
use tidemill_protocol::webhook::WebhookSpec;
use tidemill_protocol::wire::{SignerKey, TrustedKeys};
use tidemill_transport::{BrokerError, Queue};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

impl Coordinator {
    /// Publisher, alarms and reconciler. Returns when a broker that is there has what it should have.
    pub(super) async fn spawn_carriers(
        &mut self,
        config: &CoordinatorConfig,
        (key, sure): (SignerKey, Sure),
        outbox: Outbox,
        (outgoing, alarms): (mpsc::Receiver<Outgoing>, mpsc::Receiver<SetAlarm>),
    ) {
        let inner = Arc::clone(&self.handle.inner);
        let publisher = Publisher {
            broker: Arc::clone(&inner.broker),
            key,
            sure: sure.clone(),
            clock: Arc::clone(&inner.clock),
            task_validity: config.task_validity,
            attempt_tokens: inner.attempt_tokens.clone(),
            metrics: Arc::clone(&inner.metrics),
            requests: inner.requests.clone(),
        };
        let token = self.token.clone();
        self.spawn("publisher", async move { publisher.run(outgoing, token).await });
        let alarms = run_alarms(
            alarms,
            self.handle(),
            Arc::clone(&inner.clock),
            self.token.clone(),
        );
        self.spawn("alarms", alarms);
        let (live, handle) = (inner.events.subscribe(), self.handle());
        self.spawn("losses", run_lost(live, handle, self.token.clone()));
        if let Some(openlineage) = config.openlineage.clone() {
            let (live, handle) = (inner.events.subscribe(), self.handle());
            let telling = run_openlineage(openlineage, live, handle, self.token.clone());
            self.spawn("lineage", telling);
        }
        let mut reconciler = Reconciler::new(self.handle(), outbox, config.reconcile_after, sure);
        reconciler.begin().await;
        let token = self.token.clone();
        self.spawn("reconciler", async move { reconciler.run(token).await });
        self.spawn("sealer", run_sealer(self.handle(), self.token.clone()));
    }

    /// Subscribes before it returns: whoever hears of this coordinator may send to it.
    pub(super) async fn spawn_inbox(&mut self, sure: &Sure) -> Result<(), BrokerError> {
        let inner = Arc::clone(&self.handle.inner);
        let (broker, token) = (&inner.broker, self.token.clone());
        let reports = Ear::open(broker, (Queue::Reports, REPORTS_WINDOW), sure, &token).await?;
        let heartbeats = Ear::open(broker, (Queue::Heartbeats, PASSING_WINDOW), sure, &token).await?;
        let letters = Ear::open(broker, (Queue::DeadLetters, LETTERS_WINDOW), sure, &token).await?;
        let logs = run_logs(Arc::clone(broker), self.handle(), token.clone());
        let (handle, stop) = (self.handle(), token.clone());
        self.spawn_consumer("reports", async move {
            let work = |consumer| {
                let (outgoing, clock) = (inner.outgoing.clone(), Arc::clone(&inner.clock));
                run_reports(consumer, handle.clone(), outgoing, clock, stop.clone())
            };
            reports.hear(work).await
        });
        let (handle, stop) = (self.handle(), token.clone());
        self.spawn_consumer("heartbeats", async move {
            let work = |consumer| run_heartbeats(consumer, handle.clone(), stop.clone());
            heartbeats.hear(work).await
        });
        let (handle, keys) = (self.handle(), TrustedKeys(vec![self.key]));
        self.spawn_consumer("dead letters", async move {
            let work = |consumer| run_dead_letters(consumer, keys.clone(), handle.clone(), token.clone());
            letters.hear(work).await
        });
        self.spawn_consumer("logs", logs);
        Ok(())
    }

    /// What only a coordinator does that stays.
    pub(super) fn spawn_service(&mut self, stays: bool) {
        if !stays {
            return;
        }
        self.spawn("schedules", run_schedules(self.handle(), self.token.clone()));
        self.spawn("watches", run_watches(self.handle(), self.token.clone()));
        let webhooks = notifications::run::<WebhookSpec>(self.handle(), self.token.clone());
        self.spawn("webhooks", webhooks);
        let mailings = notifications::run::<MailingSpec>(self.handle(), self.token.clone());
        self.spawn("mailings", mailings);
    }

    /// A part whose failure is the coordinator's end. That is said by the token: whoever serves the API waits for nothing else, and for the parts only afterwards.
    pub(super) fn spawn_part(
        &mut self,
        work: impl Future<Output = Result<(), CoordinatorError>> + Send + 'static,
    ) {
        // Also when it panics.
        let guard = self.token.clone().drop_guard();
        self.parts.spawn(async move {
            let ended = work.await;
            if ended.is_ok() {
                guard.disarm();
            }
            ended
        });
    }

    pub(super) fn spawn(&mut self, part: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let token = self.token.clone();
        self.spawn_part(async move {
            work.await;
            ended(part, &token)
        });
    }

    fn spawn_consumer(
        &mut self,
        part: &'static str,
        work: impl Future<Output = Result<(), BrokerError>> + Send + 'static,
    ) {
        let token = self.token.clone();
        self.spawn_part(async move {
            match work.await {
                Err(source) if !token.is_cancelled() => Err(CoordinatorError::Bus { part, source }),
                _ => ended(part, &token),
            }
        });
    }
}

fn ended(part: &'static str, token: &CancellationToken) -> Result<(), CoordinatorError> {
    if token.is_cancelled() {
        Ok(())
    } else {
        Err(CoordinatorError::PartEnded(part))
    }
}
