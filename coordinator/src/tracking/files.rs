//! The files that were logged: which content is at which path. The contents are in the store and never change; what is at a path may.

use super::fact::StoredFile;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};

/// Files by their paths below the root of all artifacts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Files(BTreeMap<String, StoredFile>);

/// What is in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name in the folder.
    pub name: String,
    /// How long it is; none for a folder.
    pub size_bytes: Option<u64>,
}

impl Files {
    /// The file at a path.
    pub fn get(&self, path: &str) -> Option<&StoredFile> {
        self.0.get(path)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (&str, &StoredFile)> {
        self.0.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// The files below a folder, with their paths in it.
    pub fn below<'a>(&'a self, folder: &str) -> impl Iterator<Item = (&'a str, &'a StoredFile)> + use<'a> {
        let prefix = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        let from = self.0.range::<str, _>((Included(prefix.as_str()), Unbounded));
        let length = prefix.len();
        from.take_while(move |(path, _)| path.starts_with(&prefix))
            .filter_map(move |(path, file)| Some((path.get(length..)?, file)))
    }

    /// What is in a folder, without what is in its folders. Goes over each of these in one step.
    pub fn list(&self, folder: &str) -> Vec<Listed> {
        let prefix = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        let mut listed = Vec::new();
        let mut from = Included(prefix.clone());
        while let Some((path, file)) = self.0.range::<String, _>((from, Unbounded)).next() {
            let Some(rest) = path.strip_prefix(&prefix) else {
                break;
            };
            let (name, size_bytes) = match rest.split_once('/') {
                Some((folder, _)) => (folder, None),
                None => (rest, Some(file.size_bytes)),
            };
            let next = match size_bytes {
                // `0` is the character after `/`: nothing below the folder sorts after it.
                None => Included(format!("{prefix}{name}0")),
                Some(_) => Excluded(path.clone()),
            };
            let name = Listed {
                name: name.to_owned(),
                size_bytes,
            };
            listed.push(name);
            from = next;
        }
        listed
    }

    /// Whether something is in the way of a file at this path: a folder there, or a file where one of its folders is to be.
    pub fn is_in_the_way(&self, path: &str) -> bool {
        let mut folders = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        self.below(path).next().is_some() || folders.any(|folder| self.0.contains_key(folder))
    }

    pub(super) fn put(&mut self, path: String, file: StoredFile) {
        self.0.insert(path, file);
    }

    /// Removes a file, or a folder with what is below it.
    pub(super) fn remove(&mut self, path: &str) {
        self.0.remove(path);
        let below: Vec<String> = self
            .below(path)
            .map(|(rest, _)| format!("{path}/{rest}"))
            .collect();
        for path in below {
            self.0.remove(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_protocol::digest::Digest;

    fn files(paths: &[&str]) -> Files {
        let mut files = Files::default();
        for path in paths {
            let file = StoredFile {
                blob: Digest::of(path.as_bytes()),
                size_bytes: path.len() as u64,
            };
            files.put((*path).to_owned(), file);
        }
        files
    }

    fn names(files: &Files, folder: &str) -> Vec<String> {
        let listed = files.list(folder).into_iter();
        listed
            .map(|one| {
                if one.size_bytes.is_none() {
                    format!("{}/", one.name)
                } else {
                    one.name
                }
            })
            .collect()
    }

    #[test]
    fn a_folder_lists_its_own_files_and_folders_once() {
        let files = files(&["a", "r/m-", "r/m/a", "r/m/b/c", "r/m/b/d", "r/m0", "r/x", "rr/y"]);
        assert_eq!(names(&files, ""), ["a", "r/", "rr/"]);
        assert_eq!(names(&files, "r"), ["m-", "m/", "m0", "x"]);
        assert_eq!(names(&files, "r/m"), ["a", "b/"]);
        assert_eq!(names(&files, "r/none"), [""; 0]);
        assert_eq!(names(&files, "r/m/a"), [""; 0]);
    }

    #[test]
    fn a_folder_goes_with_what_is_below_it_and_nothing_beside_it() {
        let mut files = files(&["r/m/a", "r/m/b/c", "r/m0", "r/mm/x"]);
        files.remove("r/m");
        assert_eq!(
            files.all().map(|(path, _)| path).collect::<Vec<_>>(),
            ["r/m0", "r/mm/x"]
        );
        files.remove("r/m0");
        assert_eq!(files.len(), 1);
    }

    #[test]
    fn a_file_is_no_folder() {
        let files = files(&["r/m/a"]);
        assert!(files.is_in_the_way("r/m") && files.is_in_the_way("r/m/a/b"));
        assert!(!files.is_in_the_way("r/m/a") && !files.is_in_the_way("r/m/b"));
    }
}
