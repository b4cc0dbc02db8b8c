//! What of the store is named by something, so that a sweep leaves it: by a run that is kept, by an attempt that has committed and not reported yet, by a ledger, or by a
//! pipeline that a ledger names. Whoever cannot be asked keeps everything: no mark is ever left out because something could not be read. The driver's thread copies
//! the ledgers and does no more: what they hold in masses is shared, and looked through on a thread of its own.

use crate::blocking::blocking;
use crate::error::Stopped;
use crate::handle::CoordinatorHandle;
use crate::ledger::Ledgers;
use std::collections::HashSet;
use std::io;
use tidemill_artifacts::{ArtifactStore, Marks, StoreError};
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::catalog::{AssetBody, AssetKind};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::RunId;

/// Longest pipeline that is read back.
const SPEC_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Characters of a digest in text.
const DIGEST_CHARS: usize = 64;

/// Why nobody knows what is named.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MarksError {
    /// The coordinator ends.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The ledgers cannot be written down.
    #[error("the ledgers cannot be read through")]
    Ledgers(#[from] serde_json::Error),
    /// The store does not give what is named in turn.
    #[error("what names contents in turn cannot be read")]
    Store(#[from] StoreError),
    /// Other coordinators keep records in the store: what they name is not known here.
    #[error("other coordinators keep records in this store: {0}")]
    Others(String),
}

/// What the durable state names.
struct Named {
    marks: Marks,
    /// Runs that go on.
    open: Vec<RunId>,
    /// Pipelines with contents of their own.
    specs: Vec<ArtifactRef>,
    /// All of them, whatever there will be.
    ledgers: Ledgers,
}

/// Everything that is named now. What is stored from here on is young, or pinned by the store.
pub(crate) async fn marks(handle: &CoordinatorHandle) -> Result<Marks, MarksError> {
    let Named {
        mut marks,
        open,
        specs,
        ledgers,
    } = handle.look(named).await?;
    // Every digest that any ledger holds, whatever it means there: one too many costs room, one too few costs data.
    marks
        .artifacts
        .extend(blocking(move || digests_of(&ledgers)).await?);
    let store = &handle.inner.store;
    for spec in specs {
        let text = store.get_bytes(&spec.digest, SPEC_BYTES_MAX).await?;
        marks.artifacts.extend(digests_in(&text));
    }
    for run in open {
        committed(store, run, &mut marks.artifacts).await?;
    }
    Ok(marks)
}

fn named(sight: &crate::driver::Sight<'_>) -> Named {
    let mut marks = Marks::default();
    sight.engine.for_each_artifact(|artifact| {
        marks.artifacts.insert(artifact.digest);
    });
    let mut open = Vec::new();
    for run in sight.engine.runs_newest_first(None) {
        marks.runs.insert(run.id());
        if !run.status().is_terminal() {
            open.push(run.id());
        }
    }
    let catalog = &sight.ledgers.catalog;
    let assets = [AssetKind::Component, AssetKind::Pipeline]
        .into_iter()
        .flat_map(|kind| catalog.assets(kind, None));
    let versions = assets.flat_map(|(_, asset)| asset.versions.values());
    let specs = versions.filter_map(|version| match &*version.body {
        AssetBody::Component(body) | AssetBody::Pipeline(body) => Some(body.spec),
        AssetBody::Data(_) | AssetBody::Model(_) | AssetBody::Environment(_) => None,
    });
    let drafts = sight
        .ledgers
        .drafts
        .all()
        .map(|(_, draft)| draft.spec.pipeline.spec);
    Named {
        specs: specs.chain(drafts).collect(),
        ledgers: sight.ledgers.clone(),
        marks,
        open,
    }
}

/// What attempts of a run have committed, of which their reports may still be on the way.
async fn committed(
    store: &ArtifactStore,
    run: RunId,
    artifacts: &mut HashSet<Digest>,
) -> Result<(), StoreError> {
    for (attempt, token) in store.list_committed_of(run).await? {
        match store.read_manifest(&attempt, token).await {
            Ok((manifest, _)) => artifacts.extend(manifest.outputs.values().map(|output| output.digest)),
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The public keys of other coordinators that keep records in this store.
pub(crate) async fn others(handle: &CoordinatorHandle) -> Result<Vec<String>, StoreError> {
    let own = handle.inner.key.to_string();
    let mut keys = handle.inner.store.list_record_folders("").await?;
    keys.retain(|key| *key != own);
    Ok(keys)
}

/// Every digest that the ledgers hold.
fn digests_of(ledgers: &Ledgers) -> Result<HashSet<Digest>, serde_json::Error> {
    let mut sieve = Sieve::default();
    serde_json::to_writer(&mut sieve, ledgers)?;
    Ok(sieve.end())
}

/// Everything in a text that has the form of a digest.
fn digests_in(text: &[u8]) -> HashSet<Digest> {
    let mut sieve = Sieve::default();
    sieve.take(text);
    sieve.end()
}

/// Finds what has the form of a digest in a text that is never there as a whole.
#[derive(Default)]
struct Sieve {
    found: HashSet<Digest>,
    /// The word that is being read, as far as it may be a digest.
    word: Vec<u8>,
    /// How long it is so far.
    length: usize,
}

impl Sieve {
    fn take(&mut self, text: &[u8]) {
        for byte in text {
            if byte.is_ascii_hexdigit() {
                if self.length < DIGEST_CHARS {
                    self.word.push(*byte);
                }
                self.length += 1;
            } else if self.length > 0 {
                self.finish_word();
            }
        }
    }

    fn finish_word(&mut self) {
        if self.length == DIGEST_CHARS {
            let text = std::str::from_utf8(&self.word).ok();
            self.found
                .extend(text.and_then(|text| text.parse::<Digest>().ok()));
        }
        self.word.clear();
        self.length = 0;
    }

    fn end(mut self) -> HashSet<Digest> {
        self.finish_word();
        self.found
    }
}

impl io::Write for Sieve {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.take(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Sight;
    use crate::ledger::LedgerEvent;
    use crate::tracking::{Columns, Point, StoredFile, TrackedId, TrackingFact};
    use std::collections::BTreeMap;
    use std::time::{Duration, Instant};
    use tidemill_engine::{Engine, Fleet, FleetSettings};
    use tidemill_protocol::number::Number;
    use tidemill_protocol::time::{Millis, Timestamp};

    #[test]
    fn digests_are_found_wherever_they_stand_and_nothing_else_is() {
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let text = format!(r#"{{"a":"{one}","b":["blake3:{two}"],"long":"{one}{two}","short":"abcdef"}}"#);
        let both = HashSet::from([one, two]);
        assert_eq!(digests_in(text.as_bytes()), both);
        for piece in [1, 7, 64, 65] {
            let mut sieve = Sieve::default();
            text.as_bytes().chunks(piece).for_each(|piece| sieve.take(piece));
            assert_eq!(sieve.end(), both, "in pieces of {piece}");
        }
        assert_eq!(
            digests_in(one.to_string().as_bytes()),
            HashSet::from([one]),
            "at the end"
        );
    }

    fn apply(ledgers: &mut Ledgers, fact: TrackingFact) {
        let at = Timestamp(1);
        ledgers.apply(&LedgerEvent {
            at,
            fact: fact.into(),
        });
    }

    /// A thousand points of one metric.
    fn points(run: u32) -> BTreeMap<String, Columns> {
        let mut columns = Columns::default();
        for step in 0..1_000_i32 {
            columns.push(Point {
                time: 1_700_000_000_000 + i64::from(step),
                step: step.into(),
                value: Number(f64::from(step) / (f64::from(run) + 3.0)),
            });
        }
        BTreeMap::from([("loss".to_owned(), columns)])
    }

    /// A million points in a thousand runs, and as many files.
    fn much() -> Ledgers {
        let mut ledgers = Ledgers::default();
        for number in 0..1_000_u32 {
            let run = TrackedId::of_run(RunId(uuid::Uuid::from_u128(u128::from(number))));
            apply(
                &mut ledgers,
                TrackingFact::RunCreated {
                    run: run.clone(),
                    experiment: "0".into(),
                    name: format!("run {number}"),
                    user: "ada".into(),
                    started_at: 1,
                    tags: BTreeMap::new(),
                    by: "ada".into(),
                },
            );
            apply(
                &mut ledgers,
                TrackingFact::Logged {
                    run,
                    points: points(number),
                    params: BTreeMap::new(),
                    tags: BTreeMap::new(),
                    of_models: Vec::new(),
                },
            );
            let file = StoredFile {
                blob: Digest::of(&number.to_le_bytes()),
                size_bytes: 1,
            };
            apply(
                &mut ledgers,
                TrackingFact::FileStored {
                    path: format!("0/{number}/artifacts/model.bin"),
                    file,
                    by: "ada".into(),
                },
            );
        }
        ledgers
    }

    fn fastest<T>(mut work: impl FnMut() -> T) -> (Duration, T) {
        let timed = || {
            let begun = Instant::now();
            let result = work();
            (begun.elapsed(), result)
        };
        let times = std::iter::repeat_with(timed).take(3);
        times.min_by_key(|(took, _)| *took).expect("it was done")
    }

    #[test]
    fn the_look_at_a_million_points_holds_the_driver_up_for_a_small_part_of_reading_them() {
        let ledgers = much();
        let engine = Engine::new();
        let fleet = Fleet::new(FleetSettings::default(), Millis(0), &engine);
        let began = BTreeMap::new();
        let sight = Sight {
            engine: &engine,
            fleet: &fleet,
            ledgers: &ledgers,
            now: Millis(0),
            began: &began,
            last: 0,
        };
        let (looking, named) = fastest(|| named(&sight));
        let (reading, found) = fastest(|| digests_of(&named.ledgers).unwrap());
        assert_eq!(found.len(), 1_000, "every file is named");
        println!(
            "figures: a million points and a thousand files: {looking:?} on the driver's thread, {reading:?} beside it"
        );
        assert!(looking * 20 < reading, "{looking:?} of {reading:?}");
    }
}
