//! How many messages a measurement sends, and the loop that keeps a fixed number of them under way.

use anyhow::Result;
use futures_util::stream::{StreamExt, TryStreamExt, iter};
use std::time::{Duration, Instant};

/// Which messages to send and how.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Messages.
    pub count: usize,
    /// Bytes of each.
    pub bytes: usize,
    /// Messages under way at a time.
    pub in_flight: usize,
}

impl Load {
    /// Messages a second when all of them took this long.
    pub fn per_second(self, took: Duration) -> f64 {
        self.count as f64 / took.as_secs_f64()
    }
}

/// Runs as many futures as there are messages, a fixed number at a time, and measures how long they take together.
pub async fn timed<F: Future<Output = Result<()>>>(load: Load, send: impl Fn() -> F) -> Result<Duration> {
    let start = Instant::now();
    iter(0..load.count)
        .map(|_| Ok::<_, anyhow::Error>(send()))
        .try_buffer_unordered(load.in_flight)
        .try_for_each(|()| async { Ok(()) })
        .await?;
    Ok(start.elapsed())
}
