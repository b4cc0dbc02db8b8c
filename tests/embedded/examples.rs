//! The examples of the repository, as their pages promise. The two that need Python libraries share one state folder, and with it one built
//! environment.

use std::fs;
use testkit::{Sandbox, Steps, repository};

const NOTHING: [&str; 0] = [];

#[test]
fn every_example_is_valid_and_has_a_page() {
    let sandbox = Sandbox::new();
    for example in fs::read_dir(repository().join("examples"))
        .expect("there are examples")
        .flatten()
    {
        let folder = example.path();
        if folder.is_dir() {
            assert!(
                folder.join("README.md").is_file(),
                "{} has no page",
                folder.display()
            );
            let file = folder.join("pipeline.yml");
            if folder.ends_with("notebooks") {
                assert!(!file.exists(), "notebooks draw their own");
                continue;
            }
            sandbox.ok(["validate".as_ref(), file.as_os_str()]);
        }
    }
}

#[test]
fn hello_greets_whoever_it_is_told_to() {
    let sandbox = Sandbox::new();
    sandbox.copy_example("hello");
    let run = sandbox.run("hello/pipeline.yml", &["-p", "name=you & me"]);
    assert_eq!(run.executed(), ["greet", "shout"]);
    let loud = sandbox.ok(["artifacts", "cat", "last/shout/loud"]);
    assert_eq!(loud.stdout, "HELLO, YOU & ME!\n");
    let again = sandbox.run("hello/pipeline.yml", &["-p", "name=you & me"]);
    assert_eq!(again.executed(), NOTHING);
}

#[test]
fn a_training_that_crashes_goes_on_from_its_checkpoint() {
    let sandbox = Sandbox::new();
    sandbox.copy_example("resume");
    let run = sandbox.run("resume/pipeline.yml", &[]);
    assert_eq!(run.step("train").attempts.len(), 3);
    let model = sandbox.ok(["artifacts", "cat", "last/train/model"]);
    let model: serde_json::Value = serde_json::from_str(&model.stdout).expect("a JSON file");
    assert_eq!((&model["epoch"], &model["attempts"]), (&6.into(), &3.into()));
    let other = sandbox.run("resume/pipeline.yml", &["-p", "crash_after=9"]);
    assert_eq!(other.step("train").attempts.len(), 1);
    let model = sandbox.ok(["artifacts", "cat", "last/train/model"]);
    assert!(
        model.stdout.contains("\"attempts\": 1"),
        "another run begins afresh: {}",
        model.stdout
    );
}

#[test]
fn unlike_machines_are_all_served_by_one() {
    let sandbox = Sandbox::new();
    sandbox.copy_example("heterogeneous");
    let run = sandbox.run("heterogeneous/pipeline.yml", &[]);
    assert_eq!(run.executed(), ["gather", "count", "train", "report"]);
    assert_eq!(run.step("train").target.as_str(), "gpu-cluster");
    let report = sandbox.ok(["artifacts", "cat", "last/report/report"]);
    for line in [
        "gather  on cpu-cluster",
        "count   on spark-pool",
        "train   on gpu-cluster",
    ] {
        assert!(
            report.stdout.contains(line),
            "{line:?} is missing in\n{}",
            report.stdout
        );
    }
    let again = sandbox.run("heterogeneous/pipeline.yml", &[]);
    assert_eq!(again.executed(), NOTHING);
}

#[test]
fn digits_and_taxi_run_and_run_again_only_where_something_changed() {
    let sandbox = Sandbox::new();
    digits(&sandbox);
    taxi(&sandbox);
}

fn digits(sandbox: &Sandbox) {
    sandbox.copy_example("digits");
    let file = "digits/pipeline.yml";
    let all = [
        "prepare", "logistic", "forest", "vectors", "evaluate", "choose", "report",
    ];
    assert_eq!(sandbox.run(file, &[]).executed(), all);
    sandbox.ok(["artifacts", "get", "last/report/report", "--to", "report"]);
    let picture = fs::read(sandbox.path().join("report/confusion.png")).expect("there is a picture");
    assert!(picture.starts_with(b"\x89PNG"), "it is a PNG");
    let page = fs::read_to_string(sandbox.path().join("report/report.md")).expect("there is a page");
    assert!(page.contains("**vectors**"), "{page}");

    assert_eq!(sandbox.run(file, &[]).executed(), NOTHING, "nothing changed");

    sandbox.replace(
        "digits/src/prepare/prepare.py",
        "\"\"\"Splits",
        "# A comment.\n\"\"\"Splits",
    );
    let commented = sandbox.run(file, &[]);
    assert_eq!(commented.executed(), ["prepare"], "it writes the same bytes");

    sandbox.replace(
        "digits/src/report/report.py",
        "what was written, what was read",
        "errors",
    );
    assert_eq!(sandbox.run(file, &[]).executed(), ["report"]);

    let reseeded = sandbox.run(file, &["-p", "seed=8"]);
    assert_eq!(reseeded.executed(), all, "the rows are split differently");
}

fn taxi(sandbox: &Sandbox) {
    sandbox.copy_example("taxi");
    let file = "taxi/pipeline.yml";
    let all = [
        "prepare.clean",
        "prepare.features",
        "model.train",
        "model.predict",
        "model.score",
    ];
    assert_eq!(sandbox.run(file, &[]).executed(), all);
    let scores = sandbox.ok(["artifacts", "cat", "last/model.score/scores"]);
    let scores: serde_json::Value = scores.json();
    assert!(scores["r2"].as_f64().is_some_and(|r2| r2 > 0.8), "{scores}");

    assert_eq!(sandbox.run(file, &[]).executed(), NOTHING, "nothing changed");

    let fewer = sandbox.run(file, &["-p", "trees=20"]);
    assert_eq!(fewer.reused(), ["prepare.clean", "prepare.features"]);
    assert_eq!(fewer.executed(), ["model.train", "model.predict", "model.score"]);

    let path = "taxi/data/green/green.csv";
    let text = fs::read_to_string(sandbox.path().join(path)).expect("there is data");
    let line = text.lines().nth(1).expect("there are rows");
    sandbox.replace(path, &format!("{line}\n"), "");
    assert_eq!(sandbox.run(file, &[]).executed(), all, "one ride less");
}
