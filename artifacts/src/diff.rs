//! What differs between two folders, by their manifests alone.

use std::cmp::Ordering;
use tidemill_protocol::artifact::{Tree, TreeEntry};

/// The differences from one tree to another, each list in order of paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TreeDiff {
    /// Files that only the right tree has.
    pub added: Vec<TreeEntry>,
    /// Files that only the left tree has.
    pub removed: Vec<TreeEntry>,
    /// Files of both whose content or executable bit differs: left, then right.
    pub changed: Vec<(TreeEntry, TreeEntry)>,
}

impl TreeDiff {
    /// Whether the files are the same. Empty folders do not count.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// Compares two trees whose entries stand in canonical order.
pub fn diff(left: &Tree, right: &Tree) -> TreeDiff {
    let mut result = TreeDiff::default();
    let (mut left, mut right) = (left.entries.iter().peekable(), right.entries.iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return result,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.path.cmp(&b.path),
        };
        match order {
            Ordering::Less => result.removed.extend(left.next().cloned()),
            Ordering::Greater => result.added.extend(right.next().cloned()),
            Ordering::Equal => result.changed.extend(
                left.next()
                    .zip(right.next())
                    .filter(|(a, b)| a != b)
                    .map(|(a, b)| (a.clone(), b.clone())),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_protocol::digest::Digest;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let entry = |(path, content): &(&str, &str)| TreeEntry {
            path: path.parse().unwrap(),
            digest: Digest::of(content.as_bytes()),
            size_bytes: content.len() as u64,
            executable: false,
        };
        Tree::new(files.iter().map(entry).collect(), vec![])
    }

    fn paths<'a>(entries: impl IntoIterator<Item = &'a TreeEntry>) -> Vec<&'a str> {
        entries.into_iter().map(|entry| entry.path.as_str()).collect()
    }

    #[test]
    fn equal_trees_do_not_differ() {
        let tree = tree(&[("a", "1"), ("b", "2")]);
        assert!(diff(&tree, &tree).is_empty());
    }

    #[test]
    fn every_kind_of_difference_is_named() {
        let left = tree(&[("a", "1"), ("b", "2"), ("c", "3"), ("e", "5")]);
        let right = tree(&[("b", "2"), ("c", "other"), ("d", "4"), ("f", "6")]);
        let diff = diff(&left, &right);
        assert_eq!(paths(&diff.removed), ["a", "e"]);
        assert_eq!(paths(&diff.added), ["d", "f"]);
        assert_eq!(paths(diff.changed.iter().map(|(left, _)| left)), ["c"]);
    }

    #[test]
    fn a_file_that_became_executable_has_changed() {
        let left = tree(&[("run.sh", "x")]);
        let mut right = left.clone();
        right.entries[0].executable = true;
        assert_eq!(diff(&left, &right).changed.len(), 1);
    }
}
