//! What `-o json` looks like, command by command. Scripts rely on it: a field may be added under the same `apiVersion`, one that goes or changes its
//! meaning needs a new one. What differs from run to run is written as its kind.

use crate::{Place, Served};
use serde_json::Value;

const PIPELINE: &str = "\
type: pipeline
display_name: shapes
settings:
  default_compute: local
inputs:
  who: world
jobs:
  greet:
    type: command
    command: echo \"hello ${{inputs.who}}\" > ${{outputs.text}}
    inputs:
      who: ${{parent.inputs.who}}
    outputs:
      text:
        type: uri_file
  shout:
    type: command
    command: tr a-z A-Z < ${{inputs.text}} > ${{outputs.loud}}/a.txt
    inputs:
      text: ${{parent.jobs.greet.outputs.text}}
    outputs:
      loud:
        type: uri_folder
";

const FAILING: &str = "\
type: pipeline
settings:
  default_compute: local
jobs:
  bad:
    type: command
    command: echo the reason >&2 && exit 3
";

/// Characters of a token's public name, any of which may be letters.
const TOKEN_ID_CHARS: usize = 12;

/// A value with what differs from run to run replaced by its kind.
fn redacted(place: &Place, value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| {
                let is_time = name.ends_with("_at") || name == "at";
                let is_measured = ["_ms", "bytes", "last", "records", "sequence"];
                let is_by_machine = matches!(name.as_str(), "memory_peak_bytes" | "notes");
                let value = match value {
                    _ if is_by_machine => format!("[{name}]").into(),
                    Value::Number(_) if is_time => "[time]".into(),
                    Value::Number(_) if is_measured.iter().any(|word| name.ends_with(word)) => {
                        format!("[{name}]").into()
                    }
                    Value::String(_) if matches!(name.as_str(), "host" | "worker" | "version") => {
                        format!("[{name}]").into()
                    }
                    Value::String(_) if name == "token" => "[secret]".into(),
                    Value::String(id) if name == "id" && id.len() == TOKEN_ID_CHARS => "[id]".into(),
                    other => redacted(place, other),
                };
                (name.clone(), value)
            });
            Value::Object(fields.collect())
        }
        Value::Array(items) => items.iter().map(|item| redacted(place, item)).collect(),
        Value::String(text) => Value::String(plain(place, text)),
        other => other.clone(),
    }
}

fn plain(place: &Place, text: &str) -> String {
    let text = text.replace(place.path().to_str().unwrap(), "[place]");
    let mut words: Vec<String> = Vec::new();
    for word in text.split_inclusive([' ', '/', ':', ',']) {
        let core = word.trim_end_matches([' ', '/', ':', ',']);
        let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let kind = match core.len() {
            36 if core.matches('-').count() == 4 => Some("[run]"),
            64 if is_hex(core) => Some("[digest]"),
            _ => None,
        };
        words.push(kind.map_or_else(|| word.to_owned(), |kind| word.replace(core, kind)));
    }
    words.concat()
}

/// What a command prints, whatever its exit code is.
fn shape(place: &Place, arguments: &[&str]) -> Value {
    let (_, stdout, stderr) = place.outcome(&[arguments, &["-o", "json"]].concat());
    let value: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| {
        panic!("{arguments:?} printed no JSON ({error}): {stdout}{stderr}");
    });
    assert_eq!(value["apiVersion"], "tidemill/v1", "{arguments:?} has no mark");
    redacted(place, &value)
}

/// Holds each item of a list to these fields.
fn hold_fields(place: &Place, arguments: &[&str], fields: &str) {
    let list = shape(place, arguments);
    let items = list["items"].as_array().unwrap();
    assert!(!items.is_empty(), "{arguments:?} lists nothing");
    for item in items {
        for field in fields.split(' ') {
            assert!(item.get(field).is_some(), "{arguments:?} lacks {field}: {item}");
        }
    }
}

fn place() -> Place {
    let place = Place::new();
    place.write("p.yml", PIPELINE);
    place.write("fail.yml", FAILING);
    place
}

/// Holds the shape of each of these commands, in this order, to what it was.
fn hold(place: &Place, commands: &[(&str, &[&str])]) {
    for (name, arguments) in commands {
        insta::assert_json_snapshot!(*name, shape(place, arguments));
    }
}

#[test]
fn the_shapes_of_runs_and_their_outputs_are_kept() {
    let place = place();
    hold(
        &place,
        &[
            ("validate", &["validate", "p.yml"]),
            ("plan_before", &["plan", "p.yml"]),
            ("run", &["run", "p.yml"]),
            (
                "run_reused",
                &["run", "p.yml", "-p", "who=world", "--tag", "team=a"],
            ),
            ("plan_after", &["plan", "p.yml", "-p", "who=you"]),
            ("runs_list", &["runs", "list"]),
            ("runs_show", &["runs", "show", "last"]),
            ("runs_watch", &["runs", "watch", "last"]),
            ("runs_wait", &["runs", "wait", "last"]),
            ("explain_step", &["explain", "last/shout"]),
            ("cache_explain", &["cache", "explain", "last/shout"]),
            ("artifacts_list", &["artifacts", "list"]),
            ("graph_run", &["graph", "last"]),
            ("graph_file", &["graph", "p.yml"]),
            ("experiment_list", &["experiment", "list", "--prefix", "p"]),
            ("experiment_show", &["experiment", "show", "p"]),
            (
                "experiment_describe",
                &["experiment", "describe", "p", "--description", "shapes"],
            ),
            (
                "experiment_create",
                &["experiment", "create", "oaks", "--tag", "owner=ada"],
            ),
            ("experiment_rename", &["experiment", "rename", "oaks", "old oaks"]),
            ("experiment_delete", &["experiment", "delete", "old oaks"]),
            ("experiment_restore", &["experiment", "restore", "old oaks"]),
            ("compute_list", &["compute", "list"]),
            ("queue_list", &["queue", "list"]),
            ("worker_list", &["worker", "list"]),
            ("journal_verify", &["journal", "verify"]),
        ],
    );
}

#[test]
fn the_shapes_of_differences_and_of_bad_ends_are_kept() {
    let place = place();
    assert_eq!(place.outcome(&["run", "p.yml"]).0, 0);
    assert_eq!(place.outcome(&["run", "p.yml", "-p", "who=you"]).0, 0);
    let runs = place.items(&["runs", "list", "-o", "json"]);
    let (new, old) = (runs[0]["id"].as_str().unwrap(), runs[1]["id"].as_str().unwrap());
    let output = |run: &str| format!("{run}/shout/loud");
    hold(
        &place,
        &[
            ("runs_diff", &["runs", "diff", old, new]),
            (
                "artifacts_diff",
                &["artifacts", "diff", &output(old), &output(new)],
            ),
            ("run_failed", &["run", "fail.yml"]),
            ("explain_run", &["explain", "last"]),
        ],
    );
    let (code, _, stderr) = place.outcome(&["runs", "show", "nobody", "-o", "json"]);
    assert_eq!(code, 6);
    let failure: Value = serde_json::from_str(&stderr).unwrap();
    insta::assert_json_snapshot!("failure", redacted(&place, &failure));
}

#[test]
fn the_shapes_of_a_service_and_its_rights_are_kept() {
    let place = place();
    let served = Served::start(&place, &[]);
    hold(
        &place,
        &[
            ("submit_waited_for", &["submit", "p.yml", "--wait"]),
            (
                "token_create",
                &["token", "create", "--scope", "reader", "--subject", "ada"],
            ),
            ("token_list", &["token", "list"]),
        ],
    );
    // How these stand changes by the moment; their fields do not.
    hold_fields(
        &place,
        &["worker", "list"],
        "id host version status targets slots slots_used cpus memory_bytes gpus last_heard_at",
    );
    hold_fields(
        &place,
        &["queue", "list"],
        "target backlog dispatched running workers slots window oldest_age_ms ended_last_minute broker",
    );
    hold_fields(
        &place,
        &["compute", "list"],
        "name compute_type slots_free queue workers",
    );
    let submitted = shape(&place, &["submit", "p.yml"]);
    for field in ["id", "pipeline", "display_name", "status", "steps", "tags"] {
        assert!(
            submitted.get(field).is_some(),
            "{field} is missing in {submitted}"
        );
    }
    let tokens = place.items(&["token", "list", "-o", "json"]);
    let id = tokens[0]["id"].as_str().unwrap();
    hold(&place, &[("token_revoke", &["token", "revoke", id])]);
    drop(served);
}

#[test]
fn the_shapes_of_named_things_are_kept() {
    let place = place();
    place.write("iris.csv", "1,2\n");
    place.write("env.yml", "image: python:3.11\n");
    hold(
        &place,
        &[
            (
                "data_add",
                &["data", "add", "iris", "iris.csv", "--label", "good", "-t", "a=b"],
            ),
            ("data_list", &["data", "list"]),
            ("data_show", &["data", "show", "iris@good"]),
            ("data_versions", &["data", "versions", "iris"]),
            ("data_deprecate", &["data", "deprecate", "iris:1"]),
            (
                "data_describe",
                &["data", "describe", "iris", "--description", "flowers"],
            ),
            ("data_unlabel", &["data", "unlabel", "iris", "good"]),
            ("environment_add", &["environment", "add", "py", "env.yml"]),
            ("model_add", &["model", "add", "churn", "iris.csv"]),
            ("model_stage", &["model", "stage", "churn:1", "production"]),
            ("model_rename", &["model", "rename", "churn", "leavers"]),
            ("data_remove", &["data", "remove", "iris:1"]),
        ],
    );
}

#[test]
fn the_shapes_of_this_machine_are_kept() {
    let place = place();
    hold(
        &place,
        &[
            ("version", &["version"]),
            ("logout", &["logout", "https://a.example"]),
        ],
    );
    // What these find depends on the machine; their fields do not.
    hold_fields(&place, &["doctor"], "check verdict what");
    hold_fields(&place, &["config", "show"], "name value origin variable meaning");
}

const ENDLESS: &str = "\
type: pipeline
display_name: endless
settings:
  default_compute: local
jobs:
  wait:
    type: command
    command: sleep 600
";

#[test]
fn the_shapes_of_runs_that_are_cancelled_and_retried_are_kept() {
    let place = place();
    place.write("endless.yml", ENDLESS);
    let served = Served::start(&place, &[]);
    assert_eq!(place.outcome(&["submit", "endless.yml"]).0, 0);
    // How far the run has come by then changes from time to time; the fields do not.
    let fields = "id pipeline display_name status steps tags submitted_by submitted_at";
    for caution in ["--dry-run", "--yes"] {
        hold_fields_of_one(&place, &["runs", "cancel", "last", caution], fields);
    }
    // 3: it was cancelled.
    assert_eq!(place.outcome(&["runs", "wait", "last"]).0, 3);
    assert_eq!(place.outcome(&["submit", "fail.yml", "--wait"]).0, 5);
    hold_fields_of_one(&place, &["runs", "retry", "last"], fields);
    drop(served);
}

#[test]
fn the_shapes_of_secrets_join_tokens_and_the_audit_log_are_kept() {
    let place = place();
    let served = Served::start(&place, &[]);
    let set = place
        .tidemill(&["secret", "set", "db", "-o", "json"])
        .write_stdin("a value that nobody sees")
        .output()
        .unwrap();
    let (code, stdout, stderr) = Place::text(&set);
    assert_eq!(code, 0, "{stderr}");
    assert!(!stdout.contains("a value"), "{stdout}");
    let value: Value = serde_json::from_str(&stdout).unwrap();
    insta::assert_json_snapshot!("secret_set", redacted(&place, &value));
    hold(
        &place,
        &[
            ("secret_list", &["secret", "list"]),
            ("secret_remove", &["secret", "remove", "db"]),
            (
                "worker_token_create",
                &["worker", "token", "create", "--expires", "1h"],
            ),
            ("worker_token_list", &["worker", "token", "list"]),
        ],
    );
    let tokens = place.items(&["worker", "token", "list", "-o", "json"]);
    let id = tokens[0]["id"].as_str().unwrap();
    hold(
        &place,
        &[("worker_token_revoke", &["worker", "token", "revoke", id])],
    );
    hold_fields(
        &place,
        &["audit"],
        "sequence at decision who from method previous",
    );
    drop(served);
}

#[test]
fn the_shape_of_what_a_broker_is_told_is_kept() {
    let place = place();
    let setup = ["broker", "setup", "--worker", "gpu=gpu-a100", "-o", "json"];
    let mut told = place.json(&setup);
    for user in told["users"].as_array_mut().unwrap() {
        // Salted: another one each time.
        assert!(user["password_hash"].is_string(), "{user}");
        user["password_hash"] = "[hash]".into();
    }
    // RabbitMQ's own form, so without our mark.
    insta::assert_json_snapshot!("broker_setup", told);
}

/// Holds the one thing that is printed to these fields.
fn hold_fields_of_one(place: &Place, arguments: &[&str], fields: &str) {
    let one = shape(place, arguments);
    for field in fields.split(' ') {
        assert!(one.get(field).is_some(), "{arguments:?} lacks {field}: {one}");
    }
}
