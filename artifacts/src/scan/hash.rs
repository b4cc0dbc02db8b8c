//! Hashes found files with several threads. Files are read, never mapped: a mapped file that somebody truncates kills the process.

use super::content::{Found, Hashed};
use super::error::ScanError;
use super::hash_cache::HashCache;
use crate::stamp::{Stamp, kernel_now_ns};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use tidemill_protocol::digest::Digest;

/// Most threads that hash one folder.
const THREADS_MAX: usize = 16;
/// Fewer files than this to hash are not worth a second thread.
const FILES_PER_THREAD_MIN: usize = 8;
/// Bytes read at a time from a small file.
const READ_BYTES: usize = 256 << 10;
/// Files from this length on are read in larger pieces, each hashed by all cores.
const LARGE_BYTES_MIN: u64 = 4 << 20;
/// The larger pieces.
const LARGE_READ_BYTES: usize = 4 << 20;
/// How often a file is read that changes meanwhile.
const READS_MAX: u32 = 3;

/// How the content of a found file is reached.
pub(super) type Opener<'a> = dyn Fn(&Found) -> io::Result<File> + Sync + 'a;

/// Opens a regular file and nothing else: no link is followed and no pipe is waited for.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    open_regular_sized(path).map(|(file, _)| file)
}

/// Does what [`open_regular`] does and gives the file's length too.
pub(crate) fn open_regular_sized(path: &Path) -> io::Result<(File, u64)> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    sized(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

/// Passes regular files on.
pub(super) fn require_regular(file: File) -> io::Result<File> {
    sized(file).map(|(file, _)| file)
}

fn sized(file: File) -> io::Result<(File, u64)> {
    let metadata = file.metadata()?;
    if metadata.is_file() {
        Ok((file, metadata.len()))
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

/// The digest and length of an open file, from its start.
pub(crate) fn hash_open_file(mut file: &File) -> io::Result<(Digest, u64)> {
    file.rewind()?;
    let large = file.metadata()?.len() >= LARGE_BYTES_MIN;
    let mut buffer = vec![0; if large { LARGE_READ_BYTES } else { READ_BYTES }];
    hash_into(file, &mut buffer)
}

fn hash_into(mut file: &File, buffer: &mut [u8]) -> io::Result<(Digest, u64)> {
    let mut hasher = blake3::Hasher::new();
    let mut size = 0;
    loop {
        let read = match file.read(buffer) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Ok((hasher.finalize().into(), size));
        };
        if read >= LARGE_READ_BYTES {
            hasher.update_rayon(bytes);
        } else {
            hasher.update(bytes);
        }
        size += read as u64;
    }
}

/// Hashes all files; those whose hash is remembered are not opened.
pub(super) fn hash_all(
    files: Vec<Found>,
    known: &HashCache,
    open: &Opener<'_>,
) -> Result<Vec<Hashed>, ScanError> {
    let mut hashed = Vec::with_capacity(files.len());
    let mut unknown = Vec::new();
    for found in files {
        match known.get(&found.stamp) {
            Some(digest) => hashed.push(Hashed {
                found,
                digest,
                settled: true,
            }),
            None => unknown.push(found),
        }
    }
    let cores = thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(THREADS_MAX);
    let threads = cores.min(unknown.len() / FILES_PER_THREAD_MIN).max(1);
    let (work, next) = (&unknown, &AtomicUsize::new(0));
    let fresh = Mutex::new(Vec::with_capacity(unknown.len()));
    let failed = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut mine = Vec::new();
                if let Err(error) = hash_some(work, next, open, &mut mine) {
                    next.store(work.len(), Ordering::Relaxed);
                    failed
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .get_or_insert(error);
                }
                fresh
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .append(&mut mine);
            });
        }
    });
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut fresh: Vec<(usize, Read)> = fresh.into_inner().unwrap_or_else(PoisonError::into_inner);
    fresh.sort_unstable_by_key(|(index, _)| *index);
    hashed.extend(unknown.into_iter().zip(fresh).map(|(found, (_, read))| Hashed {
        found: Found {
            stamp: read.stamp,
            ..found
        },
        digest: read.digest,
        settled: read.settled,
    }));
    Ok(hashed)
}

/// What reading a file gave.
struct Read {
    digest: Digest,
    stamp: Stamp,
    settled: bool,
}

fn hash_some(
    work: &[Found],
    next: &AtomicUsize,
    open: &Opener<'_>,
    into: &mut Vec<(usize, Read)>,
) -> Result<(), ScanError> {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(found) = work.get(index) else {
            return Ok(());
        };
        into.push((index, hash_one(found, open, &mut buffer)?));
    }
}

fn hash_one(found: &Found, open: &Opener<'_>, buffer: &mut [u8]) -> Result<Read, ScanError> {
    let failed = |action| move |error| ScanError::file(action, &found.path, error);
    for _ in 0..READS_MAX {
        let file = open(found).map_err(failed("open"))?;
        let started_ns = kernel_now_ns();
        let before = Stamp::of(&file.metadata().map_err(failed("look at"))?);
        let (digest, size) = if before.size_bytes >= LARGE_BYTES_MIN {
            hash_open_file(&file)
        } else {
            hash_into(&file, buffer)
        }
        .map_err(failed("read"))?;
        let after = Stamp::of(&file.metadata().map_err(failed("look at"))?);
        if before == after && size == after.size_bytes {
            return Ok(Read {
                digest,
                stamp: after,
                settled: after.is_settled(started_ns),
            });
        }
    }
    Err(ScanError::Changing {
        path: found.path.clone(),
    })
}
