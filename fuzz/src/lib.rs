//! What every fuzz binary does around its target: hold it to a time. What the targets check stands in `tests/fuzzing`.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// What one input may take of the processor.
const TIME_MAX: Duration = Duration::from_millis(500);

/// Runs a target.
///
/// # Panics
/// When a law does not hold, or when it took too long.
pub fn run(target: fn(&[u8]), data: &[u8]) {
    let before = spent();
    target(data);
    let took = spent() - before;
    assert!(took < TIME_MAX, "one input took {took:?}");
}

/// The processor's time and not the clock's: a machine that stalls is no finding.
fn spent() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap_or_default()
}
