//! Waiting for runs, with and without a limit; signals while somebody waits; looking before leaping.

use crate::{Place, Served};
use rustix::process::{Pid, Signal, kill_process};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const SLOW: &str = "\
type: pipeline
jobs:
  slow:
    type: command
    command: touch ${{inputs.here}} && while test ! -e ${{inputs.go}}; do sleep 0.05; done
    inputs:
      here: ${{parent.inputs.here}}
      go: ${{parent.inputs.go}}
inputs:
  here: nowhere
  go: nowhere
";

const QUICK: &str = "\
type: pipeline
inputs:
  x: '0'
jobs:
  q:
    type: command
    command: echo ${{inputs.x}}
    inputs:
      x: ${{parent.inputs.x}}
";

/// A service with a run that goes on until it is let go.
pub(crate) struct Busy {
    pub(crate) place: Place,
    _served: Served,
    pub(crate) run: String,
}

impl Busy {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    fn start_with(more: &[&str]) -> Self {
        let place = Place::new();
        place.write("slow.yml", SLOW);
        let served = Served::start(&place, more);
        let here = place.path().join("here");
        let arguments = [
            "submit".to_owned(),
            "slow.yml".to_owned(),
            "-q".to_owned(),
            "-p".to_owned(),
            format!("here={}", here.display()),
            "-p".to_owned(),
            format!("go={}", place.path().join("go").display()),
        ];
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (code, stdout, stderr) = place.outcome(&arguments);
        assert_eq!(code, 0, "{stderr}");
        until("the step runs", || here.exists());
        Self {
            place,
            _served: served,
            run: stdout.trim().to_owned(),
        }
    }

    fn let_go(&self) {
        self.place.write("go", "");
    }

    pub(crate) fn status(&self) -> String {
        let run = self.place.json(&["runs", "show", &self.run, "-o", "json"]);
        run["status"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(
            began.elapsed() < Duration::from_mins(1),
            "it never came to this: {what}"
        );
        std::thread::yield_now();
    }
}

/// A command that runs beside the test.
fn beside(place: &Place, arguments: &[&str]) -> Child {
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("tidemill"));
    command
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", place.path())
        .env("TIDEMILL_STATE_DIR", place.path().join("state"))
        .current_dir(place.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(place.path().join("said")).unwrap());
    command.spawn().unwrap()
}

#[test]
fn a_limited_wait_ends_with_3_and_the_run_goes_on() {
    let busy = Busy::start();
    for verb in [&["runs", "wait"][..], &["runs", "watch"]] {
        let limited = [verb, &[&busy.run, "--timeout", "1s"]].concat();
        let (code, stdout, stderr) = busy.place.outcome(&limited);
        assert_eq!((code, stdout.as_str()), (3, ""), "{stderr}");
        assert!(stderr.contains("is still running after "), "{stderr}");
        assert!(stderr.contains("tidemill runs watch "), "{stderr}");
    }
    assert_eq!(busy.status(), "running");
    busy.let_go();
    let (code, stdout, stderr) = busy
        .place
        .outcome(&["runs", "wait", &busy.run, "--timeout", "1m"]);
    assert_eq!((code, stderr.as_str()), (0, ""), "nothing is shown meanwhile");
    assert!(stdout.contains("succeeded in "), "{stdout}");
    let (code, _, stderr) = busy.place.outcome(&["submit", "slow.yml", "--timeout", "1s"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("--watch or --wait"), "{stderr}");
}

#[test]
fn signals_end_a_wait_with_their_own_codes_and_not_the_run() {
    let busy = Busy::start();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut child = beside(&busy.place, &["runs", "watch", &busy.run]);
        let said = busy.place.path().join("said");
        until("it shows the run", || {
            std::fs::read_to_string(&said).unwrap().contains("slow")
        });
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code));
        let said = std::fs::read_to_string(&said).unwrap();
        assert!(said.contains("the run goes on"), "{said}");
    }
    assert_eq!(busy.status(), "running");
    busy.let_go();
    assert_eq!(busy.place.outcome(&["runs", "wait", &busy.run]).0, 0);
}

#[test]
fn a_key_makes_two_submissions_one_run_and_a_priority_passes_those_that_wait() {
    let busy = Busy::start_with(&["--slots", "1"]);
    let place = &busy.place;
    place.write("quick.yml", QUICK);
    let submit = |number: usize, more: &[&str]| {
        let value = format!("x={number}");
        let fixed = ["submit", "quick.yml", "-q", "-p", &value];
        let (code, stdout, stderr) = place.outcome(&[&fixed, more].concat());
        assert_eq!(code, 0, "{stderr}");
        stdout.trim().to_owned()
    };
    let keyed = submit(0, &["--idempotency-key", "nightly-1"]);
    assert_eq!(submit(0, &["--idempotency-key", "nightly-1"]), keyed);
    assert_ne!(submit(0, &["--idempotency-key", "nightly-2"]), keyed);
    let low: Vec<String> = (1..=8).map(|number| submit(number, &[])).collect();
    let high = submit(9, &["--priority", "50"]);
    busy.let_go();
    let all: Vec<&str> = low.iter().chain([&high]).map(String::as_str).collect();
    let (code, _, stderr) = place.outcome(&[&["runs", "wait", "-q"], &all[..]].concat());
    assert_eq!(code, 0, "{stderr}");
    let began = |run: &str| {
        let run = place.json(&["runs", "show", run, "-o", "json"]);
        run["steps_list"][0]["started_at"].as_u64().unwrap()
    };
    assert!(
        began(&high) < began(&low[7]),
        "it came last, and was not the last to begin"
    );
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let busy = Busy::start();
    let (code, stdout, _) = busy.place.outcome(&["runs", "cancel", "last", "--dry-run"]);
    assert_eq!(code, 0);
    assert!(stdout.starts_with("would cancel run "), "{stdout}");
    assert_eq!(busy.status(), "running");
    let workers = busy.place.items(&["worker", "list", "-o", "json"]);
    let worker = workers[0]["id"].as_str().unwrap();
    let would = format!("would stop 1 step of {worker}\n");
    until("the worker is known to be busy", || {
        busy.place.outcome(&["worker", "preempt", worker, "--dry-run"]) == (0, would.clone(), String::new())
    });
    assert_eq!(
        busy.place
            .outcome(&["worker", "preempt", "nobody", "--dry-run"])
            .0,
        6
    );
    let (code, stdout, _) = busy.place.outcome(&["submit", "slow.yml", "--dry-run"]);
    assert_eq!(code, 0);
    assert!(stdout.contains("1 step: 1 to run"), "{stdout}");
    assert_eq!(busy.place.items(&["runs", "list", "-o", "json"]).len(), 1);
    let (code, token, _) = busy.place.outcome(&["token", "create", "--scope", "admin", "-q"]);
    assert_eq!((code, token.is_empty()), (0, false));
    let list = |place: &Place| place.items(&["token", "list", "-o", "json"]);
    let id = list(&busy.place)[0]["id"].as_str().unwrap().to_owned();
    let (code, stdout, _) = busy.place.outcome(&["token", "revoke", &id, "--dry-run"]);
    assert_eq!(code, 0);
    assert!(stdout.starts_with("would revoke "), "{stdout}");
    assert_eq!(list(&busy.place)[0]["status"], "live");
    // Where nobody can be asked, what was typed is what is meant.
    assert_eq!(busy.place.outcome(&["runs", "cancel", "last"]).0, 0);
    until("it is cancelled", || busy.status() == "cancelled");
    let (code, _, _) = busy.place.outcome(&["runs", "wait", "last"]);
    assert_eq!(code, 3);
}
