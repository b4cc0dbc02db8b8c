//! A command for a ledger on its way through the driver: what it will do there, and how its answer is let out once its facts are durable. Under a key it is done once: that it was
//! done is a fact in the same batch.

use super::{Ledger, LedgerEvent, LedgerFact, Ledgers};
use crate::idempotency::{Claim, Found};
use std::sync::Arc;
use tidemill_protocol::time::Timestamp;
use tokio::sync::oneshot;

/// Decides and applies on the driver's thread; adds what happened to the batch.
pub(crate) type Change = Box<dyn FnOnce(&mut Ledgers, Timestamp, &mut Vec<LedgerEvent>) -> Settle + Send>;

/// Answers whoever asked; called when what happened is durable.
pub(crate) type Settle = Box<dyn FnOnce() + Send>;

/// What a command for a ledger led to: the facts, none when all was so already.
pub type Outcome<L> = Result<Vec<<L as Ledger>::Fact>, <L as Ledger>::Rejection>;

/// What a command for a ledger did.
#[derive(Debug)]
pub(crate) struct Done<L: Ledger> {
    /// The facts; none when all was so already, or was done before under the same key.
    pub(crate) facts: Vec<L::Fact>,
    /// What was made, now or then, as [`Ledger::created`] names it.
    pub(crate) created: Option<String>,
}

/// Where the answer to a command arrives; nowhere when the claim's verdict is the answer.
pub(crate) type Answer<L> = oneshot::Receiver<Result<Done<L>, <L as Ledger>::Rejection>>;

/// A command for a ledger, perhaps under a key, and where its answer arrives.
pub(crate) fn change<L: Ledger>(command: L::Command, claim: Option<Arc<Claim>>) -> (Change, Answer<L>) {
    let (reply, answer) = oneshot::channel();
    let change = move |ledgers: &mut Ledgers, now: Timestamp, batch: &mut Vec<LedgerEvent>| -> Settle {
        let found = claim.as_ref().map(|claim| claim.find(&ledgers.idempotency, now));
        match found {
            Some(Found::Again(created)) => {
                let facts = Vec::new();
                return Box::new(move || drop(reply.send(Ok(Done { facts, created }))));
            }
            // Held until what the verdict speaks of is durable.
            Some(Found::Refused) => return Box::new(move || drop(reply)),
            Some(Found::New) | None => {}
        }
        let result = L::of(ledgers).decide(now, &command);
        let result = result.map(|facts| {
            // What is taken up on the way comes first.
            let created = facts.iter().filter_map(L::created).next_back();
            let used = claim.map(|claim| LedgerFact::from(claim.used(created.clone())));
            for fact in facts.iter().cloned().map(Into::into).chain(used) {
                let event = LedgerEvent { at: now, fact };
                ledgers.apply(&event);
                batch.push(event);
            }
            let created = created.map(|created| created.id);
            Done { facts, created }
        });
        // Whoever asked may have gone; the state holds the answer.
        Box::new(move || drop(reply.send(result)))
    };
    (Box::new(change), answer)
}
