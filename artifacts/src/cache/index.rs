//! What the cache holds, what is in use, and what goes first when room is needed. Bookkeeping only: no file is touched here.

use crate::stamp::Stamp;
use std::collections::{BTreeMap, HashMap};
use tidemill_protocol::digest::Digest;

/// Whether this process has verified a cached file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verified {
    /// Not yet.
    Not,
    /// When it had this stamp.
    Under(Stamp),
}

/// Every cached content by digest and by the order of last use.
#[derive(Debug)]
pub(super) struct Index {
    entries: HashMap<Digest, Entry>,
    by_use: BTreeMap<u64, Digest>,
    uses: u64,
    bytes: u64,
    bytes_max: u64,
}

#[derive(Debug)]
struct Entry {
    size_bytes: u64,
    /// The stamp under which this process verified the file.
    verified: Option<Stamp>,
    last_use: u64,
    pins: u32,
}

impl Index {
    /// An empty index.
    pub(super) fn new(bytes_max: u64) -> Self {
        Self {
            entries: HashMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
            bytes: 0,
            bytes_max,
        }
    }

    /// Adds a content as the most recently used.
    pub(super) fn insert(&mut self, digest: Digest, size_bytes: u64, verified: Option<Stamp>, pins: u32) {
        self.remove(&digest);
        self.uses += 1;
        self.bytes += size_bytes;
        self.by_use.insert(self.uses, digest);
        self.entries.insert(
            digest,
            Entry {
                size_bytes,
                verified,
                last_use: self.uses,
                pins,
            },
        );
    }

    /// Forgets a content.
    pub(super) fn remove(&mut self, digest: &Digest) {
        if let Some(entry) = self.entries.remove(digest) {
            self.by_use.remove(&entry.last_use);
            self.bytes -= entry.size_bytes;
        }
    }

    /// Marks a content as used and keeps it from being evicted until [`Self::unpin`]; says whether it was verified.
    pub(super) fn pin(&mut self, digest: &Digest) -> Option<Verified> {
        let entry = self.entries.get_mut(digest)?;
        self.by_use.remove(&entry.last_use);
        self.uses += 1;
        entry.last_use = self.uses;
        entry.pins += 1;
        self.by_use.insert(self.uses, *digest);
        Some(entry.verified.map_or(Verified::Not, Verified::Under))
    }

    /// Ends one [`Self::pin`].
    pub(super) fn unpin(&mut self, digest: &Digest) {
        if let Some(entry) = self.entries.get_mut(digest) {
            entry.pins = entry.pins.saturating_sub(1);
        }
    }

    /// Notes that the file was verified under this stamp.
    pub(super) fn verified(&mut self, digest: &Digest, stamp: Stamp) {
        if let Some(entry) = self.entries.get_mut(digest) {
            entry.verified = Some(stamp);
        }
    }

    /// Makes room for a content and counts its bytes; gives the contents to delete, or nothing when what is in use leaves no room.
    pub(super) fn reserve(&mut self, size_bytes: u64) -> Option<Vec<Digest>> {
        let mut excess = self
            .bytes
            .saturating_add(size_bytes)
            .saturating_sub(self.bytes_max);
        let mut victims = Vec::new();
        for digest in self.by_use.values() {
            if excess == 0 {
                break;
            }
            let entry = self.entries.get(digest).filter(|entry| entry.pins == 0);
            if let Some(entry) = entry {
                excess = excess.saturating_sub(entry.size_bytes);
                victims.push(*digest);
            }
        }
        if excess > 0 {
            return None;
        }
        for digest in &victims {
            self.remove(digest);
        }
        self.bytes += size_bytes;
        Some(victims)
    }

    /// Gives reserved bytes back; [`Self::insert`] counts them for itself.
    pub(super) fn release(&mut self, size_bytes: u64) {
        self.bytes -= size_bytes;
    }

    /// Bytes held and reserved.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    fn index(contents: &[&str]) -> Index {
        let mut index = Index::new(30);
        for name in contents {
            index.insert(digest(name), 10, None, 0);
        }
        index
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let mut index = index(&["a", "b", "c"]);
        index.pin(&digest("a"));
        index.unpin(&digest("a"));
        assert_eq!(index.reserve(10), Some(vec![digest("b")]));
        assert_eq!(index.bytes(), 30);
    }

    #[test]
    fn what_is_in_use_stays() {
        let mut index = index(&["a", "b", "c"]);
        index.pin(&digest("a"));
        assert_eq!(index.reserve(15), Some(vec![digest("b"), digest("c")]));
    }

    #[test]
    fn a_content_that_cannot_fit_evicts_nothing() {
        let mut index = index(&["a", "b", "c"]);
        index.pin(&digest("a"));
        assert_eq!(index.reserve(25), None);
        assert_eq!(index.bytes(), 30);
        assert!(index.pin(&digest("b")).is_some());
    }

    #[test]
    fn released_room_can_be_reserved_again() {
        let mut index = index(&["a"]);
        assert_eq!(index.reserve(20), Some(vec![]));
        index.release(20);
        assert_eq!(index.reserve(20), Some(vec![]));
    }
}
