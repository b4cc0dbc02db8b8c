//! Schedule files, as Azure ML's users have them: read as they are, and every problem said with its place.

use std::fs;
use tidemill_language::{LoadedSchedule, Problems, ScheduledJob, Workspace, load_schedule};
use tidemill_protocol::catalog::AssetKind;
use tidemill_protocol::schedule::{CatchUp, Frequency, NewVersion, Overlap, Trigger, WeekDay};
use tidemill_protocol::status::RunStatus;
use tidemill_protocol::time::Millis;

const PIPELINE: &str = "
type: pipeline
inputs: {trees: 10}
jobs:
  fit:
    command: echo ${{inputs.n}}
    inputs: {n: '${{parent.inputs.trees}}'}
";

fn read(schedule: &str) -> Result<LoadedSchedule, Problems> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("train.yml"), PIPELINE).unwrap();
    let file = folder.path().join("nightly.yml");
    fs::write(&file, schedule).unwrap();
    load_schedule(&file, &Workspace::default())
}

fn messages(schedule: &str) -> Vec<String> {
    let problems = read(schedule).unwrap_err().0;
    problems
        .iter()
        .map(|problem| format!("{} {}", problem.code().as_str(), problem.message()))
        .collect()
}

#[test]
fn a_cron_schedule_of_a_pipeline_file_is_read() {
    let schedule = read(
        "$schema: https://azuremlschemas.azureedge.net/latest/schedule.schema.json
name: simple_cron_job_schedule
display_name: Simple cron job schedule
description: a simple hourly cron job schedule
trigger:
  type: cron
  expression: '0 * * * *'
  start_time: '2022-07-10T10:00:00'
  time_zone: Pacific Standard Time
create_job: ./train.yml
",
    )
    .unwrap();
    assert_eq!(schedule.name.as_str(), "simple_cron_job_schedule");
    assert_eq!(schedule.description, "a simple hourly cron job schedule");
    assert_eq!(schedule.start_time.as_deref(), Some("2022-07-10T10:00:00"));
    let Trigger::Cron(cron) = &schedule.trigger else {
        panic!("{:?}", schedule.trigger)
    };
    assert_eq!(
        (cron.expression.as_str(), cron.time_zone.as_str()),
        ("0 * * * *", "Pacific Standard Time")
    );
    assert!(matches!(schedule.job, ScheduledJob::File(_)));
}

#[test]
fn a_recurrence_with_a_pattern_and_overrides_is_read() {
    let schedule = read(
        "name: weekly
trigger:
  type: recurrence
  frequency: week
  interval: 2
  schedule:
    hours: [4, 16]
    minutes: 30
    week_days: [monday, friday]
create_job:
  type: pipeline
  job: ./train.yml
  experiment_name: nightly
  inputs:
    trees: 50
    data: {type: uri_file, path: 'azureml:iris@latest'}
    run_name: ${{name}}
  settings: {default_compute: azureml:cpu-cluster, continue_on_step_failure: true}
  tags: {team: mill}
",
    )
    .unwrap();
    let Trigger::Recurrence(every) = &schedule.trigger else {
        panic!("{:?}", schedule.trigger)
    };
    assert_eq!((every.frequency, every.interval), (Frequency::Week, 2));
    assert_eq!((&every.hours[..], &every.minutes[..]), (&[4, 16][..], &[30][..]));
    assert_eq!(every.week_days, [WeekDay::Monday, WeekDay::Friday]);
    assert_eq!(schedule.parameters["trees"], "50");
    assert_eq!(schedule.parameters["data"], "azureml:iris@latest");
    assert_eq!(schedule.parameters["run_name"], "${{name}}");
    assert_eq!(
        (schedule.experiment.as_deref(), schedule.tags["team"].as_str()),
        (Some("nightly"), "mill")
    );
    assert_eq!(schedule.continue_on_step_failure, Some(true));
    let warned: Vec<&str> = schedule
        .warnings
        .iter()
        .map(|warning| warning.code().as_str())
        .collect();
    assert_eq!(warned, ["TM0705"], "the compute of the file counts");
}

#[test]
fn a_new_version_and_the_end_of_a_run_are_triggers_and_a_file_says_what_happens_meanwhile() {
    let read = |rest: &str| read(&format!("create_job: azureml:train\n{rest}"));
    let plain = read("trigger: {type: new_version, name: iris}").unwrap();
    assert_eq!(
        plain.trigger,
        Trigger::NewVersion(NewVersion {
            kind: AssetKind::Data,
            name: "iris".parse().unwrap()
        })
    );
    assert_eq!(
        (plain.overlap, plain.catch_up, plain.jitter),
        (Overlap::Skip, CatchUp::None, Millis(0))
    );
    let model = read("trigger: {type: new_version, kind: model, name: churn}").unwrap();
    assert!(matches!(model.trigger, Trigger::NewVersion(wanted) if wanted.kind == AssetKind::Model));

    let ended = |outcomes: &str| {
        let text = format!("trigger: {{type: run_ended, pipeline: train{outcomes}}}");
        match read(&text).unwrap().trigger {
            Trigger::RunEnded(wanted) => wanted.outcomes,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ended(""), [RunStatus::Succeeded]);
    assert_eq!(ended(", outcomes: failed"), [RunStatus::Failed]);
    assert_eq!(
        ended(", outcomes: [failed, aborted]"),
        [RunStatus::Failed, RunStatus::Aborted]
    );

    let cron = "trigger: {type: cron, expression: '0 3 * * *'}";
    for (word, overlap) in [
        ("allow", Overlap::Allow),
        ("queue", Overlap::Queue),
        ("cancel_running", Overlap::CancelRunning),
        ("cancel-running", Overlap::CancelRunning),
    ] {
        let said = read(&format!("{cron}\noverlap: {word}\ncatch_up: last\njitter: 5m\n")).unwrap();
        assert_eq!(
            (said.overlap, said.catch_up, said.jitter),
            (overlap, CatchUp::Last, Millis::from_secs(300))
        );
    }
}

#[test]
fn a_trigger_without_a_clock_has_no_time_zone_and_every_wrong_word_is_said_with_what_would_do() {
    for (schedule, parts) in [
        (
            "trigger: {type: new_version, kind: dta, name: 'no name', time_zone: UTC}",
            &["`dta` is no kind of asset", "TM0204", "has no key `time_zone`"][..],
        ),
        (
            "trigger: {type: run_ended, outcomes: [running]}\noverlap: sometimes\ncatch_up: first\njitter: soon",
            &[
                "no run ends as `running`",
                "`sometimes` is no value of `overlap`",
                "`first` is no value of `catch_up`",
                "`soon` is no length of time",
                "pipeline",
            ],
        ),
        (
            "trigger: {type: run_end, pipeline: train}",
            &["`run_end` is no kind of trigger"],
        ),
    ] {
        let found = messages(&format!("create_job: azureml:train\n{schedule}\n")).join("\n");
        for part in parts {
            assert!(found.contains(part), "{part} is missing:\n{found}");
        }
    }
}

#[test]
fn what_is_published_is_named_and_what_stands_in_the_file_itself_is_refused() {
    let trigger = "trigger: {type: recurrence, frequency: day, interval: 1}\n";
    let named = read(&format!("{trigger}create_job: azureml:train:3\n")).unwrap();
    assert_eq!(named.name.as_str(), "nightly", "the file's name");
    let ScheduledJob::Published { name, version } = &named.job else {
        panic!("{:?}", named.job)
    };
    assert_eq!(
        (name.as_str(), version.as_ref().unwrap().as_str()),
        ("train", "3")
    );
    let inside = PIPELINE.trim_start().replace('\n', "\n  ");
    let inline = messages(&format!("{trigger}create_job:\n  {inside}\n")).join("\n");
    assert!(inline.contains("TM0206"), "{inline}");
}

#[test]
fn every_problem_of_the_schedule_is_said_at_once() {
    let found = messages(
        "name: 'no name'
trigger: {type: recurrence, frequency: fortnight, intervall: 1}
create_job: ./gone.yml
colour: red
",
    );
    let all = found.join("\n");
    for part in [
        "TM0204",
        "`fortnight` is no frequency",
        "TM0407",
        "`colour` is not known",
    ] {
        assert!(all.contains(part), "{part} is missing:\n{all}");
    }
    let nothing = messages("name: x\n").join("\n");
    assert!(
        nothing.contains("when it fires") && nothing.contains("what it starts"),
        "{nothing}"
    );
    let monitor = messages("trigger: {type: cron, expression: '* * * * *'}\ncreate_monitor: {}\n").join("\n");
    assert!(monitor.contains("TM0206"), "{monitor}");
}
