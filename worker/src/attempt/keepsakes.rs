//! What a fenced attempt had written, kept on this worker for people to look at: another attempt's result counts, and days of work may lie here. Bounded by
//! number, bytes and age; the oldest goes first.

use super::folder::{Folder, remove};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tidemill_protocol::time::Timestamp;

/// Most fenced attempts whose files are kept.
const KEPT_MAX: usize = 20;
/// Most bytes that they may occupy together.
const KEPT_BYTES_MAX: u64 = 10 * 1024 * 1024 * 1024;
/// How long they are kept.
const KEPT_FOR: Duration = Duration::from_hours(7 * 24);

/// Moves the folder of a fenced attempt into `dir` under its key, without its inputs, and makes room. Answers where it lies. Blocks.
pub(crate) fn keep(folder: &Folder, dir: &Path, key: &str, now: Timestamp) -> io::Result<PathBuf> {
    fs::create_dir_all(dir)?;
    // Also where steps have users of their own: what is kept here is no step's any more.
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    for unneeded in [folder.inputs(), folder.temporary()] {
        remove(&unneeded)?;
    }
    let kept = dir.join(key);
    remove(&kept)?;
    fs::rename(folder.root(), &kept)?;
    // The age of what is kept counts from here.
    let now = UNIX_EPOCH + Duration::from_millis(now.0);
    fs::File::open(&kept)?.set_modified(now)?;
    make_room(dir, now, &Limits::default())?;
    Ok(kept)
}

#[derive(Debug)]
struct Limits {
    count: usize,
    bytes: u64,
    age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            count: KEPT_MAX,
            bytes: KEPT_BYTES_MAX,
            age: KEPT_FOR,
        }
    }
}

fn make_room(dir: &Path, now: SystemTime, limits: &Limits) -> io::Result<()> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        kept.push((entry.metadata()?.modified()?, entry.path()));
    }
    kept.sort();
    let (mut count, mut bytes) = (0, 0_u64);
    // The newest first: what no longer fits goes away, and everything older with it.
    for (since, path) in kept.into_iter().rev() {
        count += 1;
        bytes = bytes.saturating_add(size(&path));
        let is_old = now.duration_since(since).is_ok_and(|age| age > limits.age);
        if count > limits.count || bytes > limits.bytes || is_old {
            remove(&path)?;
        }
    }
    Ok(())
}

fn size(root: &Path) -> u64 {
    let mut waiting = vec![root.to_owned()];
    let mut bytes = 0_u64;
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            // The entry's own data: links are not followed.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                waiting.push(entry.path());
            } else {
                bytes = bytes.saturating_add(metadata.len());
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_hours(1_000)
    }

    fn put(dir: &Path, name: &str, bytes: usize, age: Duration) {
        let folder = dir.join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("f"), vec![b'x'; bytes]).unwrap();
        let file = fs::File::open(&folder).unwrap();
        file.set_modified(now() - age).unwrap();
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap().flatten();
        let mut names: Vec<_> = entries.map(|e| e.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_fenced_attempt_wrote_is_kept_without_its_inputs() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(dir.path().join("k"));
        folder.make().unwrap();
        folder.make_work(false).unwrap();
        fs::create_dir_all(folder.input("data")).unwrap();
        fs::write(folder.work().join("model"), "days of work").unwrap();
        let kept = keep(&folder, &dir.path().join("fenced"), "key", Timestamp(9)).unwrap();
        assert_eq!(fs::read(kept.join("work/model")).unwrap(), b"days of work");
        assert!(!kept.join("inputs").exists() && !folder.root().exists());
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many_too_large_or_too_old_ones() {
        let dir = tempfile::tempdir().unwrap();
        let hours = |count| Duration::from_hours(count);
        for (name, age) in [("a", 5), ("b", 4), ("c", 3), ("d", 2)] {
            put(dir.path(), name, 100, hours(age));
        }
        let limits = |count, bytes, age| Limits {
            count,
            bytes,
            age: hours(age),
        };
        make_room(dir.path(), now(), &limits(3, 1000, 100)).unwrap();
        assert_eq!(names(dir.path()), ["b", "c", "d"]);
        make_room(dir.path(), now(), &limits(3, 250, 100)).unwrap();
        assert_eq!(names(dir.path()), ["c", "d"]);
        make_room(dir.path(), now(), &limits(3, 1000, 2)).unwrap();
        assert_eq!(names(dir.path()), ["d"]);
    }
}
