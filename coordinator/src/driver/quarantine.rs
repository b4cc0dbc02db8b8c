//! What follows from workers' enrolment for their attempts: those of a quarantined worker are made elsewhere, it is told to stop as often as it is heard of, and a
//! worker that may serve some compute targets only makes no attempts of others.

use super::{Driver, InHand};
use crate::effects::Outgoing;
use crate::enrolment::EnrolmentFact;
use crate::ledger::{LedgerEvent, LedgerFact};
use tidemill_engine::{Command, Effect};
use tidemill_protocol::failure::{Failure, FailureReason};
use tidemill_protocol::ids::{AttemptId, FencingToken, WorkerId};
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Millis;
use tidemill_protocol::wire::{
    AttemptUsage, Control, Heartbeat, Report, ReportBatch, ReportBody, StopReason,
};

/// For how long a quarantined worker is told to take nothing; it is told again with each of its heartbeats.
const TOLD_FOR: Millis = Millis::from_secs(60);

impl Driver {
    /// Bars the workers that the journal says are quarantined.
    pub(super) fn bar_quarantined(&mut self) {
        for (worker, _) in self.ledgers.enrolment.quarantined() {
            self.fleet.bar(worker, true);
        }
    }

    /// Does what follows from what was just decided.
    pub(super) fn follow_enrolment(&mut self, events: &[LedgerEvent], hand: &mut InHand) {
        for event in events {
            match &event.fact {
                LedgerFact::Enrolment(EnrolmentFact::WorkerQuarantined { worker, .. }) => {
                    self.quarantine(worker, hand);
                }
                LedgerFact::Enrolment(EnrolmentFact::WorkerReleased { worker, .. }) => {
                    self.fleet.bar(worker, false);
                    hand.tell(worker, Millis(0));
                }
                LedgerFact::Enrolment(_)
                | LedgerFact::Access(_)
                | LedgerFact::Catalog(_)
                | LedgerFact::Datastores(_)
                | LedgerFact::Tracking(_)
                | LedgerFact::Schedules(_)
                | LedgerFact::Webhooks(_)
                | LedgerFact::Remarks(_)
                | LedgerFact::Projects(_)
                | LedgerFact::Drafts(_)
                | LedgerFact::Mailings(_)
                | LedgerFact::Idempotency(_)
                | LedgerFact::Secrets(_) => {}
            }
        }
    }

    /// Its attempts are lost, for a reason: so they are not taken up again when it comes back.
    fn quarantine(&mut self, worker: &WorkerId, hand: &mut InHand) {
        self.fleet.bar(worker, true);
        let running: Vec<(AttemptId, FencingToken)> = self.engine.running_attempts_of(worker).collect();
        for (attempt, token) in running {
            let message = format!("worker {worker} was quarantined");
            let report = Report {
                attempt,
                token,
                at: self.clock.now(),
                body: ReportBody::Failed {
                    failure: Failure::with_message(FailureReason::Lost, message),
                    usage: AttemptUsage::default(),
                },
            };
            let command = Command::Report {
                worker: worker.clone(),
                report,
            };
            // It may have ended in this very batch.
            drop(self.decide(&command, hand));
            hand.effects.push(stop(worker, attempt, token));
        }
        hand.tell(worker, TOLD_FOR);
    }

    /// A quarantined worker was heard of: it is shown, and told to stop what it does.
    pub(super) fn hear_barred(heartbeat: &Heartbeat, hand: &mut InHand) {
        let running = heartbeat.running.iter();
        hand.effects
            .extend(running.map(|running| stop(&heartbeat.worker, running.attempt, running.token)));
        hand.tell(&heartbeat.worker, TOLD_FOR);
    }

    /// What a quarantined worker reports changes nothing; what it has claimed, it is told to stop.
    pub(super) fn drop_reports(batch: &ReportBatch, hand: &mut InHand) {
        let claims = batch
            .reports
            .iter()
            .filter(|report| matches!(report.body, ReportBody::Claimed));
        hand.effects
            .extend(claims.map(|claim| stop(&batch.worker, claim.attempt, claim.token)));
        hand.tell(&batch.worker, TOLD_FOR);
    }

    /// The compute target of this attempt, if this worker may not serve it, by the join token that it came with.
    pub(super) fn forbidden_target(&self, worker: &WorkerId, attempt: &AttemptId) -> Option<&Name> {
        let enrolled = self.ledgers.enrolment.worker(worker)?;
        let target = self.engine.target_of(attempt.step_ref())?;
        (!enrolled.may_serve(target)).then_some(target)
    }

    /// The same of what it offers: targets that it may not serve do not count as served.
    pub(super) fn cut_offer(&self, heartbeat: &mut Heartbeat) {
        if let Some(enrolled) = self.ledgers.enrolment.worker(&heartbeat.worker) {
            heartbeat
                .offer
                .targets
                .retain(|target| enrolled.may_serve(&target.name));
        }
    }
}

impl InHand {
    /// Once what is in hand is durable, tells a worker for how long nothing of it counts. May be lost: it is said again.
    fn tell(&mut self, worker: &WorkerId, length: Millis) {
        let control = Control::Quarantine { length };
        self.orders.push(Outgoing::Control(worker.clone(), control));
    }
}

/// Tells a worker that an attempt is not its own to make.
pub(super) fn stop(worker: &WorkerId, attempt: AttemptId, token: FencingToken) -> Effect {
    Effect::StopAttempt {
        worker: worker.clone(),
        attempt,
        token,
        reason: StopReason::Fenced,
    }
}
