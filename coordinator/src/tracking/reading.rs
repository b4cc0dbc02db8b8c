//! Reading a series whole: what is sealed from the store, what is not from the ledger.

use super::chart::{Bucket, thin};
use super::chunk::{Chunk, Content};
use super::point::Point;
use super::run::Series;
use futures_util::{StreamExt, TryStreamExt, stream};
use tidemill_artifacts::{ArtifactStore, StoreError};
use tidemill_protocol::codec::DecodeError;

/// Longest content that is read: many times what a run may have before it is sealed.
const CONTENT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Contents that are read at once.
const READ_AT_ONCE: usize = 16;

/// Why a series cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What it gave is no content.
    #[error("sealed points cannot be read")]
    Damaged(#[from] DecodeError),
}

/// Points of a series from the one at `start` on, at most so many.
pub(crate) async fn page(
    store: &ArtifactStore,
    (key, series): (&str, &Series),
    start: usize,
    length: usize,
) -> Result<Vec<Point>, ReadError> {
    let mut skip = start;
    let mut wanted = Vec::new();
    let mut expected = 0;
    for chunk in &series.chunks {
        let count = usize::try_from(chunk.count).unwrap_or(usize::MAX);
        if wanted.is_empty() && skip >= count {
            skip -= count;
            continue;
        }
        if expected >= skip.saturating_add(length) {
            break;
        }
        expected += count;
        wanted.push(chunk.clone());
    }
    let mut points = all_of(store, key, wanted).await?;
    points.extend(series.tail.iter());
    Ok(points.into_iter().skip(skip).take(length).collect())
}

/// A chart of a series between two steps, in at most so many buckets. What the ledger keeps of sealed points is enough unless a small part is looked at
/// closely; then only the pieces that it touches are read.
pub(crate) async fn chart(
    store: &ArtifactStore,
    (key, series): (&str, &Series),
    (first_step, last_step): (i64, i64),
    most: usize,
) -> Result<Vec<Bucket>, ReadError> {
    let touched = |chunk: &&Chunk| {
        chunk
            .buckets
            .iter()
            .any(|bucket| bucket.touches(first_step, last_step))
    };
    let chunks: Vec<Chunk> = series.chunks.iter().filter(touched).cloned().collect();
    let tail = series
        .tail
        .iter()
        .filter(|point| (first_step..=last_step).contains(&point.step));
    let tail = tail.map(Bucket::one);
    let summed = chunks
        .iter()
        .flat_map(|chunk| &chunk.buckets)
        .filter(|bucket| bucket.touches(first_step, last_step));
    let mut buckets: Vec<Bucket> = if summed.clone().count() >= most {
        summed.copied().collect()
    } else {
        let points = all_of(store, key, chunks).await?.into_iter();
        points
            .filter(|point| (first_step..=last_step).contains(&point.step))
            .map(Bucket::one)
            .collect()
    };
    buckets.extend(tail);
    Ok(thin(buckets, most))
}

/// All points of these pieces, in their order.
async fn all_of(store: &ArtifactStore, key: &str, chunks: Vec<Chunk>) -> Result<Vec<Point>, ReadError> {
    let reading = stream::iter(chunks).map(|chunk| async move {
        let bytes = store.get_bytes(&chunk.blob, CONTENT_BYTES_MAX).await?;
        let mut content = Content::from_bytes(&bytes)?;
        let columns = content.series.remove(key).unwrap_or_default();
        Ok::<_, ReadError>(columns.iter().collect::<Vec<Point>>())
    });
    let pieces: Vec<Vec<Point>> = reading.buffered(READ_AT_ONCE).try_collect().await?;
    Ok(pieces.into_iter().flatten().collect())
}
