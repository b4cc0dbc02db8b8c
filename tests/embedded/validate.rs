//! `tidemill validate` where loading finds nothing and planning does: its problems too have a place, a cause and a way out.

use serde_json::Value;
use testkit::Sandbox;

/// The default is fine for the pipeline and too large for the component inside.
const TOO_MANY_ROUNDS: &str = "type: pipeline
inputs:
  rounds: {type: integer, default: 9}
jobs:
  train:
    inputs:
      rounds: ${{parent.inputs.rounds}}
    component:
      type: pipeline
      inputs: {rounds: {type: integer}}
      jobs:
        fit:
          inputs: {rounds: '${{parent.inputs.rounds}}'}
          component:
            command: fit ${{inputs.rounds}}
            inputs: {rounds: {type: integer, max: 7}}
";

#[test]
fn what_only_planning_finds_is_an_error_with_its_place() {
    let sandbox = Sandbox::new();
    sandbox.write("pipeline.yml", TOO_MANY_ROUNDS);
    let refused = sandbox.tidemill(["validate", "pipeline.yml"]).expect_code(2);
    assert!(!refused.stderr.contains("warning"), "{refused}");
    for part in [
        "TM0503",
        "pipeline.yml:13:",
        "inputs: {rounds:",
        "not valid (1 error)",
    ] {
        let said = format!("{}{}", refused.stderr, refused.stdout);
        assert!(said.contains(part), "{part:?} is missing in\n{refused}");
    }
    let drawn = sandbox.tidemill(["graph", "pipeline.yml"]).expect_code(2);
    assert!(drawn.stderr.contains("pipeline.yml:13:"), "{drawn}");
}

#[test]
fn programs_get_the_place_too() {
    let sandbox = Sandbox::new();
    sandbox.write("pipeline.yml", TOO_MANY_ROUNDS);
    let refused = sandbox
        .tidemill(["validate", "pipeline.yml", "-o", "json"])
        .expect_code(2);
    let verdicts: Vec<Value> = refused.items();
    let verdict = &verdicts[0];
    let problem = &verdict["problems"][0];
    assert_eq!(verdict["is_valid"], false);
    assert_eq!(
        (&problem["code"], &problem["line"]),
        (&"TM0503".into(), &13.into())
    );
    assert_eq!(problem["path"], "train.fit.inputs.rounds");
}
