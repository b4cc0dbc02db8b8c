//! What is left in a cluster's store once its runs have ended and an operator has it swept. Everything there is to be old by then: the coordinator that sweeps
//! lives a month later.

use super::Cluster;
use crate::{Store, WallClock};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use tidemill_protocol::api::SweepView;

/// Longer than anything stays for its youth alone: the longest are other names of contents, with thirty days.
const LATER: &str = "+31d";

impl Cluster {
    /// Starts the coordinator alone, a month later, lets it sweep its store with the shortest time that may be said, and ends it.
    ///
    /// # Panics
    /// When it does not come up, or the sweep does not come to its end.
    pub fn sweep_a_month_later(&mut self) {
        let folder = self.sandbox.path().join("later");
        fs::create_dir(&folder).expect("a folder can be made");
        let clock = WallClock::new(&folder);
        clock.step(LATER);
        let usual = self.coordinator_variables.len();
        self.coordinator_variables.extend(clock.variables());
        self.start_coordinator();
        // Nobody is in the middle of anything.
        let sweep = [
            "artifacts",
            "sweep",
            "--older-than",
            "1h",
            "--ignore-restart",
            "--yes",
            "-o",
            "json",
        ];
        let swept: SweepView = self.ok(sweep).json();
        assert_eq!((swept.failed, swept.young), (None, 0), "everything is old");
        self.stop_coordinator();
        self.coordinator_variables.truncate(usual);
    }

    /// The keys of everything in the store.
    ///
    /// # Panics
    /// When it cannot be listed.
    pub fn stored(&self) -> BTreeSet<String> {
        match &self.store {
            Store::Folder => files_below(&self.sandbox.path().join("store")),
            Store::S3(server) => server.keys(),
        }
    }
}

fn files_below(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut waiting: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let key = path.strip_prefix(root).expect("it is below");
                found.insert(key.to_string_lossy().into_owned());
            }
        }
    }
    found
}
