//! A wall clock of daemons' own: libfaketime stands between them and the kernel's, and leaves the monotonic one alone, as a step of a real clock does.

use std::fs;
use std::path::{Path, PathBuf};

/// The clock of whoever is started with its variables.
#[derive(Debug)]
pub struct WallClock {
    file: PathBuf,
}

impl WallClock {
    /// One that is right, in this folder.
    ///
    /// # Panics
    /// When the folder cannot be written to.
    pub fn new(folder: &Path) -> Self {
        let clock = Self {
            file: folder.join("clock"),
        };
        clock.step("+0");
        clock
    }

    /// Whether this machine can have one.
    pub fn is_installed() -> bool {
        library().is_some()
    }

    /// Now it is so much more, or less, than it really is, e.g. `-2h`.
    ///
    /// # Panics
    /// When its folder is gone.
    pub fn step(&self, by: &str) {
        fs::write(&self.file, by).expect("a file can be written");
    }

    /// What makes a daemon look at this clock.
    ///
    /// # Panics
    /// When libfaketime is not installed.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let library = library().expect("libfaketime is installed (Debian: libfaketime)");
        vec![
            ("LD_PRELOAD", library.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
        ]
    }
}

/// Where Debian puts it, below the folder of the machine's kind.
fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut places = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    places.find(|place| place.exists())
}
