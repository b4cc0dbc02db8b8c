//! What changed in a step's key, in words. Folders are looked into through the store, so that it says which file.

use std::collections::HashMap;
use tidemill_artifacts::{ArtifactStore, TreeDiff, diff};
use tidemill_engine::PartChange;
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef};
use tidemill_protocol::digest::Digest;

/// Files that are named; more are counted.
const NAMED_MAX: usize = 3;
/// Pairs of folders that are looked into for one answer; beyond, it only says that they differ.
const FOLDERS_MAX: usize = 32;
/// Folders with more files are not looked into.
const FILES_MAX: u64 = 100_000;

/// A change with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Phrased {
    /// The part, e.g. `code` or `input raw`.
    pub(crate) part: String,
    /// What changed in it, e.g. `train.py changed`; may be empty.
    pub(crate) detail: String,
}

impl Phrased {
    /// The whole phrase.
    pub(crate) fn text(&self) -> String {
        if self.detail.is_empty() {
            format!("{} changed", self.part)
        } else {
            format!("{}: {}", self.part, self.detail)
        }
    }
}

/// Puts each list of changes into words. Folders that the store cannot give are only said to differ.
pub(crate) async fn describe_changes(store: &ArtifactStore, lists: &[Vec<PartChange>]) -> Vec<Vec<Phrased>> {
    let mut known: HashMap<(Digest, Digest), String> = HashMap::new();
    let mut described = Vec::with_capacity(lists.len());
    for list in lists {
        let mut phrases = Vec::with_capacity(list.len());
        for change in list {
            let mut detail = None;
            if let Some((before, now)) = folders(change) {
                let pair = (before.digest, now.digest);
                if !known.contains_key(&pair) && known.len() < FOLDERS_MAX {
                    known.insert(pair, look_into(store, before, now).await.unwrap_or_default());
                }
                detail = known.get(&pair).cloned();
            }
            phrases.push(phrase(change, detail.unwrap_or_default()));
        }
        described.push(phrases);
    }
    described
}

/// A change in words, with what was found in its folders.
fn phrase(change: &PartChange, found: String) -> Phrased {
    let detail = match (&change.before, &change.now) {
        (None, Some(_)) => "is new".to_owned(),
        (Some(_), None) => "is gone".to_owned(),
        _ => found,
    };
    Phrased {
        part: change.part.clone(),
        detail,
    }
}

fn folders(change: &PartChange) -> Option<(ArtifactRef, ArtifactRef)> {
    let (before, now) = (change.before?.artifact?, change.now?.artifact?);
    let small = |artifact: &ArtifactRef| artifact.kind == ArtifactKind::Tree && artifact.files <= FILES_MAX;
    (small(&before) && small(&now)).then_some((before, now))
}

async fn look_into(store: &ArtifactStore, before: ArtifactRef, now: ArtifactRef) -> Option<String> {
    let before = store.get_tree(&before.digest).await.ok()?;
    let now = store.get_tree(&now.digest).await.ok()?;
    Some(describe(&diff(&before, &now), now.entries.len()))
}

fn describe(diff: &TreeDiff, files: usize) -> String {
    let changed = diff.changed.iter().map(|(_, now)| (now.path.as_str(), "changed"));
    let added = diff.added.iter().map(|entry| (entry.path.as_str(), "added"));
    let removed = diff.removed.iter().map(|entry| (entry.path.as_str(), "removed"));
    let all: Vec<(&str, &str)> = changed.chain(added).chain(removed).collect();
    if all.is_empty() {
        return "only empty folders changed".to_owned();
    }
    if all.len() <= NAMED_MAX {
        let named: Vec<String> = all.iter().map(|(path, what)| format!("{path} {what}")).collect();
        return named.join(", ");
    }
    let counts = [(diff.added.len(), "added"), (diff.removed.len(), "removed")];
    let others = counts.into_iter().filter(|(count, _)| *count > 0);
    let changed = format!("{} of {files} files changed", diff.changed.len());
    let parts = std::iter::once(changed).chain(others.map(|(count, what)| format!("{count} {what}")));
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_protocol::artifact::{Tree, TreeEntry};

    fn tree(files: &[(&str, &str)]) -> Tree {
        let entries = files.iter().map(|(path, content)| TreeEntry {
            path: path.parse().unwrap(),
            digest: Digest::of(content.as_bytes()),
            size_bytes: content.len() as u64,
            executable: false,
        });
        Tree::new(entries.collect(), vec![])
    }

    #[test]
    fn few_files_are_named() {
        let before = tree(&[("train.py", "1"), ("old.py", "x"), ("same.py", "s")]);
        let now = tree(&[("train.py", "2"), ("new.py", "x"), ("same.py", "s")]);
        assert_eq!(
            describe(&diff(&before, &now), 3),
            "train.py changed, new.py added, old.py removed"
        );
    }

    #[test]
    fn many_files_are_counted() {
        let names: Vec<String> = (0..10).map(|n| format!("f{n}")).collect();
        let before: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
        let mut now = before.clone();
        now.iter_mut().take(5).for_each(|file| file.1 = "2");
        assert_eq!(
            describe(&diff(&tree(&before), &tree(&now)), 10),
            "5 of 10 files changed"
        );
    }
}
