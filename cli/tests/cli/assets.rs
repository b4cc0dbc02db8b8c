//! Named things with versions: added from files, addresses and outputs, shown, fetched, labelled, and what is said when a name is wrong.

use crate::Place;

const TRAINING: &str = "\
type: pipeline
settings:
  default_compute: local
jobs:
  train:
    type: command
    command: mkdir -p ${{outputs.model}} && echo weights > ${{outputs.model}}/w.txt
    outputs:
      model:
        type: custom_model
";

const COMPONENT: &str = "\
type: command
name: greet
inputs:
  who: {type: string, default: world}
command: echo hello ${{inputs.who}}
";

#[test]
fn files_are_added_shown_and_fetched_again() {
    let place = Place::new();
    std::fs::create_dir(place.path().join("iris")).unwrap();
    place.write("iris/a.csv", "1,2\n");
    let (code, stdout, stderr) = place.outcome(&["data", "add", "iris", "iris", "--label", "good"]);
    assert_eq!((code, stdout.as_str()), (0, "data iris:1\n"), "{stderr}");
    // The same again makes a version of its own, unless it is given the old one's.
    assert_eq!(
        place
            .outcome(&["data", "add", "iris", "iris", "--version", "1"])
            .1,
        "data iris:1\n"
    );
    place.write("iris/a.csv", "1,2\n3,4\n");
    let (code, _, stderr) = place.outcome(&["data", "add", "iris", "iris", "--version", "1"]);
    assert_eq!(code, 7, "{stderr}");
    assert_eq!(place.outcome(&["data", "add", "iris", "iris"]).1, "data iris:2\n");
    let (code, _, stderr) = place.outcome(&["data", "get", "iris@good", "old"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(
        std::fs::read_to_string(place.path().join("old/a.csv")).unwrap(),
        "1,2\n"
    );
    let shown = place.json(&["data", "show", "iris", "-o", "json"]);
    assert_eq!(
        (&shown["version"], &shown["body"]["data"]["type"]),
        (&"2".into(), &"uri_folder".into())
    );
    let (_, text, _) = place.outcome(&["data", "show", "iris:1"]);
    assert!(
        text.starts_with("data iris:1  active\n") && text.contains("good"),
        "{text}"
    );
    let (_, names, _) = place.outcome(&["data", "list", "-q"]);
    assert_eq!(names, "iris\n");
    assert_eq!(place.outcome(&["model", "list", "-q"]).1, "", "data is no model");
}

#[test]
fn an_output_becomes_a_model_and_its_label_moves() {
    let place = Place::new();
    place.write("train.yml", TRAINING);
    assert_eq!(place.outcome(&["run", "train.yml"]).0, 0);
    let from = ["model", "add", "churn", "--from", "last/train/model"];
    let (code, stdout, stderr) = place.outcome(&[&from[..], &["--tag", "team=a"]].concat());
    assert_eq!((code, stdout.as_str()), (0, "model churn:1\n"), "{stderr}");
    assert_eq!(
        place.outcome(&["model", "label", "churn:1", "champion"]).1,
        "model churn@champion is churn:1\n"
    );
    assert_eq!(place.outcome(&["model", "get", "churn@champion"]).0, 0);
    assert_eq!(
        std::fs::read_to_string(place.path().join("churn/w.txt")).unwrap(),
        "weights\n"
    );
    let shown = place.json(&["model", "show", "churn@champion", "-o", "json"]);
    assert_eq!(shown["origin"]["step"], "train");
    assert_eq!(shown["body"]["model"]["type"], "custom_model");
    let (_, stdout, _) = place.outcome(&["model", "deprecate", "churn:1"]);
    assert!(stdout.contains("deprecated"), "{stdout}");
    assert_eq!(
        place.items(&["model", "versions", "churn", "-o", "json"])[0]["stage"],
        "deprecated"
    );
    assert_eq!(place.outcome(&["model", "unlabel", "churn", "champion"]).0, 0);
    assert_eq!(place.outcome(&["model", "show", "churn@champion"]).0, 6);
    assert_eq!(
        place
            .outcome(&["model", "describe", "churn", "--description", "who leaves"])
            .0,
        0
    );
    assert_eq!(
        place.items(&["model", "list", "-o", "json"])[0]["description"],
        "who leaves"
    );
    let (code, stdout, _) = place.outcome(&["model", "remove", "churn:1", "--dry-run"]);
    assert_eq!((code, stdout.as_str()), (0, "model churn:1 would be removed\n"));
    assert_eq!(place.outcome(&["model", "remove", "churn:1"]).0, 0);
    assert_eq!(place.outcome(&["model", "show", "churn"]).0, 6);
}

#[test]
fn a_model_comes_into_stages_and_gets_another_name() {
    let place = Place::new();
    for weights in ["one", "two"] {
        place.write("w.txt", weights);
        assert_eq!(place.outcome(&["model", "add", "churn", "w.txt"]).0, 0);
    }
    assert_eq!(
        place.outcome(&["model", "stage", "churn:1", "production"]).1,
        "model churn:1 is in production\n"
    );
    let replace = ["model", "stage", "churn", "Production", "--archive-existing"];
    assert_eq!(place.outcome(&replace).1, "model churn:2 is in production\n");
    let (_, listed, _) = place.outcome(&["model", "list"]);
    assert!(listed.contains("production=2 archived=1"), "{listed}");
    let (_, shown, _) = place.outcome(&["model", "show", "churn:1"]);
    assert!(shown.contains("registry   archived"), "{shown}");
    let (code, _, stderr) = place.outcome(&["model", "stage", "churn:1", "live"]);
    assert!(
        code == 2 && stderr.contains("none, staging, production and archived"),
        "{stderr}"
    );
    let (code, _, stderr) = place.outcome(&["data", "stage", "churn:1", "staging"]);
    assert!(code == 2 && stderr.contains("data label"), "{stderr}");
    assert_eq!(
        place.outcome(&["model", "rename", "churn", "leavers"]).1,
        "model churn is leavers from now on\n"
    );
    let (_, old, _) = place.outcome(&["model", "show", "churn:1"]);
    assert!(old.starts_with("model leavers:1"), "{old}");
    assert_eq!(place.outcome(&["model", "list", "-q"]).1, "leavers\n");
}

#[test]
fn components_and_environments_come_from_their_files() {
    let place = Place::new();
    place.write("greet.yml", COMPONENT);
    place.write("env.yml", "image: python:3.11\nrequirements: [numpy]\n");
    let (code, stdout, stderr) =
        place.outcome(&["component", "add", "greet", "greet.yml", "--version", "1.2.0"]);
    assert_eq!(
        (code, stdout.as_str()),
        (0, "component greet:1.2.0\n"),
        "{stderr}"
    );
    let (_, text, _) = place.outcome(&["component", "show", "greet"]);
    assert!(text.contains("who: string = world"), "{text}");
    let (code, stdout, stderr) = place.outcome(&["environment", "add", "py", "env.yml"]);
    assert_eq!((code, stdout.as_str()), (0, "environment py:1\n"), "{stderr}");
    let shown = place.json(&["environment", "show", "py", "-o", "json"]);
    assert_eq!(shown["body"]["environment"]["python"]["requirements"][0], "numpy");
    place.write("broken.yml", "type: command\ncommand: echo ${{inputs.nobody}}\n");
    let (code, _, stderr) = place.outcome(&["component", "add", "broken", "broken.yml"]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("broken.yml:2:"), "{stderr}");
    assert!(
        place.items(&["component", "list", "-o", "json"]).len() == 1,
        "nothing was added"
    );
    assert_eq!(place.outcome(&["component", "get", "greet"]).0, 2);
}

#[test]
fn a_wrong_name_is_answered_with_the_right_one() {
    let place = Place::new();
    assert_eq!(
        place
            .outcome(&["data", "add", "customers", "s3://lake/customers/"])
            .0,
        0
    );
    let (code, _, stderr) = place.outcome(&["data", "show", "custmers"]);
    assert_eq!(code, 6);
    assert!(stderr.contains("did you mean `customers`?"), "{stderr}");
    let (code, _, stderr) = place.outcome(&["data", "show", "customers@best"]);
    assert_eq!(code, 6);
    assert!(stderr.contains("tidemill data versions customers"), "{stderr}");
    let (code, _, stderr) = place.outcome(&["data", "get", "customers"]);
    assert_eq!(code, 7);
    assert!(stderr.contains("s3://lake/customers/"), "{stderr}");
    assert_eq!(place.outcome(&["data", "add", "x", "nowhere.csv"]).0, 6);
    assert_eq!(
        place.outcome(&["data", "add", "x"]).0,
        2,
        "nothing says what it is"
    );
    assert_eq!(place.outcome(&["data", "add", "x", "--from", "last"]).0, 2);
    assert_eq!(place.outcome(&["data", "show", "a/b"]).0, 2);
}

const USING: &str = "\
type: pipeline
settings:
  default_compute: local
jobs:
  count:
    type: command
    command: wc -l < ${{inputs.raw}} > ${{outputs.lines}}
    environment: azureml:plain@latest
    inputs:
      raw: {type: uri_file, path: 'azureml:iris:1'}
    outputs:
      lines: {type: uri_file, name: line-counts}
  greet:
    type: command
    component: azureml:greet@latest
";

#[test]
fn a_name_that_nobody_knows_is_said_to_be_defined_in_both_ways() {
    let place = Place::new();
    place.write("p.yml", USING);
    let (code, _, stderr) = place.outcome(&["validate", "p.yml"]);
    assert_eq!(code, 2);
    for help in [
        "tidemill data add iris PATH",
        "tidemill environment add plain FILE.yml",
        "tidemill component add greet FILE.yml",
        "no coordinator was asked",
    ] {
        assert!(stderr.contains(help), "{help} is not in {stderr}");
    }
    let (code, _, stderr) = place.outcome(&["run", "p.yml"]);
    assert_eq!(code, 2, "{stderr}");
    assert!(
        !stderr.contains("coordinator was asked"),
        "a run asks its own: {stderr}"
    );
}

/// A place with everything in its catalog that [`USING`] names, and a later version of its data.
fn place_with_names() -> Place {
    let place = Place::new();
    place.write("p.yml", USING);
    place.write("iris.csv", "1\n2\n");
    place.write("greet.yml", COMPONENT);
    place.write("env.yml", "name: plain\n");
    assert_eq!(place.outcome(&["data", "add", "iris", "iris.csv"]).0, 0);
    assert_eq!(place.outcome(&["component", "add", "greet", "greet.yml"]).0, 0);
    assert_eq!(place.outcome(&["environment", "add", "plain", "env.yml"]).0, 0);
    place.write("iris.csv", "1\n2\n3\n");
    assert_eq!(place.outcome(&["data", "add", "iris", "iris.csv"]).0, 0);
    place
}

#[test]
fn a_pipeline_runs_on_names_that_only_the_catalog_knows_and_lineage_follows_them() {
    let place = place_with_names();
    let (code, _, stderr) = place.outcome(&["run", "p.yml"]);
    assert_eq!(code, 0, "{stderr}");
    let (_, lines, _) = place.outcome(&["artifacts", "cat", "last/count/lines"]);
    assert_eq!(
        lines.trim(),
        "2",
        "a later version changes nothing for who named one"
    );
    let run = place.json(&["runs", "show", "last", "-o", "json"]);
    let used: Vec<String> = run["assets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|used| format!("{} {}:{}", used["kind"], used["name"], used["version"]).replace('"', ""))
        .collect();
    for one in ["data iris:1", "environment plain:1", "component greet:1"] {
        assert!(used.iter().any(|used| used == one), "{one} is not among {used:?}");
    }
    let counted = place.json(&["data", "show", "line-counts", "-o", "json"]);
    let step = &counted["origin"]["step"];
    assert_eq!(step, "count", "its own output has a name now");
    let up = place.json(&["lineage", "line-counts", "--up", "-o", "json"]);
    let nodes = up["nodes"].as_array().unwrap().iter();
    let ids: Vec<&str> = nodes.map(|node| node["id"].as_str().unwrap()).collect();
    assert!(ids.contains(&"asset:data/iris/1"), "{ids:?}");
    assert!(ids.contains(&"asset:environment/plain/1"), "{ids:?}");
    let (_, drawn, _) = place.outcome(&["lineage", "iris:1", "-o", "mermaid"]);
    let is_whole = drawn.starts_with("flowchart TD") && drawn.contains("data line-counts:1");
    assert!(is_whole, "{drawn}");
    let (_, text, _) = place.outcome(&["lineage", "last/count/lines", "--up"]);
    assert!(text.contains("data iris:1") && text.contains("/count"), "{text}");
}

#[test]
fn a_pipeline_is_told_of_a_deprecated_version_and_refused_a_disabled_one() {
    let place = place_with_names();
    assert_eq!(place.outcome(&["data", "deprecate", "iris:1"]).0, 0);
    let (code, _, stderr) = place.outcome(&["run", "p.yml"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("deprecated"), "{stderr}");
    assert_eq!(place.outcome(&["data", "disable", "iris:1"]).0, 0);
    let (code, _, stderr) = place.outcome(&["run", "p.yml"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("disabled"), "{stderr}");
}
