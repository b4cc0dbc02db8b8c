//! Whether and when a failed attempt is followed by another.

use crate::run::Run;
use tidemill_protocol::digest::CanonicalHasher;
use tidemill_protocol::failure::FailureReason;
use tidemill_protocol::ids::{AttemptId, StepIndex};
use tidemill_protocol::time::Timestamp;

/// How many attempts of a step may fail through the machines' fault before the step fails: the author's retries do not count for these.
pub(crate) const CRASHES_MAX: u16 = 5;

/// How often a store that is away may keep a step from beginning before the step fails. Each try takes its worker minutes, and the pauses grow to five minutes unless
/// the author says less: more than a day.
pub(crate) const OUTAGES_MAX: u16 = 300;

/// The moment of the next attempt, if there is to be one after `attempt` failed for `reason`.
pub(crate) fn retry_at(
    run: &Run,
    step: StepIndex,
    attempt: AttemptId,
    reason: &FailureReason,
    now: Timestamp,
) -> Option<Timestamp> {
    let tries = run.state(step).tries();
    let policy = &run.graph.template(step).rules.retry;
    let failed = if reason.is_final() {
        return None;
    } else if reason.is_outage() {
        let outages = tries.outages.saturating_add(1);
        (outages < OUTAGES_MAX).then_some(outages)
    } else if reason.is_infrastructure() {
        let crashes = tries.crashes.saturating_add(1);
        (crashes < CRASHES_MAX).then_some(crashes)
    } else {
        let failures = tries.failures.saturating_add(1);
        (u32::from(failures) <= policy.retries_max).then_some(failures)
    };
    failed.map(|failed| now + policy.pause(u32::from(failed), salt(attempt)))
}

/// Spreads the pauses of attempts that failed together; the same for the same attempt, so that a journal gives the same times whenever it is read.
fn salt(attempt: AttemptId) -> u64 {
    let digest = CanonicalHasher::new("tidemill/retry-jitter/v1")
        .bytes(attempt.run.0.as_bytes())
        .number(u64::from(attempt.step.0))
        .number(u64::from(attempt.attempt))
        .finish();
    digest
        .as_bytes()
        .iter()
        .take(8)
        .fold(0, |salt, byte| (salt << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::salt;
    use tidemill_protocol::ids::{AttemptId, StepIndex};

    fn attempt(step: u32, attempt: u32) -> AttemptId {
        let run = "00000001-0000-7000-8000-000000000000".parse().unwrap();
        AttemptId {
            run,
            step: StepIndex(step),
            attempt,
        }
    }

    #[test]
    fn attempts_that_failed_together_pause_for_different_times_and_each_always_for_its_own() {
        let spread: std::collections::BTreeSet<u64> =
            (0..50).map(|step| salt(attempt(step, 1)) % 1000).collect();
        assert!(spread.len() > 40, "{spread:?}");
        assert_eq!(salt(attempt(1, 1)), salt(attempt(1, 1)));
        assert_ne!(salt(attempt(1, 1)), salt(attempt(1, 2)));
    }
}
