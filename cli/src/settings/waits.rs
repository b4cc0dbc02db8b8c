//! How long parts wait for each other: the coordinator for a silent worker, a worker for a stopped step, for a build and for a store that is away.

use super::layers::Layers;
use crate::failure::Failure;
use std::ops::RangeInclusive;
use std::time::Duration;
use tidemill_protocol::time::Millis;
use tidemill_worker::UPLOAD_DEADLINES;

/// The lease when nobody says.
const LEASE: Millis = Millis::from_secs(60);
/// The bounds of a lease.
const LEASE_MIN: Millis = Millis::from_secs(10);
const LEASE_MAX: Millis = Millis::from_secs(24 * 3600);

/// The bounds of a build's time.
const BUILDS: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_hours(24);

impl Layers {
    /// How long the coordinator waits for a silent worker. Workers are heard of every few seconds, and some of what they say may be late.
    pub(super) fn lease(&self) -> Result<Millis, Failure> {
        let parse = |text: &str| {
            let lease = Millis(u64::try_from(length(text)?.as_millis()).ok()?);
            (LEASE_MIN..=LEASE_MAX).contains(&lease).then_some(lease)
        };
        let lease = self.parsed("lease", parse, "a length from 10s to 1d, such as 1m")?;
        Ok(lease.unwrap_or(LEASE))
    }

    /// How long the building of an environment may take.
    pub(super) fn environment_timeout(&self) -> Result<Duration, Failure> {
        let parse = |text: &str| length(text).filter(|length| BUILDS.contains(length));
        let given = self.parsed(
            "environment_timeout",
            parse,
            "a length from 10s to 1d, such as 1h",
        )?;
        Ok(given.unwrap_or(Duration::from_hours(1)))
    }

    /// How long a stopped step has to save what it has.
    pub(super) fn stop_grace(&self) -> Result<Duration, Failure> {
        let seconds = self.number("stop_grace", 0, 3600)?;
        Ok(Duration::from_secs(seconds.map_or(10, i64::unsigned_abs)))
    }

    /// How long the outputs of a step wait for a store that does not take them, if somebody says.
    pub(super) fn upload_deadline(&self) -> Result<Option<Duration>, Failure> {
        let parse = |text: &str| length(text).filter(|length| UPLOAD_DEADLINES.contains(length));
        self.parsed("upload_deadline", parse, "a length from 1m to 144h, such as 24h")
    }
}

/// A length of time as people write it.
fn length(text: &str) -> Option<Duration> {
    text.parse::<jiff::SignedDuration>().ok()?.try_into().ok()
}
