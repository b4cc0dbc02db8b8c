//! How the value of a secret may look in what a program writes: as it is, line by line, and in the usual encodings. A program that hides a value on purpose
//! (reversed, compressed, letter by letter) finds a way; this is for those that do not mean to.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use tidemill_protocol::secret::SECRET_BYTES;

/// Shorter spellings would cover what is none.
const SPELLING_BYTES_MIN: usize = 4;
/// Columns at which programs break base64.
const COLUMNS: [usize; 2] = [76, 64];

/// Every spelling of a value, none twice.
pub(super) fn spellings(value: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::new();
    // `$(cat file)` takes a line end away, `echo` adds one.
    let bare = value.trim_ascii_end();
    let with_end = [bare, b"\n".as_slice()].concat();
    for form in [value, bare, with_end.as_slice()] {
        base64_of(form, &mut all);
    }
    for form in [value, bare] {
        all.insert(form.to_vec());
        all.extend([hex(form, false), hex(form, true)]);
        percent(form, &mut all);
        json(form, &mut all);
    }
    for line in value.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        if line.len() >= *SECRET_BYTES.start() {
            all.insert(line.to_vec());
            json(line, &mut all);
        }
    }
    all.retain(|spelling| spelling.len() >= SPELLING_BYTES_MIN);
    all
}

/// Whole, broken into lines, and as a piece of something longer that was encoded together with it.
fn base64_of(value: &[u8], all: &mut BTreeSet<Vec<u8>>) {
    let whole = [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD].map(|engine| engine.encode(value));
    for text in whole {
        for columns in COLUMNS {
            let lines = text.as_bytes().chunks(columns);
            if text.len() > columns {
                all.extend(lines.filter(|line| line.len() >= 8).map(<[u8]>::to_vec));
            }
        }
        all.insert(text.into_bytes());
    }
    for before in 0..3_usize {
        let shifted = [&[0; 2][..before], value].concat();
        // Characters that hold bits of what stands before or after are not the value's own.
        let first = (before * 8).div_ceil(6);
        let last = shifted.len() * 8 / 6;
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = engine.encode(&shifted);
            all.extend(text.as_bytes().get(first..last).map(<[u8]>::to_vec));
        }
    }
}

fn hex(value: &[u8], upper: bool) -> Vec<u8> {
    let mut text = String::with_capacity(value.len() * 2);
    for byte in value {
        let written = if upper {
            write!(text, "{byte:02X}")
        } else {
            write!(text, "{byte:02x}")
        };
        written.expect("writing to a string cannot fail");
    }
    text.into_bytes()
}

/// As in addresses and forms: programs differ in what they leave alone, in the case of the digits, and in how they write a space.
fn percent(value: &[u8], all: &mut BTreeSet<Vec<u8>>) {
    for plain in ["-._~", "-._~/", "-._*", "-._~!'()*", "-._~!$&'()*+,;=:@/"] {
        for upper in [true, false] {
            for plus in [false, true] {
                let mut text = String::with_capacity(value.len());
                for byte in value {
                    let letter = char::from(*byte);
                    let written = match letter {
                        ' ' if plus => text.write_char('+'),
                        _ if letter.is_ascii_alphanumeric() || plain.contains(letter) => {
                            text.write_char(letter)
                        }
                        _ if upper => write!(text, "%{byte:02X}"),
                        _ => write!(text, "%{byte:02x}"),
                    };
                    written.expect("writing to a string cannot fail");
                }
                all.insert(text.into_bytes());
            }
        }
    }
}

/// As in a text of JSON: as it stands, with everything but ASCII escaped, with slashes escaped.
fn json(value: &[u8], all: &mut BTreeSet<Vec<u8>>) {
    let Ok(text) = std::str::from_utf8(value) else {
        return;
    };
    let quoted = serde_json::Value::from(text).to_string();
    let inner = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(&quoted);
    let mut ascii = String::with_capacity(inner.len());
    for letter in inner.chars() {
        if letter.is_ascii() {
            ascii.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            write!(ascii, "\\u{unit:04x}").expect("writing to a string cannot fail");
        }
    }
    for text in [inner, ascii.as_str()] {
        all.insert(text.as_bytes().to_vec());
        all.insert(text.replace('/', "\\/").into_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knows(value: &str, text: &str) -> bool {
        spellings(value.as_bytes()).contains(text.as_bytes())
    }

    #[test]
    fn the_usual_encodings_are_known() {
        let value = "pa ss/wörd\"?";
        for text in [
            value,
            "cGEgc3Mvd8O2cmQiPw==",
            "cGEgc3Mvd8O2cmQiPwo=",
            "pa%20ss%2Fw%C3%B6rd%22%3F",
            "pa+ss%2fw%c3%b6rd%22%3f",
            "pa%20ss/w%C3%B6rd%22%3F",
            "pa ss/wörd\\\"?",
            "pa ss/w\\u00f6rd\\\"?",
            "pa ss\\/wörd\\\"?",
            "70612073732f77c3b67264223f",
        ] {
            assert!(knows(value, text), "{text}");
        }
    }

    #[test]
    fn base64_of_something_longer_holds_a_spelling_at_every_alignment() {
        let value = b"hunter2-of-the-forest";
        for before in 0..7 {
            for after in 0..7 {
                let text = [&vec![b'<'; before][..], value, &vec![b'>'; after][..]].concat();
                for engine in [&STANDARD, &URL_SAFE] {
                    let encoded = engine.encode(&text);
                    let found = spellings(value)
                        .iter()
                        .any(|spelling| encoded.as_bytes().windows(spelling.len()).any(|w| w == spelling));
                    assert!(found, "{before} before, {after} after: {encoded}");
                }
            }
        }
    }

    #[test]
    fn each_line_of_a_key_file_is_known_by_itself() {
        let value = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\nabc\n-----END KEY-----\n";
        assert!(knows(value, "MIIEvQIBADANBgkqhkiG9w0BAQ"));
        assert!(!knows(value, "abc"), "too short to be told from other text");
        assert!(knows(value, value.trim_end()));
    }

    #[test]
    fn long_base64_is_known_as_programs_break_it() {
        let value: String = (0..200_u8).map(|n| char::from(b'a' + n % 26)).collect();
        let encoded = STANDARD.encode(&value);
        assert!(knows(&value, encoded.get(76..152).unwrap()));
        assert!(knows(&value, encoded.get(64..128).unwrap()));
    }

    #[test]
    fn spellings_are_long_enough_to_cover_nothing_else() {
        assert!(
            spellings(b"abcdef")
                .iter()
                .all(|spelling| spelling.len() >= SPELLING_BYTES_MIN)
        );
    }
}
