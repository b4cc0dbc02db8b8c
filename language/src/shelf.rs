//! Files that a client has told of: texts whole, code and data by path and shape only. What the loader looks for and nobody told of is noted as a [`Need`], so
//! that the client can tell of it and ask again. Nothing here touches a disk.

use crate::files::{Files, SourceKind, SourceRole};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};

/// What is looked for at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sought {
    /// The text of a pipeline, component, environment or requirements file.
    Text,
    /// A file or folder for this.
    Source(SourceRole),
}

/// Something that the loader looked for and the client has not told of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// The path, without needless segments.
    pub path: PathBuf,
    /// As what.
    pub sought: Sought,
}

/// Files that a client has told of.
#[derive(Debug, Default)]
pub struct Shelf {
    texts: BTreeMap<PathBuf, String>,
    sources: BTreeMap<(PathBuf, SourceRole), SourceKind>,
    absent: BTreeSet<PathBuf>,
    needs: RefCell<BTreeSet<Need>>,
}

impl Shelf {
    /// Adds the text of a file.
    pub fn tell_text(&mut self, path: &Path, text: String) {
        self.texts.insert(plain(path), text);
    }

    /// Adds a file or folder of code or data.
    pub fn tell_source(&mut self, path: &Path, role: SourceRole, kind: SourceKind) {
        self.sources.insert((plain(path), role), kind);
    }

    /// Adds that there is nothing at a path.
    pub fn tell_absent(&mut self, path: &Path) {
        self.absent.insert(plain(path));
    }

    /// What was looked for in vain since the last call and is not known to be absent.
    pub fn take_needs(&self) -> Vec<Need> {
        self.needs.take().into_iter().collect()
    }

    /// There is nothing at the path, or nobody knows yet.
    fn without(&self, path: PathBuf, sought: Sought) -> io::Error {
        if !self.absent.contains(&path) {
            self.needs.borrow_mut().insert(Need { path, sought });
        }
        io::Error::new(io::ErrorKind::NotFound, "there is no such file")
    }
}

impl Files for Shelf {
    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        let path = plain(path);
        if self.texts.contains_key(&path) {
            return Ok(path);
        }
        Err(self.without(path, Sought::Text))
    }

    fn read(&self, path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
        let path = plain(path);
        let Some(text) = self.texts.get(&path) else {
            return Err(self.without(path, Sought::Text));
        };
        let end = text.len().min(bytes_max.saturating_add(1));
        Ok(text.as_bytes()[..end].to_vec())
    }

    fn source(&self, path: &Path, role: SourceRole) -> io::Result<(PathBuf, Option<SourceKind>)> {
        let path = plain(path);
        match self.sources.get(&(path.clone(), role)) {
            Some(kind) => Ok((path, Some(*kind))),
            None => Err(self.without(path, Sought::Source(role))),
        }
    }

    fn neighbours(&self, folder: &Path) -> Vec<String> {
        let folder = plain(folder);
        let paths = self.texts.keys().chain(self.sources.keys().map(|(path, _)| path));
        let inside = paths.filter(|path| path.parent() == Some(&folder));
        inside
            .filter_map(|path| path.file_name()?.to_str().map(str::to_owned))
            .collect()
    }
}

/// A path without `.` and without `..` behind a name. Links are the client's affair: it knows its files by the paths that it told.
fn plain(path: &Path) -> PathBuf {
    let mut parts: Vec<Component<'_>> = Vec::new();
    for part in path.components() {
        match (part, parts.last()) {
            (Component::CurDir, _) | (Component::ParentDir, Some(Component::RootDir)) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    if parts.is_empty() {
        parts.push(Component::CurDir);
    }
    parts.iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Workspace, load_from};

    const PIPELINE: &str = "type: pipeline\njobs:\n  a:\n    component: parts/a.yml\n";
    const COMPONENT: &str = "type: command\ncode: ../src\ncommand: python a.py\n";

    fn needs(shelf: &Shelf) -> Vec<(String, Sought)> {
        drop(load_from(
            shelf,
            Path::new("p/pipeline.yml"),
            &Workspace::default(),
        ));
        let needs = shelf.take_needs().into_iter();
        needs
            .map(|need| (need.path.display().to_string(), need.sought))
            .collect()
    }

    #[test]
    fn each_reading_names_what_the_files_it_knows_lead_to() {
        let mut shelf = Shelf::default();
        assert_eq!(needs(&shelf), [("p/pipeline.yml".to_owned(), Sought::Text)]);
        shelf.tell_text(Path::new("p/pipeline.yml"), PIPELINE.to_owned());
        assert_eq!(needs(&shelf), [("p/parts/a.yml".to_owned(), Sought::Text)]);
        shelf.tell_text(Path::new("p/parts/a.yml"), COMPONENT.to_owned());
        let code = Sought::Source(SourceRole::Code);
        assert_eq!(needs(&shelf), [("p/src".to_owned(), code)]);
        shelf.tell_source(Path::new("p/src"), SourceRole::Code, SourceKind::Folder);
        let loaded = load_from(&shelf, Path::new("p/pipeline.yml"), &Workspace::default()).unwrap();
        assert_eq!(shelf.take_needs(), []);
        assert_eq!(loaded.sources.len(), 1);
        assert_eq!(loaded.sources[0].path, Path::new("p/src"));
        assert_eq!(
            loaded.outline().name.as_str(),
            "p",
            "a file called pipeline goes by its folder"
        );
    }

    #[test]
    fn what_is_known_to_be_absent_is_a_problem_and_no_need() {
        let mut shelf = Shelf::default();
        shelf.tell_text(Path::new("p/pipeline.yml"), PIPELINE.to_owned());
        shelf.tell_absent(Path::new("p/./parts/a.yml"));
        let problems = load_from(&shelf, Path::new("p/pipeline.yml"), &Workspace::default()).unwrap_err();
        assert_eq!(shelf.take_needs(), []);
        let problems = problems.to_problems();
        assert_eq!(problems.len(), 1);
        assert_eq!(
            (problems[0].file.as_deref(), problems[0].line),
            (Some("p/pipeline.yml"), Some(4))
        );
    }

    #[test]
    fn a_shelf_never_looks_at_the_disk() {
        let shelf = Shelf::default();
        for path in ["/etc/passwd", "Cargo.toml", "../Cargo.toml", "."] {
            assert!(shelf.read(Path::new(path), 10).is_err(), "{path}");
            assert!(shelf.canonical(Path::new(path)).is_err(), "{path}");
            assert!(shelf.source(Path::new(path), SourceRole::Data).is_err(), "{path}");
            assert_eq!(shelf.neighbours(Path::new(path)), Vec::<String>::new());
        }
    }

    #[test]
    fn paths_are_the_same_however_they_are_written() {
        for (written, plainly) in [
            ("a/./b/../c", "a/c"),
            ("../../x", "../../x"),
            ("a/../../x", "../x"),
            ("/../x", "/x"),
            ("./", "."),
        ] {
            assert_eq!(plain(Path::new(written)), Path::new(plainly), "{written}");
        }
    }

    #[test]
    fn a_text_is_read_no_further_than_one_byte_beyond_the_limit() {
        let mut shelf = Shelf::default();
        shelf.tell_text(Path::new("t"), "0123456789".to_owned());
        assert_eq!(shelf.read(Path::new("t"), 4).unwrap(), b"01234");
        assert_eq!(shelf.read(Path::new("t"), 40).unwrap(), b"0123456789");
    }
}
