//! A JSON value as YAML in block form. Every text that YAML could take for something else is written as JSON writes it, which YAML reads alike.

use serde_json::Value;
use std::fmt::Write;

/// Words that YAML takes for a truth, a nothing or a number, in one of its versions.
const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];

/// The document.
pub(super) fn text(value: &Value) -> String {
    let mut out = String::new();
    put(&mut out, value, 0);
    out.trim().to_owned()
}

/// Whether a value takes lines of its own.
fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

/// Writes a block, each line ended.
fn put(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(fields) if is_block(value) => {
            for (name, inner) in fields {
                indent(out, depth);
                out.push_str(&quoted(name));
                out.push(':');
                if is_block(inner) {
                    out.push('\n');
                    put(out, inner, depth + 1);
                } else {
                    line(out, inner);
                }
            }
        }
        Value::Array(items) if is_block(value) => {
            for item in items {
                indent(out, depth);
                out.push('-');
                if is_block(item) {
                    // The first line of the item stands beside its dash.
                    let mut inner = String::new();
                    put(&mut inner, item, depth + 1);
                    out.push(' ');
                    out.push_str(inner.trim_start());
                } else {
                    line(out, item);
                }
            }
        }
        _ => line(out, value),
    }
}

fn line(out: &mut String, value: &Value) {
    out.push(' ');
    out.push_str(&scalar(value));
    out.push('\n');
}

fn indent(out: &mut String, depth: usize) {
    (0..depth).for_each(|_| out.push_str("  "));
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

/// A text as it is, or as JSON writes it.
fn quoted(text: &str) -> String {
    let is_harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '+' | ' ');
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && !text.ends_with(' ')
        && text.chars().all(is_harmless)
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_plain {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len() + 2);
    for c in Value::from(text).to_string().chars() {
        // JSON leaves these as they are; YAML does not print them, or takes them for the end of a line.
        if matches!(
            c,
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        ) {
            write!(safe, "\\u{:04x}", u32::from(c)).expect("writing to a string cannot fail");
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_and_lists_stand_in_blocks() {
        let value = json!({"apiVersion": "tidemill/v1", "items": [{"id": "a", "steps": {"total": 2}}, [1, [2]], {}, []],
            "none": null, "yes": true});
        let text = text(&value);
        assert_eq!(
            text,
            "apiVersion: tidemill/v1\nitems:\n  - id: a\n    steps:\n      total: 2\n  - - 1\n    - - 2\n  - {}\n  - []\nnone: null\n\"yes\": true"
        );
    }

    #[test]
    fn what_could_be_taken_for_something_else_is_quoted() {
        for harmless in ["a", "uri_file", "/a/b", "a b", "v1.2"] {
            assert_eq!(quoted(harmless), harmless);
        }
        for (text, written) in [
            ("", "\"\""),
            ("No", "\"No\""),
            ("null", "\"null\""),
            ("1e3", "\"1e3\""),
            ("a: b", "\"a: b\""),
            ("a #b", "\"a #b\""),
            ("- a", "\"- a\""),
            ("a ", "\"a \""),
            ("é", "\"é\""),
            ("a\n\"b\"\u{85}", "\"a\\n\\\"b\\\"\\u0085\""),
        ] {
            assert_eq!(quoted(text), written);
        }
    }
}
