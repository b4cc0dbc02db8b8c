//! The output `artifacts` that every step has: what it left in `./outputs` and `./logs`, read by other steps without any declaration.

use std::fs;
use testkit::{Sandbox, Steps};

const READS: &str = "
type: pipeline
outputs:
  kept: {type: uri_folder}
jobs:
  train:
    component: ./train.yml
    outputs: {artifacts: '${{parent.outputs.kept}}'}
  again:
    component: ./train.yml
  read:
    command: cat ${{inputs.job}}/outputs/model/weights ${{inputs.job}}/logs/train.txt
    inputs: {job: '${{parent.jobs.train.outputs.artifacts}}'}
  read_nothing:
    command: ls -A ${{inputs.job}}
    inputs: {job: '${{parent.jobs.read.outputs.artifacts}}'}
";
const TRAIN: &str = "
type: command
command: mkdir outputs/model && echo weights > outputs/model/weights && echo trained > logs/train.txt
";

#[test]
fn what_a_step_left_by_habit_is_read_without_being_declared() {
    let sandbox = Sandbox::new();
    sandbox.write("pipeline.yml", READS);
    sandbox.write("train.yml", TRAIN);
    sandbox.ok(["validate", "pipeline.yml"]);
    let run = sandbox.run("pipeline.yml", &[]);
    assert_eq!(run.executed(), ["train", "again", "read", "read_nothing"]);
    assert_eq!(
        sandbox.ok(["logs", "last/read", "--stream", "stdout"]).stdout,
        "weights\ntrained\n"
    );
    assert_eq!(
        sandbox
            .ok(["logs", "last/read_nothing", "--stream", "stdout"])
            .stdout,
        ""
    );
    sandbox.ok(["artifacts", "get", "last/train/artifacts", "--to", "kept"]);
    let text = fs::read_to_string(sandbox.path().join("kept/outputs/model/weights"));
    assert_eq!(text.expect("it was kept"), "weights\n");
    let reused = sandbox.run("pipeline.yml", &[]);
    assert_eq!(reused.reused().len(), 4);
}

#[test]
fn a_pipeline_has_no_artifacts_unless_it_declares_them() {
    let sandbox = Sandbox::new();
    let text = "
type: pipeline
jobs:
  inner:
    component: {type: pipeline, jobs: {a: {command: 'true'}}}
  read:
    command: ls ${{inputs.job}}
    inputs: {job: '${{parent.jobs.inner.outputs.artifacts}}'}
";
    sandbox.write("pipeline.yml", text);
    let refused = sandbox.tidemill(["validate", "pipeline.yml"]).expect_code(2);
    assert!(refused.stderr.contains("has no output `artifacts`"), "{refused}");
}
