//! The local files and folders of a pipeline: their contents named, several at a time, and stored.

use crate::failure::{Context, Failure};
use crate::output::progress::Progress;
use crate::session::Session;
use std::collections::BTreeMap;
use std::path::Path;
use tidemill_artifacts::{ArtifactStore, Scan, ScanOptions, scan};
use tidemill_language::{LocalSource, SourceId, SourceRole};
use tokio::task::JoinSet;

/// How many sources are read at a time; each reads its files with a few threads itself.
const SOURCES_AT_ONCE: usize = 4;

/// Contents by source.
pub(super) type Scans = BTreeMap<SourceId, Scan>;

/// Names the content of every source.
pub(super) async fn scan_all(session: &Session, sources: &[LocalSource]) -> Result<Scans, Failure> {
    let hashes = session.settings.state_dir.join("hashes");
    let progress = session.printer.progress("reading sources");
    let mut waiting = sources.iter();
    let mut running = JoinSet::new();
    let mut scans = Scans::new();
    loop {
        while running.len() < SOURCES_AT_ONCE {
            let Some(source) = waiting.next().cloned() else {
                break;
            };
            let hashes = hashes.clone();
            running.spawn_blocking(move || scan_one(&source, &hashes).map(|scan| (source.id, scan)));
        }
        let Some(done) = running.join_next().await else {
            break;
        };
        let (id, scan) = done.context(|| "reading a source was cut short")??;
        progress.add(scan.reference.size_bytes);
        scans.insert(id, scan);
    }
    progress.finish();
    Ok(scans)
}

fn scan_one(source: &LocalSource, hashes: &Path) -> Result<Scan, Failure> {
    let options = match source.role {
        SourceRole::Code => ScanOptions::code(),
        SourceRole::Data => ScanOptions::data(),
    };
    scan(&source.path, &options.with_hash_cache(hashes))
        .context(|| format!("cannot read {}", source.path.display()))
}

/// Stores what the store lacks.
pub(super) async fn upload_all(
    store: &ArtifactStore,
    scans: &Scans,
    progress: &Progress,
) -> Result<(), Failure> {
    for scan in scans.values() {
        store
            .upload(scan, progress)
            .await
            .context(|| "cannot store the pipeline's files")?;
    }
    Ok(())
}
