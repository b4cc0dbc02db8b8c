//! Where everything lives in a store; pure. Every key is made of hexadecimal digits, numbers, UUIDs and fixed words, so
//! it is legal on every store and file system, and never ends in the `#1` of the local store's staging files.
//!
//! ```text
//! blobs/<aa>/<hex>                              the bytes of a file, named by their BLAKE3
//! trees/<aa>/<hex>                              the canonical manifest of a folder, named by its BLAKE3
//! aliases/sha256/<aa>/<hex>                     which blob has this SHA-256; created once, and dispensable
//! attempts/<run>/<step>/<attempt>/<token>       the manifest: what the attempt under this token produced; created once
//! quarantine/<kind>/<hex>                       objects found corrupt, kept for people to look at
//! tmp/…                                         local store only: files on their way to a name
//! probes/<uuid>                                 the two-writes probe of an opening store; removed at once, or swept when old
//! journal/<key>/…                               records of the coordinator with this public key; only it writes them
//! ```

use object_store::path::Path;
use tidemill_protocol::artifact::ArtifactKind;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::{AttemptId, FencingToken, RunId, StepIndex};
use tidemill_protocol::sha256::Sha256;
use uuid::Uuid;

/// Folder of file contents.
pub(crate) const BLOBS: &str = "blobs";
/// Folder of tree manifests.
pub(crate) const TREES: &str = "trees";
/// Folder of contents' second names.
pub(crate) const ALIASES: &str = "aliases";
/// Folder of attempts' manifests.
pub(crate) const ATTEMPTS: &str = "attempts";
/// Folder of coordinators' own records.
const JOURNAL: &str = "journal";
/// Folder of what opening stores write to try them.
pub(crate) const PROBES: &str = "probes";
/// Folder of the local store's unfinished files.
pub(crate) const TMP: &str = "tmp";

/// The key of a file's content.
pub(crate) fn blob(digest: &Digest) -> Path {
    content(BLOBS, digest)
}

/// The key of a folder's manifest.
pub(crate) fn tree(digest: &Digest) -> Path {
    content(TREES, digest)
}

/// The key of a content's second name.
pub(crate) fn alias(name: &Sha256) -> Path {
    let hex = name.to_string();
    let (shard, _) = hex.split_at(2);
    Path::from_iter([ALIASES, "sha256", shard, &hex])
}

/// The key of an artifact's content.
pub(crate) fn artifact(kind: ArtifactKind, digest: &Digest) -> Path {
    match kind {
        ArtifactKind::Blob => blob(digest),
        ArtifactKind::Tree => tree(digest),
    }
}

/// The key of what an attempt produced. The token is part of it: after a loss of the journal an attempt's number is used again, its token never is.
pub(crate) fn manifest(attempt: &AttemptId, token: FencingToken) -> Path {
    Path::from_iter([
        ATTEMPTS,
        &attempt.run.to_string(),
        &attempt.step.to_string(),
        &attempt.attempt.to_string(),
        &token.to_string(),
    ])
}

/// The folder of what a run's attempts produced.
pub(crate) fn attempts_of(run: RunId) -> Path {
    Path::from_iter([ATTEMPTS, &run.to_string()])
}

/// Where a corrupt object is kept.
pub(crate) fn quarantine(kind: ArtifactKind, digest: &Digest) -> Path {
    let folder = match kind {
        ArtifactKind::Blob => BLOBS,
        ArtifactKind::Tree => TREES,
    };
    Path::from_iter(["quarantine", folder, &digest.to_hex()])
}

/// The attempt whose manifest this is, and its token.
pub(crate) fn attempt_of(path: &Path) -> Option<(AttemptId, FencingToken)> {
    let parts: Vec<_> = path.parts().collect();
    let [_, run, step, attempt, token] = parts.as_slice() else {
        return None;
    };
    let id = AttemptId {
        run: run.as_ref().parse().ok()?,
        step: StepIndex(step.as_ref().parse().ok()?),
        attempt: attempt.as_ref().parse().ok()?,
    };
    Some((id, FencingToken(token.as_ref().parse().ok()?)))
}

/// The key of a coordinator's own record.
pub(crate) fn record(name: &str) -> Path {
    Path::from(format!("{JOURNAL}/{name}"))
}

/// A key for one probe of conditional writes.
pub(crate) fn probe(id: Uuid) -> Path {
    Path::from_iter([PROBES, &id.to_string()])
}

/// The digest that the last segment of a content key names.
pub(crate) fn digest_of(path: &Path) -> Option<Digest> {
    path.filename()?.parse().ok()
}

/// The run that an attempt's key belongs to.
pub(crate) fn run_of(path: &Path) -> Option<RunId> {
    path.parts().nth(1)?.as_ref().parse().ok()
}

fn content(folder: &str, digest: &Digest) -> Path {
    let hex = digest.to_hex();
    let (shard, _) = hex.split_at(2);
    Path::from_iter([folder, shard, &hex])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_spread_over_256_folders() {
        let digest = Digest::of(b"");
        let hex = digest.to_hex();
        assert_eq!(blob(&digest).as_ref(), format!("blobs/af/{hex}"));
        assert_eq!(tree(&digest).as_ref(), format!("trees/af/{hex}"));
        assert_eq!(digest_of(&blob(&digest)), Some(digest));
    }

    #[test]
    fn an_attempts_manifest_has_its_own_key() {
        let run = RunId(Uuid::from_u128(7));
        let attempt = AttemptId {
            run,
            step: StepIndex(3),
            attempt: 2,
        };
        let key = manifest(&attempt, FencingToken(9));
        assert_eq!(
            key.as_ref(),
            "attempts/00000000-0000-0000-0000-000000000007/3/2/9"
        );
        assert_eq!(run_of(&key), Some(run));
        assert_eq!(attempt_of(&key), Some((attempt, FencingToken(9))));
    }

    #[test]
    fn a_foreign_key_names_no_digest() {
        assert_eq!(digest_of(&Path::from("blobs/af/readme.txt")), None);
        assert_eq!(run_of(&Path::from("attempts")), None);
        assert_eq!(attempt_of(&Path::from("attempts/x/3/2/9")), None);
    }
}
