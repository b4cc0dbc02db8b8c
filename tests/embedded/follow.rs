//! `tidemill logs -f RUN`: the lines of every step of a run while it runs, each with its step's name, until the run ends; and what becomes of those
//! who look while the coordinator is killed under them.

use std::fs;
use std::path::{Path, PathBuf};
use testkit::{BEGIN_DEADLINE, Daemon, END_DEADLINE, Sandbox, Up, eventually};

/// Two steps that talk, each until it is let go, and one after them. A word is said before and after the waiting.
const PIPELINE: &str = "
type: pipeline
inputs:
  folder: none
jobs:
  left:
    command: >-
      echo left begins; echo left complains >&2;
      until [ -e ${{inputs.folder}}/left ]; do sleep 0.05; done; echo left ends
    inputs: {folder: '${{parent.inputs.folder}}'}
  right:
    command: >-
      echo right begins;
      until [ -e ${{inputs.folder}}/right ]; do sleep 0.05; done; printf 'right ends'
    inputs: {folder: '${{parent.inputs.folder}}'}
  last:
    command: echo last says a word
    depends_on: [left, right]
";

fn sandbox() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    sandbox.write("pipeline.yml", PIPELINE);
    let folder = format!("folder={}", sandbox.path().display());
    (sandbox, folder)
}

/// A command that runs beside the test; what it prints and what it says go to files of their own.
struct Beside {
    daemon: Daemon,
    said: PathBuf,
}

impl Beside {
    fn start(sandbox: &Sandbox, name: &str, arguments: &[&str]) -> Self {
        let said = sandbox.path().join(name);
        let mut command = sandbox.command(arguments);
        Self {
            daemon: Daemon::start(name, &mut command, &said),
            said,
        }
    }

    fn wait_for(&self, text: &str) {
        eventually(BEGIN_DEADLINE, &format!("{text:?} is shown"), || {
            read(&self.said).contains(text).then_some(())
        });
    }

    /// Waits for its good end; the lines, without the blanks that align them.
    fn lines(self) -> Vec<String> {
        let Self { daemon, said } = self;
        let status = daemon.wait(END_DEADLINE);
        let text = read(&said);
        assert!(status.success(), "{status}: {text}");
        let lines = text.lines();
        lines
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// How often a line was shown.
fn times(lines: &[String], wanted: &str) -> usize {
    lines.iter().filter(|line| *line == wanted).count()
}

/// Every line of the pipeline, each once.
fn assert_whole(lines: &[String]) {
    for wanted in [
        "left │ left begins",
        "left │ left complains",
        "left │ left ends",
        "right │ right begins",
        "right │ right ends",
        "last │ last says a word",
    ] {
        assert_eq!(times(lines, wanted), 1, "{wanted:?} in {lines:#?}");
    }
}

#[test]
fn lines_of_several_steps_come_as_they_are_written_and_end_with_the_run() {
    let (sandbox, folder) = sandbox();
    let up = Up::start(&sandbox, "up.log");
    let id = up.submit("pipeline.yml", &["-p", &folder]);
    let follower = Beside::start(&sandbox, "follower.log", &["logs", "-f", &id]);
    follower.wait_for("left begins");
    follower.wait_for("right begins");
    sandbox.write("right", "");
    follower.wait_for("right ends");
    assert!(
        !read(&follower.said).contains("left ends"),
        "left is not let go yet"
    );
    sandbox.write("left", "");
    assert_whole(&follower.lines());

    let afterwards = up.ok(["logs", "-f", &id, "--stream", "stdout"]);
    assert_eq!(
        afterwards.stdout.lines().count(),
        5,
        "a run that has ended is told whole: {afterwards}"
    );
    assert!(!afterwards.stdout.contains("complains"), "{afterwards}");
}

#[test]
fn whoever_follows_or_watches_goes_on_when_a_killed_coordinator_is_back() {
    let (sandbox, folder) = sandbox();
    let first = Up::start(&sandbox, "first.log");
    let port = first
        .url()
        .rsplit(':')
        .next()
        .expect("an address has a port")
        .to_owned();
    let id = first.submit("pipeline.yml", &["-p", &folder]);
    let url = first.url().to_owned();
    let whole = Beside::start(&sandbox, "whole.log", &["logs", "-f", &id, "--url", &url]);
    let step = format!("{id}/left");
    let one = Beside::start(&sandbox, "one.log", &["logs", "-f", &step, "--url", &url]);
    let watcher = Beside::start(&sandbox, "watcher.log", &["runs", "watch", &id, "--url", &url]);
    whole.wait_for("right begins");
    one.wait_for("left begins");
    watcher.wait_for("running");

    first.kill();
    whole.wait_for("asking again");
    watcher.wait_for("asking again");
    let up = Up::start_at(&sandbox, "second.log", &port);
    sandbox.write("left", "");
    sandbox.write("right", "");

    assert_whole(&whole.lines());
    let mut one = one.lines();
    one.sort();
    assert_eq!(one, ["left begins", "left complains", "left ends"]);
    let watched = watcher.lines();
    for step in ["left", "right", "last"] {
        let ended = watched
            .iter()
            .filter(|line| line.contains("succeeded") && line.contains(step));
        assert_eq!(ended.count(), 1, "{step} in {watched:#?}");
    }
    drop(up);
}
