//! What of a step's output may reach a terminal. A terminal is an interpreter: what somebody's program wrote could set its title, its clipboard or its
//! keys, overwrite what stands above, or show other words than are there. Text, line ends, tabs and colours pass; nothing else does.
//!
//! Pure, and the same however the bytes are split into pieces. The log itself is kept as it was written; this is about showing it.

/// Longest sequence of colours: far above any real one.
const SEQUENCE_BYTES_MAX: usize = 64;
/// What stands for bytes that are no text.
const REPLACEMENT: &str = "\u{FFFD}";

/// Removes what drives a terminal from bytes that come in pieces.
#[derive(Debug, Clone, Default)]
pub struct TerminalFilter {
    state: State,
    /// The beginning of a character whose end has not come yet.
    partial: Vec<u8>,
}

/// Where in a sequence the filter is.
#[derive(Debug, Clone, Default)]
enum State {
    /// In text.
    #[default]
    Text,
    /// After an escape character.
    Escape,
    /// After an escape character and at least one intermediate one: a final one ends it.
    Intermediate,
    /// In a control sequence, with what has come of it. Empty once it can be no colour any more.
    Control(String),
    /// In a string for the terminal: a title, a link, a clipboard, a picture.
    Command,
}

impl TerminalFilter {
    /// Adds what may be shown of these bytes to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut String) {
        if self.partial.is_empty() {
            self.text(bytes, out);
        } else {
            let mut whole = std::mem::take(&mut self.partial);
            whole.extend_from_slice(bytes);
            self.text(&whole, out);
        }
    }

    /// Adds what is left at the end: half a character becomes a sign of replacement, half a sequence nothing.
    pub fn finish(&mut self, out: &mut String) {
        if !std::mem::take(&mut self.partial).is_empty() {
            self.chars(REPLACEMENT, out);
        }
        self.state = State::Text;
    }

    fn text(&mut self, mut bytes: &[u8], out: &mut String) {
        loop {
            let error = match std::str::from_utf8(bytes) {
                Ok(text) => return self.chars(text, out),
                Err(error) => error,
            };
            let (sound, rest) = bytes.split_at(error.valid_up_to());
            self.chars(std::str::from_utf8(sound).unwrap_or_default(), out);
            let Some(bad) = error.error_len() else {
                rest.clone_into(&mut self.partial);
                return;
            };
            self.chars(REPLACEMENT, out);
            bytes = rest.get(bad..).unwrap_or_default();
        }
    }

    fn chars(&mut self, text: &str, out: &mut String) {
        for character in text.chars() {
            self.state = match std::mem::take(&mut self.state) {
                State::Text => in_text(character, out),
                State::Escape => after_escape(character, out),
                State::Intermediate => match character {
                    ' '..='/' => State::Intermediate,
                    '0'..='~' => State::Text,
                    other => in_text(other, out),
                },
                State::Control(sequence) => in_control(sequence, character, out),
                State::Command => match character {
                    // A lost end mark costs one line, not the rest of the log.
                    '\n' => in_text(character, out),
                    '\u{7}' | '\u{18}' | '\u{1a}' | '\u{9c}' => State::Text,
                    // The end mark is an escape character and a backslash.
                    '\u{1b}' => State::Escape,
                    _ => State::Command,
                },
            };
        }
    }
}

fn in_text(character: char, out: &mut String) -> State {
    match character {
        '\u{1b}' => return State::Escape,
        // The same in one character.
        '\u{9b}' => return State::Control("\u{1b}[".to_owned()),
        '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => return State::Command,
        '\n' | '\t' | '\r' => out.push(character),
        other if other.is_control() || overrides_direction(other) => {}
        other => out.push(other),
    }
    State::Text
}

fn after_escape(character: char, out: &mut String) -> State {
    match character {
        '[' => State::Control("\u{1b}[".to_owned()),
        'P' | 'X' | ']' | '^' | '_' => State::Command,
        ' '..='/' => State::Intermediate,
        '0'..='~' => State::Text,
        other => in_text(other, out),
    }
}

fn in_control(mut sequence: String, character: char, out: &mut String) -> State {
    match character {
        '0'..='9' | ';' | ':' => {
            if sequence.len() >= SEQUENCE_BYTES_MAX {
                sequence.clear();
            }
            if !sequence.is_empty() {
                sequence.push(character);
            }
            State::Control(sequence)
        }
        // Private parameters and intermediate characters: colours have none.
        ' '..='/' | '<'..='?' => State::Control(String::new()),
        'm' if !sequence.is_empty() => {
            out.push_str(&sequence);
            out.push('m');
            State::Text
        }
        '@'..='~' => State::Text,
        other => in_text(other, out),
    }
}

/// Whether a character changes the direction of writing of what follows it, with which a line can show something else than it says.
pub const fn overrides_direction(character: char) -> bool {
    matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// What may be shown of these bytes.
pub fn shown(bytes: &[u8]) -> String {
    let (mut filter, mut out) = (TerminalFilter::default(), String::with_capacity(bytes.len()));
    filter.push(bytes, &mut out);
    filter.finish(&mut out);
    out
}

/// What may be shown of these bytes, without colours.
pub fn plain(bytes: &[u8]) -> String {
    let shown = shown(bytes);
    let (mut out, mut rest) = (String::with_capacity(shown.len()), shown.as_str());
    while let Some((before, sequence)) = rest.split_once('\u{1b}') {
        out.push_str(before);
        rest = sequence.split_once('m').map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_has_no_colours_either() {
        let bytes = "\u{1b}[31mred m\u{1b}[0m and \u{1b}[2Jmore".as_bytes();
        assert_eq!(plain(bytes), "red m and more");
    }

    #[test]
    fn text_line_ends_tabs_and_colours_pass() {
        for kept in [
            "",
            "loss 0.5\tacc 0.9\r\n",
            "größe 日本語 🦀",
            "\u{1b}[31mred\u{1b}[0m \u{1b}[1;38;5;8mbright\u{1b}[m",
            "\u{1b}[38:2::255:0:0mtrue colour",
            "\rhalf done\rdone\n",
        ] {
            assert_eq!(shown(kept.as_bytes()), kept);
        }
    }

    #[test]
    fn what_drives_a_terminal_does_not_pass() {
        for (written, seen) in [
            ("\u{1b}]0;title\u{7}a", "a"),
            ("\u{1b}]52;c;cm0gLXJmIH4=\u{1b}\\b", "b"),
            (
                "\u{1b}]8;;https://example.org\u{1b}\\link\u{1b}]8;;\u{1b}\\",
                "link",
            ),
            ("\u{1b}P$q\"p\u{1b}\\c", "c"),
            ("\u{1b}[2J\u{1b}[1;1Hd", "d"),
            ("\u{1b}[?1049h\u{1b}[>1me\u{1b}[6n", "e"),
            ("\u{1b}cf\u{1b}(0g\u{1b}7\u{1b}#8", "fg"),
            ("\u{9b}2Jh\u{9d}0;title\u{9c}i", "hi"),
            ("j\u{8}\u{7f}\u{7}\u{0}k\u{b}\u{c}", "jk"),
            ("l\u{202e}m\u{2066}n", "lmn"),
            ("\u{1b}\u{1b}[31mo", "\u{1b}[31mo"),
            ("\u{1b}[3\u{1b}[0mp", "\u{1b}[0mp"),
            ("\u{1b}[3\nq", "\nq"),
            ("\u{1b}]0;no end\nr", "\nr"),
            ("s\u{1b}[31", "s"),
        ] {
            assert_eq!(shown(written.as_bytes()), seen, "{written:?}");
        }
        let endless = format!("\u{1b}[{}mt", "1;".repeat(SEQUENCE_BYTES_MAX));
        assert_eq!(shown(endless.as_bytes()), "t");
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(shown(b"a\xff\x9bb\xe2\x82"), "a\u{FFFD}\u{FFFD}b\u{FFFD}");
        assert_eq!(
            shown(b"\xc2\x1b[2J\x9b"),
            "\u{FFFD}\u{FFFD}",
            "nothing grows together"
        );
    }

    #[test]
    fn it_is_the_same_however_the_bytes_are_split() {
        let bytes = "é\u{1b}[31mred\u{1b}[0m\u{1b}]0;t\u{7}\u{9b}2J日\u{202e}\n".as_bytes();
        let whole = shown(bytes);
        for first in 0..bytes.len() {
            for second in first..bytes.len() {
                let (mut filter, mut out) = (TerminalFilter::default(), String::new());
                filter.push(&bytes[..first], &mut out);
                filter.push(&bytes[first..second], &mut out);
                filter.push(&bytes[second..], &mut out);
                filter.finish(&mut out);
                assert_eq!(out, whole, "{first} {second}");
            }
        }
    }
}
