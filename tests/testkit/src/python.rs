//! Pythons with what tests want of the package index: installed once, in pinned versions, into the folder of the tests' tools, each in an environment of its own.

use crate::repository;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

/// MLflow and what it logs by itself.
const MLFLOW: [&str; 2] = ["mlflow==3.17.2", "scikit-learn==1.9.1"];
/// A mail server.
const MAIL: [&str; 3] = ["aiosmtpd==1.4.6", "atpublic==9.0.0", "attrs==26.1.0"];

/// The interpreter with MLflow. The first test that asks waits until it is there, and the others with it.
///
/// # Panics
/// When it cannot be installed.
pub fn mlflow_python() -> PathBuf {
    environment("mlflow", &MLFLOW)
}

/// The interpreter with a mail server. The first test that asks waits until it is there, and the others with it.
///
/// # Panics
/// When it cannot be installed.
pub fn mail_python() -> PathBuf {
    environment("mail", &MAIL)
}

fn environment(name: &str, packages: &[&str]) -> PathBuf {
    let folder = tools().join(name);
    fs::create_dir_all(tools()).expect("the folder of tools can be made");
    let lock = tools().join(format!("{name}.lock"));
    let lock = File::create(lock).expect("the folder of tools can be written");
    lock.lock().expect("a lock can be had");
    let (python, mark) = (folder.join("bin/python"), folder.join("installed"));
    let wanted = packages.join("\n");
    if fs::read_to_string(&mark).is_ok_and(|found| found == wanted) {
        return python;
    }
    done(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder),
    );
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    done(Command::new(&python).args(pip).args(packages));
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
