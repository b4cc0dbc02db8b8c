//! What may be asked of the webhooks, and which facts follow, or why none do.

use super::fact::WebhookFact;
use super::state::Webhooks;
use crate::ledger::{Ledger, Ledgers};
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;
use tidemill_protocol::webhook::{DeliveryOutcome, WebhookSpec};

/// Webhooks at once: each has a part of its own that sends.
pub const WEBHOOKS_MAX: usize = 100;
/// Longest address in bytes.
const URL_BYTES_MAX: usize = 4_096;
/// Statuses that one webhook may name.
const STATUSES_MAX: usize = 32;

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookCommand {
    /// Make a webhook, or make it another.
    Set {
        /// The webhook.
        name: Name,
        /// What it tells, and whom.
        spec: Box<WebhookSpec>,
        /// The last event of the journal.
        after: u64,
        /// Who asks.
        by: String,
    },
    /// Forget a webhook.
    Remove {
        /// The webhook.
        name: Name,
        /// Who asks.
        by: String,
    },
    /// Note what came of a delivery.
    Settle {
        /// The webhook.
        name: Name,
        /// Which of that name.
        created_at: Timestamp,
        /// The event's number in the journal.
        sequence: u64,
        /// What was told.
        about: String,
        /// How often it was tried.
        tries: u32,
        /// What came of it.
        outcome: DeliveryOutcome,
    },
}

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRejection {
    /// No such webhook.
    #[error("there is no webhook `{0}`")]
    Unknown(Name),
    /// It tells nothing.
    #[error("it would tell nothing: name ends of runs or of steps")]
    TellsNothing,
    /// A status that is no end.
    #[error("`{0}` is no end")]
    NoEnd(&'static str),
    /// Too long.
    #[error("{0}")]
    TooLong(&'static str),
    /// All the places are taken.
    #[error("there are {WEBHOOKS_MAX} webhooks already")]
    TooMany,
}

impl Ledger for Webhooks {
    type Command = WebhookCommand;
    type Fact = WebhookFact;
    type Rejection = WebhookRejection;

    fn of(ledgers: &Ledgers) -> &Self {
        &ledgers.webhooks
    }

    fn decide(&self, _: Timestamp, command: &WebhookCommand) -> Result<Vec<WebhookFact>, WebhookRejection> {
        match command {
            WebhookCommand::Set {
                name,
                spec,
                after,
                by,
            } => {
                check(spec)?;
                match self.get(name) {
                    Some(known) if *known.spec == **spec => return Ok(Vec::new()),
                    None if self.all().len() >= WEBHOOKS_MAX => return Err(WebhookRejection::TooMany),
                    _ => {}
                }
                Ok(vec![WebhookFact::WebhookSet {
                    name: name.clone(),
                    spec: spec.clone(),
                    after: *after,
                    by: by.clone(),
                }])
            }
            WebhookCommand::Remove { name, by } => {
                if self.get(name).is_none() {
                    return Err(WebhookRejection::Unknown(name.clone()));
                }
                Ok(vec![WebhookFact::WebhookRemoved {
                    name: name.clone(),
                    by: by.clone(),
                }])
            }
            WebhookCommand::Settle {
                name,
                created_at,
                sequence,
                about,
                tries,
                outcome,
            } => {
                let known = self.get(name).filter(|known| known.created_at == *created_at);
                let known = known.ok_or_else(|| WebhookRejection::Unknown(name.clone()))?;
                if *sequence <= known.settled_to {
                    return Ok(Vec::new());
                }
                Ok(vec![WebhookFact::WebhookSettled {
                    name: name.clone(),
                    sequence: *sequence,
                    about: about.clone(),
                    tries: *tries,
                    outcome: outcome.clone(),
                }])
            }
        }
    }
}

fn check(spec: &WebhookSpec) -> Result<(), WebhookRejection> {
    if spec.runs.is_empty() && spec.steps.is_empty() {
        return Err(WebhookRejection::TellsNothing);
    }
    if spec.runs.len().max(spec.steps.len()) > STATUSES_MAX {
        return Err(WebhookRejection::TooLong("a webhook names each end once"));
    }
    if spec.url.len() > URL_BYTES_MAX {
        return Err(WebhookRejection::TooLong("an address has at most 4 KiB"));
    }
    let runs = spec.runs.iter().find(|status| !status.is_terminal());
    let steps = spec.steps.iter().find(|status| !status.is_terminal());
    match (runs, steps) {
        (Some(run), _) => Err(WebhookRejection::NoEnd(run.as_str())),
        (None, Some(step)) => Err(WebhookRejection::NoEnd(step.as_str())),
        (None, None) => Ok(()),
    }
}
