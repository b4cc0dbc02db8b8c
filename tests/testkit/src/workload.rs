//! A pipeline whose result is known beforehand, for clusters that are mistreated while it runs: four shell steps in a diamond that calculate, so that a step which read
//! anything but what its predecessors committed gives a wrong sum. Every process that starts leaves a mark.

use crate::Sandbox;
use crate::checker::Promise;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use tidemill_protocol::ids::RunId;
use tidemill_protocol::status::RunStatus;

/// `first` gives the number, `double` and `raise` calculate with it, `sum` adds theirs.
const PIPELINE: &str = r#"
type: pipeline
display_name: diamond
settings:
  default_compute: azureml:cpu-cluster
inputs:
  number: 1
  pause: 0.1
  marks: none
jobs:
  first:
    command: >-
      echo > ${{inputs.marks}}/$TIDEMILL_RUN_ID.$TIDEMILL_STEP.$TIDEMILL_ATTEMPT.$$ &&
      sleep ${{inputs.pause}} && echo ${{inputs.number}} > ${{outputs.value}}
    inputs: {number: "${{parent.inputs.number}}", pause: "${{parent.inputs.pause}}", marks: "${{parent.inputs.marks}}"}
    outputs: {value: {type: uri_file}}
    retry: {max: 20, backoff: 1s}
  double:
    command: >-
      echo > ${{inputs.marks}}/$TIDEMILL_RUN_ID.$TIDEMILL_STEP.$TIDEMILL_ATTEMPT.$$ &&
      sleep ${{inputs.pause}} && echo $(( $(cat ${{inputs.value}}) * 2 )) > ${{outputs.value}}
    inputs: {value: "${{parent.jobs.first.outputs.value}}", pause: "${{parent.inputs.pause}}", marks: "${{parent.inputs.marks}}"}
    outputs: {value: {type: uri_file}}
    retry: {max: 20, backoff: 1s}
  raise:
    command: >-
      echo > ${{inputs.marks}}/$TIDEMILL_RUN_ID.$TIDEMILL_STEP.$TIDEMILL_ATTEMPT.$$ &&
      sleep ${{inputs.pause}} && echo $(( $(cat ${{inputs.value}}) + 3 )) > ${{outputs.value}}
    inputs: {value: "${{parent.jobs.first.outputs.value}}", pause: "${{parent.inputs.pause}}", marks: "${{parent.inputs.marks}}"}
    outputs: {value: {type: uri_file}}
    retry: {max: 20, backoff: 1s}
  sum:
    command: >-
      echo > ${{inputs.marks}}/$TIDEMILL_RUN_ID.$TIDEMILL_STEP.$TIDEMILL_ATTEMPT.$$ &&
      echo $(( $(cat ${{inputs.left}}) + $(cat ${{inputs.right}}) )) > ${{outputs.value}}
    inputs: {left: "${{parent.jobs.double.outputs.value}}", right: "${{parent.jobs.raise.outputs.value}}", marks: "${{parent.inputs.marks}}"}
    outputs: {value: {type: uri_file}}
    retry: {max: 20, backoff: 1s}
"#;

/// How the first step begins, and how it does where it has a secret.
const FIRST: &str = "  first:\n    command: >-\n";
const SPILLS: &str = "  first:\n    secrets: {CANARY: canary}\n    command: >-\n      test -n \"$CANARY\" && echo \"given $CANARY\" &&\n";

/// How many steps a run has.
pub const STEPS: usize = 4;

/// The workload of one sandbox.
#[derive(Debug)]
pub struct Workload {
    marks: PathBuf,
    next: u32,
}

/// One run that may be submitted.
#[derive(Debug)]
pub struct Job {
    number: u32,
    /// The file and the parameters, as `tidemill submit` and `tidemill run` take them.
    pub arguments: Vec<String>,
}

impl Workload {
    /// Writes the pipeline into the sandbox.
    ///
    /// # Panics
    /// When the sandbox has one already.
    pub fn new(sandbox: &Sandbox) -> Self {
        Self::of(sandbox, PIPELINE)
    }

    /// The same, whose first step needs the secret `canary` and says it aloud.
    ///
    /// # Panics
    /// When the sandbox has one already.
    pub fn spilling(sandbox: &Sandbox) -> Self {
        Self::of(sandbox, &PIPELINE.replacen(FIRST, SPILLS, 1))
    }

    fn of(sandbox: &Sandbox, pipeline: &str) -> Self {
        sandbox.write("diamond.yml", pipeline);
        let marks = sandbox.path().join("marks");
        fs::create_dir(&marks).expect("a folder can be made");
        Self { marks, next: 1 }
    }

    /// The next run, whose steps sleep for so many tenths of a second: no two have steps in common, so nothing is reused.
    pub fn job(&mut self, pause_tenths: u64) -> Job {
        let number = self.next;
        self.next += 1;
        let arguments = [
            "diamond.yml".to_owned(),
            "-p".to_owned(),
            format!("number={number}"),
            "-p".to_owned(),
            format!("pause={}.{}", pause_tenths / 10, pause_tenths % 10),
            "-p".to_owned(),
            format!("marks={}", self.marks.display()),
        ];
        Job {
            number,
            arguments: arguments.to_vec(),
        }
    }

    /// How many attempts were begun so far, each counted once however many processes it took.
    ///
    /// # Panics
    /// When the sandbox is gone.
    pub fn attempts(&self) -> usize {
        let entries = fs::read_dir(&self.marks).expect("the marks are there").flatten();
        let attempts: BTreeSet<String> = entries
            .map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                let (attempt, _process) = name.rsplit_once('.').expect("a mark ends with a process");
                attempt.to_owned()
            })
            .collect();
        attempts.len()
    }

    /// How many processes of steps have started so far.
    ///
    /// # Panics
    /// When the sandbox is gone.
    pub fn starts(&self) -> usize {
        fs::read_dir(&self.marks).expect("the marks are there").count()
    }
}

impl Job {
    /// What was promised when its submission was answered.
    pub fn promise(&self, run: RunId) -> Promise {
        let sum = 3 * self.number + 3;
        let value = "value".parse().expect("is a name");
        Promise {
            run,
            status: RunStatus::Succeeded,
            answer: Some(("sum".to_owned(), value, sum.to_string())),
        }
    }
}
