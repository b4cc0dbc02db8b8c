//! The last lines of what a step wrote, as a letter shows them. Secrets are covered already: the worker does that before anything reaches the store.

use crate::handle::CoordinatorHandle;
use futures_util::TryStreamExt as _;
use tidemill_artifacts::StoreError;
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::terminal;

/// Bytes of the end of a log that are looked at.
const BYTES_MAX: u64 = 16 * 1024;
/// Lines that are shown.
const LINES_MAX: usize = 40;
/// Longest line that is shown whole, in characters.
const LINE_CHARS_MAX: usize = 500;

/// The last lines of the first of these logs that holds any; of `tail`, which came with the failure, when none does or the store does not answer.
pub(super) async fn excerpt(
    handle: &CoordinatorHandle,
    logs: &[Option<ArtifactRef>],
    tail: &str,
) -> Vec<String> {
    for log in logs.iter().flatten().filter(|log| log.size_bytes > 0) {
        match end_of(handle, log).await {
            Ok(bytes) => {
                let lines = lines(&bytes, log.size_bytes > BYTES_MAX);
                if !lines.is_empty() {
                    return lines;
                }
            }
            Err(error) => tracing::warn!(%error, "a mail goes without the log that it should show"),
        }
    }
    lines(tail.as_bytes(), false)
}

async fn end_of(handle: &CoordinatorHandle, log: &ArtifactRef) -> Result<Vec<u8>, StoreError> {
    let range = log.size_bytes.saturating_sub(BYTES_MAX)..log.size_bytes;
    let pieces = handle.inner.store.get_range(&log.digest, range).await?;
    let add = |mut bytes: Vec<u8>, piece: bytes::Bytes| async move {
        bytes.extend_from_slice(&piece);
        Ok(bytes)
    };
    pieces.try_fold(Vec::new(), add).await
}

/// The last lines of these bytes without what drives a terminal; the first one is left out when it may be half a line.
fn lines(bytes: &[u8], is_cut: bool) -> Vec<String> {
    let text = terminal::plain(bytes);
    let mut all: Vec<&str> = text.lines().skip(usize::from(is_cut)).collect();
    while all.last().is_some_and(|line| line.trim().is_empty()) {
        all.pop();
    }
    let shown = all.iter().skip(all.len().saturating_sub(LINES_MAX));
    let printable = |c: &char| *c == '\t' || !c.is_control();
    shown
        .map(|line| line.chars().filter(printable).take(LINE_CHARS_MAX).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_shown_without_colours() {
        let log: Vec<String> = (0..100)
            .map(|number| format!("\u{1b}[31mline {number}\u{1b}[0m\r\n"))
            .collect();
        let log = log.concat();
        let shown = lines(log.as_bytes(), false);
        assert_eq!(shown.len(), LINES_MAX);
        assert_eq!((shown[0].as_str(), shown[39].as_str()), ("line 60", "line 99"));
    }

    #[test]
    fn half_a_line_at_the_start_is_left_out() {
        assert_eq!(lines(b"lf a line\nwhole\n\n", true), ["whole"]);
        assert_eq!(lines(b"whole", false), ["whole"]);
        assert!(lines(b"\n \n", false).is_empty());
    }
}
