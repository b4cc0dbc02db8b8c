//! Fetching outputs: each file arrives under a passing name, is verified, and only then gets its own.

use super::check_free;
use super::locate::Found;
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::{Context, Failure};
use crate::output::progress::Progress;
use crate::session::Session;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tidemill_protocol::digest::Digest;
use tokio::io::AsyncWriteExt;

/// How many files are fetched at a time.
const FILES_AT_ONCE: usize = 8;

struct Wanted {
    digest: Digest,
    executable: bool,
    to: PathBuf,
}

/// Writes an output to this place.
pub(in crate::commands) async fn fetch(
    session: &mut Session,
    client: &Client,
    found: &Found,
    to: &Path,
    force: bool,
) -> Result<(), Failure> {
    check_free(&mut session.printer, to, force)?;
    let progress = session.printer.progress("fetching");
    let outcome = match found {
        Found::File {
            digest, executable, ..
        } => {
            let wanted = Wanted {
                digest: *digest,
                executable: *executable,
                to: to.to_path_buf(),
            };
            fetch_file(client, &wanted, &progress).await
        }
        Found::Folder { tree, .. } => {
            let unusable = || format!("cannot make folders below {}", to.display());
            std::fs::create_dir_all(to).context(unusable)?;
            for folder in &tree.empty_folders {
                std::fs::create_dir_all(to.join(folder.as_str())).context(unusable)?;
            }
            let files = tree.entries.iter().map(|entry| Wanted {
                digest: entry.digest,
                executable: entry.executable,
                to: to.join(entry.path.as_str()),
            });
            stream::iter(files)
                .map(|wanted| {
                    let progress = &progress;
                    async move { fetch_file(client, &wanted, progress).await }
                })
                .buffer_unordered(FILES_AT_ONCE)
                .try_collect::<()>()
                .await
        }
    };
    progress.finish();
    outcome
}

async fn fetch_file(client: &Client, wanted: &Wanted, progress: &Progress) -> Result<(), Failure> {
    let folder = wanted
        .to
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let cannot = || format!("cannot write {}", wanted.to.display());
    std::fs::create_dir_all(folder).context(cannot)?;
    let passing = tempfile::NamedTempFile::new_in(folder).context(cannot)?;
    let mut file = tokio::fs::File::from_std(passing.reopen().context(cannot)?);
    let mut hasher = blake3::Hasher::new();
    let mut bytes = client.blob(&wanted.digest).await?;
    while let Some(piece) = bytes.next().await {
        let piece = piece?;
        hasher.update(&piece);
        file.write_all(&piece).await.context(cannot)?;
        progress.add(piece.len() as u64);
    }
    file.flush().await.context(cannot)?;
    let found = Digest::from(hasher.finalize());
    if found != wanted.digest {
        let what = format!(
            "what arrived for {} is not what was committed",
            wanted.to.display()
        );
        return Err(
            Failure::new(Exit::Failure, what).cause(format!("expected {}, got {found}", wanted.digest))
        );
    }
    let mode = if wanted.executable { 0o755 } else { 0o644 };
    passing
        .as_file()
        .set_permissions(std::fs::Permissions::from_mode(mode))
        .context(cannot)?;
    passing.persist(&wanted.to).context(cannot)?;
    Ok(())
}
