//! What has not changed is not run again; what has changed is, and only that.

use testkit::{Sandbox, Steps};
use tidemill_protocol::api::{PlanDecision, PlanView};

const NOTHING: [&str; 0] = [];

/// `sort` reads a data file; `head` reads what it wrote and a literal; `count` reads what `head` wrote. Each has code of its own.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("data/words.txt", "mill\ntide\nbook\ngrain\n");
    sandbox.write("sort/main.sh", "# sorts\nsort \"$1/words.txt\" > \"$2\"\n");
    sandbox.write(
        "head/main.sh",
        "# takes the first lines\nhead -n \"$2\" \"$1\" > \"$3\"\n",
    );
    sandbox.write("count/main.sh", "wc -l < \"$1\" > \"$2\"\n");
    sandbox.write("pipeline.yml", PIPELINE);
    sandbox
}

const PIPELINE: &str = "
type: pipeline
display_name: words
inputs:
  words:
    type: uri_folder
    path: ./data
  lines: 3
jobs:
  sort:
    code: ./sort
    command: sh main.sh ${{inputs.words}} ${{outputs.sorted}}
    inputs:
      words: ${{parent.inputs.words}}
    outputs:
      sorted: {type: uri_file}
  head:
    code: ./head
    command: sh main.sh ${{inputs.sorted}} ${{inputs.lines}} ${{outputs.first}}
    inputs:
      sorted: ${{parent.jobs.sort.outputs.sorted}}
      lines: ${{parent.inputs.lines}}
    outputs:
      first: {type: uri_file}
  count:
    code: ./count
    command: sh main.sh ${{inputs.first}} ${{outputs.number}}
    inputs:
      first: ${{parent.jobs.head.outputs.first}}
    outputs:
      number: {type: uri_file}
";

fn number(sandbox: &Sandbox) -> String {
    let output = sandbox.ok(["artifacts", "cat", "last/count/number"]);
    output.stdout.trim().to_owned()
}

#[test]
fn an_unchanged_rerun_executes_nothing_and_has_the_same_outputs() {
    let sandbox = sandbox();
    let first = sandbox.run("pipeline.yml", &[]);
    assert_eq!(first.executed(), ["sort", "head", "count"]);
    assert_eq!(number(&sandbox), "3");
    let second = sandbox.run("pipeline.yml", &[]);
    assert_eq!(second.reused(), ["sort", "head", "count"]);
    assert_eq!(second.executed(), NOTHING);
    assert_eq!(number(&sandbox), "3");
    for step in ["sort", "head", "count"] {
        assert_eq!(first.step(step).outputs, second.step(step).outputs, "{step}");
        assert!(
            second.step(step).attempts.is_empty(),
            "{step} has no attempt of its own"
        );
        assert!(
            second.step(step).reused_from.is_some(),
            "{step} says whose result it has"
        );
    }
}

#[test]
fn a_data_file_changed_in_place_runs_what_reads_it() {
    let sandbox = sandbox();
    sandbox.run("pipeline.yml", &[]);
    sandbox.replace("data/words.txt", "book", "bolt");
    let run = sandbox.run("pipeline.yml", &[]);
    assert_eq!(run.executed(), ["sort", "head", "count"]);
    assert_eq!(number(&sandbox), "3");
    sandbox.replace("data/words.txt", "tide\n", "tide\ntide\n");
    let run = sandbox.run("pipeline.yml", &[]);
    assert_eq!(
        run.executed(),
        ["sort", "head"],
        "the first three lines are the same as before"
    );
    assert_eq!(run.reused(), ["count"]);
}

#[test]
fn a_changed_literal_runs_only_the_steps_that_are_given_it() {
    let sandbox = sandbox();
    sandbox.run("pipeline.yml", &[]);
    let run = sandbox.run("pipeline.yml", &["-p", "lines=2"]);
    assert_eq!(run.reused(), ["sort"]);
    assert_eq!(run.executed(), ["head", "count"]);
    assert_eq!(number(&sandbox), "2");
    let back = sandbox.run("pipeline.yml", &["-p", "lines=3"]);
    assert_eq!(
        back.executed(),
        NOTHING,
        "the results of the first run are still known"
    );
}

#[test]
fn a_changed_script_runs_its_own_step_and_what_follows_from_it() {
    let sandbox = sandbox();
    sandbox.run("pipeline.yml", &[]);
    sandbox.replace("count/main.sh", "wc -l", "wc -c");
    let run = sandbox.run("pipeline.yml", &[]);
    assert_eq!(run.reused(), ["sort", "head"]);
    assert_eq!(run.executed(), ["count"]);
}

#[test]
fn a_comment_in_a_script_that_writes_the_same_runs_that_step_alone() {
    let sandbox = sandbox();
    sandbox.run("pipeline.yml", &[]);
    sandbox.replace("sort/main.sh", "# sorts", "# sorts, slowly");
    let run = sandbox.run("pipeline.yml", &[]);
    assert_eq!(run.executed(), ["sort"]);
    assert_eq!(run.reused(), ["head", "count"]);
}

#[test]
fn names_and_folders_are_no_reason_to_run_again() {
    let sandbox = sandbox();
    sandbox.run("pipeline.yml", &[]);
    let renamed = PIPELINE
        .replace("display_name: words", "display_name: other words")
        .replace("./data", "./moved")
        .replace("  count:\n", "  tally:\n");
    sandbox.write("moved/words.txt", "mill\ntide\nbook\ngrain\n");
    sandbox.write("renamed.yml", &renamed);
    let run = sandbox.run("renamed.yml", &[]);
    assert_eq!(run.executed(), NOTHING);
    assert_eq!(run.reused(), ["sort", "head", "tally"]);
}

#[test]
fn no_cache_runs_everything_and_its_results_can_be_reused() {
    let sandbox = sandbox();
    sandbox.run("pipeline.yml", &[]);
    let forced = sandbox.run("pipeline.yml", &["--no-cache"]);
    assert_eq!(forced.executed(), ["sort", "head", "count"]);
    let after = sandbox.run("pipeline.yml", &[]);
    assert_eq!(after.executed(), NOTHING);
}

#[test]
fn the_plan_says_before_anything_runs_what_will_and_why() {
    let sandbox = sandbox();
    sandbox.run("pipeline.yml", &[]);
    sandbox.replace("head/main.sh", "# takes", "# gives");
    let plan: PlanView = sandbox.ok(["plan", "pipeline.yml", "-o", "json"]).json();
    let step = |path: &str| {
        let step = plan.steps.iter().find(|step| step.path.as_str() == path);
        step.expect("the step is planned")
    };
    assert_eq!(step("sort").decision, PlanDecision::Reuse);
    assert_eq!(step("head").decision, PlanDecision::Run);
    let reasons = step("head").reasons.join("; ");
    assert!(
        reasons.contains("main.sh"),
        "it names the file that changed: {reasons}"
    );
    assert_ne!(
        step("count").decision,
        PlanDecision::Reuse,
        "its input is not known yet"
    );
    let runs: Vec<serde_json::Value> = sandbox.ok(["runs", "list", "-o", "json"]).items();
    assert_eq!(runs.len(), 1, "a plan is no run");
}
