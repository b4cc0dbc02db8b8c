//! Lists a user's folder: ignore rules for code, links followed only while they stay inside. Reads names and metadata, no content.

use super::content::{Found, Listing, artifact_path, leaves};
use super::error::ScanError;
use super::options::{IGNORE_FILES, ScanOptions};
use crate::stamp::Stamp;
use ignore::{DirEntry, WalkBuilder, WalkState};
use std::ffi::OsStr;
use std::fs::{self, FileType, Metadata};
use std::io;
use std::num::NonZero;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use tidemill_protocol::name::ArtifactPath;

/// Folders that are never part of code: they change without the code changing.
const NEVER_CODE: [&str; 2] = [".git", "__pycache__"];
/// Most threads that list one folder.
const THREADS_MAX: usize = 4;
/// The bit of the mode that artifacts keep.
pub(super) const OWNER_MAY_EXECUTE: u32 = 0o100;

/// Lists what stands at the canonical path `root`.
pub(super) fn walk(root: &Path, options: &ScanOptions) -> Result<Listing, ScanError> {
    let metadata = fs::metadata(root).map_err(|error| ScanError::file("look at", root, error))?;
    if metadata.is_dir() {
        return walk_folder(root, options);
    }
    if let Some(kind) = special(metadata.file_type()) {
        return Err(ScanError::Special {
            path: root.to_owned(),
            kind,
        });
    }
    let file = found(root, None, &metadata);
    Ok(Listing {
        files: vec![file],
        empty_folders: None,
    })
}

fn walk_folder(root: &Path, options: &ScanOptions) -> Result<Listing, ScanError> {
    let walker = Walker {
        root,
        options,
        seen: Mutex::default(),
    };
    walker.builder().build_parallel().run(|| {
        Box::new(|entry| {
            let Err(error) = walker.visit(entry) else {
                return WalkState::Continue;
            };
            walker.seen().failed.get_or_insert(error);
            WalkState::Quit
        })
    });
    let seen = walker.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = seen.failed {
        return Err(error);
    }
    // Below ignore rules a folder may only look empty, and git keeps none either.
    let empty_folders = if options.ignore_rules {
        Vec::new()
    } else {
        leaves(seen.folders, &seen.files)
    };
    Ok(Listing {
        files: seen.files,
        empty_folders: Some(empty_folders),
    })
}

#[derive(Debug, Default)]
struct Seen {
    files: Vec<Found>,
    folders: Vec<ArtifactPath>,
    bytes: u64,
    failed: Option<ScanError>,
}

struct Walker<'a> {
    root: &'a Path,
    options: &'a ScanOptions,
    seen: Mutex<Seen>,
}

impl Walker<'_> {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn builder(&self) -> WalkBuilder {
        let rules = self.options.ignore_rules;
        let mut builder = WalkBuilder::new(self.root);
        builder
            .standard_filters(false)
            .git_ignore(rules)
            .require_git(false)
            .follow_links(true)
            .threads(available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX));
        if rules {
            for name in IGNORE_FILES.iter().skip(1) {
                builder.add_custom_ignore_filename(name);
            }
            builder.filter_entry(|entry| !NEVER_CODE.map(OsStr::new).contains(&entry.file_name()));
        }
        builder
    }

    fn visit(&self, entry: Result<DirEntry, ignore::Error>) -> Result<(), ScanError> {
        let entry = entry.map_err(|error| self.unreadable(&error))?;
        if let Some(error) = entry.error() {
            return Err(ScanError::IgnoreRules {
                path: self.root.to_owned(),
                reason: error.to_string(),
            });
        }
        if entry.depth() == 0 {
            return Ok(());
        }
        let path = entry.path();
        let relative = path
            .strip_prefix(self.root)
            .expect("the walk stays below its root");
        let name = artifact_path(path, relative)?;
        let metadata = entry.metadata().map_err(|error| self.unreadable(&error))?;
        // The walk follows a link only after this visit, so a link that leaves the folder is never entered.
        let target = if entry.path_is_symlink() {
            Some(self.inside(path)?)
        } else {
            None
        };
        if metadata.is_dir() {
            self.seen().folders.push(name);
            return Ok(());
        }
        if let Some(kind) = special(metadata.file_type()) {
            return Err(ScanError::Special {
                path: path.to_owned(),
                kind,
            });
        }
        self.add(found(target.as_deref().unwrap_or(path), Some(name), &metadata))
    }

    fn add(&self, file: Found) -> Result<(), ScanError> {
        let mut seen = self.seen();
        seen.bytes = seen.bytes.saturating_add(file.stamp.size_bytes);
        seen.files.push(file);
        let too_large = |limit, what| {
            Err(ScanError::TooLarge {
                path: self.root.to_owned(),
                limit,
                what,
            })
        };
        if seen.files.len() > self.options.files_max {
            return too_large(self.options.files_max as u64, "files");
        }
        if seen.bytes > self.options.bytes_max {
            return too_large(self.options.bytes_max, "bytes");
        }
        Ok(())
    }

    fn inside(&self, link: &Path) -> Result<PathBuf, ScanError> {
        let target = link
            .canonicalize()
            .map_err(|error| ScanError::file("follow", link, error))?;
        if target.starts_with(self.root) {
            return Ok(target);
        }
        Err(ScanError::Link {
            path: link.to_owned(),
            reason: "it leads out of the folder; copy what it points to, or name it in .tidemillignore",
        })
    }

    fn unreadable(&self, error: &ignore::Error) -> ScanError {
        match error {
            ignore::Error::WithPath { path, err } => match &**err {
                ignore::Error::Io(source) => {
                    ScanError::file("look at", path, io::Error::new(source.kind(), source.to_string()))
                }
                ignore::Error::Loop { child, .. } => ScanError::Link {
                    path: child.clone(),
                    reason: "it leads back to a folder above it",
                },
                _ => self.unreadable(err),
            },
            ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
                self.unreadable(err)
            }
            ignore::Error::Loop { child, .. } => ScanError::Link {
                path: child.clone(),
                reason: "it leads back to a folder above it",
            },
            error => ScanError::IgnoreRules {
                path: self.root.to_owned(),
                reason: error.to_string(),
            },
        }
    }
}

fn found(path: &Path, name: Option<ArtifactPath>, metadata: &Metadata) -> Found {
    Found {
        path: path.to_owned(),
        name,
        stamp: Stamp::of(metadata),
        executable: metadata.permissions().mode() & OWNER_MAY_EXECUTE != 0,
    }
}

/// What a thing is that is no file, folder or link.
pub(crate) fn special(kind: FileType) -> Option<&'static str> {
    if kind.is_fifo() {
        Some("named pipe")
    } else if kind.is_socket() {
        Some("socket")
    } else if kind.is_block_device() || kind.is_char_device() {
        Some("device")
    } else {
        None
    }
}
