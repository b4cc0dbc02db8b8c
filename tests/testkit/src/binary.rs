//! The binary `tidemill` of the profile under test. `scripts/test` builds it first; whoever runs one test by hand gets it built here.
//! `TIDEMILL_TEST_BINARY` names another one, e.g. an installed or released one, which is then taken as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// Folders whose code is in the binary.
const PARTS: [&str; 8] = [
    "protocol",
    "language",
    "engine",
    "transport",
    "artifacts",
    "coordinator",
    "worker",
    "cli",
];

/// The path of the binary, built when it is missing or older than the code. Cargo's own lock lets only one test build it.
///
/// # Panics
/// When it cannot be built.
pub fn tidemill() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        #[expect(
            clippy::disallowed_methods,
            reason = "which binary is tested is a setting of the test run"
        )]
        if let Some(given) = std::env::var_os("TIDEMILL_TEST_BINARY") {
            return given.into();
        }
        let folder = profile_folder();
        let binary = folder.join(format!("tidemill{}", std::env::consts::EXE_SUFFIX));
        if is_behind(&binary) {
            build(&folder);
        }
        assert!(binary.is_file(), "{} was not built", binary.display());
        binary
    })
}

/// `target/debug` or its like: the test itself lies in `deps` below it.
fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let deps = test.parent().expect("a test lies in a folder");
    let folder = if deps.ends_with("deps") {
        deps.parent()
    } else {
        Some(deps)
    };
    folder.expect("deps lies in a profile's folder").to_owned()
}

fn is_behind(binary: &Path) -> bool {
    let Ok(built) = fs::metadata(binary).and_then(|m| m.modified()) else {
        return true;
    };
    PARTS
        .iter()
        .any(|part| newest(&crate::repository().join(part).join("src")) > built)
}

fn newest(folder: &Path) -> SystemTime {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let times = entries.map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            newest(&path)
        } else {
            let modified = entry.metadata().and_then(|m| m.modified());
            modified.unwrap_or(SystemTime::UNIX_EPOCH)
        }
    });
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

fn build(folder: &Path) {
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "tidemill", "--profile", profile])
        .current_dir(crate::repository())
        .status();
    let status = status.expect("cargo can be started");
    assert!(status.success(), "the binary does not build");
}
