//! Before a journal is opened: the probe. A damaged sled can panic or hang while it opens, so a child process opens it first and reads every value;
//! only when that went well does this process touch it.

use super::JournalError;
use super::claim::Claim;
use super::sled::{SEGMENT_BYTES, data_path, open_database};
use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// How long the child may take.
pub const PROBE_SECONDS_MAX: u64 = 120;

/// Longest piece of the child's standard error that is shown.
const STDERR_BYTES_MAX: usize = 400;

/// The child's part: opens the database of the journal in `dir` and reads every value. May panic or hang; that is what it is for.
pub fn probe(dir: &Path) -> Result<(), JournalError> {
    if !data_path(dir).exists() {
        return Ok(());
    }
    let database = open_database(dir)?;
    for item in database.iter() {
        item.map_err(|source| JournalError::Database {
            action: "read a record",
            source,
        })?;
    }
    Ok(())
}

/// Lets a child process (`program` and its arguments, to which the folder is added) open the claimed journal first. Without a program, or without records,
/// nothing is probed.
pub async fn probe_in_child(claim: &Claim, program: &[OsString]) -> Result<(), JournalError> {
    let Some((name, arguments)) = program.split_first() else {
        return Ok(());
    };
    if !data_path(claim.dir()).exists() {
        return Ok(());
    }
    let child = tokio::process::Command::new(name)
        .args(arguments)
        .arg(claim.dir())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let limit = Duration::from_secs(PROBE_SECONDS_MAX);
    let output = match tokio::time::timeout(limit, child).await {
        Err(_) => {
            let reason = format!("its database did not open within {PROBE_SECONDS_MAX} s");
            return Err(JournalError::damaged(claim.dir(), reason));
        }
        Ok(output) => output.map_err(|e| JournalError::io("probe", claim.dir(), e))?,
    };
    if output.status.success() {
        return Ok(());
    }
    try_to_write(claim.dir()).await?;
    let text = String::from_utf8_lossy(&output.stderr);
    let text = text.trim();
    let cut = text
        .char_indices()
        .nth_back(STDERR_BYTES_MAX)
        .map_or(0, |(at, _)| at);
    let (_, tail) = text.split_at(cut);
    let reason = format!("its database does not open ({}: {tail})", output.status);
    Err(JournalError::damaged(claim.dir(), reason))
}

/// sled writes when it opens, so that a sound database does not open on a disk without room. That is no damage, and no reason to repair anything.
async fn try_to_write(dir: &Path) -> Result<(), JournalError> {
    let draft = dir.join("probe.draft");
    let written = tokio::fs::write(&draft, vec![0; SEGMENT_BYTES]).await;
    tokio::fs::remove_file(&draft).await.ok();
    written.map_err(|e| JournalError::io("write to", dir, e))
}
