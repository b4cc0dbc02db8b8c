//! Pipelines run in one process, from the file to the outputs, with the real parts.

use crate::Place;

const PIPELINE: &str = "\
type: pipeline
display_name: greeting
inputs:
  who: world
outputs:
  card:
    type: uri_file
jobs:
  greet:
    type: command
    command: echo \"hello ${{inputs.who}}\" > ${{outputs.text}} && echo said hello
    inputs:
      who: ${{parent.inputs.who}}
    outputs:
      text:
        type: uri_file
  shout:
    type: command
    command: tr a-z A-Z < ${{inputs.text}} > ${{outputs.loud}}
    inputs:
      text: ${{parent.jobs.greet.outputs.text}}
    outputs:
      loud: ${{parent.outputs.card}}
";

const FAILING: &str = "\
type: pipeline
jobs:
  good:
    type: command
    command: echo fine
  bad:
    type: command
    command: echo the reason >&2 && exit 3
    depends_on: [good]
  never:
    type: command
    command: echo never
    depends_on: [bad]
";

fn place() -> Place {
    let place = Place::new();
    place.write("p.yml", PIPELINE);
    place.write("fail.yml", FAILING);
    place
}

fn statuses(run: &serde_json::Value) -> Vec<String> {
    let steps = run["steps_list"].as_array().unwrap().iter();
    steps
        .map(|step| {
            format!(
                "{} {}",
                step["path"].as_str().unwrap(),
                step["status"].as_str().unwrap()
            )
        })
        .collect()
}

#[test]
fn an_unchanged_pipeline_is_not_run_again_and_a_parameter_changes_only_what_it_must() {
    let place = place();
    let first = place.json(&["run", "p.yml", "-o", "json"]);
    assert_eq!(statuses(&first), ["greet succeeded", "shout succeeded"]);
    assert_eq!(
        place.outcome(&["artifacts", "cat", "last/shout/loud"]).1,
        "HELLO WORLD\n"
    );

    let plan = place.json(&["plan", "p.yml", "-o", "json"]);
    assert_eq!(
        (&plan["steps"][0]["decision"], &plan["steps"][1]["decision"]),
        (&"reuse".into(), &"reuse".into())
    );
    let second = place.json(&["run", "p.yml", "-o", "json"]);
    assert_eq!(statuses(&second), ["greet reused", "shout reused"]);

    let plan = place.json(&["plan", "p.yml", "-p", "who=you", "-o", "json"]);
    assert_eq!(
        (&plan["steps"][0]["decision"], &plan["steps"][1]["decision"]),
        (&"run".into(), &"undecided".into())
    );
    let third = place.json(&["run", "p.yml", "-p", "who=you", "-o", "json"]);
    assert_eq!(statuses(&third), ["greet succeeded", "shout succeeded"]);
    assert_eq!(
        place.outcome(&["artifacts", "cat", "last/shout/loud"]).1,
        "HELLO YOU\n"
    );

    let forced = place.json(&["run", "p.yml", "--no-cache", "-o", "json"]);
    assert_eq!(statuses(&forced), ["greet succeeded", "shout succeeded"]);

    let runs = place.items(&["runs", "list", "-o", "json"]);
    assert_eq!(runs.len(), 4);
    let (_, ids, _) = place.outcome(&["runs", "list", "-q"]);
    assert_eq!(ids.lines().count(), 4);
    assert_eq!(ids.lines().next(), runs[0]["id"].as_str());
    assert_eq!(runs[0]["submitted_by"], "tester");
}

#[test]
fn what_a_run_leaves_can_be_looked_at_without_a_coordinator() {
    let place = place();
    let (code, stdout, stderr) = place.outcome(&["run", "p.yml"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.starts_with("✓ greeting succeeded in "), "{stdout}");
    assert!(
        stderr.contains("running    greet") && stderr.contains("succeeded  shout"),
        "{stderr}"
    );
    assert_eq!(place.outcome(&["logs", "last/greet"]).1, "said hello\n");
    assert_eq!(place.outcome(&["logs", "last/greet", "--stream", "stderr"]).1, "");
    let (code, _, stderr) = place.outcome(&["artifacts", "get", "last/shout/loud", "--to", "out/card.txt"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(
        std::fs::read_to_string(place.path().join("out/card.txt")).unwrap(),
        "HELLO WORLD\n"
    );
    let again = place.outcome(&["artifacts", "get", "last/shout/loud", "--to", "out/card.txt"]);
    assert_eq!(again.0, 7, "what is there is not written over");
    let (code, _, stderr) = place.outcome(&["artifacts", "cat", "last/shout/lout"]);
    assert_eq!(code, 6);
    assert!(stderr.contains("did you mean `loud`?"), "{stderr}");
    let (code, stdout, _) = place.outcome(&["journal", "verify"]);
    assert_eq!(code, 0);
    assert!(stdout.contains("the journal is whole"), "{stdout}");
    let (_, events, _) = place.outcome(&["journal", "export"]);
    assert!(
        events
            .lines()
            .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
    );
    assert_eq!(
        place.json(&["graph", "last", "-o", "json"])["nodes"][0]["status"],
        "succeeded"
    );
}

#[test]
fn a_failing_step_ends_with_its_last_words_and_what_to_type_next() {
    let place = place();
    let (code, stdout, stderr) = place.outcome(&["run", "fail.yml"]);
    assert_eq!(code, 5, "{stderr}");
    assert!(stdout.contains("failed in "), "{stdout}");
    assert!(stderr.contains("✗ bad failed: exit code 3"), "{stderr}");
    assert!(stderr.contains("│ the reason"), "{stderr}");
    assert!(stderr.contains("tidemill logs "), "{stderr}");
    let run = place.json(&["runs", "show", "last", "-o", "json"]);
    assert_eq!(statuses(&run)[..2], ["good succeeded", "bad failed"]);
    assert_ne!(statuses(&run)[2], "never succeeded");
    let (code, stdout, _) = place.outcome(&["explain", "last"]);
    assert_eq!(code, 0);
    assert!(stdout.contains("bad  failed"), "{stdout}");
}

#[test]
fn runs_are_told_apart_and_what_is_not_there_is_not_found() {
    let place = place();
    assert_eq!(
        place.outcome(&["runs", "show", "last"]).0,
        6,
        "nothing was ever run"
    );
    place.json(&["run", "p.yml", "-o", "json"]);
    place.json(&["run", "p.yml", "-p", "who=you", "-o", "json"]);
    let runs = place.items(&["runs", "list", "-o", "json"]);
    let (new, old) = (runs[0]["id"].as_str().unwrap(), runs[1]["id"].as_str().unwrap());
    let diff = place.json(&["runs", "diff", old, new, "-o", "json"]);
    assert_eq!(diff["parameters"]["who"], serde_json::json!(["world", "you"]));
    let (code, stdout, _) = place.outcome(&["runs", "diff", old, new]);
    assert_eq!(code, 0);
    assert!(stdout.contains("world → you"), "{stdout}");
    assert_eq!(place.outcome(&["runs", "show", "ffffffff"]).0, 6);
    assert_eq!(place.outcome(&["logs", "last/nostep"]).0, 6);
}
