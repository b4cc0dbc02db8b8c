//! Writing pipelines: init, validate, schema, graph, explain.

use crate::Place;

const BROKEN: &str = "\
type: pipeline
jobs:
  prep:
    type: comand
    command: echo
  train:
    type: command
    command: echo ${{inputs.missing}}
";

#[test]
fn every_problem_of_a_file_is_told_with_its_place() {
    let place = Place::new();
    place.write("broken.yml", BROKEN);
    let (code, stdout, stderr) = place.outcome(&["validate", "broken.yml"]);
    assert_eq!(code, 2);
    assert!(stdout.contains("✗ broken.yml: not valid"), "{stdout}");
    assert!(
        stderr.contains("broken.yml:4:"),
        "the place of the first: {stderr}"
    );
    assert!(stderr.contains("did you mean `command`?"), "{stderr}");
    assert!(stderr.contains("missing"), "the second problem too: {stderr}");
}

#[test]
fn problems_are_data_when_json_is_asked_for() {
    let place = Place::new();
    place.write("broken.yml", BROKEN);
    let (code, stdout, stderr) = place.outcome(&["validate", "broken.yml", "-o", "json"]);
    assert_eq!((code, stderr.as_str()), (2, ""));
    let verdicts: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let verdicts = &verdicts["items"];
    assert_eq!(verdicts[0]["is_valid"], false);
    let problem = &verdicts[0]["problems"][0];
    assert_eq!(
        (&problem["severity"], &problem["line"]),
        (&"error".into(), &4.into())
    );
    assert!(problem["code"].as_str().unwrap().starts_with("TM"));
}

#[test]
fn a_starter_is_valid_and_is_not_written_over() {
    let place = Place::new();
    let (code, stdout, _) = place.outcome(&["init", "first"]);
    assert_eq!(code, 0);
    assert!(stdout.contains("first/pipeline.yml"), "{stdout}");
    let text = std::fs::read_to_string(place.path().join("first/pipeline.yml")).unwrap();
    assert!(text.starts_with("# yaml-language-server: $schema=.tidemill/pipeline.schema.json\n"));
    assert!(
        place
            .path()
            .join("first/.tidemill/pipeline.schema.json")
            .is_file()
    );
    let (code, stdout, stderr) = place.outcome(&["validate", "first/pipeline.yml"]);
    assert_eq!((code, stderr.as_str()), (0, ""), "the starter has warnings");
    assert_eq!(stdout, "✓ first/pipeline.yml: valid (3 steps)\n");
    let (code, _, stderr) = place.outcome(&["init", "first"]);
    assert_eq!(code, 7, "{stderr}");
    assert_eq!(place.outcome(&["init", "first", "--force"]).0, 0);
}

#[test]
fn a_pipeline_is_drawn_in_every_language() {
    let place = Place::new();
    assert_eq!(place.outcome(&["init"]).0, 0);
    let (_, mermaid, _) = place.outcome(&["graph", "pipeline.yml"]);
    insta::assert_snapshot!("mermaid", mermaid);
    let (_, dot, _) = place.outcome(&["graph", "pipeline.yml", "-o", "dot"]);
    assert!(dot.starts_with("digraph \"first-pipeline\" {"), "{dot}");
    let (_, svg, _) = place.outcome(&["graph", "pipeline.yml", "-o", "svg"]);
    assert!(
        svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"),
        "{svg}"
    );
    let graph = place.json(&["graph", "pipeline.yml", "-o", "json"]);
    assert_eq!(graph["nodes"].as_array().unwrap().len(), 3);
    let (code, _, stderr) = place.outcome(&["graph", "nowhere.yml"]);
    assert_eq!(code, 6, "{stderr}");
    assert_eq!(
        place.outcome(&["runs", "list", "-o", "svg"]).0,
        2,
        "only graphs are drawn"
    );
}

#[test]
fn the_schema_is_json() {
    let schema = Place::new().json(&["schema"]);
    assert!(schema.is_object());
}

#[test]
fn error_codes_are_explained() {
    let place = Place::new();
    let (code, stdout, _) = place.outcome(&["explain", "tm0104"]);
    assert_eq!(code, 0);
    assert!(stdout.starts_with("TM0104 (error): "), "{stdout}");
    assert_eq!(place.outcome(&["explain", "TM9999"]).0, 6);
}
