//! A worker that is told everything by its settings file, and nothing by arguments or variables.

use testkit::{BEGIN_DEADLINE, BrokerAccess, Cluster, Daemon, END_DEADLINE, Steps, Store, eventually};
use tidemill_protocol::api::WorkerView;
use tidemill_protocol::status::RunStatus;

const PIPELINE: &str = "
type: pipeline
settings:
  default_compute: azureml:lab
jobs:
  say:
    command: echo \"from ${TIDEMILL_TARGET}\" > ${{outputs.said}}
    outputs: {said: {type: uri_file}}
";

fn settings(cluster: &Cluster, lines: &str) -> String {
    format!(
        "worker_id = \"bench-7\"\n\
         slots = 3\n\
         compute = [\"lab\", \"gpus:gpu\"]\n\
         type = \"lab-bench\"\n\
         queue_url = \"{}\"\n\
         queue_prefix = \"{}\"\n\
         url = \"{}\"\n\
         {lines}",
        cluster.broker_url(),
        cluster.prefix(),
        cluster.url()
    )
}

/// `worker start` in a folder, with nothing else of ours in its environment.
fn start(cluster: &Cluster, arguments: &[&str]) -> Daemon {
    let mut command = cluster.sandbox.command(arguments);
    command
        .current_dir(cluster.sandbox.path().join("edge"))
        .env("TIDEMILL_STATE_DIR", cluster.sandbox.path().join("bench-7"));
    let log = cluster.sandbox.path().join("bench-7.log");
    Daemon::start("bench-7", &mut command, &log)
}

#[test]
fn a_worker_takes_targets_type_slots_and_queue_from_its_settings_file_and_runs_a_step() {
    let mut cluster = Cluster::prepare(BrokerAccess::default(), Store::Folder, &[]);
    cluster.start_coordinator();
    let text = settings(&cluster, "");
    cluster.sandbox.write("edge/tidemill.toml", &text);
    let mut worker = start(&cluster, &["worker", "start"]);
    cluster.wait_for_workers(1);
    let workers: Vec<WorkerView> = cluster.ok(["worker", "list", "-o", "json"]).items();
    let found = &workers[0];
    assert_eq!((found.id.as_str(), found.slots), ("bench-7", 3));
    let targets: Vec<String> = found
        .targets
        .iter()
        .map(|target| format!("{}:{}", target.name, target.compute_type))
        .collect();
    assert_eq!(targets, ["lab:lab-bench", "gpus:gpu"]);

    cluster.sandbox.write("pipeline.yml", PIPELINE);
    let run = cluster.submit("pipeline.yml", &[]);
    let view = cluster.wait_for_run(&run, RunStatus::Succeeded, END_DEADLINE);
    let by = view.step("say").attempts[0].worker.as_ref();
    assert_eq!(by.map(ToString::to_string).as_deref(), Some("bench-7"));
    let said = cluster
        .ok(["artifacts", "cat", &format!("{run}/say/said")])
        .stdout;
    assert_eq!(said, "from lab\n");
    worker.terminate();
    eventually(BEGIN_DEADLINE, "it ends", || (!worker.is_running()).then_some(()));
}

#[test]
fn a_settings_file_with_a_misspelt_or_senseless_line_starts_no_worker() {
    let mut cluster = Cluster::prepare(BrokerAccess::default(), Store::Folder, &[]);
    cluster.start_coordinator();
    for (lines, said) in [
        ("slotz = 2\n", "slots"),
        ("step_file_size = \"huge\"\n", "step_file_size"),
    ] {
        let file = cluster
            .sandbox
            .write("elsewhere/worker.toml", &settings(&cluster, lines));
        let file = file.to_str().expect("the path is text");
        let refused = cluster.as_daemon(&["worker", "start", "--config", file], "nobody");
        // 2: a usage error.
        let refused = refused.expect_code(2);
        assert!(refused.stderr.contains(said), "{refused}");
    }
    let workers: Vec<WorkerView> = cluster.ok(["worker", "list", "-o", "json"]).items();
    assert!(workers.is_empty(), "{workers:?}");
}
