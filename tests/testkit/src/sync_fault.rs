//! A disk that takes what is written and fails to keep it: a library of our own that a daemon loads before the system's, and in which `fsync` and `fdatasync`
//! fail for as long as a file is there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The variable that tells the library which file that is.
const FLAG: &str = "TIDEMILL_TEST_SYNC_FAILS";

/// As the system's own, but for the fault.
const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int sync_by(const char *name, int file) {
    const char *flag = getenv("TIDEMILL_TEST_SYNC_FAILS");
    if (flag && access(flag, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    return ((int (*)(int)) dlsym(RTLD_NEXT, name))(file);
}

int fsync(int file) { return sync_by("fsync", file); }
int fdatasync(int file) { return sync_by("fdatasync", file); }
"#;

/// Such a fault for the daemons that are given its variables.
#[derive(Debug)]
pub struct SyncFault {
    library: PathBuf,
    flag: PathBuf,
}

impl SyncFault {
    /// One that is not there yet, its library in this folder. None where there is no C compiler.
    ///
    /// # Panics
    /// When the compiler refuses.
    pub fn make(folder: &Path) -> Option<Self> {
        let (source, library) = (folder.join("sync-fault.c"), folder.join("sync-fault.so"));
        fs::write(&source, SOURCE).expect("a file can be written");
        let mut command = Command::new("cc");
        command.args(["-shared", "-fPIC", "-o"]).arg(&library);
        let output = command.arg(&source).arg("-ldl").output().ok()?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cc refuses: {said}");
        let flag = folder.join("sync-fails");
        Some(Self { library, flag })
    }

    /// What makes a daemon have it.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", self.library.display().to_string()),
            (FLAG, self.flag.display().to_string()),
        ]
    }

    /// From now on nothing reaches the disk.
    ///
    /// # Panics
    /// When its folder is gone.
    pub fn begin(&self) {
        fs::write(&self.flag, "").expect("a file can be written");
    }

    /// From now on everything does.
    ///
    /// # Panics
    /// When it has not begun.
    pub fn end(&self) {
        fs::remove_file(&self.flag).expect("it has begun");
    }
}
