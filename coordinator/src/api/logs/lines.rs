//! Bytes of a log, put together to whole lines: pieces of text with the places where they end. Nothing is left out and nothing is said twice, however the
//! bytes were cut.

use bytes::Bytes;

/// Most bytes of one piece; a longer line comes in several.
pub(super) const PIECE_BYTES_MAX: usize = 64 * 1024;
/// Longest part of a character that a cut could leave behind.
const CHARACTER_BYTES_MAX: usize = 4;

/// Bytes that wait for the end of their line.
#[derive(Debug, Default)]
pub(super) struct Lines {
    waiting: Vec<u8>,
    /// The place of the first waiting byte in the log.
    at: u64,
}

/// Whole lines, or a part of one that is too long.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The place of its first byte.
    pub(super) begin: u64,
    /// The place after its last byte.
    pub(super) end: u64,
    /// Its text; what is no UTF-8 is replaced.
    pub(super) text: String,
}

impl Lines {
    pub(super) fn from(offset: u64) -> Self {
        Self {
            waiting: Vec::new(),
            at: offset,
        }
    }

    /// Takes bytes in that follow those before.
    pub(super) fn push(&mut self, bytes: &Bytes) {
        self.waiting.extend_from_slice(bytes);
    }

    /// The next piece that is whole; with `is_last` what is left, too.
    pub(super) fn next(&mut self, is_last: bool) -> Option<Piece> {
        let window = self.waiting.len().min(PIECE_BYTES_MAX);
        let seen = self.waiting.get(..window).unwrap_or_default();
        // Bars of progress end their lines with a carriage return only.
        let whole = seen.iter().rposition(|byte| matches!(byte, b'\n' | b'\r'));
        let length = match whole {
            Some(last) => last + 1,
            None if window == PIECE_BYTES_MAX => before_cut(seen),
            None if is_last && window > 0 => window,
            None => return None,
        };
        let rest = self.waiting.split_off(length);
        let taken = std::mem::replace(&mut self.waiting, rest);
        let begin = self.at;
        self.at += taken.len() as u64;
        Some(Piece {
            begin,
            end: self.at,
            text: String::from_utf8_lossy(&taken).into_owned(),
        })
    }

    /// The place after the last byte that was given out.
    pub(super) const fn end(&self) -> u64 {
        self.at
    }
}

/// How much of a line that is too long is taken: not through the middle of a character.
fn before_cut(bytes: &[u8]) -> usize {
    let begins = |byte: &u8| !(0x80..0xc0).contains(byte);
    let tail = bytes.iter().rev().take(CHARACTER_BYTES_MAX);
    let found = tail.enumerate().find(|(_, byte)| begins(byte));
    match found {
        Some((back, byte)) if *byte >= 0xc0 && back + 1 < bytes.len() => bytes.len() - back - 1,
        _ => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_comes_when_it_is_whole_and_what_has_no_end_when_nothing_more_comes() {
        let mut lines = Lines::from(10);
        lines.push(&Bytes::from("one\ntwo\nthr"));
        let first = lines.next(false).unwrap();
        assert_eq!(
            (first.begin, first.end, first.text.as_str()),
            (10, 18, "one\ntwo\n")
        );
        assert_eq!(lines.next(false), None);
        lines.push(&Bytes::from("ee"));
        assert_eq!(lines.next(true).unwrap().text, "three");
        assert_eq!((lines.next(true), lines.end()), (None, 23));
    }

    #[test]
    fn a_line_that_is_too_long_is_not_cut_through_a_character() {
        let mut lines = Lines::default();
        lines.push(&Bytes::from("x".to_owned() + &"\u{e4}".repeat(PIECE_BYTES_MAX)));
        while let Some(piece) = lines.next(true) {
            assert!(!piece.text.contains('\u{fffd}') && piece.text.len() <= PIECE_BYTES_MAX);
        }
    }

    proptest! {
        #[test]
        fn pieces_joined_are_the_log_however_it_was_cut(parts in prop::collection::vec("[a-c\n\r\u{e4}]{0,40}", 0..20)) {
            let (mut lines, mut joined, mut end) = (Lines::default(), String::new(), 0);
            for part in &parts {
                lines.push(&Bytes::from(part.clone()));
                while let Some(piece) = lines.next(false) {
                    prop_assert_eq!(piece.begin, end);
                    end = piece.end;
                    joined.push_str(&piece.text);
                }
            }
            while let Some(piece) = lines.next(true) {
                joined.push_str(&piece.text);
            }
            prop_assert_eq!(&joined, &parts.concat());
            prop_assert_eq!(lines.end(), joined.len() as u64);
        }
    }
}
