//! What stands between a request and its change: what it expects of the thing that it changes; and for commands for the engine the key under which they are carried out once, which is noted in the
//! same batch with what they made. Those for ledgers look at their key by themselves.

use super::{Driver, InHand};
use crate::idempotency::{Claim, Created, Found};
use crate::ledger::LedgerEvent;
use crate::precondition::Precondition;
use std::sync::Arc;
use tidemill_engine::{Command, Rejection};

impl Driver {
    /// Makes a change of a thing that is as whoever asks expects it, and notes what became of it. None when it is not.
    pub(super) fn as_expected<R>(
        &mut self,
        expected: Option<&Precondition>,
        change: impl FnOnce(&mut Self) -> R,
    ) -> Option<R> {
        let Some(expected) = expected else {
            return Some(change(self));
        };
        if !expected.admits(&self.engine, &self.ledgers, self.clock.now()) {
            return None;
        }
        let changed = change(self);
        expected.follow(&self.engine, &self.ledgers);
        Some(changed)
    }

    /// Decides a command unless that was done before under the same key. None when the claim's verdict is the answer.
    pub(super) fn decide_once(
        &mut self,
        command: &Command,
        claim: Option<Arc<Claim>>,
        hand: &mut InHand,
    ) -> Option<Result<(), Rejection>> {
        let Some(claim) = claim else {
            return Some(self.decide(command, hand));
        };
        let now = self.clock.now();
        match claim.find(&self.ledgers.idempotency, now) {
            Found::Refused => return None,
            Found::Again(created) => return Some(done_before(command, created)),
            Found::New => {}
        }
        let result = self.decide(command, hand);
        if result.is_ok() {
            let event = LedgerEvent {
                at: now,
                fact: claim.used(created(command)).into(),
            };
            self.ledgers.apply(&event);
            hand.ledgers.push(event);
        }
        Some(result)
    }
}

fn created(command: &Command) -> Option<Created> {
    match command {
        Command::SubmitRun { run, .. } => Some(Created::new(run)),
        _ => None,
    }
}

/// What is answered to a command that was carried out before: a submission names the run that it made.
fn done_before(command: &Command, created: Option<String>) -> Result<(), Rejection> {
    let run = created.and_then(|id| id.parse().ok());
    match (command, run) {
        (Command::SubmitRun { .. }, Some(run)) => Err(Rejection::AlreadySubmitted(run)),
        _ => Ok(()),
    }
}
