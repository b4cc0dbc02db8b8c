//! Points that are sealed: bytes for the store, and what the ledger keeps of them so that a chart needs no bytes. Pure.

use super::chart::Bucket;
use super::fact::{Columns, SealedPoints};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tidemill_protocol::codec::{self, DecodeError};
use tidemill_protocol::digest::Digest;

/// Points of which one summary is kept.
const POINTS_PER_BUCKET: usize = 256;

/// A sealed piece of a series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Its content in the store.
    pub blob: Digest,
    /// How long the content is.
    pub size_bytes: u64,
    /// How many points of this series are in it.
    pub count: u64,
    /// What they are like.
    pub buckets: Vec<Bucket>,
}

/// The points of one run that are sealed together, by metric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The points.
    pub series: BTreeMap<String, Columns>,
}

impl Content {
    /// The bytes for the store.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads them back.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes)
    }

    /// What the ledger keeps of them.
    pub fn summary(&self) -> BTreeMap<String, SealedPoints> {
        let summed = self.series.iter().map(|(key, columns)| {
            let points: Vec<_> = columns.iter().collect();
            let buckets = points.chunks(POINTS_PER_BUCKET).filter_map(Bucket::of).collect();
            let count = columns.len() as u64;
            (key.clone(), SealedPoints { count, buckets })
        });
        summed.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracking::point::Point;
    use tidemill_protocol::number::Number;

    #[test]
    fn points_survive_the_store_and_their_summary_knows_the_extremes() {
        let mut columns = Columns::default();
        for step in 0..1_000_i32 {
            let value = if step == 700 { -5.0 } else { f64::from(step) };
            columns.push(Point {
                time: 1,
                step: step.into(),
                value: Number(value),
            });
        }
        let content = Content {
            series: BTreeMap::from([("loss".to_owned(), columns)]),
        };
        assert_eq!(Content::from_bytes(&content.to_bytes()).unwrap(), content);
        let summary = &content.summary()["loss"];
        assert_eq!((summary.count, summary.buckets.len()), (1_000, 4));
        assert_eq!(summary.buckets[2].min.value, Number(-5.0));
        assert_eq!(summary.buckets[3].last.step, 999);
    }
}
