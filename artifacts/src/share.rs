//! Copies what lies in a folder that is somebody else's: a datastore of this machine, for a step that wants files of its own. Every name is resolved by the kernel beneath the
//! datastore's root, so no link leads the reader out, whoever makes one and when; nothing but plain files and folders is opened, and so much at most is copied.

use crate::remote::{Brought, FILES_MAX};
use crate::scan::{Links, ScanError, open_beneath, special};
use rustix::fs::{Dir, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Copies the file or folder at `path` beneath `root` to `to`, which must not exist, `bytes_max` bytes at most. Links that stay beneath the root are copied as what they
/// lead to; the root itself may be one. Blocks.
///
/// # Errors
/// [`ScanError::NotFound`] when nothing is there, [`ScanError::Link`] for a link that leads out or back to where it is, [`ScanError::Special`] for pipes, sockets and devices,
/// [`ScanError::TooLarge`] beyond the limit or 100,000 files and folders; otherwise the system's answer.
pub fn bring_beneath(root: &Path, path: &str, to: &Path, bytes_max: u64) -> Result<Brought, ScanError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(root, flags, Mode::empty());
    let mut bringer = Bringer {
        root,
        handle: opened.map_err(|error| cannot("open", root, error))?,
        bytes_max,
        entries: 0,
        brought: Brought {
            files: 0,
            size_bytes: 0,
        },
    };
    let mut waiting = vec![Entry {
        inner: path.split('/').filter(|part| !part.is_empty()).collect(),
        to: to.to_owned(),
        above: Rc::default(),
    }];
    while let Some(entry) = waiting.pop() {
        bringer.bring(&entry, &mut waiting)?;
    }
    Ok(bringer.brought)
}

/// Something to copy.
struct Entry {
    inner: PathBuf,
    to: PathBuf,
    /// The folders around it, by which a link that leads back to one of them is known.
    above: Rc<[(u64, u64)]>,
}

struct Bringer<'a> {
    root: &'a Path,
    handle: OwnedFd,
    bytes_max: u64,
    entries: usize,
    brought: Brought,
}

impl Bringer<'_> {
    fn bring(&mut self, entry: &Entry, waiting: &mut Vec<Entry>) -> Result<(), ScanError> {
        self.entries += 1;
        if self.entries > FILES_MAX {
            return Err(self.too_large(FILES_MAX as u64, "files and folders"));
        }
        let shown = self.root.join(&entry.inner);
        let (found, metadata) = self.find(&entry.inner, &shown)?;
        if metadata.is_dir() {
            return self.folder(entry, &shown, (&found, &metadata), waiting);
        }
        if let Some(kind) = special(metadata.file_type()) {
            return Err(ScanError::Special { path: shown, kind });
        }
        self.file(&shown, &found, &metadata, &entry.to)
    }

    /// Finds out what is there without opening it: to open a pipe waits, and to open a device may do anything.
    fn find(&self, inner: &Path, shown: &Path) -> Result<(File, Metadata), ScanError> {
        let inner = if inner.as_os_str().is_empty() {
            Path::new(".")
        } else {
            inner
        };
        let found = open_beneath(&self.handle, inner, OFlags::PATH, Links::Inside);
        let found = File::from(found.map_err(|error| match error {
            Errno::XDEV | Errno::LOOP => ScanError::Link {
                path: shown.to_owned(),
                reason: "it leads out of the datastore",
            },
            error => cannot("open", shown, error),
        })?);
        let metadata = found.metadata();
        let metadata = metadata.map_err(|error| cannot("look at", shown, error))?;
        Ok((found, metadata))
    }

    fn folder(
        &self,
        entry: &Entry,
        shown: &Path,
        (found, metadata): (&File, &Metadata),
        waiting: &mut Vec<Entry>,
    ) -> Result<(), ScanError> {
        let own = (metadata.dev(), metadata.ino());
        if entry.above.contains(&own) {
            return Err(ScanError::Link {
                path: shown.to_owned(),
                reason: "it leads back to a folder that it is in",
            });
        }
        let made = DirBuilder::new()
            .mode(0o700 | metadata.mode() & 0o755)
            .create(&entry.to);
        made.map_err(|error| cannot("make", &entry.to, error))?;
        let failed = |error: Errno| cannot("list", shown, error);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let listed = rustix::fs::openat(found, ".", flags, Mode::empty()).map_err(failed)?;
        let mut above = entry.above.to_vec();
        above.push(own);
        let above: Rc<[_]> = above.into();
        for inside in Dir::new(listed).map_err(failed)? {
            let inside = inside.map_err(failed)?;
            let name = OsStr::from_bytes(inside.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            if waiting.len() > FILES_MAX {
                return Err(self.too_large(FILES_MAX as u64, "files and folders"));
            }
            waiting.push(Entry {
                inner: entry.inner.join(name),
                to: entry.to.join(name),
                above: Rc::clone(&above),
            });
        }
        Ok(())
    }

    fn file(&mut self, shown: &Path, found: &File, metadata: &Metadata, to: &Path) -> Result<(), ScanError> {
        let room = self.bytes_max - self.brought.size_bytes;
        if metadata.len() > room {
            return Err(self.too_large(self.bytes_max, "bytes"));
        }
        let read = |error: io::Error| cannot("read", shown, error);
        // By the handle: it stays the file that was looked at.
        let source = File::open(format!("/proc/self/fd/{}", found.as_raw_fd())).map_err(read)?;
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create_new(true)
            .mode(0o600 | metadata.mode() & 0o755);
        let target = options.open(to);
        let mut target = target.map_err(|error| cannot("write", to, error))?;
        // One that grows meanwhile has the same limit.
        let copied = io::copy(&mut source.take(room.saturating_add(1)), &mut target).map_err(read)?;
        if copied > room {
            return Err(self.too_large(self.bytes_max, "bytes"));
        }
        self.brought.files += 1;
        self.brought.size_bytes += copied;
        Ok(())
    }

    fn too_large(&self, limit: u64, what: &'static str) -> ScanError {
        ScanError::TooLarge {
            path: self.root.to_owned(),
            limit,
            what,
        }
    }
}

/// The system's answer, with absence told apart.
fn cannot(action: &'static str, path: &Path, source: impl Into<io::Error>) -> ScanError {
    let (path, source) = (path.to_owned(), source.into());
    if source.kind() == io::ErrorKind::NotFound {
        ScanError::NotFound { path }
    } else {
        ScanError::File { action, path, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// A datastore with a folder, and a place for copies.
    fn share() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("share");
        fs::create_dir_all(root.join("2024/deep")).unwrap();
        fs::write(root.join("2024/a.csv"), "a\n").unwrap();
        fs::write(root.join("2024/deep/b.csv"), "bb\n").unwrap();
        fs::write(dir.path().join("canary"), "not for you\n").unwrap();
        let to = dir.path().join("to");
        (dir, root, to)
    }

    #[test]
    fn a_folder_and_a_file_are_copied_with_what_links_inside_lead_to() {
        let (dir, root, to) = share();
        symlink("deep/b.csv", root.join("2024/best.csv")).unwrap();
        symlink("2024", root.join("latest")).unwrap();
        let brought = bring_beneath(&root, "latest/", &to, 100).unwrap();
        assert_eq!((brought.files, brought.size_bytes), (3, 8));
        assert_eq!(fs::read_to_string(to.join("best.csv")).unwrap(), "bb\n");
        assert!(!to.join("best.csv").is_symlink());
        fs::write(to.join("a.csv"), "changed").unwrap();
        assert_eq!(fs::read_to_string(root.join("2024/a.csv")).unwrap(), "a\n");
        let one = dir.path().join("one");
        assert_eq!(bring_beneath(&root, "2024/a.csv", &one, 2).unwrap().files, 1);
        let all = dir.path().join("all");
        assert_eq!(bring_beneath(&root, "", &all, 100).unwrap().files, 6);
    }

    #[test]
    fn a_link_that_leads_out_is_refused_by_name_wherever_it_stands() {
        let (dir, root, to) = share();
        let relative = Path::new("../../../canary");
        for (target, link) in [
            (&*dir.path().join("canary"), "2024/deep/out"),
            (relative, "2024/deep/out"),
            (dir.path(), "2024/deep/out"),
        ] {
            symlink(target, root.join(link)).unwrap();
            let refused = bring_beneath(&root, "2024", &to, 100).unwrap_err();
            assert!(
                matches!(&refused, ScanError::Link { path, .. } if path.ends_with(link)),
                "{refused}"
            );
            let direct = bring_beneath(&root, link, &to.join("direct"), 100).unwrap_err();
            assert!(matches!(direct, ScanError::Link { .. }), "{direct}");
            fs::remove_file(root.join(link)).unwrap();
            fs::remove_dir_all(&to).unwrap();
        }
        let upwards = bring_beneath(&root, "2024/../../canary", &to, 100).unwrap_err();
        assert!(matches!(upwards, ScanError::Link { .. }), "{upwards}");
        symlink("..", root.join("2024/deep/back")).unwrap();
        let back = bring_beneath(&root, "2024", &to, 100).unwrap_err();
        assert!(back.to_string().contains("leads back"), "{back}");
    }

    #[test]
    fn pipes_and_devices_are_refused_and_nobody_waits_for_them() {
        let (dir, root, to) = share();
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(
            rustix::fs::CWD,
            root.join("2024/pipe"),
            rustix::fs::FileType::Fifo,
            mode,
            0,
        )
        .unwrap();
        for path in ["2024", "2024/pipe"] {
            let refused =
                bring_beneath(&root, path, &dir.path().join(path.len().to_string()), 100).unwrap_err();
            assert!(
                matches!(
                    refused,
                    ScanError::Special {
                        kind: "named pipe",
                        ..
                    }
                ),
                "{refused}"
            );
        }
        let device = bring_beneath(Path::new("/dev"), "zero", &to, 100).unwrap_err();
        assert!(
            matches!(device, ScanError::Special { kind: "device", .. }),
            "{device}"
        );
    }

    #[test]
    fn more_than_the_limit_is_not_copied() {
        let (_dir, root, to) = share();
        let refused = bring_beneath(&root, "2024", &to, 4).unwrap_err();
        assert!(
            matches!(
                refused,
                ScanError::TooLarge {
                    limit: 4,
                    what: "bytes",
                    ..
                }
            ),
            "{refused}"
        );
        let endless = File::create(root.join("endless")).unwrap();
        endless.set_len(1 << 40).unwrap();
        let refused = bring_beneath(&root, "endless", &to, 1 << 30).unwrap_err();
        assert!(matches!(refused, ScanError::TooLarge { .. }), "{refused}");
        let missing = bring_beneath(&root, "nothing", &to, 4).unwrap_err();
        assert!(matches!(missing, ScanError::NotFound { .. }), "{missing}");
    }
}
