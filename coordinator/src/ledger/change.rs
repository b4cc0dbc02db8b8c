//! A command for a ledger on its way through the driver: what it will do there, and how its answer is let out once its facts are durable.

use super::{Ledger, LedgerEvent, Ledgers};
use tidemill_protocol::time::Timestamp;
use tokio::sync::oneshot;

/// Decides and applies on the driver's thread; adds what happened to the batch.
pub(crate) type Change = Box<dyn FnOnce(&mut Ledgers, Timestamp, &mut Vec<LedgerEvent>) -> Settle + Send>;

/// Answers whoever asked; called when what happened is durable.
pub(crate) type Settle = Box<dyn FnOnce() + Send>;

/// What a command for a ledger led to: the facts, none when all was so already.
pub type Outcome<L> = Result<Vec<<L as Ledger>::Fact>, <L as Ledger>::Rejection>;

/// A command for a ledger, and where its answer arrives.
pub(crate) fn change<L: Ledger>(command: L::Command) -> (Change, oneshot::Receiver<Outcome<L>>) {
    let (reply, answer) = oneshot::channel();
    let change = move |ledgers: &mut Ledgers, now: Timestamp, batch: &mut Vec<LedgerEvent>| -> Settle {
        let result = L::of(ledgers).decide(now, &command);
        for fact in result.iter().flatten() {
            let event = LedgerEvent {
                at: now,
                fact: fact.clone().into(),
            };
            ledgers.apply(&event);
            batch.push(event);
        }
        // Whoever asked may have gone; the state holds the answer.
        Box::new(move || drop(reply.send(result)))
    };
    (Box::new(change), answer)
}
