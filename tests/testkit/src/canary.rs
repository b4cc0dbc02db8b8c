//! A secret that no other text holds, and a search for it, however it is spelled: in files, in what programs print, in the arguments of every process. The
//! spellings are written down here a second time, on purpose: the search must not share a fault with what it judges.

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::collections::hash_map::RandomState;
use std::fmt::Write as _;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};

/// The secret and the search for it.
#[derive(Debug)]
pub struct Canary {
    value: String,
    search: AhoCorasick,
}

impl Default for Canary {
    fn default() -> Self {
        Self::new()
    }
}

impl Canary {
    /// A new one. It holds what addresses, JSON and shells have to escape.
    ///
    /// # Panics
    /// Never: a few short texts can be searched for.
    pub fn new() -> Self {
        let random = RandomState::new().build_hasher().finish();
        let value = format!(
            "canary/{random:016x}+\"$ö& {:016x}?",
            random.rotate_left(7) ^ 0x5bd1
        );
        let search = AhoCorasick::new(spellings(&value)).expect("short texts can be searched for");
        Self { value, search }
    }

    /// Its value.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether it stands in these bytes.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.search.is_match(bytes)
    }

    /// The files below a folder in which it stands, or in whose names.
    pub fn in_files(&self, root: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut waiting = vec![root.to_owned()];
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let in_name = self.is_in(path.as_os_str().as_encoded_bytes());
                let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
                if in_name || (is_file && fs::read(&path).is_ok_and(|bytes| self.is_in(&bytes))) {
                    found.push(path.clone());
                }
                if is_folder {
                    waiting.push(path);
                }
            }
        }
        found
    }

    /// The processes of this machine in whose arguments it stands.
    pub fn in_arguments(&self) -> Vec<PathBuf> {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let lines = processes.map(|process| process.path().join("cmdline"));
        lines
            .filter(|line| fs::read(line).is_ok_and(|bytes| self.is_in(&bytes)))
            .collect()
    }
}

fn spellings(value: &str) -> Vec<String> {
    let mut all = vec![value.to_owned()];
    for before in 0..3 {
        let text = format!("{}{value}", "?".repeat(before));
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&text);
            // Without the characters that neighbours have a share in.
            let whole = text.len() * 8 / 6;
            all.extend(encoded.get((before * 8).div_ceil(6)..whole).map(str::to_owned));
        }
    }
    let quoted = serde_json::to_string(value).expect("a text is JSON");
    all.push(quoted.trim_matches('"').to_owned());
    all.push(quoted.trim_matches('"').replace('ö', "\\u00f6"));
    for (plain, upper) in [("/-._~", true), ("-._~", true), ("-._~", false)] {
        let mut encoded = String::new();
        for byte in value.bytes() {
            let letter = char::from(byte);
            if letter.is_ascii_alphanumeric() || plain.contains(letter) {
                encoded.push(letter);
            } else if upper {
                write!(encoded, "%{byte:02X}").expect("a text takes more");
            } else {
                write!(encoded, "%{byte:02x}").expect("a text takes more");
            }
        }
        all.push(encoded);
    }
    // What is left when somebody covers all but a piece of it.
    let pieces = value.split(|letter: char| !letter.is_ascii_alphanumeric());
    all.extend(pieces.filter(|piece| piece.len() >= 12).map(str::to_owned));
    all
}
