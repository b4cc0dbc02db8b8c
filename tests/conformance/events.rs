//! `OpenLineage` events of real runs, sent to a service that judges them with `OpenLineage`'s own client: each has the client's form, each run of a job begins once, before anything else
//! is said of it, and ends once.

use crate::program;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;
use testkit::{Daemon, Sandbox, Up, eventually};
use tidemill_protocol::status::RunStatus;

const DEADLINE: Duration = Duration::from_mins(1);

/// A step that reads behind an address, one that reads what it made, and one that fails at the second try, too.
const PIPELINE: &str = "
type: pipeline
name: oaks
settings: {continue_on_step_failure: true}
inputs:
  word: x
  lake: {type: uri_folder, path: s3://lake/raw/2024/, mode: direct}
jobs:
  make:
    command: echo ${{inputs.word}} > ${{outputs.o}}
    inputs: {word: '${{parent.inputs.word}}', lake: '${{parent.inputs.lake}}'}
    outputs: {o: {type: uri_file}}
  read:
    command: cat ${{inputs.o}}
    inputs: {o: '${{parent.jobs.make.outputs.o}}'}
  fail:
    command: exit 3
    retry: 1
";

/// What the service took, each with what is wrong with it.
fn heard(sandbox: &Sandbox) -> Vec<Value> {
    let text = fs::read_to_string(sandbox.path().join("events.jsonl")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
    lines.collect()
}

/// What was told of each run of each job, in its order.
fn histories(heard: &[Value]) -> BTreeMap<(String, String), Vec<String>> {
    let mut found = BTreeMap::<_, Vec<String>>::new();
    for told in heard {
        assert_eq!(told["problem"], Value::Null, "{told:#}");
        let event = &told["event"];
        let text = |value: &Value| value.as_str().expect("it is text").to_owned();
        let place = (text(&event["job"]["name"]), text(&event["run"]["runId"]));
        found.entry(place).or_default().push(text(&event["eventType"]));
    }
    found
}

#[test]
fn each_event_is_one_of_openlineages_client_and_whatever_ends_has_begun() {
    let sandbox = Sandbox::new();
    let log = sandbox.path().join("service.log");
    let service = Daemon::start("service", program("events.py").arg(sandbox.path()), &log);
    let url = eventually(DEADLINE, "the service listens", || {
        let log = service.log();
        let (_, url) = log.split_once("listening at ")?;
        url.ends_with('\n').then(|| url.trim().to_owned())
    });
    sandbox.write("tidemill.toml", &format!("openlineage_url = \"{url}\"\n"));
    sandbox.write("pipeline.yml", PIPELINE);
    let up = Up::start(&sandbox, "up.log");
    let first = up.submit("pipeline.yml", &[]);
    up.wait_for_run(&first, RunStatus::Failed, DEADLINE);
    let second = up.submit("pipeline.yml", &[]);
    up.wait_for_run(&second, RunStatus::Failed, DEADLINE);

    let is_over = |found: &BTreeMap<(String, String), Vec<String>>| {
        let ends = found.keys().filter(|(job, _)| job == "oaks").count() == 2;
        ends && found.values().all(|history| history.len() > 1)
    };
    let found = eventually(DEADLINE, "both runs and their steps were told", || {
        let found = histories(&heard(&sandbox));
        (found.len() == 8 && is_over(&found)).then_some(found)
    });
    let mut by_job = BTreeMap::<&str, Vec<String>>::new();
    for ((job, _), history) in &found {
        by_job.entry(job).or_default().push(history.join(" "));
    }
    let expected = BTreeMap::from([
        ("oaks", vec!["START FAIL"; 2]),
        ("oaks.fail", vec!["START RUNNING FAIL"; 2]),
        ("oaks.make", vec!["START COMPLETE"; 2]),
        ("oaks.read", vec!["START COMPLETE"; 2]),
    ]);
    let shown: BTreeMap<&str, Vec<&str>> = by_job
        .iter()
        .map(|(job, histories)| (*job, histories.iter().map(String::as_str).collect()))
        .collect();
    assert_eq!(shown, expected);
    let all = heard(&sandbox);
    let of_make = all.iter().map(|told| &told["event"]);
    let made = of_make
        .filter(|event| event["job"]["name"] == "oaks.make" && event["eventType"] == "COMPLETE")
        .collect::<Vec<_>>();
    assert_eq!(made[0]["inputs"][0]["namespace"], "s3://lake");
    assert_eq!(made[0]["inputs"][0]["name"], "raw/2024");
    assert_eq!(
        made[0]["outputs"], made[1]["outputs"],
        "what was reused is the same data"
    );
}
