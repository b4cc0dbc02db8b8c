//! How runs and steps are named and narrowed down: by name, by label, by time, by attempt.

use crate::Place;

const FLAKY: &str = "\
type: pipeline
jobs:
  flaky:
    type: command
    command: >-
      echo attempt $TIDEMILL_ATTEMPT; test $TIDEMILL_ATTEMPT = 2
    retry: {max: 1, backoff: 10ms}
";

const ONE: &str = "\
type: pipeline
jobs:
  a:
    type: command
    command: echo ${{inputs.x}}
    inputs:
      x: ${{parent.inputs.x}}
inputs:
  x: '1'
";

fn ids(place: &Place, arguments: &[&str]) -> Vec<String> {
    let (code, stdout, stderr) = place.outcome(&[&["runs", "list", "-q"], arguments].concat());
    assert_eq!(code, 0, "{stderr}");
    stdout.lines().map(str::to_owned).collect()
}

#[test]
fn runs_are_found_by_name_label_experiment_and_time() {
    let place = Place::new();
    place.write("p.yml", ONE);
    let run = |more: &[&str]| {
        let (code, _, stderr) = place.outcome(&[&["run", "p.yml"], more].concat());
        assert_eq!(code, 0, "{stderr}");
    };
    run(&["--name", "nightly", "--tag", "team=a", "--tag", "tier=gold"]);
    run(&["--name", "nightly", "--tag", "team=b", "--experiment", "late"]);
    run(&["--name", "other", "--tag", "team=b"]);
    let all = ids(&place, &[]);
    assert_eq!(all.len(), 3);
    assert_eq!(ids(&place, &["-l", "team=b"]), all[..2]);
    assert_eq!(ids(&place, &["-l", "team=a", "-l", "tier=gold"]), all[2..]);
    assert_eq!(ids(&place, &["-l", "team=b", "--experiment", "late"]), all[1..2]);
    assert_eq!(ids(&place, &["-l", "tier=lead"]), [""; 0]);
    assert_eq!(ids(&place, &["--since", "1h"]), all);
    assert_eq!(
        ids(&place, &["--since", "2001-01-01", "--status", "failed"]),
        [""; 0]
    );
    assert_eq!(ids(&place, &["--since", "2999-01-01T00:00:00Z"]), [""; 0]);
    assert_eq!(place.outcome(&["runs", "list", "--since", "yesterday"]).0, 2);

    let named = place.json(&["runs", "show", "@nightly", "-o", "json"]);
    assert_eq!(named["id"], all[1].as_str(), "the newest with that name");
    assert_eq!(place.outcome(&["logs", "@other/a"]).1, "1\n");
    let (code, _, stderr) = place.outcome(&["runs", "show", "@nobody"]);
    assert_eq!(code, 6);
    assert!(stderr.contains("no run is called `nobody`"), "{stderr}");
}

#[test]
fn one_attempt_is_named_behind_a_hash() {
    let place = Place::new();
    place.write("p.yml", FLAKY);
    let (code, _, stderr) = place.outcome(&["run", "p.yml"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(place.outcome(&["logs", "last/flaky#1"]).1, "attempt 1\n");
    assert_eq!(place.outcome(&["logs", "last/flaky#2"]).1, "attempt 2\n");
    assert_eq!(place.outcome(&["logs", "last/flaky"]).1, "attempt 2\n");
    assert_eq!(place.outcome(&["logs", "last/flaky#3"]).0, 6);
    let (code, _, stderr) = place.outcome(&["logs", "last/flaky#0"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("counted from 1"), "{stderr}");
    let (code, _, stderr) = place.outcome(&["explain", "last/flaky#1"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("leave #1 out"), "{stderr}");
}
