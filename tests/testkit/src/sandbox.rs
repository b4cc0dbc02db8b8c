//! A folder of one's own for each test: state, settings and files of the product lie in it, nothing of the person who runs the tests is read or
//! written (package caches excepted), and no process that belongs to it survives it.

use crate::{eventually, processes, repository, tidemill};
use rustix::process::Signal;
use serde::de::DeserializeOwned;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tidemill_protocol::api::RunView;

/// Variables that would change what the product does.
const FOREIGN: [&str; 5] = ["TIDEMILL_", "AWS_", "AZURE_", "GOOGLE_", "XDG_"];

/// How long a question to the product may take on a busy machine.
pub(crate) const ANSWER_DEADLINE: Duration = Duration::from_mins(1);
/// How long a run may take, the building of its environment included.
const RUN_DEADLINE: Duration = Duration::from_mins(8);

/// A test's own folder.
#[derive(Debug)]
pub struct Sandbox {
    folder: TempDir,
}

/// What a command of the product answered.
#[derive(Debug)]
pub struct Output {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said beside.
    pub stderr: String,
}

impl Output {
    /// What it printed, as JSON of this type.
    ///
    /// # Panics
    /// When it is something else.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no such JSON ({error}): {self}"))
    }

    /// The items of the list that it printed as JSON.
    ///
    /// # Panics
    /// When it printed something else.
    #[track_caller]
    pub fn items<T: DeserializeOwned>(&self) -> Vec<T> {
        let list: serde_json::Value = self.json();
        serde_json::from_value(list["items"].clone())
            .unwrap_or_else(|error| panic!("no list of such items ({error}): {self}"))
    }

    /// The same output, if the command ended with this code.
    ///
    /// # Panics
    /// When it ended otherwise; the message holds all that it said.
    #[track_caller]
    #[must_use]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, stdout, stderr } = self;
        write!(f, "code {code:?}\n-- stdout --\n{stdout}\n-- stderr --\n{stderr}")
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// An empty one.
    ///
    /// # Panics
    /// When there is no room for temporary files.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("tidemill-test-").tempdir();
        Self {
            folder: folder.expect("temporary files can be made"),
        }
    }

    /// Its root.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where the product keeps its state.
    pub fn state_dir(&self) -> PathBuf {
        self.path().join("state")
    }

    /// Writes a file, with the folders above it.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.path().join(path);
        let folder = path.parent().expect("a file lies in a folder");
        fs::create_dir_all(folder).expect("a folder can be made");
        fs::write(&path, text).expect("a file can be written");
        path
    }

    /// Replaces a piece of a file of this folder in place.
    ///
    /// # Panics
    /// When the file does not hold the piece exactly once.
    pub fn replace(&self, path: &str, old: &str, new: &str) {
        let full = self.path().join(path);
        let text = fs::read_to_string(&full).expect("the file is there");
        assert_eq!(text.matches(old).count(), 1, "{path} should hold {old:?} once");
        fs::write(&full, text.replace(old, new)).expect("a file can be written");
    }

    /// Copies an example of the repository into this folder, under its own name.
    ///
    /// # Panics
    /// When there is no such example.
    pub fn copy_example(&self, name: &str) -> PathBuf {
        let to = self.path().join(name);
        copy_folder(&repository().join("examples").join(name), &to);
        to
    }

    /// A command of the product that knows nothing but this folder.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(tidemill());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if FOREIGN.iter().any(|prefix| text.starts_with(prefix)) {
                command.env_remove(&name);
            }
        }
        command
            .args(arguments)
            .current_dir(self.path())
            .env("XDG_CONFIG_HOME", self.path().join("config"))
            .env("TIDEMILL_STATE_DIR", self.state_dir())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// Runs a pipeline of this folder in one process to its good end.
    ///
    /// # Panics
    /// When it ends otherwise.
    #[track_caller]
    pub fn run(&self, file: &str, more: &[&str]) -> RunView {
        self.run_to(0, file, more)
    }

    /// Runs a pipeline of this folder in one process until the program ends with this code.
    ///
    /// # Panics
    /// When it ends otherwise, or does not say how the run stands.
    #[track_caller]
    pub fn run_to(&self, code: i32, file: &str, more: &[&str]) -> RunView {
        let fixed = ["run", file, "-o", "json"];
        let mut command = self.command(fixed.iter().chain(more));
        finish(&mut command, RUN_DEADLINE).expect_code(code).json()
    }

    /// Runs a command of the product to its good end.
    ///
    /// # Panics
    /// When it ends otherwise; the message holds all that it said.
    #[track_caller]
    pub fn ok<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        self.tidemill(arguments).expect_code(0)
    }

    /// Pids of the processes that belong to it.
    pub fn processes(&self) -> Vec<u32> {
        processes::that_name(self.path())
    }

    /// Runs a prepared command of the product to its end.
    ///
    /// # Panics
    /// When it cannot be started, or hangs.
    #[track_caller]
    pub fn finish(&self, command: &mut Command) -> Output {
        finish(command, ANSWER_DEADLINE)
    }

    /// Runs a prepared command of the product to its end, with this at its standard input and nowhere else.
    ///
    /// # Panics
    /// When it cannot be started, or hangs.
    #[track_caller]
    pub fn finish_with_input(&self, command: &mut Command, input: &[u8]) -> Output {
        let mut file = tempfile::tempfile().expect("temporary files can be made");
        file.write_all(input).expect("a file can be written");
        file.rewind().expect("a file can be read from its beginning");
        finish(command.stdin(file), ANSWER_DEADLINE)
    }

    /// Runs a command of the product to its end.
    ///
    /// # Panics
    /// When it cannot be started, or hangs.
    #[track_caller]
    pub fn tidemill<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        finish(&mut self.command(arguments), ANSWER_DEADLINE)
    }
}

/// Runs a prepared command to its end.
///
/// # Panics
/// When it cannot be started, or hangs.
#[track_caller]
pub(crate) fn finish(command: &mut Command, deadline: Duration) -> Output {
    // Files and not pipes: nobody reads while we wait.
    let file = || tempfile::tempfile().expect("temporary files can be made");
    let (mut stdout, mut stderr) = (file(), file());
    let copy = |file: &File| file.try_clone().expect("a handle can be copied");
    let child = command.stdout(copy(&stdout)).stderr(copy(&stderr)).spawn();
    let mut child = Killed(child.expect("the binary can be started"));
    let what = format!("{command:?} ends");
    let status = eventually(deadline, &what, || child.0.try_wait().ok().flatten());
    Output {
        code: status.code(),
        stdout: whole(&mut stdout),
        stderr: whole(&mut stderr),
    }
}

/// A child that does not outlive the test, even one that hangs.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn whole(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().expect("a file can be read from its beginning");
    file.read_to_end(&mut bytes).expect("a file can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    let entries = fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    for entry in entries {
        let entry = entry.expect("a folder can be listed");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a file can be copied");
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for pid in processes::that_name(self.path()) {
            processes::signal(pid, Signal::KILL);
        }
    }
}
