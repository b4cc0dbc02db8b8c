//! From a journal to an engine: the newest whole snapshot, then every event after it, through the same `apply` that live operation uses.

use crate::access::Access;
use crate::entry::Entry;
use crate::journal::{EventLog, JournalError, Snapshots};
use crate::ledger::Ledgers;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use tidemill_engine::{Engine, Event, Fact};
use tidemill_protocol::codec;
use tidemill_protocol::ids::RunId;

/// Events read at once while replaying.
const READ_EVENTS: usize = 8_192;
/// The formats of a snapshot's content that this version reads; another one is passed over, and the events are replayed instead.
const SNAPSHOT_FORMATS: std::ops::RangeInclusive<u32> = 1..=4;
/// The format of a snapshot without tokens, as the first versions wrote it.
const WITHOUT_TOKENS: u32 = 1;
/// The format of a snapshot with tokens. A version that does not know them passes it over and meets their events, instead of opening an API that was closed.
const WITH_TOKENS: u32 = 2;
/// The format of a snapshot with all ledgers. Likewise.
const WITH_LEDGERS: u32 = 3;
/// The format of a snapshot with projects, teams or tokens that are bound. Likewise: it would let everybody into every project.
const WITH_PROJECTS: u32 = 4;

/// An engine as its journal says.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) engine: Engine,
    /// What is kept beside it.
    pub(crate) ledgers: Ledgers,
    /// The event with which each run began.
    pub(crate) began: BTreeMap<RunId, u64>,
    /// The event that the snapshot covered, 0 without one.
    pub(crate) snapshot: u64,
    /// How many events were replayed after it.
    pub(crate) replayed: u64,
}

#[derive(Serialize)]
struct SnapshotOut<'a> {
    format: u32,
    engine: &'a Engine,
    access: &'a Access,
    #[serde(skip_serializing_if = "Option::is_none")]
    ledgers: Option<&'a Ledgers>,
    began: &'a BTreeMap<RunId, u64>,
}

#[derive(Deserialize)]
struct SnapshotIn {
    format: u32,
    engine: Engine,
    #[serde(default)]
    access: Access,
    #[serde(default)]
    ledgers: Option<Ledgers>,
    began: BTreeMap<RunId, u64>,
}

/// The content of a snapshot.
pub(crate) fn snapshot_bytes(engine: &Engine, ledgers: &Ledgers, began: &BTreeMap<RunId, u64>) -> Vec<u8> {
    let (format, all) = if ledgers.hold_projects() || engine.has_quotas() {
        (WITH_PROJECTS, Some(ledgers))
    } else if ledgers.hold_more_than_tokens() {
        (WITH_LEDGERS, Some(ledgers))
    } else if ledgers.access.is_closed() {
        (WITH_TOKENS, None)
    } else {
        (WITHOUT_TOKENS, None)
    };
    codec::encode(&SnapshotOut {
        format,
        engine,
        access: &ledgers.access,
        ledgers: all,
        began,
    })
}

/// Keeps track of where the history of each run begins.
pub(crate) fn note_beginning(began: &mut BTreeMap<RunId, u64>, sequence: u64, event: &Event) {
    match &event.fact {
        Fact::RunSubmitted { run, .. } => {
            began.insert(*run, sequence);
        }
        Fact::RunForgotten { run } => {
            began.remove(run);
        }
        _ => {}
    }
}

/// Rebuilds the engine. `dir` is the journal's folder, for messages.
pub(crate) fn recover(
    log: &dyn EventLog,
    snapshots: Option<&Snapshots>,
    dir: &Path,
) -> Result<Recovered, JournalError> {
    let found = snapshots.map_or(Ok(None), |snapshots| newest(snapshots, log.last()))?;
    let (snapshot, state) = found.unwrap_or_else(|| (0, SnapshotIn::empty()));
    let SnapshotIn {
        mut engine,
        access,
        ledgers,
        mut began,
        ..
    } = state;
    let mut ledgers = ledgers.unwrap_or_else(|| Ledgers::with_tokens(access));
    if snapshot + 1 < log.first() {
        let reason = format!(
            "events before {} were pruned, and no whole snapshot covers them",
            log.first()
        );
        return Err(JournalError::Damaged {
            dir: dir.to_owned(),
            reason,
        });
    }
    let reader = log.reader();
    let mut next = snapshot + 1;
    let mut effects = Vec::new();
    while next <= log.last() {
        for (sequence, bytes) in reader.read(next, READ_EVENTS)? {
            let entry =
                Entry::decode(&bytes).map_err(|source| JournalError::Unreadable { sequence, source })?;
            match entry {
                Entry::Engine(event) => {
                    engine.apply(&event, &mut effects);
                    note_beginning(&mut began, sequence, &event);
                }
                Entry::Ledger(event) => ledgers.apply(&event),
            }
            // What is still to be done is asked of the state afterwards.
            effects.clear();
            next = sequence + 1;
        }
    }
    Ok(Recovered {
        engine,
        ledgers,
        began,
        snapshot,
        replayed: log.last() - snapshot,
    })
}

impl SnapshotIn {
    /// What a journal starts from.
    fn empty() -> Self {
        Self {
            format: WITHOUT_TOKENS,
            engine: Engine::new(),
            access: Access::default(),
            ledgers: None,
            began: BTreeMap::new(),
        }
    }
}

fn newest(snapshots: &Snapshots, last: u64) -> Result<Option<(u64, SnapshotIn)>, JournalError> {
    for sequence in snapshots
        .list()?
        .into_iter()
        .rev()
        .filter(|sequence| *sequence <= last)
    {
        let state = snapshots.read(sequence)?;
        match state.as_deref().map(codec::decode::<SnapshotIn>) {
            Some(Ok(state)) if SNAPSHOT_FORMATS.contains(&state.format) => {
                return Ok(Some((sequence, state)));
            }
            _ => tracing::warn!(
                sequence,
                "a snapshot is not whole or of another format; an older one is taken"
            ),
        }
    }
    Ok(None)
}
