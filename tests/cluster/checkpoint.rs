//! Steps that go on elsewhere from what they saved: after their machine was destroyed, and after it was taken away with a warning.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use testkit::{BEGIN_DEADLINE, Cluster, END_DEADLINE, Steps, Store, WorkerPlan, eventually};
use tidemill_protocol::name::Name;
use tidemill_protocol::status::{AttemptStatus, RunStatus};

/// A worker that is gone is noticed when its lease has run out: a minute, and what a busy machine adds.
const LEASE_DEADLINE: Duration = Duration::from_mins(3);

/// Counts its attempts in the checkpoint, says at the gate with which number it began, and waits there.
const PIPELINE: &str = r#"
type: pipeline
display_name: counting
settings:
  default_compute: azureml:cpu-cluster
inputs:
  gate: none
jobs:
  count:
    command: >-
      before=$(cat "$TIDEMILL_CHECKPOINT/count" 2>/dev/null || echo 0) &&
      echo $((before + 1)) > "$TMPDIR/count" &&
      mv "$TMPDIR/count" "$TIDEMILL_CHECKPOINT/count" &&
      touch ${{inputs.gate}}/began.after.$before &&
      until [ -e ${{inputs.gate}}/open ]; do sleep 0.05; done &&
      cp "$TIDEMILL_CHECKPOINT/count" ${{outputs.count}}
    checkpoint: 1s
    inputs:
      gate: ${{parent.inputs.gate}}
    outputs:
      count: {type: uri_file}
"#;

const fn cpu(name: &'static str) -> WorkerPlan {
    WorkerPlan {
        name,
        compute: &["cpu-cluster:cpu"],
        slots: 1,
    }
}

struct Counting {
    cluster: Cluster,
    gate: PathBuf,
    run: String,
}

impl Counting {
    /// The step runs on the worker `one`, and has saved that it is its first attempt.
    fn start() -> Self {
        let cluster = Cluster::start_hasty(Store::Folder, &[cpu("one")]);
        cluster.sandbox.write("counting.yml", PIPELINE);
        let gate = cluster.sandbox.path().join("gate");
        fs::create_dir(&gate).expect("a folder can be made");
        let parameter = format!("gate={}", gate.display());
        let run = cluster.submit("counting.yml", &["-p", &parameter]);
        let counting = Self { cluster, gate, run };
        counting.began_after(0, BEGIN_DEADLINE);
        eventually(BEGIN_DEADLINE, "the checkpoint is known", || {
            counting.cluster.run(&counting.run).step("count").checkpoint
        });
        counting
    }

    #[track_caller]
    fn began_after(&self, count: u32, deadline: Duration) {
        let mark = self.gate.join(format!("began.after.{count}"));
        eventually(deadline, &format!("an attempt begins after {count}"), || {
            mark.exists().then_some(())
        });
    }

    /// Lets the step end on the worker `two`, and says how its attempts ended.
    fn finish(&self) -> Vec<AttemptStatus> {
        fs::write(self.gate.join("open"), "").expect("a file can be written");
        let run = self
            .cluster
            .wait_for_run(&self.run, RunStatus::Succeeded, END_DEADLINE);
        let step = run.step("count");
        let last = step.attempts.last().expect("there is one");
        assert_eq!(last.worker.as_ref().map(Name::as_str), Some("two"));
        assert_eq!(step.checkpoint, None, "it is of no use any more");
        step.attempts.iter().map(|attempt| attempt.status).collect()
    }
}

#[test]
fn the_next_attempt_goes_on_elsewhere_from_what_a_destroyed_worker_had_saved() {
    let mut counting = Counting::start();
    counting.cluster.destroy_worker("one");
    counting.cluster.start_worker(cpu("two"));
    counting.began_after(1, LEASE_DEADLINE);
    assert_eq!(counting.finish(), [AttemptStatus::Lost, AttemptStatus::Succeeded]);
}

#[test]
fn the_steps_of_a_preempted_worker_move_at_once() {
    let mut counting = Counting::start();
    counting.cluster.start_worker(cpu("two"));
    counting.cluster.wait_for_workers(2);
    counting.cluster.ok(["worker", "preempt", "one"]);
    counting.began_after(1, BEGIN_DEADLINE);
    assert_eq!(
        counting.finish(),
        [AttemptStatus::Preempted, AttemptStatus::Succeeded]
    );
    let mut one = counting.cluster.take_worker("one").expect("it was started");
    eventually(END_DEADLINE, "the preempted worker ends by itself", || {
        (!one.is_running()).then_some(())
    });
}
