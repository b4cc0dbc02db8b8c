//! Bytes of a result that are damaged in the store or gone from it: the step that needs them fails and says so, nobody takes the result over any more, and whoever
//! submits again has it made anew.

use std::fs;
use std::path::{Path, PathBuf};
use testkit::{END_DEADLINE, Sandbox, Steps, Up, eventually};
use tidemill_protocol::api::{PlanDecision, PlanView, RunView};
use tidemill_protocol::failure::FailureReason;
use tidemill_protocol::status::RunStatus;

const PIPELINE: &str = "
type: pipeline
inputs:
  round: 1
jobs:
  make:
    command: echo made > ${{outputs.made}}
    outputs:
      made: {type: uri_file}
  read:
    command: grep made ${{inputs.made}} && echo ${{inputs.round}}
    inputs:
      made: ${{parent.jobs.make.outputs.made}}
      round: ${{parent.inputs.round}}
";

#[test]
fn a_result_with_a_flipped_byte_is_set_aside_and_made_again() {
    let sandbox = Sandbox::new();
    made_again_after(&sandbox, |blob| {
        let mut bytes = fs::read(blob).unwrap();
        bytes[0] ^= 1;
        fs::remove_file(blob).unwrap();
        fs::write(blob, bytes).unwrap();
    });
    let kept = files(&sandbox.state_dir());
    let mut kept = kept
        .iter()
        .filter(|file| file.to_string_lossy().contains("/quarantine/"));
    let damaged = fs::read(kept.next().expect("it is kept for people to look at")).unwrap();
    assert_eq!(damaged, b"lade\n");
}

#[test]
fn a_result_whose_bytes_are_gone_is_made_again() {
    made_again_after(&Sandbox::new(), |blob| fs::remove_file(blob).unwrap());
}

fn made_again_after(sandbox: &Sandbox, damage: impl Fn(&Path)) {
    sandbox.write("pipeline.yml", PIPELINE);
    let up = Up::start(sandbox, "log");
    let first = run(&up, "1", RunStatus::Succeeded);
    let digest = first.step("make").outputs["made"].digest.to_hex();
    for file in files(&sandbox.state_dir()) {
        if file.file_name().is_some_and(|name| *name == *digest) {
            if file.to_string_lossy().contains("/store/") {
                damage(&file);
            } else {
                // What a worker has brought already is sound.
                fs::remove_file(file).unwrap();
            }
        }
    }
    let second = run(&up, "2", RunStatus::Failed);
    assert_eq!(second.reused(), ["make"], "nobody has looked at it yet");
    let attempt = second.step("read").attempts.last().expect("it was tried");
    let failure = attempt.failure.clone().expect("it says why");
    assert_eq!(
        failure.reason,
        FailureReason::InputLost {
            digest: digest.clone()
        }
    );
    assert!(failure.message.contains("input `made`"), "{}", failure.message);
    assert!(
        failure.message.contains("submit the run again"),
        "{}",
        failure.message
    );
    eventually(END_DEADLINE, "the loss is known", || {
        let plan: PlanView = up.ok(["plan", "pipeline.yml", "-o", "json"]).json();
        (plan.steps[0].decision == PlanDecision::Run).then_some(())
    });
    let third = run(&up, "2", RunStatus::Succeeded);
    assert_eq!(third.executed(), ["make", "read"]);
    let fourth = run(&up, "3", RunStatus::Succeeded);
    assert_eq!((fourth.reused(), fourth.executed()), (vec!["make"], vec!["read"]));
    up.stop();
}

fn run(up: &Up<'_>, round: &str, wanted: RunStatus) -> RunView {
    let id = up.submit("pipeline.yml", &["-p", &format!("round={round}")]);
    up.wait_for_run(&id, wanted, END_DEADLINE)
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => files(&entry.path()),
            Ok(kind) if kind.is_file() => vec![entry.path()],
            _ => vec![],
        })
        .collect()
}
