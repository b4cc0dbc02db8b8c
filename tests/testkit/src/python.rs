//! A Python with MLflow and scikit-learn, from the package index: installed once, in pinned versions, into the folder of the tests' tools.

use crate::repository;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

/// What is installed.
const PACKAGES: [&str; 2] = ["mlflow==3.17.2", "scikit-learn==1.9.1"];

/// The interpreter. The first test that asks waits until it is there, and the others with it.
///
/// # Panics
/// When it cannot be installed.
pub fn mlflow_python() -> PathBuf {
    let folder = tools().join("mlflow");
    fs::create_dir_all(tools()).expect("the folder of tools can be made");
    let lock = File::create(tools().join("mlflow.lock")).expect("the folder of tools can be written");
    lock.lock().expect("a lock can be had");
    let (python, mark) = (folder.join("bin/python"), folder.join("installed"));
    let wanted = PACKAGES.join("\n");
    if fs::read_to_string(&mark).is_ok_and(|found| found == wanted) {
        return python;
    }
    done(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder),
    );
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    done(Command::new(&python).args(pip).args(PACKAGES));
    fs::write(mark, wanted).expect("the folder of tools can be written");
    python
}

#[expect(
    clippy::disallowed_methods,
    reason = "the scripts that install tools say where by this variable"
)]
fn tools() -> PathBuf {
    let named = std::env::var_os("TIDEMILL_TEST_TOOLS").map(PathBuf::from);
    named.unwrap_or_else(|| repository().join("target/test-tools"))
}

fn done(command: &mut Command) {
    let output = command.output().expect("a program can be started");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
