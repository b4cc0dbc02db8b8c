//! The watch over processes is shown real ones that live on when they should not: those of a cancelled step whose supervisor is held, so that nobody can end them.

use crate::campaign::{cpu, pass};
use crate::trial::{Trial, slow};
use std::fs;
use std::path::Path;
use std::time::Duration;
use testkit::{BEGIN_DEADLINE, Cluster, END_DEADLINE, Evidence, Invariant, Store, eventually, judge};
use tidemill_protocol::status::RunStatus;

pub(crate) const TRIALS: &[Trial] = &[slow(
    "the_watch_finds_processes_that_live_on_after_their_worker_was_told_to_stop_them_whatever_they_shed",
    lives_on,
)];

/// Longer than a worker's grace, and the five seconds after it.
const TOO_LONG: Duration = Duration::from_secs(20);

/// A step that stays, and a process of it that has left session, parents and environment behind.
const HIDES: &str = "
type: pipeline
settings: {default_compute: azureml:cpu-cluster}
inputs: {pids: none}
jobs:
  hide:
    command: >-
      (env -i setsid sh -c 'echo $$ > \"$0\"; exec sleep 600' ${{inputs.pids}}/hidden &) ;
      echo $$ > ${{inputs.pids}}/own ; exec sleep 600
    inputs: {pids: '${{parent.inputs.pids}}'}
";

fn lives_on() {
    let mut cluster = Cluster::start(Store::Folder, &[cpu("one", 1)]);
    let observer = cluster.observe();
    let pids = cluster.sandbox.path().join("pids");
    fs::create_dir(&pids).expect("a folder can be made");
    cluster.sandbox.write("hide.yml", HIDES);
    let run = cluster.submit("hide.yml", &["-p", &format!("pids={}", pids.display())]);
    let both = ["own", "hidden"].map(|name| pid_in(&pids.join(name)));
    assert!(cluster.freeze_supervisor("one"), "a worker has a supervisor");
    cluster.ok(["runs", "cancel", &run]);
    pass(TOO_LONG);
    assert!(cluster.thaw_supervisor("one"), "it is there still");
    cluster.wait_for_run(&run, RunStatus::Cancelled, END_DEADLINE);
    cluster.stop();
    let evidence = Evidence {
        vitals: observer.finish(),
        ..Evidence::default()
    };
    let breaches = judge(&evidence);
    for pid in both {
        let is_found = breaches.iter().any(|breach| {
            breach.invariant == Invariant::NothingIsLeft && breach.what.contains(&format!("process {pid} "))
        });
        assert!(
            is_found,
            "process {pid} lived on, and what was found is {breaches:?}"
        );
    }
    let others = breaches
        .iter()
        .filter(|breach| breach.invariant != Invariant::NothingIsLeft);
    assert_eq!(others.count(), 0, "{breaches:?}");
}

fn pid_in(file: &Path) -> u32 {
    eventually(BEGIN_DEADLINE, "a process says who it is", || {
        fs::read_to_string(file).ok()?.trim().parse().ok()
    })
}
