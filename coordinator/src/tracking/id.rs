//! What tracked runs and experiments are called. The ids of tidemill's own runs and attempts are made of theirs, so that nothing has to be kept to find one by
//! the other; an experiment's id is made of its name.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use tidemill_protocol::digest::CanonicalHasher;
use tidemill_protocol::ids::{AttemptId, RunId, StepIndex};
use uuid::Uuid;

/// The experiment of whoever names none.
pub const DEFAULT_EXPERIMENT: &str = "0";
/// Its name.
pub const DEFAULT_EXPERIMENT_NAME: &str = "Default";

/// The id of a tracked run. 32 hexadecimal digits; for an attempt of a step, those of its run, the step's index and the attempt's number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrackedId(Arc<str>);

/// Something of tidemill's own that is shown as a tracked run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// A run.
    Run(RunId),
    /// An attempt at one of its steps.
    Attempt(AttemptId),
}

impl TrackedId {
    /// An id from random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(
            uuid::Builder::from_random_bytes(bytes)
                .into_uuid()
                .simple()
                .to_string()
                .into(),
        )
    }

    /// What a text names; only an id that exists means anything.
    pub fn named(text: &str) -> Self {
        Self(text.into())
    }

    /// The id of a run of tidemill's own.
    pub fn of_run(run: RunId) -> Self {
        Self(run.0.simple().to_string().into())
    }

    /// The id of an attempt.
    pub fn of_attempt(attempt: AttemptId) -> Self {
        let AttemptId { run, step, attempt } = attempt;
        Self(format!("{}-{step}-{attempt}", run.0.simple()).into())
    }

    /// What it would be if it is of tidemill's own.
    pub fn own(&self) -> Option<Own> {
        let mut parts = self.0.split('-');
        let run = parts.next().filter(|run| run.len() == 32)?;
        let run = RunId(Uuid::try_parse(run).ok()?);
        let Some(step) = parts.next() else {
            return Some(Own::Run(run));
        };
        let attempt = AttemptId {
            run,
            step: StepIndex(step.parse().ok()?),
            attempt: parts.next()?.parse().ok()?,
        };
        let is_canonical = Self::of_attempt(attempt) == *self;
        is_canonical.then_some(Own::Attempt(attempt))
    }

    /// Whether it is of a run that a client made: of random bytes, where the ids of tidemill's own runs begin with the time.
    pub fn is_of_client(&self) -> bool {
        matches!(self.own(), Some(Own::Run(run)) if run.0.get_version_num() == 4)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TrackedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TrackedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of the experiment that runs of tidemill's own name so. It is for ever: who renames the experiment, renames where they are shown.
pub fn own_experiment_id(name: &str) -> String {
    experiment_id(name, |_| false)
}

/// The id that an experiment of this name has, unless `is_taken` by one that had the name before: digits, as clients expect.
pub(super) fn experiment_id(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    if name == DEFAULT_EXPERIMENT_NAME && !is_taken(DEFAULT_EXPERIMENT) {
        return DEFAULT_EXPERIMENT.to_owned();
    }
    let mut ids = (0_u64..).map(|salt| {
        let mut hasher = CanonicalHasher::new("tidemill/experiment-id/v1");
        hasher.text(name).number(salt);
        let digest = hasher.finish();
        let first = digest.as_bytes().first_chunk::<8>().copied().unwrap_or_default();
        // Fits the signed numbers of the databases that clients copy ids into.
        (u64::from_be_bytes(first) >> 1).to_string()
    });
    ids.find(|id| !is_taken(id))
        .expect("there are more ids than experiments")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_found_again_by_its_id() {
        let run = RunId(Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0007));
        let attempt = AttemptId {
            run,
            step: StepIndex(12),
            attempt: 3,
        };
        let id = TrackedId::of_attempt(attempt);
        assert_eq!(id.as_str(), "01930000000070008000000000000007-12-3");
        assert_eq!(id.own(), Some(Own::Attempt(attempt)));
        assert_eq!(TrackedId::of_run(run).own(), Some(Own::Run(run)));
    }

    #[test]
    fn a_clients_run_is_told_from_our_own_by_its_id() {
        let run = RunId(Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0007));
        let attempt = AttemptId {
            run,
            step: StepIndex(0),
            attempt: 1,
        };
        assert!(TrackedId::from_random([7; 16]).is_of_client());
        assert!(!TrackedId::of_run(run).is_of_client());
        assert!(!TrackedId::of_attempt(attempt).is_of_client());
    }

    #[test]
    fn what_is_not_an_id_of_ours_means_nothing() {
        for text in [
            "",
            "x",
            "0193",
            "01930000000070008000000000000007-12",
            "01930000000070008000000000000007-012-3",
            "01930000000070008000000000000007-1-2-3",
            "01930000-0000-7000-8000-000000000007",
        ] {
            assert_eq!(TrackedId::named(text).own(), None, "{text}");
        }
    }

    #[test]
    fn an_experiment_keeps_its_id_and_a_name_that_is_used_again_gets_another() {
        let free = |_: &str| false;
        let first = experiment_id("churn", free);
        assert_eq!(first, experiment_id("churn", free));
        assert_ne!(first, experiment_id("Churn", free));
        let second = experiment_id("churn", |id| id == first);
        assert_ne!(first, second);
        assert_eq!(experiment_id("Default", free), "0");
    }
}
