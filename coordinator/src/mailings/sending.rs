//! How a mailing tells: one letter for each person, so that one who is refused keeps it from nobody else. Who has it already is remembered from try to try.

use super::decide::wanted;
use super::excerpt::excerpt;
use super::letter::{letter, trial};
use super::smtp::{Letter, PostError, SmtpPassword, read};
use super::state::Mailings;
use crate::error::Stopped;
use crate::handle::CoordinatorHandle;
use crate::ledger::Ledgers;
use crate::notifications::{Channel, Subscriptions, Telling, Try, Wanted, shortened};
use std::collections::{BTreeMap, BTreeSet};
use tidemill_protocol::delivery::DeliveryOutcome;
use tidemill_protocol::mailing::{EmailAddress, MailingSpec};
use tidemill_protocol::name::Name;

/// Why nothing is sent without a server.
const NO_SERVER: &str = "the coordinator has no mail server: its settings name none";

/// Who has been told.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    taken: BTreeSet<EmailAddress>,
    refused: BTreeMap<EmailAddress, String>,
    /// What the server answered last when it took a letter.
    code: u16,
}

impl Channel for MailingSpec {
    type Ledger = Mailings;
    type Progress = Progress;
    const KIND: &'static str = "mailing";

    fn subscriptions(ledgers: &Ledgers) -> &Subscriptions<Self> {
        &ledgers.mailings
    }

    fn wanted(&self) -> Wanted<'_> {
        wanted(self)
    }

    async fn tell(
        handle: &CoordinatorHandle,
        telling: &Telling<Self>,
        progress: &mut Progress,
    ) -> Result<Try, Stopped> {
        let occasion = &telling.occasion;
        let step = occasion.step.as_ref();
        let log = match step.and_then(|step| Some((step, step.failure.as_ref()?))) {
            Some((step, failure)) => excerpt(handle, &step.logs, &failure.stderr_tail).await,
            None => Vec::new(),
        };
        let id = format!("{}.{}", telling.id, occasion.run.id);
        let letter = letter(occasion, &log);
        Ok(post_all(handle, (&id, &letter), &telling.spec.to, progress).await)
    }

    fn given_up(progress: &Progress, why: String) -> DeliveryOutcome {
        progress.outcome(Some(&why))
    }
}

/// Sends a letter that says that it is a test, once; says what came of it.
pub(crate) async fn test(handle: &CoordinatorHandle, name: &Name, spec: &MailingSpec) -> DeliveryOutcome {
    let id = format!("{name}-test-{}", handle.inner.clock.now().0);
    let mut progress = Progress::default();
    match post_all(handle, (&id, &trial(name)), &spec.to, &mut progress).await {
        Try::Settled(outcome) => outcome,
        Try::Again(why) => progress.outcome(Some(&shortened(&why))),
    }
}

/// Brings the letter to everybody who has not been told.
async fn post_all(
    handle: &CoordinatorHandle,
    (id, letter): (&str, &Letter),
    to: &[EmailAddress],
    progress: &mut Progress,
) -> Try {
    let Some(mailer) = &handle.inner.mailer else {
        return Try::Again(NO_SERVER.to_owned());
    };
    let password = match mailer.password() {
        Some(place) => match password(handle, place).await {
            Ok(password) => Some(password),
            Err(why) => return Try::Again(why),
        },
        None => None,
    };
    let mut again = None;
    for address in to {
        if progress.taken.contains(address) || progress.refused.contains_key(address) {
            continue;
        }
        let now = handle.inner.clock.now();
        match mailer.post((id, now, letter), address, password.as_deref()).await {
            Ok(code) => {
                progress.code = code;
                progress.taken.insert(address.clone());
            }
            Err(PostError::Refused(why)) => {
                progress.refused.insert(address.clone(), why);
            }
            Err(error @ PostError::NotNow(_)) => again = Some(format!("{address}: {error}")),
            // The others would fare the same.
            Err(error) => return Try::Again(error.to_string()),
        }
    }
    match again {
        Some(why) => Try::Again(why),
        None => Try::Settled(progress.outcome(None)),
    }
}

async fn password(handle: &CoordinatorHandle, place: &SmtpPassword) -> Result<String, String> {
    let bytes = match place {
        SmtpPassword::File(path) => read(path).await.map_err(|error| error.to_string())?,
        SmtpPassword::Secret(name) => {
            let opened = handle.open_secrets(BTreeSet::from([name.clone()])).await;
            let given = opened.map_err(|error| error.to_string())?;
            let value = given.0.get(name);
            value.map_or_else(Vec::new, |value| value.reveal().to_vec())
        }
    };
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

impl Progress {
    /// What came of it in the end; `given_up` says why those are not told who were neither told nor refused.
    fn outcome(&self, given_up: Option<&str>) -> DeliveryOutcome {
        let refused = self
            .refused
            .iter()
            .map(|(address, why)| format!("{address}: {why}"));
        let reasons: Vec<String> = refused.chain(given_up.map(str::to_owned)).collect();
        let why = shortened(&reasons.join("; "));
        match u32::try_from(self.taken.len()).unwrap_or(u32::MAX) {
            _ if reasons.is_empty() => DeliveryOutcome::Delivered { status: self.code },
            0 => DeliveryOutcome::GivenUp { why },
            taken => DeliveryOutcome::PartlyDelivered { taken, why },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_the_letter_and_who_has_not_is_said() {
        let mut progress = Progress {
            code: 250,
            ..Progress::default()
        };
        progress.taken.insert("ada@example.org".parse().unwrap());
        assert_eq!(progress.outcome(None), DeliveryOutcome::Delivered { status: 250 });
        let eve = "eve@example.org".parse().unwrap();
        progress.refused.insert(eve, "550 no such user".into());
        let why = "eve@example.org: 550 no such user; no answer".to_owned();
        assert_eq!(
            progress.outcome(Some("no answer")),
            DeliveryOutcome::PartlyDelivered { taken: 1, why }
        );
        progress.taken.clear();
        assert!(matches!(progress.outcome(None), DeliveryOutcome::GivenUp { .. }));
    }
}
