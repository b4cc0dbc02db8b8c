//! How long the coordinator waits for a silent worker.

use tidemill_protocol::time::Millis;

/// When nobody says.
pub(super) const DEFAULT: Millis = Millis::from_secs(60);
/// The bounds of what may be said.
const MIN: Millis = Millis::from_secs(10);
const MAX: Millis = Millis::from_secs(24 * 3600);

/// A lease as people write it. Workers are heard of every few seconds, and some of what they say may be late.
pub(super) fn parse(text: &str) -> Option<Millis> {
    let length: jiff::SignedDuration = text.parse().ok()?;
    let millis = Millis(u64::try_from(length.as_millis()).ok()?);
    (MIN..=MAX).contains(&millis).then_some(millis)
}
