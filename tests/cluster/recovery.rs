//! A coordinator is killed and its state folder is gone: what the store holds brings every finished result and every open run back.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;
use testkit::{BEGIN_DEADLINE, Cluster, END_DEADLINE, Gate, Steps, Store, WorkerPlan, eventually, is_alive};
use tidemill_protocol::status::RunStatus;

/// Events are archived within seconds; a busy machine adds to it.
const ARCHIVED_DEADLINE: Duration = Duration::from_mins(1);

const ONE: WorkerPlan = WorkerPlan {
    name: "one",
    compute: &["cpu-cluster:cpu"],
    slots: 2,
};

/// Two steps, each of which waits at a gate of its own.
const PIPELINE: &str = "
type: pipeline
display_name: two-gates
settings:
  default_compute: azureml:cpu-cluster
inputs:
  first_gate: none
  second_gate: none
jobs:
  first:
    command: >-
      echo $$ > ${{inputs.gate}}/began.$$ &&
      until [ -e ${{inputs.gate}}/open ]; do sleep 0.05; done &&
      date +%N > ${{outputs.moment}}
    inputs:
      gate: ${{parent.inputs.first_gate}}
    outputs:
      moment: {type: uri_file}
  second:
    command: >-
      echo $$ > ${{inputs.gate}}/began.$$ &&
      until [ -e ${{inputs.gate}}/open ]; do sleep 0.05; done &&
      cp ${{inputs.moment}} ${{outputs.copy}}
    inputs:
      gate: ${{parent.inputs.second_gate}}
      moment: ${{parent.jobs.first.outputs.moment}}
    outputs:
      copy: {type: uri_file}
";

/// The folder of the archive's segments.
fn segments(cluster: &Cluster) -> PathBuf {
    let journal = cluster.sandbox.path().join("store/journal");
    let mut keys = fs::read_dir(&journal).expect("there is an archive").flatten();
    keys.next().expect("of one coordinator").path().join("segments")
}

/// Waits until a fact of this kind is in the archive.
fn wait_until_archived(cluster: &Cluster, fact: &str) {
    let segments = segments(cluster);
    eventually(ARCHIVED_DEADLINE, "the fact is archived", || {
        let files = fs::read_dir(&segments).ok()?.flatten();
        // What the store is still writing has a number behind its name, and may never get there.
        let mut files = files.filter(|file| !file.file_name().to_string_lossy().contains('#'));
        let archived = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).contains(fact);
        files
            .any(|file| fs::read(file.path()).is_ok_and(archived))
            .then_some(())
    });
}

/// From here on the archive takes nothing more, while artifacts are stored as ever; until the answer is called.
fn hold_archive(cluster: &Cluster) -> impl FnOnce() + use<> {
    let segments = segments(cluster);
    let away = segments.with_file_name("away");
    fs::rename(&segments, &away).expect("the segments can be moved");
    fs::write(&segments, "a file where the store wants a folder").expect("it can be written");
    move || {
        fs::remove_file(&segments).expect("the store is well again");
        fs::rename(&away, &segments).expect("the segments can be moved back");
    }
}

/// The coordinator's machine is lost; only its key was kept elsewhere.
fn lose_machine(cluster: &mut Cluster) {
    let state = cluster.sandbox.path().join("coordinator");
    let key = fs::read(state.join("coordinator.key")).expect("it has a key");
    cluster.kill_coordinator();
    fs::remove_dir_all(&state).expect("its disk is lost");
    fs::create_dir(&state).expect("a new disk");
    let path = state.join("coordinator.key");
    fs::write(&path, key).expect("the key is put back");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("for its owner");
}

fn recover(cluster: &Cluster) -> serde_json::Value {
    let recovered = cluster.as_daemon(&["journal", "recover", "-o", "json"], "coordinator");
    recovered.expect_code(0).json()
}

/// How often a result became a step's, by the whole journal.
fn commits(cluster: &mut Cluster) -> usize {
    cluster.stop_coordinator();
    let export = cluster
        .as_daemon(&["journal", "export"], "coordinator")
        .expect_code(0);
    let lines = export.stdout.lines();
    lines
        .filter(|line| line.contains("\"attempt_succeeded\""))
        .count()
}

#[test]
fn results_that_the_archive_had_not_heard_of_outlive_the_coordinators_machine() {
    let mut cluster = Cluster::start(Store::Folder, &[ONE]);
    let (one, two) = (
        Gate::new(&cluster.sandbox, "gate-1"),
        Gate::new(&cluster.sandbox, "gate-2"),
    );
    cluster.sandbox.write("two-gates.yml", PIPELINE);
    let (first, second) = (
        format!("first_{}", one.parameter()),
        format!("second_{}", two.parameter()),
    );
    let id = cluster.submit("two-gates.yml", &["-p", &first, "-p", &second]);
    one.wait_for_arrivals(1, BEGIN_DEADLINE);
    wait_until_archived(&cluster, "run_submitted");
    let well_again = hold_archive(&cluster);
    one.open();
    let lost = two.wait_for_arrivals(1, BEGIN_DEADLINE)[0];
    let shown = |cluster: &Cluster| {
        cluster
            .ok(["artifacts", "cat", &format!("{id}/first/moment")])
            .stdout
    };
    let before = shown(&cluster);
    lose_machine(&mut cluster);
    well_again();

    let recovered = recover(&cluster);
    assert_eq!(
        recovered["adopted_results"].as_array().map(Vec::len),
        Some(1),
        "{recovered}"
    );
    assert_eq!(recovered["left_results"], serde_json::json!([]), "{recovered}");
    assert_eq!(recovered["runs_going_on"], 1, "{recovered}");
    cluster.start_coordinator();
    assert_eq!(shown(&cluster), before, "what was shown is what is there");
    // The attempt that nobody remembers is stopped, and made again under a token of the new epoch.
    two.wait_for_arrivals(2, BEGIN_DEADLINE);
    eventually(END_DEADLINE, "the old process is stopped", || {
        (!is_alive(lost)).then_some(())
    });
    two.open();
    let run = cluster.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    assert_eq!(run.step("first").attempts.len(), 1, "it was not made again");
    assert_eq!(run.step("second").attempts.len(), 1, "the lost one is no attempt");
    assert_eq!(shown(&cluster), before);
    assert_eq!(commits(&mut cluster), 2, "each step once");
}

#[test]
fn a_coordinator_that_waits_for_its_archive_loses_nothing_with_its_machine() {
    let mut cluster = Cluster::start(Store::Folder, &[ONE]);
    cluster.restart_coordinator_with(&["--archive", "sync"]);
    let gate = Gate::new(&cluster.sandbox, "gate");
    let id = cluster.submit("gate.yml", &["-p", &gate.parameter()]);
    let process = gate.wait_for_arrivals(1, BEGIN_DEADLINE)[0];
    eventually(BEGIN_DEADLINE, "the claim is known", || {
        let run = cluster.run(&id);
        (run.summary.steps.running == 1).then_some(())
    });
    lose_machine(&mut cluster);
    let recovered = recover(&cluster);
    assert_eq!(recovered["adopted_results"], serde_json::json!([]), "{recovered}");
    assert_eq!(recovered["left_results"], serde_json::json!([]), "{recovered}");
    cluster.start_coordinator();
    assert!(is_alive(process), "the step went on meanwhile");
    gate.open();
    let run = cluster.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    for step in ["hold", "after"] {
        assert_eq!(run.step(step).attempts.len(), 1, "{step} was made once");
    }
    assert_eq!(commits(&mut cluster), 2, "each step once");
}

/// A step that leaves nothing behind.
const QUIET: &str = "
type: pipeline
display_name: quiet
settings:
  default_compute: azureml:cpu-cluster
inputs:
  gate: none
jobs:
  quiet:
    command: >-
      echo $$ > ${{inputs.gate}}/began.$$ &&
      until [ -e ${{inputs.gate}}/open ]; do sleep 0.05; done
    inputs:
      gate: ${{parent.inputs.gate}}
";

#[test]
fn an_end_that_nobody_remembers_does_not_hold_its_step_for_ever() {
    let mut cluster = Cluster::start_hasty(Store::Folder, &[ONE]);
    let gate = Gate::new(&cluster.sandbox, "gate");
    cluster.sandbox.write("quiet.yml", QUIET);
    let id = cluster.submit("quiet.yml", &["-p", &gate.parameter()]);
    gate.wait_for_arrivals(1, BEGIN_DEADLINE);
    wait_until_archived(&cluster, "attempt_dispatched");
    let well_again = hold_archive(&cluster);
    gate.open();
    cluster.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    lose_machine(&mut cluster);
    well_again();
    let recovered = recover(&cluster);
    assert_eq!(recovered["runs_going_on"], 1, "its end was lost: {recovered}");
    cluster.start_coordinator();
    // The worker has acknowledged reports of an end that the coordinator has forgotten.
    let run = cluster.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    // One where the acknowledgement was lost, too, and the worker reported the end again.
    assert!(
        run.step("quiet").attempts.len() <= 2,
        "it was made once more at most"
    );
    assert_eq!(commits(&mut cluster), 1, "and committed once");
}
