//! A tracked run as its facts left it: what was logged, what it used and made. Of a run of tidemill's own this is only what was logged to it; how it stands is
//! the engine's to say.

use super::chunk::Chunk;
use super::fact::{Columns, DatasetUse, Lifecycle, ModelOutput, SealedPoints, TrackedStatus};
use super::point::Point;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tidemill_protocol::digest::Digest;

/// A tracked run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackedRun {
    /// Its experiment's id.
    pub experiment: String,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub user: String,
    /// How it stands.
    pub status: TrackedStatus,
    /// When it began, by the client's clock.
    pub started_at: i64,
    /// When it ended, likewise.
    pub ended_at: Option<i64>,
    /// Whether it is deleted.
    pub lifecycle: Lifecycle,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its parameters.
    pub params: BTreeMap<String, String>,
    /// Its metrics.
    pub series: BTreeMap<String, Series>,
    /// Points of all of them that are not in the store yet.
    pub unsealed: u64,
    /// Data sets that it used.
    pub datasets: Vec<DatasetUse>,
    /// Models that it used.
    pub models_in: Vec<String>,
    /// Models that it made.
    pub models_out: Vec<ModelOutput>,
    /// Who made it.
    pub by: String,
}

/// One metric of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// The point that clients take for the last.
    pub latest: Point,
    /// The points that are in the store, piece by piece.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<Chunk>,
    /// The points that came after them, in the order in which they came.
    pub tail: Columns,
}

/// How many of the last points a new one is compared with, as many as one request may bring: a client that got no answer sends the same ones again.
const REPEATS_LOOKED_AT: usize = 1_000;

impl Series {
    /// Whether a point is among the last ones.
    pub fn has_lately(&self, point: Point) -> bool {
        self.tail
            .iter()
            .rev()
            .take(REPEATS_LOOKED_AT)
            .any(|known| known == point)
    }

    /// How many points are in the store.
    pub fn sealed(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.count).sum()
    }

    /// How many points there are.
    pub fn count(&self) -> u64 {
        self.sealed() + self.tail.len() as u64
    }
}

impl TrackedRun {
    pub(super) fn log(&mut self, points: &BTreeMap<String, Columns>) {
        for (key, columns) in points {
            let Some(first) = columns.iter().next() else {
                continue;
            };
            let series = self.series.entry(key.clone()).or_insert_with(|| Series {
                latest: first,
                chunks: Vec::new(),
                tail: Columns::default(),
            });
            for point in columns.iter() {
                if point.is_after(&series.latest) {
                    series.latest = point;
                }
            }
            series.tail.append(columns);
            self.unsealed += columns.len() as u64;
        }
    }

    pub(super) fn seal(
        &mut self,
        (blob, size_bytes): (Digest, u64),
        sealed: &BTreeMap<String, SealedPoints>,
    ) {
        for (key, points) in sealed {
            let Some(series) = self.series.get_mut(key) else {
                continue;
            };
            series
                .tail
                .drop_first(usize::try_from(points.count).unwrap_or(usize::MAX));
            series.chunks.push(Chunk {
                blob,
                size_bytes,
                count: points.count,
                buckets: points.buckets.clone(),
            });
            self.unsealed = self.unsealed.saturating_sub(points.count);
        }
    }
}

/// Sets tags, and removes those that are set to none.
pub(super) fn change_tags(tags: &mut BTreeMap<String, String>, changes: &BTreeMap<String, Option<String>>) {
    for (key, value) in changes {
        match value {
            Some(value) => tags.insert(key.clone(), value.clone()),
            None => tags.remove(key),
        };
    }
}
