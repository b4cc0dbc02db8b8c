//! Contents sent through the coordinator's API: what is missing is asked first, files go several at a time, manifests after their files.

use super::sources::Scans;
use crate::client::{Client, Moved};
use crate::failure::Failure;
use crate::output::progress::Progress;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tidemill_artifacts::ScannedFile;
use tidemill_protocol::api::{MissingRequest, MissingResponse};
use tidemill_protocol::digest::Digest;

/// How many files are sent at a time.
const FILES_AT_ONCE: usize = 8;
/// How many digests one question names at most: the API's limit.
const DIGESTS_PER_QUESTION: usize = 10_000;

/// Sends what the coordinator's store lacks.
pub(super) async fn upload_all(client: &Client, scans: &Scans, progress: &Progress) -> Result<(), Failure> {
    let trees: Vec<Digest> = scans
        .values()
        .filter(|scan| scan.tree.is_some())
        .map(|scan| scan.reference.digest)
        .collect();
    let missing_trees: BTreeSet<Digest> = missing(client, &[], &trees).await?.trees.into_iter().collect();
    // A tree that is there has its files: only those of the others can be missing.
    let wanted = scans
        .values()
        .filter(|scan| scan.tree.is_none() || missing_trees.contains(&scan.reference.digest));
    let files: BTreeMap<Digest, &ScannedFile> = wanted
        .flat_map(|scan| scan.files.iter().map(|file| (file.digest, file)))
        .collect();
    let digests: Vec<Digest> = files.keys().copied().collect();
    let missing_files = missing(client, &digests, &[]).await?.blobs;
    let sent: Vec<&ScannedFile> = missing_files
        .iter()
        .filter_map(|digest| files.get(digest).copied())
        .collect();
    progress.expect(sent.iter().map(|file| file.size_bytes).sum());
    let shown = progress.clone();
    let moved: Moved = Arc::new(move |bytes| shown.add(bytes));
    stream::iter(sent)
        .map(|file| {
            let moved = Arc::clone(&moved);
            async move { client.put_file(&file.digest, &file.path, moved).await.map(drop) }
        })
        .buffer_unordered(FILES_AT_ONCE)
        .try_collect::<()>()
        .await?;
    for tree in scans
        .values()
        .filter(|scan| missing_trees.contains(&scan.reference.digest))
        .filter_map(|scan| scan.tree.as_ref())
    {
        client.put_tree(tree).await?;
    }
    Ok(())
}

async fn missing(client: &Client, blobs: &[Digest], trees: &[Digest]) -> Result<MissingResponse, Failure> {
    let mut all = MissingResponse {
        blobs: Vec::new(),
        trees: Vec::new(),
    };
    for part in blobs.chunks(DIGESTS_PER_QUESTION) {
        let request = MissingRequest {
            blobs: part.to_vec(),
            trees: Vec::new(),
        };
        all.blobs.extend(client.missing(&request).await?.blobs);
    }
    for part in trees.chunks(DIGESTS_PER_QUESTION) {
        let request = MissingRequest {
            blobs: Vec::new(),
            trees: part.to_vec(),
        };
        all.trees.extend(client.missing(&request).await?.trees);
    }
    Ok(all)
}
