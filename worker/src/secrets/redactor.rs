//! Covers secrets in a stream of bytes. A [`Redactor`] knows their spellings; a [`Cover`] carries over from piece to piece what may be the beginning of one, so
//! it does not matter how a program's writes are cut. What is carried is at most as long as the longest spelling.

use super::spellings::spellings;
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use tidemill_protocol::secret::SecretValue;

/// What stands in place of a secret.
const MARK: &[u8] = b"***";
/// A beginning of a secret at the end of a stream is covered from this length on.
const BEGINNING_BYTES_MIN: usize = 4;

/// Knows what to cover.
pub(crate) struct Redactor {
    search: AhoCorasick,
    /// Sorted, so that all that begin alike stand together.
    spellings: Vec<Vec<u8>>,
    /// Bytes with which one begins.
    first: Box<[bool; 256]>,
    longest: usize,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor(…)")
    }
}

impl Redactor {
    /// Covers these values, however they are spelled.
    pub(crate) fn new<'a>(values: impl IntoIterator<Item = &'a SecretValue>) -> Result<Self, String> {
        let all: BTreeSet<Vec<u8>> = values
            .into_iter()
            .flat_map(|value| spellings(value.reveal()))
            .collect();
        // Small whatever the values are: another kind may need a thousand times their size.
        let search = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .match_kind(MatchKind::Standard)
            .build(&all)
            .map_err(|error| error.to_string())?;
        let mut first = Box::new([false; 256]);
        for spelling in &all {
            if let Some(byte) = spelling.first() {
                first[usize::from(*byte)] = true;
            }
        }
        Ok(Self {
            search,
            longest: all.iter().map(Vec::len).max().unwrap_or(0),
            spellings: all.into_iter().collect(),
            first,
        })
    }

    /// Length of the longest spelling: nothing that begins so far before a place can reach beyond it.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// A cover for a stream that is read from its beginning.
    pub(crate) fn cover(self: &Arc<Self>) -> Cover {
        Cover {
            redactor: Arc::clone(self),
            carried: Vec::new(),
            covered: 0,
        }
    }

    /// A cover for a stream of which the beginning is not read: as much as could be the end of a secret is left out.
    pub(crate) fn cover_from_the_middle(self: &Arc<Self>) -> Cover {
        Cover {
            covered: self.longest.saturating_sub(1),
            ..self.cover()
        }
    }

    /// Where secrets are, in order, those that overlap as one.
    fn spans(&self, bytes: &[u8], covered: usize) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = self
            .search
            .find_overlapping_iter(bytes)
            .map(|found| found.range())
            .collect();
        if covered > 0 {
            found.push(0..covered);
        }
        found.sort_by_key(|span| span.start);
        let mut merged: Vec<Range<usize>> = Vec::with_capacity(found.len());
        for span in found {
            match merged.last_mut() {
                Some(last) if span.start < last.end => last.end = last.end.max(span.end),
                _ => merged.push(span),
            }
        }
        merged
    }

    /// From where on the bytes may be the beginning of a secret that goes on.
    fn begun(&self, bytes: &[u8]) -> usize {
        let from = bytes.len().saturating_sub(self.longest.saturating_sub(1));
        let begins = |start: &usize| {
            bytes.get(*start..).is_some_and(|rest| {
                rest.first().is_some_and(|byte| self.first[usize::from(*byte)]) && self.is_beginning(rest)
            })
        };
        (from..bytes.len()).find(begins).unwrap_or(bytes.len())
    }

    fn is_beginning(&self, text: &[u8]) -> bool {
        let place = self
            .spellings
            .partition_point(|spelling| spelling.as_slice() < text);
        let alike = self.spellings.iter().skip(place);
        alike
            .take_while(|spelling| spelling.starts_with(text))
            .any(|spelling| spelling.len() > text.len())
    }
}

/// Covers one stream.
pub(crate) struct Cover {
    redactor: Arc<Redactor>,
    /// What may be the beginning of a secret.
    carried: Vec<u8>,
    /// How many of the next bytes belong to what was covered already.
    covered: usize,
}

impl std::fmt::Debug for Cover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cover({} bytes carried)", self.carried.len())
    }
}

impl Cover {
    /// Takes the next bytes of the stream, and adds to `out` what may be shown.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.carried.extend_from_slice(bytes);
        let until = self.redactor.begun(&self.carried);
        self.show(until, out);
    }

    /// The stream ends here, or is read no further.
    pub(crate) fn finish(mut self, out: &mut Vec<u8>) {
        let is_beginning = self.carried.len() >= BEGINNING_BYTES_MIN;
        if is_beginning && self.covered < self.carried.len() {
            if self.covered == 0 {
                out.extend_from_slice(MARK);
            }
            return;
        }
        self.show(self.carried.len(), out);
    }

    fn show(&mut self, until: usize, out: &mut Vec<u8>) {
        let spans = self.redactor.spans(&self.carried, self.covered);
        let mut at = 0;
        let mut reaches = 0;
        for span in spans.into_iter().filter(|span| span.start < until) {
            out.extend_from_slice(self.carried.get(at..span.start).unwrap_or_default());
            if span.start > 0 || self.covered == 0 {
                out.extend_from_slice(MARK);
            }
            at = span.end.min(until);
            reaches = span.end;
        }
        out.extend_from_slice(self.carried.get(at..until).unwrap_or_default());
        self.carried.drain(..until);
        self.covered = reaches.saturating_sub(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "hunter2-of-the-forest";

    fn redactor(values: &[&str]) -> Arc<Redactor> {
        let values: Vec<SecretValue> = values
            .iter()
            .map(|value| SecretValue::new(value.as_bytes().to_vec()).unwrap())
            .collect();
        Arc::new(Redactor::new(&values).unwrap())
    }

    fn covered(redactor: &Arc<Redactor>, pieces: &[&[u8]]) -> String {
        let (mut cover, mut out) = (redactor.cover(), Vec::new());
        for piece in pieces {
            cover.push(piece, &mut out);
        }
        cover.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_secret_is_covered_however_the_stream_is_cut() {
        let redactor = redactor(&[SECRET]);
        let text = format!("user=ada password={SECRET} and again {SECRET}{SECRET}!\n");
        let expected = "user=ada password=*** and again ******!\n";
        let bytes = text.as_bytes();
        for first in 0..bytes.len() {
            for second in first..bytes.len() {
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(
                    covered(&redactor, &pieces),
                    expected,
                    "cut at {first} and {second}"
                );
            }
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(covered(&redactor, &single), expected);
    }

    #[test]
    fn what_is_no_secret_passes_at_once() {
        let redactor = redactor(&[SECRET]);
        let (mut cover, mut out) = (redactor.cover(), Vec::new());
        cover.push(b"50 % done, hunt", &mut out);
        assert_eq!(out, b"50 % done, ", "only what may be a beginning waits");
        cover.push(b"ing goes on", &mut out);
        assert_eq!(out, b"50 % done, hunting goes on");
    }

    #[test]
    fn secrets_that_overlap_are_covered_to_the_end() {
        let redactor = redactor(&["abcdefgh", "efghijkl"]);
        assert_eq!(covered(&redactor, &[b"<abcdefghijkl>"]), "<***>");
        assert_eq!(covered(&redactor, &[b"<abcdefghij", b"kl>"]), "<***>");
    }

    #[test]
    fn what_is_carried_is_bounded_whatever_is_written() {
        let redactor = redactor(&["aaaaaaaa"]);
        let (mut cover, mut out) = (redactor.cover(), Vec::new());
        for _ in 0..1_000 {
            cover.push(&[b'a'; 1_000], &mut out);
            assert!(cover.carried.len() <= redactor.longest());
        }
        cover.push(b" end", &mut out);
        cover.finish(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "*** end");
    }

    #[test]
    fn a_beginning_at_the_end_of_the_stream_is_covered_too() {
        let redactor = redactor(&[SECRET]);
        assert_eq!(
            covered(&redactor, &[b"killed while writing hunter2-of"]),
            "killed while writing ***"
        );
        assert_eq!(covered(&redactor, &[b"oh"]), "oh");
    }

    #[test]
    fn from_the_middle_the_end_of_a_secret_is_left_out() {
        let redactor = redactor(&[SECRET]);
        let text = format!("{SECRET} {} then {SECRET} last", "x".repeat(300));
        for cut in 1..SECRET.len() {
            let (mut cover, mut out) = (redactor.cover_from_the_middle(), Vec::new());
            cover.push(&text.as_bytes()[cut..], &mut out);
            cover.finish(&mut out);
            let shown = String::from_utf8(out).unwrap();
            assert!(!shown.contains("orest"), "{shown}");
            assert!(shown.ends_with("x then *** last"), "{shown}");
        }
    }
}
