//! Waiting for something to be so. Level-triggered: it asks whether the state *is* so, never whether something changed, so that it cannot miss it.

use std::time::{Duration, Instant};

/// Pause between two looks.
const EVERY: Duration = Duration::from_millis(25);

/// Asks until there is an answer, and returns it.
///
/// # Panics
/// When `deadline` passes first; the message says what was waited for.
#[track_caller]
pub fn eventually<T>(deadline: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        assert!(
            start.elapsed() < deadline,
            "{what}: not so within {} s",
            deadline.as_secs()
        );
        pause();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that waits between two looks at a process outside"
)]
fn pause() {
    std::thread::sleep(EVERY);
}
