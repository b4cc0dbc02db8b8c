//! Reads what a step left behind, trusting nothing in it. Every name is resolved by the kernel beneath the output's own folder, so a link or
//! a folder swapped for a link in mid-walk cannot lead the reader out; only regular files with no name elsewhere are accepted.
//!
//! A link to a file of the same output (`best.ckpt -> epoch-7.ckpt`, which training frameworks like to write) becomes that file's content.

use super::content::{Found, Listing, Scan, artifact_path, leaves};
use super::error::ScanError;
use super::hash::{self, require_regular};
use super::hash_cache::HashCache;
use super::options::FILES_MAX;
use super::walk::{OWNER_MAY_EXECUTE, special};
use crate::stamp::Stamp;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use tidemill_protocol::artifact::ArtifactKind;
use tidemill_protocol::name::ArtifactPath;

/// Names the content of a step's output. Blocks. Whoever cannot vouch for the folders above it asks [`collect_within`].
///
/// # Errors
/// Whatever is not a plain file or folder of the step's own, by name: see [`ScanError`].
pub fn collect(path: &Path, kind: ArtifactKind) -> Result<Scan, ScanError> {
    let base = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let name = path.file_name().map_or(path, Path::new);
    gather(&Way::open(base.unwrap_or(Path::new(".")), name, path)?, kind)
}

/// Does what [`collect`] does at `path`, which is somewhere in `base`: a folder that the step cannot replace. No link leads from there to the output, whoever
/// makes one and when. Blocks.
///
/// # Errors
/// Whatever is not a plain file or folder of the step's own, by name: see [`ScanError`].
pub fn collect_within(base: &Path, path: &Path, kind: ArtifactKind) -> Result<Scan, ScanError> {
    let relative = path.strip_prefix(base).map_err(|_| ScanError::Link {
        path: path.to_owned(),
        reason: "it is not in the folder of the step",
    })?;
    gather(&Way::open(base, relative, path)?, kind)
}

fn gather(way: &Way<'_>, kind: ArtifactKind) -> Result<Scan, ScanError> {
    let (path, unknown) = (way.path, HashCache::default());
    match kind {
        ArtifactKind::Blob => {
            let file = way.open_single()?;
            let found = accept(path, None, &file)?.found;
            let files = hash::hash_all(vec![found], &unknown, &|_: &Found| {
                require_regular(File::from(way.open_end(OFlags::NONBLOCK)?))
            })?;
            Ok(Scan::new(files, None))
        }
        ArtifactKind::Tree => {
            let output = way.open_output()?;
            let listing = output.list()?;
            let files = hash::hash_all(listing.files, &unknown, &|found: &Found| output.open_found(found))?;
            Ok(Scan::new(files, listing.empty_folders))
        }
    }
}

/// The way from a folder that is trusted to an output.
struct Way<'a> {
    base: OwnedFd,
    relative: &'a Path,
    path: &'a Path,
}

impl<'a> Way<'a> {
    fn open(base: &Path, relative: &'a Path, path: &'a Path) -> Result<Self, ScanError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::open(base, flags, Mode::empty());
        Ok(Self {
            base: handle.map_err(|error| ScanError::file("open", path, error))?,
            relative,
            path,
        })
    }

    /// Opens what is at its end, through no link.
    fn open_end(&self, flags: OFlags) -> Result<OwnedFd, Errno> {
        if self.relative.as_os_str().is_empty() {
            return rustix::io::dup(&self.base);
        }
        open_beneath(&self.base, self.relative, flags, Links::Refused)
    }

    fn open_single(&self) -> Result<File, ScanError> {
        let path = self.path;
        let failed = |error| ScanError::file("open", path, error);
        let metadata = path.symlink_metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(ScanError::WrongKind {
                path: path.to_owned(),
                expected: "file",
            });
        }
        if metadata.is_symlink() {
            return Err(self.link("an output file must be the file itself"));
        }
        if let Some(kind) = special(metadata.file_type()) {
            return Err(ScanError::Special {
                path: path.to_owned(),
                kind,
            });
        }
        let handle = self
            .open_end(OFlags::NONBLOCK)
            .map_err(|error| self.refused(error))?;
        let file = require_regular(File::from(handle)).map_err(failed)?;
        let names = file.metadata().map_err(failed)?.nlink();
        if names > 1 {
            return Err(ScanError::HardLinked {
                path: path.to_owned(),
                names,
            });
        }
        Ok(file)
    }

    fn open_output(&self) -> Result<Output, ScanError> {
        let handle = match self.open_end(OFlags::DIRECTORY) {
            Ok(handle) => handle,
            Err(Errno::NOTDIR) => {
                return Err(ScanError::WrongKind {
                    path: self.path.to_owned(),
                    expected: "folder",
                });
            }
            // What is no folder itself is told apart from a way that leads elsewhere.
            Err(Errno::LOOP) if self.path.symlink_metadata().is_ok_and(|found| found.is_symlink()) => {
                return Err(ScanError::WrongKind {
                    path: self.path.to_owned(),
                    expected: "folder",
                });
            }
            Err(error) => return Err(self.refused(error)),
        };
        let root = self.path.canonicalize();
        Ok(Output {
            root: root.map_err(|error| ScanError::file("open", self.path, error))?,
            handle,
        })
    }

    fn refused(&self, error: Errno) -> ScanError {
        match error {
            Errno::LOOP | Errno::XDEV => self.link("a link leads to it"),
            error => ScanError::file("open", self.path, error),
        }
    }

    fn link(&self, reason: &'static str) -> ScanError {
        ScanError::Link {
            path: self.path.to_owned(),
            reason,
        }
    }
}

/// Opens a path that the kernel resolves beneath a folder and nowhere else.
pub(crate) fn open_beneath(
    folder: &OwnedFd,
    relative: &Path,
    flags: OFlags,
    links: Links,
) -> Result<OwnedFd, Errno> {
    let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    if links == Links::Refused {
        resolve |= ResolveFlags::NO_SYMLINKS;
    }
    let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC;
    loop {
        // The kernel gives up with EAGAIN when something is renamed at the same moment.
        match rustix::fs::openat2(folder, relative, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            result => return result,
        }
    }
}

/// An open regular file.
struct Accepted {
    found: Found,
    inode: (u64, u64),
    names: u64,
}

fn accept(path: &Path, name: Option<ArtifactPath>, file: &File) -> Result<Accepted, ScanError> {
    let metadata = file
        .metadata()
        .map_err(|error| ScanError::file("look at", path, error))?;
    let found = Found {
        path: path.to_owned(),
        name,
        stamp: Stamp::of(&metadata),
        executable: metadata.permissions().mode() & OWNER_MAY_EXECUTE != 0,
    };
    Ok(Accepted {
        found,
        inode: (metadata.dev(), metadata.ino()),
        names: metadata.nlink(),
    })
}

/// The folder of an output, held open: names are resolved beneath this handle only.
#[derive(Debug)]
struct Output {
    root: PathBuf,
    handle: OwnedFd,
}

/// How a name beneath an output is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// None anywhere on the way.
    Refused,
    /// As long as they stay beneath the output.
    Inside,
}

impl Output {
    fn list(&self) -> Result<Listing, ScanError> {
        let mut listed = Listed::default();
        let mut waiting = vec![PathBuf::new()];
        while let Some(folder) = waiting.pop() {
            let failed = |error: Errno| ScanError::file("list", &self.root.join(&folder), error);
            let handle = if folder.as_os_str().is_empty() {
                rustix::io::dup(&self.handle).map_err(failed)?
            } else {
                self.open_beneath(&folder, OFlags::DIRECTORY, Links::Refused)
                    .map_err(failed)?
            };
            for entry in Dir::read_from(&handle).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let name = OsStr::from_bytes(entry.file_name().to_bytes());
                if name != "." && name != ".." && self.add(&handle, &folder.join(name), &mut listed)? {
                    waiting.push(folder.join(name));
                }
            }
        }
        listed.finish()
    }

    /// Adds one name; says whether it is a folder.
    fn add(&self, parent: &OwnedFd, relative: &Path, listed: &mut Listed) -> Result<bool, ScanError> {
        let path = self.root.join(relative);
        let name = artifact_path(&path, relative)?;
        let last = relative.file_name().expect("an entry has a name");
        let status = rustix::fs::statat(parent, last, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| ScanError::file("look at", &path, error))?;
        match FileType::from_raw_mode(status.st_mode) {
            FileType::Directory => {
                listed.folders.push(name);
                return Ok(true);
            }
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let file = rustix::fs::openat(parent, last, flags, Mode::empty())
                    .map_err(|error| ScanError::file("open", &path, error))?;
                listed.add_file(accept(&path, Some(name), &File::from(file))?, &self.root)?;
            }
            FileType::Symlink => {
                let file = self.follow(relative, &path)?;
                let target = path
                    .canonicalize()
                    .map_err(|error| ScanError::file("follow", &path, error))?;
                listed.links.push(accept(&target, Some(name), &file)?.found);
            }
            FileType::Fifo => {
                return Err(ScanError::Special {
                    path,
                    kind: "named pipe",
                });
            }
            FileType::Socket => return Err(ScanError::Special { path, kind: "socket" }),
            _ => return Err(ScanError::Special { path, kind: "device" }),
        }
        Ok(false)
    }

    fn follow(&self, relative: &Path, path: &Path) -> Result<File, ScanError> {
        let refuse = |reason| ScanError::Link {
            path: path.to_owned(),
            reason,
        };
        match self.open_beneath(relative, OFlags::NONBLOCK, Links::Inside) {
            Ok(handle) => require_regular(File::from(handle))
                .map_err(|_| refuse("in an output only links to files can be kept")),
            Err(Errno::XDEV) => Err(refuse("it leads out of the output")),
            Err(Errno::NOENT) => Err(refuse("it leads nowhere")),
            Err(Errno::LOOP) => Err(refuse("it leads in a circle")),
            Err(error) => Err(ScanError::file("open", path, error)),
        }
    }

    fn open_found(&self, found: &Found) -> io::Result<File> {
        let relative = found
            .path
            .strip_prefix(&self.root)
            .map_err(|_| io::Error::new(io::ErrorKind::PermissionDenied, "a link leads out of the output"))?;
        let handle = self.open_beneath(relative, OFlags::NONBLOCK, Links::Refused)?;
        require_regular(File::from(handle))
    }

    fn open_beneath(&self, relative: &Path, flags: OFlags, links: Links) -> Result<OwnedFd, Errno> {
        open_beneath(&self.handle, relative, flags, links)
    }
}

#[derive(Debug, Default)]
struct Listed {
    files: Vec<Found>,
    links: Vec<Found>,
    folders: Vec<ArtifactPath>,
    /// Files with several names: how many they have, how many were seen here, and one of those.
    several: HashMap<(u64, u64), (u64, u64, PathBuf)>,
}

impl Listed {
    fn add_file(&mut self, accepted: Accepted, root: &Path) -> Result<(), ScanError> {
        let Accepted { found, inode, names } = accepted;
        if names > 1 {
            let seen = self
                .several
                .entry(inode)
                .or_insert_with(|| (names, 0, found.path.clone()));
            seen.1 += 1;
        }
        self.files.push(found);
        if self.files.len() + self.links.len() > FILES_MAX {
            return Err(ScanError::TooLarge {
                path: root.to_owned(),
                limit: FILES_MAX as u64,
                what: "files",
            });
        }
        Ok(())
    }

    /// Refuses files that are also known by a name outside the output: they may not be the step's own.
    fn finish(mut self) -> Result<Listing, ScanError> {
        if let Some((names, _, path)) = self.several.into_values().find(|(names, seen, _)| seen < names) {
            return Err(ScanError::HardLinked { path, names });
        }
        self.files.append(&mut self.links);
        let empty_folders = leaves(self.folders, &self.files);
        Ok(Listing {
            files: self.files,
            empty_folders: Some(empty_folders),
        })
    }
}
