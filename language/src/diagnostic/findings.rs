//! Where problems are gathered while files are read, and how they point into them.

use super::code::{Code, Severity};
use super::render::{Diagnostic, Problems};
use super::source::{Location, SourceFile};
use std::sync::Arc;

/// Most problems that are gathered; a file with more is broken in one way many times.
const FINDINGS_MAX: usize = 200;

/// A stretch of a file that was read: which file, and bytes from where to where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// Place of the file in the order of reading.
    pub(crate) file: u32,
    /// First byte.
    pub(crate) start: u32,
    /// First byte after it.
    pub(crate) end: u32,
}

/// Gathers problems.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    files: Vec<Arc<SourceFile>>,
    list: Vec<Diagnostic>,
    errors: usize,
    /// Which keys each mapping was asked for: what the schema is held against.
    #[cfg(test)]
    keys: Vec<(String, Vec<&'static str>)>,
}

impl Findings {
    /// Remembers a file's text; places name it by the returned number.
    pub(crate) fn add_file(&mut self, name: String, text: Arc<str>) -> u32 {
        self.files.push(Arc::new(SourceFile { name, text }));
        u32::try_from(self.files.len() - 1).expect("the number of files is capped far below u32")
    }

    #[cfg(test)]
    pub(crate) fn note_keys(&mut self, path: &str, keys: &[&'static str]) {
        self.keys.push((path.to_owned(), keys.to_vec()));
    }

    #[cfg(test)]
    pub(crate) fn into_keys(self) -> Vec<(String, Vec<&'static str>)> {
        assert_eq!(self.errors, 0, "{:?}", self.list);
        self.keys
    }

    /// A file that was remembered.
    pub(crate) fn file(&self, number: u32) -> Option<Arc<SourceFile>> {
        self.files.get(number as usize).map(Arc::clone)
    }

    /// Notes a problem at a place. `path` says in the words of the file what it is about.
    pub(crate) fn add(
        &mut self,
        code: Code,
        place: Place,
        path: &str,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        let location = self.files.get(place.file as usize).map(|file| Location {
            file: Arc::clone(file),
            start: place.start as usize,
            end: place.end as usize,
        });
        self.push(Diagnostic {
            code,
            message: message.into(),
            help: None,
            path: path.to_owned(),
            label: None,
            location,
        })
    }

    /// Notes a problem that stands in no text.
    pub(crate) fn add_without_place(
        &mut self,
        code: Code,
        path: &str,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.push(Diagnostic {
            code,
            message: message.into(),
            help: None,
            path: path.to_owned(),
            label: None,
            location: None,
        })
    }

    fn push(&mut self, diagnostic: Diagnostic) -> &mut Diagnostic {
        if diagnostic.severity() == Severity::Error {
            self.errors += 1;
        }
        // Beyond the limit the last one is overwritten, so that callers need not care.
        if self.list.len() == FINDINGS_MAX {
            self.list.pop();
        }
        self.list.push(diagnostic);
        self.list.last_mut().expect("one was just pushed")
    }

    /// Where `needle` stands inside a place; the place itself when it is not found (escapes and folding change how text reads).
    pub(crate) fn locate(&self, place: Place, needle: &str) -> Place {
        let text = self
            .files
            .get(place.file as usize)
            .and_then(|file| file.text.get(place.start as usize..place.end as usize));
        let found = text
            .filter(|_| !needle.is_empty())
            .and_then(|text| text.find(needle));
        let span = found.and_then(|at| Some((u32::try_from(at).ok()?, u32::try_from(needle.len()).ok()?)));
        span.map_or(place, |(at, length)| Place {
            start: place.start + at,
            end: place.start + at + length,
            ..place
        })
    }

    /// Whether so many errors were found that further ones would not be shown.
    pub(crate) fn is_full(&self) -> bool {
        self.errors >= FINDINGS_MAX
    }

    /// How many errors there are so far: callers compare to learn whether a part was read well.
    pub(crate) fn errors(&self) -> usize {
        self.errors
    }

    /// All problems when at least one is an error, else the warnings.
    pub(crate) fn finish(mut self) -> Result<Vec<Diagnostic>, Problems> {
        self.list.sort_by(|a, b| a.order().cmp(&b.order()));
        self.list.dedup_by(|a, b| a.same_as(b));
        if self.errors == 0 {
            Ok(self.list)
        } else {
            Err(Problems(self.list))
        }
    }
}
