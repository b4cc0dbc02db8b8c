//! Sweeps of stores that hold anything at all: what is reachable from a mark, or from what somebody has just asked for, stays; everything else goes.

use std::collections::{BTreeMap, HashSet};
use tidemill_artifacts::{ArtifactStore, Marks, StoreConfig, SweepOptions};
use tidemill_protocol::artifact::{Tree, TreeEntry};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::time::{Millis, Timestamp};

/// How many stores are filled and swept.
const WORLDS: u64 = 40;

/// Numbers from a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn some<'a, T>(&mut self, of: &'a [T], one_in: u64) -> Vec<&'a T> {
        of.iter().filter(|_| self.below(one_in) == 0).collect()
    }
}

/// What was put into a store: files, and folders with the files in them.
#[derive(Default)]
struct World {
    blobs: Vec<Digest>,
    trees: BTreeMap<Digest, Vec<Digest>>,
}

impl World {
    async fn fill(store: &ArtifactStore, chance: &mut Chance, seed: u64) -> Self {
        let mut world = Self::default();
        for number in 0..20 {
            let text = format!("{seed}/{number}");
            let stored = store.put_bytes(text.into()).await.unwrap();
            world.blobs.push(stored.digest);
        }
        for number in 0..8 {
            let files = chance.some(&world.blobs, 4);
            let entries = files.iter().enumerate().map(|(place, digest)| TreeEntry {
                path: format!("{number}-{place}").parse().unwrap(),
                digest: **digest,
                size_bytes: format!(
                    "{seed}/{}",
                    world.blobs.iter().position(|d| d == *digest).unwrap()
                )
                .len() as u64,
                executable: false,
            });
            let tree = Tree::new(entries.collect(), vec![]);
            let files = tree.entries.iter().map(|entry| entry.digest).collect();
            let stored = store.put_tree(&tree).await.unwrap();
            world.trees.insert(stored.digest, files);
        }
        world
    }

    /// These and what is in them.
    fn reachable(&self, from: &HashSet<Digest>) -> HashSet<Digest> {
        let inside = from.iter().filter_map(|digest| self.trees.get(digest)).flatten();
        from.iter().chain(inside).copied().collect()
    }
}

#[tokio::test]
async fn nothing_that_is_reachable_is_ever_swept_and_nothing_else_is_left() {
    for seed in 0..WORLDS {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig::local(folder.path()).unwrap();
        // The one that sweeps knows nothing of what another process has stored.
        let (outside, store) = (
            ArtifactStore::open(&config).await.unwrap(),
            ArtifactStore::open(&config).await.unwrap(),
        );
        store.keep_pins();
        let mut chance = Chance(seed);
        let world = World::fill(&outside, &mut chance, seed).await;
        let trees: Vec<Digest> = world.trees.keys().copied().collect();
        let all: Vec<Digest> = world.blobs.iter().chain(&trees).copied().collect();
        let marks = Marks {
            artifacts: chance.some(&all, 5).into_iter().copied().collect(),
            ..Marks::default()
        };
        let (asked_blobs, asked_trees): (Vec<Digest>, Vec<Digest>) = (
            chance.some(&world.blobs, 8).into_iter().copied().collect(),
            chance.some(&trees, 6).into_iter().copied().collect(),
        );
        let missing = store.missing(&asked_blobs, &asked_trees).await.unwrap();
        assert_eq!(missing, (vec![], vec![]));
        let pinned: HashSet<Digest> = asked_blobs.into_iter().chain(asked_trees).collect();
        let from = marks.artifacts.union(&pinned).copied().collect();
        let stays = world.reachable(&from);

        let options = |dry_run| SweepOptions {
            now: Timestamp(u64::MAX),
            grace: Millis::from_secs(3600),
            dry_run,
        };
        let counted = store.sweep(&marks, &options(true)).await.unwrap();
        let swept = store.sweep(&marks, &options(false)).await.unwrap();
        assert_eq!(
            swept, counted,
            "a dry run says what is going to happen (seed {seed})"
        );
        assert_eq!(
            usize::try_from(swept.deleted).unwrap(),
            all.len() - stays.len(),
            "seed {seed}"
        );
        for digest in &all {
            let (blobs, found_trees) = outside.missing(&[*digest], &[*digest]).await.unwrap();
            let is_there = blobs.is_empty() || found_trees.is_empty();
            assert_eq!(is_there, stays.contains(digest), "seed {seed}: {digest}");
        }
    }
}

#[tokio::test]
async fn what_is_stored_while_a_sweep_goes_on_is_whole_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig::local(folder.path()).unwrap();
    let outside = ArtifactStore::open(&config).await.unwrap();
    let store = ArtifactStore::open(&config).await.unwrap();
    store.keep_pins();
    let text = |number: u32| format!("wanted again {number}");
    for number in 0..200 {
        outside.put_bytes(text(number).into()).await.unwrap();
    }
    let options = SweepOptions {
        now: Timestamp(u64::MAX),
        grace: Millis::from_secs(3600),
        dry_run: false,
    };
    let marks = Marks::default();
    let again = async {
        let mut stored = Vec::new();
        for number in (0..200).rev() {
            stored.push(store.put_bytes(text(number).into()).await.unwrap().digest);
        }
        stored
    };
    let (swept, stored) = tokio::join!(store.sweep(&marks, &options), again);
    swept.unwrap();
    let (missing, _) = outside.missing(&stored, &[]).await.unwrap();
    assert!(
        missing.is_empty(),
        "{} of {} are lost",
        missing.len(),
        stored.len()
    );
}

#[tokio::test]
async fn the_probe_of_somebody_who_was_killed_while_opening_the_store_is_swept_when_it_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(&StoreConfig::local(folder.path()).unwrap())
        .await
        .unwrap();
    let probe = folder.path().join("probes/01890000-0000-7000-8000-000000000000");
    std::fs::create_dir_all(probe.parent().unwrap()).unwrap();
    std::fs::write(&probe, "1").unwrap();
    let written = std::fs::metadata(&probe).unwrap().modified().unwrap();
    let written = written.duration_since(std::time::UNIX_EPOCH).unwrap();
    let written = Timestamp(u64::try_from(written.as_millis()).unwrap());
    let grace = Millis(60_000);
    for (later, is_there) in [(Millis(30_000), true), (Millis(90_000), false)] {
        let options = SweepOptions {
            now: written + later,
            grace,
            dry_run: false,
        };
        store.sweep(&Marks::default(), &options).await.unwrap();
        assert_eq!(probe.exists(), is_there);
    }
}
