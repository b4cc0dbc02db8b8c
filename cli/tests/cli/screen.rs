//! What people see on a terminal, and what they are asked there. `script` gives the program a terminal, and an emulator says what stands on it.

use crate::waiting::Busy;
use crate::{Place, Served};
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const ROWS: u16 = 24;

const TWO: &str = "\
type: pipeline
display_name: a picture that lives
settings:
  default_compute: local
jobs:
  first_with_a_rather_long_name:
    type: command
    command: while test ! -e ${{inputs.go}}; do sleep 0.02; done
    inputs:
      go: ${{parent.inputs.go}}
  second:
    type: command
    command: echo done
    depends_on: [first_with_a_rather_long_name]
inputs:
  go: nowhere
";

/// A program on a terminal.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    output: ChildStdout,
    emulator: vt100::Parser,
    written: Vec<u8>,
}

impl Terminal {
    /// Starts a shell's command line on a terminal of this width.
    fn start(place: &Place, columns: u16, line: &str, variables: &[(&str, &str)]) -> Self {
        let program = assert_cmd::cargo::cargo_bin("tidemill");
        let line = format!(
            "stty cols {columns} rows {ROWS}; exec {} {line}",
            program.display()
        );
        let mut command = Command::new("script");
        command
            .args(["--quiet", "--flush", "--return", "--command", &line, "/dev/null"])
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm-256color")
            .env("HOME", place.path())
            .env("TIDEMILL_STATE_DIR", place.path().join("state"))
            .envs(variables.iter().copied())
            .current_dir(place.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Self {
            keys: child.stdin.take().unwrap(),
            output: child.stdout.take().unwrap(),
            child,
            emulator: vt100::Parser::new(ROWS, columns, 0),
            written: Vec::new(),
        }
    }

    /// The lines on the screen that are not empty.
    fn lines(&self) -> Vec<String> {
        let (_, columns) = self.emulator.screen().size();
        let rows = self.emulator.screen().rows(0, columns);
        rows.map(|row| row.trim_end().to_owned())
            .filter(|row| !row.is_empty())
            .collect()
    }

    /// Looks at each state of the screen until one is as wanted. The program ends at the latest when the test's time is over.
    fn until(&mut self, what: &str, is_so: impl Fn(&[String]) -> bool) {
        loop {
            let lines = self.lines();
            if is_so(&lines) {
                return;
            }
            assert!(self.read(), "{what}: it never came to this, but to {lines:#?}");
        }
    }

    /// Takes in what was written; false when the program has ended.
    fn read(&mut self) -> bool {
        let mut piece = [0; 4096];
        let length = self.output.read(&mut piece).unwrap();
        self.emulator.process(&piece[..length]);
        self.written.extend_from_slice(&piece[..length]);
        length > 0
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Its exit code, once it has ended.
    fn end(&mut self) -> Option<i32> {
        while self.read() {}
        self.child.wait().unwrap().code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn has(lines: &[String], word: &str) -> bool {
    lines.iter().any(|line| line.contains(word))
}

fn place() -> (Place, String) {
    let place = Place::new();
    place.write("two.yml", TWO);
    let line = format!("run two.yml -p go={}", place.path().join("go").display());
    (place, line)
}

#[test]
fn the_picture_of_a_run_lives_on_a_narrow_screen_and_leaves_it_as_it_was() {
    let (place, line) = place();
    let mut terminal = Terminal::start(&place, 60, &line, &[]);
    terminal.until("one step runs", |lines| {
        has(lines, "running") && has(lines, "0/2 steps")
    });
    let lines = terminal.lines();
    assert_eq!(
        lines.len(),
        2,
        "a line for what runs, and one that sums up: {lines:#?}"
    );
    assert!(lines[0].contains("first_with_a_rather_long_name"), "{lines:#?}");
    let written = String::from_utf8_lossy(&terminal.written);
    assert!(written.contains("\x1b[34m"), "it has colours: {written:?}");
    place.write("go", "");
    assert_eq!(terminal.end(), Some(0));
    let lines = terminal.lines();
    assert!(!has(&lines, "running") && !has(&lines, "/2 steps"), "{lines:#?}");
    assert!(
        has(&lines, "✓ first_with_a_rather_long_name succeeded"),
        "{lines:#?}"
    );
    assert!(has(&lines, "✓ a picture that lives succeeded in "), "{lines:#?}");
    let screen = terminal.emulator.screen();
    assert!(!screen.hide_cursor() && !screen.alternate_screen());
}

#[test]
fn a_picture_without_colours_has_none_and_follows_a_screen_that_shrinks() {
    let (place, line) = place();
    let mut terminal = Terminal::start(&place, 80, &line, &[("NO_COLOR", "1")]);
    terminal.until("one step runs", |lines| has(lines, "running"));
    // The terminal tells the program by SIGWINCH, as it does when somebody pulls at its window.
    let tty = format!("/proc/{}/fd/0", in_terminal(&terminal));
    let shrunk = Command::new("stty").args(["-F", &tty, "cols", "40"]).status();
    assert!(shrunk.unwrap().success());
    terminal.emulator.screen_mut().set_size(ROWS, 40);
    terminal.until("it is drawn for forty columns", |lines| {
        let sums: Vec<&String> = lines.iter().filter(|line| line.contains("0/2 steps")).collect();
        sums.len() == 1 && lines.last().is_some_and(|line| line.contains("0/2 steps"))
    });
    place.write("go", "");
    assert_eq!(terminal.end(), Some(0));
    let codes = terminal.written.split(|byte| *byte == 0x1b).skip(1);
    for code in codes {
        let end = code.iter().find(|byte| byte.is_ascii_alphabetic());
        assert_ne!(end, Some(&b'm'), "a colour: {}", String::from_utf8_lossy(code));
    }
}

/// The process that `script` started.
fn in_terminal(terminal: &Terminal) -> u32 {
    let parent = terminal.child.id();
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
    children.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn a_second_interrupt_asks_whether_to_cancel_and_the_first_alone_does_not() {
    let busy = Busy::start();
    let line = format!("runs watch {}", busy.run);
    for (answer, status) in [("n\r", "running"), ("y\r", "cancelled")] {
        let mut terminal = Terminal::start(&busy.place, 80, &line, &[]);
        terminal.until("the step runs", |lines| has(lines, "0/1 steps"));
        terminal.press("\x03");
        terminal.until("it stops watching", |lines| has(lines, "asks whether to cancel"));
        terminal.press("\x03");
        terminal.until("it asks", |lines| has(lines, "[y/N]"));
        terminal.press(answer);
        assert_eq!(terminal.end(), Some(130));
        crate::waiting::until("the run stands so", || busy.status() == status);
    }
}

#[test]
fn what_cannot_be_taken_back_is_asked_for_at_a_terminal() {
    let busy = Busy::start();
    let mut terminal = Terminal::start(&busy.place, 80, "runs cancel last", &[]);
    terminal.until("it asks", |lines| has(lines, "Cancel ") && has(lines, "[y/N]"));
    terminal.press("\r");
    assert_eq!(terminal.end(), Some(1));
    assert!(
        has(&terminal.lines(), "nothing was changed"),
        "{:#?}",
        terminal.lines()
    );
    assert_eq!(busy.status(), "running");
    let mut terminal = Terminal::start(&busy.place, 80, "runs cancel last --no-input", &[]);
    assert_eq!(terminal.end(), Some(0), "{:#?}", terminal.lines());
    crate::waiting::until("it is cancelled", || busy.status() == "cancelled");
}

#[test]
fn tables_fit_eighty_columns() {
    let place = Place::new();
    place.write("two.yml", TWO);
    place.write("go", "");
    let go = format!("go={}", place.path().join("go").display());
    let long = "a name that goes on and on, as names do when nobody stops those who give them";
    let (code, _, stderr) = place.outcome(&["run", "two.yml", "-p", &go, "--name", long]);
    assert_eq!(code, 0, "{stderr}");
    let _served = Served::start(&place, &[]);
    assert_eq!(place.outcome(&["token", "create", "--scope", "reader"]).0, 0);
    for line in [
        "runs list",
        "worker list",
        "queue list",
        "token list",
        "artifacts list last",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let (_, stdout, stderr) = place.outcome(&words);
        let rows = stdout.lines().count() + stderr.lines().count();
        let mut terminal = Terminal::start(&place, 80, line, &[]);
        assert_eq!(terminal.end(), Some(0));
        let lines = terminal.lines();
        assert_eq!(lines.len(), rows, "`{line}` wraps: {lines:#?}");
    }
}
