//! What two listings of the same files differ in, and how a listing is kept. Pure.

use super::command::Difference;
use tidemill_artifacts::Listing;
use tidemill_protocol::schedule::FilesChange;

/// The bytes of a listing that is kept: equal listings have equal bytes.
pub(super) fn to_bytes(listing: &Listing) -> Vec<u8> {
    serde_json::to_vec(listing).expect("texts by texts are JSON")
}

/// What was kept.
pub(super) fn from_bytes(bytes: &[u8]) -> Option<Listing> {
    serde_json::from_slice(bytes).ok()
}

/// The difference; of the paths only the first.
pub(super) fn between(before: &Listing, after: &Listing) -> Difference {
    let mut found = Difference::default();
    let mut bytes = 0;
    for (path, stamp) in after {
        match before.get(path) {
            Some(known) if known == stamp => continue,
            Some(_) => found.changed += 1,
            None => found.added += 1,
        }
        bytes += path.len();
        if found.paths.len() < FilesChange::PATHS_MAX && bytes <= FilesChange::PATH_BYTES_MAX {
            found.paths.push(path.clone());
        }
    }
    let gone = before.keys().filter(|path| !after.contains_key(*path));
    found.removed = gone.count() as u64;
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(files: &[(&str, &str)]) -> Listing {
        let pairs = files
            .iter()
            .map(|(path, stamp)| ((*path).to_owned(), (*stamp).to_owned()));
        pairs.collect()
    }

    #[test]
    fn each_file_is_new_or_another_or_gone_or_nothing() {
        let before = listing(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let after = listing(&[("a", "1"), ("b", "2"), ("deep/d", "1")]);
        let found = between(&before, &after);
        assert_eq!((found.added, found.changed, found.removed), (1, 1, 1));
        assert_eq!(found.paths, ["b", "deep/d"]);
        assert_eq!(between(&after, &after), Difference::default());
        assert_eq!(from_bytes(&to_bytes(&after)), Some(after));
    }

    #[test]
    fn of_many_files_all_are_counted_and_the_first_are_named() {
        let after: Listing = (0..5_000).map(|n| (format!("{n:05}"), "1".to_owned())).collect();
        let found = between(&Listing::new(), &after);
        assert_eq!((found.added, found.paths.len()), (5_000, FilesChange::PATHS_MAX));
        let long: Listing = (0..50)
            .map(|n| (format!("{n}{}", "x".repeat(1_000)), "1".to_owned()))
            .collect();
        assert!(between(&Listing::new(), &long).paths.len() <= 16);
    }
}
