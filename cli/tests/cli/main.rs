//! The command line as people and scripts meet it: what goes to which stream, exit codes, help, and runs in one process from end to end.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops where it stands"
)]

mod access;
mod assets;
mod authoring;
mod forms;
mod manners;
mod references;
mod running;
mod screen;
mod shapes;
mod together;
mod waiting;

use assert_cmd::Command;
use std::io::{BufRead, BufReader};
use std::path::Path;
use tempfile::TempDir;

/// A folder with a state folder of its own, and the command that uses it.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    /// The program, with nothing of this process's environment but what it needs.
    fn tidemill(&self, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin("tidemill").unwrap();
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.path())
            .env("TIDEMILL_STATE_DIR", self.path().join("state"))
            .env("TIDEMILL_USER", "tester")
            .current_dir(self.path())
            .timeout(std::time::Duration::from_mins(2));
        command
    }

    /// Exit code, standard output and standard error of a program that ended.
    fn text(output: &std::process::Output) -> (i32, String, String) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr),
        )
    }

    /// Its exit code, standard output and standard error.
    fn outcome(&self, arguments: &[&str]) -> (i32, String, String) {
        Self::text(&self.tidemill(arguments).output().unwrap())
    }

    /// Its standard output as JSON; it must have ended well.
    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let (code, stdout, stderr) = self.outcome(arguments);
        assert_eq!(code, 0, "{arguments:?} ended with {code}: {stderr}");
        serde_json::from_str(&stdout).unwrap()
    }
}

impl Place {
    /// The items of the list that it printed as JSON; it must have ended well.
    fn items(&self, arguments: &[&str]) -> Vec<serde_json::Value> {
        self.json(arguments)["items"].as_array().unwrap().clone()
    }
}

/// A `tidemill up` that answers until this is dropped.
struct Served {
    process: std::process::Child,
    url: String,
    _said: BufReader<std::process::ChildStdout>,
}

impl Served {
    fn start(place: &Place, arguments: &[&str]) -> Self {
        Self::start_with(place, &[&["--port", "0"], arguments].concat(), &[])
    }

    fn start_with(place: &Place, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("tidemill"));
        command
            .arg("up")
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", place.path())
            .env("TIDEMILL_STATE_DIR", place.path().join("state"))
            .envs(variables.iter().copied())
            .current_dir(place.path())
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        // Ends with the program at the latest.
        said.read_line(&mut line).unwrap();
        let (_, url) = line.split_once("is up at ").unwrap();
        Self {
            process,
            url: url.trim().to_owned(),
            _said: said,
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
