//! What of a step's output reaches a terminal.

use tidemill_protocol::terminal::{TerminalFilter, overrides_direction, plain, shown};

/// Shows any bytes, whole and in two pieces.
///
/// # Panics
/// When a law does not hold.
pub fn screen(data: &[u8]) {
    let whole = shown(data);
    let cut = data.first().map_or(0, |first| usize::from(*first) % data.len());
    let (mut filter, mut split) = (TerminalFilter::default(), String::new());
    let (before, after) = data.split_at(cut);
    filter.push(before, &mut split);
    filter.push(after, &mut split);
    filter.finish(&mut split);
    assert_eq!(split, whole, "a cut after {cut} bytes shows something else");
    assert!(whole.len() <= 3 * data.len(), "it grew");
    assert_eq!(shown(whole.as_bytes()), whole, "what is shown is not clean");
    harmless(&whole);
    let plain = plain(data);
    assert!(!plain.contains('\u{1b}'));
    harmless(&plain);
    if let Ok(text) = std::str::from_utf8(data)
        && !text.contains(is_special)
    {
        assert_eq!(whole, text, "plain text was changed");
    }
}

fn is_special(character: char) -> bool {
    let kept = matches!(character, '\n' | '\t' | '\r');
    !kept && (character.is_control() || overrides_direction(character))
}

/// Each escape character begins a sequence of colours, and nothing else is special.
fn harmless(text: &str) {
    let mut pieces = text.split('\u{1b}');
    let first = pieces.next().unwrap_or_default();
    assert!(!first.contains(is_special));
    for piece in pieces {
        let sequence = piece.strip_prefix('[').and_then(|piece| piece.split_once('m'));
        let (parameters, rest) = sequence.expect("an escape character begins no sequence of colours");
        let number = |c: char| c.is_ascii_digit() || c == ';' || c == ':';
        assert!(parameters.len() <= 64 && parameters.chars().all(number));
        assert!(!rest.contains(is_special));
    }
}
