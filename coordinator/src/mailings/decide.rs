//! What a command for the mailings leads to, beside what is the same for all subscriptions: the bounds of what a mailing alone has, and the spelling of its facts.

use super::fact::MailingFact;
use super::state::Mailings;
use crate::ledger::{Ledger, Ledgers};
use crate::notifications::{Change, SubscriptionCommand, SubscriptionRejection, Wanted, decide};
use tidemill_protocol::mailing::MailingSpec;
use tidemill_protocol::time::Timestamp;

/// People whom one mailing tells.
const RECIPIENTS_MAX: usize = 20;

impl Ledger for Mailings {
    type Command = SubscriptionCommand<MailingSpec>;
    type Fact = MailingFact;
    type Rejection = SubscriptionRejection;

    fn of(ledgers: &Ledgers) -> &Self {
        &ledgers.mailings
    }

    fn decide(
        &self,
        _: Timestamp,
        command: &Self::Command,
    ) -> Result<Vec<MailingFact>, SubscriptionRejection> {
        let change = decide(self, "mailing", command, check)?;
        Ok(change.map(MailingFact::from).into_iter().collect())
    }
}

fn check(spec: &MailingSpec) -> Result<(), SubscriptionRejection> {
    wanted(spec).check()?;
    match spec.to.len() {
        0 => Err(SubscriptionRejection::TellsNobody),
        1..=RECIPIENTS_MAX => Ok(()),
        _ => Err(SubscriptionRejection::TooLong(
            "a mailing tells at most 20 people",
        )),
    }
}

/// What a mailing wants to be told.
pub(super) fn wanted(spec: &MailingSpec) -> Wanted<'_> {
    Wanted {
        runs: &spec.runs,
        steps: &spec.steps,
        pipeline: spec.pipeline.as_ref(),
        experiment: spec.experiment.as_ref(),
    }
}

impl From<Change<MailingSpec>> for MailingFact {
    fn from(change: Change<MailingSpec>) -> Self {
        match change {
            Change::Set {
                name,
                spec,
                after,
                by,
            } => Self::MailingSet {
                name,
                spec,
                after,
                by,
            },
            Change::Removed { name, by } => Self::MailingRemoved { name, by },
            Change::Paused { name, reason, by } => Self::MailingPaused { name, reason, by },
            Change::Resumed { name, after, by } => Self::MailingResumed { name, after, by },
            Change::Settled(settled) => Self::MailingSettled {
                name: settled.name,
                sequence: settled.sequence,
                about: settled.about,
                tries: settled.tries,
                outcome: settled.outcome,
            },
            Change::Advanced { name, sequence } => Self::MailingAdvanced { name, sequence },
        }
    }
}
