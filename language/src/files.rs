//! Where the loader finds files: on this machine's disk, or among what a client has told of its own ([`crate::Shelf`]). Reading only; what the files mean is
//! not known here.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Most neighbours that are looked at for a suggestion.
const NEIGHBOURS_MAX: usize = 1_000;

/// What a local file or folder is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceRole {
    /// A code folder: ignore rules apply.
    Code,
    /// Data: taken whole.
    Data,
}

/// Whether it is one file or a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// One file.
    File,
    /// A folder.
    Folder,
}

/// What the loader asks of files. Paths are as they are written, below the folder of the file in which they stand.
pub trait Files {
    /// The one path under which a text file goes, however it was written.
    ///
    /// # Errors
    /// There is no such file.
    fn canonical(&self, path: &Path) -> io::Result<PathBuf>;

    /// The bytes of a text file; of a longer one than `bytes_max`, one byte more than that.
    ///
    /// # Errors
    /// It is not there, or no regular file, or cannot be read.
    fn read(&self, path: &Path, bytes_max: usize) -> io::Result<Vec<u8>>;

    /// The one path under which code or data goes, and its shape; none for what is neither a file nor a folder.
    ///
    /// # Errors
    /// There is nothing there.
    fn source(&self, path: &Path, role: SourceRole) -> io::Result<(PathBuf, Option<SourceKind>)>;

    /// Names in a folder, for suggestions.
    fn neighbours(&self, folder: &Path) -> Vec<String>;
}

/// The files of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Files for Disk {
    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        path.canonicalize()
    }

    fn read(&self, path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
        let meta = std::fs::metadata(path)?;
        if meta.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
        }
        // A pipe or a device could block for ever or never end.
        if !meta.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let mut bytes = Vec::new();
        File::open(path)?
            .take(bytes_max as u64 + 1)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn source(&self, path: &Path, _role: SourceRole) -> io::Result<(PathBuf, Option<SourceKind>)> {
        let meta = std::fs::metadata(path)?;
        let kind = if meta.is_dir() {
            Some(SourceKind::Folder)
        } else {
            meta.is_file().then_some(SourceKind::File)
        };
        Ok((path.canonicalize()?, kind))
    }

    fn neighbours(&self, folder: &Path) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(folder) else {
            return Vec::new();
        };
        entries
            .take(NEIGHBOURS_MAX)
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect()
    }
}
