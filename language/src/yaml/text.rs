//! Reading a file's text: regular, not too large, UTF-8, without characters that mislead a reader.

use crate::diagnostic::{Code, Findings, Place};
use crate::files::Files;
use std::path::Path;

/// Largest pipeline, component or environment file in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// Reads a file and registers it with the findings; a fault is noted at `from`, the place that asked for the file.
pub(crate) fn read_text(
    files: &dyn Files,
    path: &Path,
    findings: &mut Findings,
    from: Option<Place>,
) -> Option<(u32, std::sync::Arc<str>)> {
    let name = path.display().to_string();
    let fault = |findings: &mut Findings, code, message: String| {
        match from {
            Some(place) => findings.add(code, place, "", message),
            None => findings.add_without_place(code, "", message),
        };
    };
    let bytes = match files.read(path, TEXT_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) => {
            fault(
                findings,
                Code::FileUnreadable,
                format!("cannot read {name}: {error}"),
            );
            return None;
        }
    };
    if bytes.len() > TEXT_BYTES_MAX {
        fault(
            findings,
            Code::FileTooLarge,
            format!("{name} is larger than 1 MiB"),
        );
        return None;
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let line = error.as_bytes().iter().take(at).filter(|b| **b == b'\n').count() + 1;
            fault(
                findings,
                Code::BadText,
                format!("{name} is not UTF-8: byte {at} in line {line} belongs to no character"),
            );
            return None;
        }
    };
    let text: std::sync::Arc<str> = text.into();
    let file = findings.add_file(name, text.clone());
    if let Some((at, character)) = forbidden(&text) {
        let start = u32::try_from(at).unwrap_or(0);
        let place = Place {
            file,
            start,
            end: start + u32::try_from(character.len_utf8()).unwrap_or(1),
        };
        findings
            .add(Code::BadText, place, "", describe(character))
            .help_text("remove the character; write it as an escape in a step's own script if it is data");
        return None;
    }
    Some((file, text))
}

/// The first character that text must not hold, with its byte offset: controls other than tab and line ends, and the characters that
/// override the direction of writing, with which a file can show something else than it says.
pub(crate) fn forbidden(text: &str) -> Option<(usize, char)> {
    text.char_indices().find(|(_, c)| match c {
        '\t' | '\n' | '\r' => false,
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => true,
        c => c.is_control(),
    })
}

/// What is wrong with a forbidden character, shown escaped.
pub(crate) fn describe(character: char) -> String {
    let kind = match character {
        '\0' => "a NUL character",
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {
            "a character that overrides the direction of writing"
        }
        _ => "a control character",
    };
    format!("the text holds {kind} (U+{:04X})", u32::from(character))
}
