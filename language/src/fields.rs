//! Reading a mapping key by key: wrong shapes are noted where they stand, and so are the keys that nobody asked for.

use crate::diagnostic::{Code, Findings, Place, did_you_mean};
use crate::yaml::{Entry, Node, ScalarKind, Value};
use tidemill_protocol::plan::PythonVersions;

/// A mapping that is being read.
pub(crate) struct Fields<'n> {
    node: &'n Node,
    entries: &'n [Entry],
    asked: Vec<&'static str>,
    /// Where it stands, in the words of the file (`jobs.train.inputs`).
    pub(crate) path: String,
}

impl<'n> Fields<'n> {
    /// Opens a mapping; anything else is noted as a wrong shape.
    pub(crate) fn open(node: &'n Node, path: impl Into<String>, findings: &mut Findings) -> Option<Self> {
        let path = path.into();
        let Value::Map(entries) = &node.value else {
            let message = format!("`{}` must be a mapping, not {}", last(&path), node.shape());
            findings.add(Code::WrongShape, node.place, &path, message);
            return None;
        };
        Some(Self {
            node,
            entries,
            asked: Vec::with_capacity(16),
            path,
        })
    }

    /// Where the mapping stands.
    pub(crate) fn place(&self) -> Place {
        self.entries
            .first()
            .map_or(self.node.place, |entry| entry.key_place)
    }

    /// The path of one of its keys.
    pub(crate) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// The value of a key; nothing when it is absent or null.
    pub(crate) fn get(&mut self, key: &'static str) -> Option<&'n Node> {
        self.raw(key).filter(|node| !node.is_null())
    }

    /// The value of a key, null included.
    pub(crate) fn raw(&mut self, key: &'static str) -> Option<&'n Node> {
        self.asked.push(key);
        self.entries.iter().find(|e| &*e.key == key).map(|e| &e.value)
    }

    /// Where a key stands, if it is there.
    pub(crate) fn key_place(&self, key: &str) -> Option<Place> {
        self.entries.iter().find(|e| &*e.key == key).map(|e| e.key_place)
    }

    /// A scalar's text.
    pub(crate) fn text(&mut self, key: &'static str, findings: &mut Findings) -> Option<&'n str> {
        let node = self.get(key)?;
        let text = node.text();
        if text.is_none() {
            self.wrong_shape(key, node, "a text", findings);
        }
        text
    }

    /// A scalar's text, with its node.
    pub(crate) fn text_node(
        &mut self,
        key: &'static str,
        findings: &mut Findings,
    ) -> Option<(&'n str, &'n Node)> {
        let node = self.get(key)?;
        self.text(key, findings).map(|text| (text, node))
    }

    /// A scalar's text; its absence is noted.
    pub(crate) fn required_text(
        &mut self,
        key: &'static str,
        findings: &mut Findings,
    ) -> Option<(&'n str, &'n Node)> {
        if self.get(key).is_none() {
            let message = format!("`{}` needs the key `{key}`", last(&self.path));
            findings.add(Code::MissingKey, self.place(), &self.path, message);
            return None;
        }
        self.text_node(key, findings)
    }

    /// A truth value.
    pub(crate) fn boolean(&mut self, key: &'static str, findings: &mut Findings) -> Option<bool> {
        let node = self.get(key)?;
        match node.scalar() {
            Some(scalar) if scalar.text.eq_ignore_ascii_case("true") => Some(true),
            Some(scalar) if scalar.text.eq_ignore_ascii_case("false") => Some(false),
            _ => {
                self.wrong_shape(key, node, "`true` or `false`", findings);
                None
            }
        }
    }

    /// A whole number within bounds.
    pub(crate) fn integer(
        &mut self,
        key: &'static str,
        range: std::ops::RangeInclusive<i64>,
        findings: &mut Findings,
    ) -> Option<i64> {
        let node = self.get(key)?;
        let Some(number) = node.text().and_then(|text| text.parse::<i64>().ok()) else {
            self.wrong_shape(key, node, "a whole number", findings);
            return None;
        };
        if range.contains(&number) {
            return Some(number);
        }
        let message = format!("`{key}` must lie between {} and {}", range.start(), range.end());
        findings.add(Code::BadValue, node.place, &self.path_of(key), message);
        None
    }

    /// A version of Python, or a range of versions.
    pub(crate) fn python_versions(&mut self, key: &'static str, findings: &mut Findings) -> Option<String> {
        let (text, node) = self.text_node(key, findings)?;
        if PythonVersions::parse(text).is_none() {
            let message = format!("`{text}` names no version of Python");
            findings
                .add(Code::BadValue, node.place, &self.path_of(key), message)
                .help_text(
                    "write one that is wanted, e.g. `3.11`, or those that are possible, e.g. `>=3.9,<3.12`",
                );
        }
        Some(text.to_owned())
    }

    /// A mapping below a key.
    pub(crate) fn fields(&mut self, key: &'static str, findings: &mut Findings) -> Option<Self> {
        let node = self.get(key)?;
        Self::open(node, self.path_of(key), findings)
    }

    /// The pairs of a mapping below a key; none when it is absent.
    pub(crate) fn pairs(&mut self, key: &'static str, findings: &mut Findings) -> &'n [Entry] {
        self.fields(key, findings).map_or(&[], |fields| fields.entries)
    }

    /// The items of a list below a key; a single value counts as a list of one.
    pub(crate) fn items(&mut self, key: &'static str) -> &'n [Node] {
        match self.get(key) {
            None => &[],
            Some(Node {
                value: Value::List(items),
                ..
            }) => items,
            Some(node) => std::slice::from_ref(node),
        }
    }

    /// All pairs of this mapping.
    pub(crate) fn all(&self) -> &'n [Entry] {
        self.entries
    }

    /// Notes a value of the wrong shape.
    pub(crate) fn wrong_shape(&self, key: &str, node: &Node, wanted: &str, findings: &mut Findings) {
        let message = format!("`{key}` must be {wanted}, not {}", node.shape());
        let found = findings.add(Code::WrongShape, node.place, &self.path_of(key), message);
        if matches!(&node.value, Value::Scalar(scalar) if scalar.kind() == ScalarKind::Text && scalar.text.contains("${{"))
        {
            found.help_text("expressions are not supported at this place");
        }
    }

    /// Reads keys that have no effect here and says so.
    pub(crate) fn ignore(&mut self, keys: &[&'static str], findings: &mut Findings) {
        for key in keys {
            if self.get(key).is_some()
                && let Some(place) = self.key_place(key)
            {
                let message = format!("`{key}` has no effect here and is ignored");
                findings.add(Code::IgnoredKey, place, &self.path_of(key), message);
            }
        }
    }

    /// Notes every key that nobody asked for, under this code. Keys that start with `x-` are the author's own.
    pub(crate) fn finish(self, code: Code, findings: &mut Findings) {
        #[cfg(test)]
        findings.note_keys(&self.path, &self.asked);
        for entry in self.entries {
            if self.asked.contains(&&*entry.key) || entry.key.starts_with("x-") {
                continue;
            }
            let message = if self.path.is_empty() {
                format!("the key `{}` is not known here", entry.key)
            } else {
                format!("`{}` has no key `{}`", last(&self.path), entry.key)
            };
            findings
                .add(code, entry.key_place, &self.path_of(&entry.key), message)
                .help_with(did_you_mean(&entry.key, self.asked.iter().copied()));
        }
    }
}

/// The last part of a path.
pub(crate) fn last(path: &str) -> &str {
    match path.rsplit('.').next() {
        Some("") | None => "file",
        Some(part) => part,
    }
}
