//! Inputs that are addresses: the worker fetches a file for the step, from nowhere that its operator did not open, and `direct` leaves it to the step.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use testkit::{Sandbox, Steps};

/// The exit code of a run that ended badly.
const RUN_FAILED: i32 = 5;

/// Answers every request with one line, and counts them; its port.
fn serve(asked: Arc<AtomicUsize>) -> u16 {
    testkit::serve(move |_| {
        asked.fetch_add(1, Ordering::SeqCst);
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\netag: \"v7\"\r\nconnection: close\r\n\r\na row, one"
            .to_owned()
    })
}

fn pipeline(port: u16, mode: &str) -> String {
    format!(
        "
type: pipeline
inputs:
  rows: {{type: uri_file, path: \"http://127.0.0.1:{port}/rows.csv?sig=secret\", mode: {mode}}}
jobs:
  read:
    command: >-
      (cat ${{{{inputs.rows}}}} || echo ${{{{inputs.rows}}}}) > ${{{{outputs.seen}}}}
    inputs: {{rows: \"${{{{parent.inputs.rows}}}}\"}}
    outputs: {{seen: {{type: uri_file}}}}
"
    )
}

fn sandbox(port: u16, mode: &str, settings: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("pipeline.yml", &pipeline(port, mode));
    sandbox.write("tidemill.toml", settings);
    sandbox
}

fn seen(sandbox: &Sandbox) -> String {
    sandbox.ok(["artifacts", "cat", "last/read/seen"]).stdout
}

#[test]
fn a_file_behind_an_address_is_fetched_and_said_with_its_version_and_without_its_signature() {
    let asked = Arc::default();
    let port = serve(Arc::clone(&asked));
    for mode in ["ro_mount", "download"] {
        let sandbox = sandbox(port, mode, "fetch_allow = [\"127.0.0.1\"]\n");
        let before = asked.load(Ordering::SeqCst);
        let run = sandbox.run("pipeline.yml", &[]);
        assert_eq!(seen(&sandbox), "a row, one", "{mode}");
        assert_eq!(asked.load(Ordering::SeqCst), before + 1);
        let notes = run.step("read").attempts[0]
            .usage
            .clone()
            .expect("it ran")
            .notes
            .join("\n");
        assert!(
            notes.contains("was fetched from http://127.0.0.1") && notes.contains("v7"),
            "{notes}"
        );
        assert!(!notes.contains("secret"), "{notes}");
        // The address counts, not what is behind it today.
        let again = sandbox.run("pipeline.yml", &[]);
        assert!(again.executed().is_empty(), "{again:#?}");
        assert_eq!(asked.load(Ordering::SeqCst), before + 1);
    }
}

#[test]
fn an_address_in_the_own_network_is_not_fetched_unless_the_operator_opened_it() {
    let asked: Arc<AtomicUsize> = Arc::default();
    let port = serve(Arc::clone(&asked));
    let sandbox = sandbox(port, "ro_mount", "");
    let failed = sandbox.run_to(RUN_FAILED, "pipeline.yml", &[]);
    let failure = format!("{failed:?}");
    for wanted in ["127.0.0.1", "this machine itself", "fetch_allow", "input `rows`"] {
        assert!(failure.contains(wanted), "{wanted:?} is missing in {failure}");
    }
    let attempts = &failed.step("read").attempts;
    assert_eq!(attempts.len(), 1, "another try cannot end differently");
    assert_eq!(asked.load(Ordering::SeqCst), 0, "nobody was asked");
}

#[test]
fn direct_leaves_an_address_to_the_step() {
    let asked = Arc::default();
    let port = serve(Arc::clone(&asked));
    let sandbox = sandbox(port, "direct", "");
    sandbox.run("pipeline.yml", &[]);
    assert!(
        seen(&sandbox).contains(&format!("http://127.0.0.1:{port}/rows.csv")),
        "{}",
        seen(&sandbox)
    );
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[test]
fn a_place_that_is_none_is_a_mistake_in_the_settings() {
    let sandbox = sandbox(1, "direct", "fetch_allow = [\"10.0.0.0/64\"]\n");
    let refused = sandbox.tidemill(["run", "pipeline.yml"]).expect_code(2);
    assert!(
        refused.stderr.contains("fetch_allow") && refused.stderr.contains("10.0.0.0/8"),
        "{refused}"
    );
}
