//! The examples over RabbitMQ: one coordinator, three workers of different compute types, artifacts in an S3 server. The same files as on one
//! machine, unchanged.

use std::fs;
use std::time::Duration;
use testkit::{Cluster, END_DEADLINE, ONE_OF_EACH, S3Server, Steps, Store};
use tidemill_protocol::api::RunView;
use tidemill_protocol::status::RunStatus;

/// The first run builds a Python environment.
const BUILD_DEADLINE: Duration = Duration::from_mins(6);

fn run(cluster: &Cluster, file: &str, more: &[&str], deadline: Duration) -> RunView {
    let id = cluster.submit(file, more);
    cluster.wait_for_run(&id, RunStatus::Succeeded, deadline)
}

/// The worker that made a step's last attempt.
fn worker<'a>(run: &'a RunView, step: &str) -> &'a str {
    let attempt = run.step(step).attempts.last().expect("the step was attempted");
    attempt.worker.as_ref().expect("somebody claimed it").as_str()
}

#[test]
fn each_step_goes_to_a_worker_of_its_kind_and_a_rerun_to_nobody() {
    let cluster = Cluster::start(Store::S3(S3Server::start()), &ONE_OF_EACH);
    cluster.sandbox.copy_example("heterogeneous");
    let file = "heterogeneous/pipeline.yml";
    let first = run(&cluster, file, &[], END_DEADLINE);
    assert_eq!(first.executed(), ["gather", "count", "train", "report"]);
    assert_eq!(worker(&first, "gather"), "cpu-1");
    assert_eq!(worker(&first, "count"), "spark-1");
    assert_eq!(worker(&first, "train"), "gpu-1");
    assert_eq!(worker(&first, "report"), "cpu-1");
    let report = cluster.ok(["artifacts", "cat", "last/report/report"]);
    assert!(report.stdout.contains("train   on gpu-cluster"), "{report}");

    let second = run(&cluster, file, &[], END_DEADLINE);
    assert_eq!(second.reused().len(), 4);
    assert!(second.executed().is_empty());
    assert_eq!(second.step("report").outputs, first.step("report").outputs);

    let third = run(&cluster, file, &["-p", "rounds=3"], END_DEADLINE);
    assert_eq!(third.reused(), ["gather", "count"]);
    assert_eq!(third.executed(), ["train", "report"]);
}

#[test]
fn digits_and_taxi_run_unchanged_and_again_only_where_something_changed() {
    let cluster = Cluster::start(Store::S3(S3Server::start()), &ONE_OF_EACH);
    cluster.sandbox.copy_example("digits");
    cluster.sandbox.copy_example("taxi");
    let digits = "digits/pipeline.yml";
    assert_eq!(run(&cluster, digits, &[], BUILD_DEADLINE).executed().len(), 7);
    assert!(run(&cluster, digits, &[], END_DEADLINE).executed().is_empty());
    let script = "digits/src/prepare/prepare.py";
    cluster
        .sandbox
        .replace(script, "\"\"\"Splits", "# A comment.\n\"\"\"Splits");
    assert_eq!(run(&cluster, digits, &[], END_DEADLINE).executed(), ["prepare"]);
    cluster.sandbox.replace(
        "digits/src/report/report.py",
        "what was written, what was read",
        "errors",
    );
    assert_eq!(run(&cluster, digits, &[], END_DEADLINE).executed(), ["report"]);

    let taxi = "taxi/pipeline.yml";
    assert_eq!(run(&cluster, taxi, &[], END_DEADLINE).executed().len(), 5);
    assert!(run(&cluster, taxi, &[], END_DEADLINE).executed().is_empty());
    let fewer = run(&cluster, taxi, &["-p", "trees=20"], END_DEADLINE);
    assert_eq!(fewer.reused(), ["prepare.clean", "prepare.features"]);
    cluster.sandbox.replace(
        "taxi/src/score/score.py",
        "\"\"\"Compares",
        "# A comment.\n\"\"\"Compares",
    );
    let commented = run(&cluster, taxi, &["-p", "trees=20"], END_DEADLINE);
    assert_eq!(commented.executed(), ["model.score"]);
    let data = "taxi/data/green/green.csv";
    let text = fs::read_to_string(cluster.sandbox.path().join(data)).expect("there is data");
    let line = text.lines().nth(1).expect("there are rows");
    cluster.sandbox.replace(data, &format!("{line}\n"), "");
    let shorter = run(&cluster, taxi, &["-p", "trees=20"], END_DEADLINE);
    assert_eq!(shorter.executed().len(), 5, "one ride less");
}
