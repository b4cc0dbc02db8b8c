//! A pipeline whose first step waits until the test lets it go: so a test can do something while a step certainly runs, without guessing times.

use crate::{Sandbox, eventually};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a step may take to begin on a busy machine.
pub const BEGIN_DEADLINE: Duration = Duration::from_mins(1);
/// How long a run may take to end once nothing holds it.
pub const END_DEADLINE: Duration = Duration::from_mins(3);

/// `hold` says that it began, waits at the gate and writes a file; `after` copies the file.
const PIPELINE: &str = "
type: pipeline
display_name: gate
settings:
  default_compute: azureml:cpu-cluster
inputs:
  gate: none
jobs:
  hold:
    command: >-
      echo $$ > ${{inputs.gate}}/began.$$ &&
      until [ -e ${{inputs.gate}}/open ]; do sleep 0.05; done &&
      echo through > ${{outputs.done}}
    inputs:
      gate: ${{parent.inputs.gate}}
    outputs:
      done: {type: uri_file}
  after:
    command: cp ${{inputs.done}} ${{outputs.copy}}
    inputs:
      done: ${{parent.jobs.hold.outputs.done}}
    outputs:
      copy: {type: uri_file}
";

/// The gate of one run.
#[derive(Debug)]
pub struct Gate {
    folder: PathBuf,
}

impl Gate {
    /// A closed gate, and the pipeline `gate.yml` that stops at it.
    ///
    /// # Panics
    /// When a gate of this name was made before.
    pub fn new(sandbox: &Sandbox, name: &str) -> Self {
        sandbox.write("gate.yml", PIPELINE);
        let folder = sandbox.path().join(name);
        fs::create_dir(&folder).expect("a folder can be made");
        Self { folder }
    }

    /// The parameter that leads a run to this gate.
    pub fn parameter(&self) -> String {
        format!("gate={}", self.folder.display())
    }

    /// Lets everybody through, now and later.
    ///
    /// # Panics
    /// When the sandbox is gone.
    pub fn open(&self) {
        fs::write(self.folder.join("open"), "").expect("a file can be written");
    }

    /// Pids of the processes that have come to the gate.
    ///
    /// # Panics
    /// When the sandbox is gone.
    pub fn arrivals(&self) -> Vec<u32> {
        let entries = fs::read_dir(&self.folder).expect("the gate is there").flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names
            .filter_map(|name| name.strip_prefix("began.")?.parse().ok())
            .collect()
    }

    /// Waits until this many processes have come to the gate.
    ///
    /// # Panics
    /// When they do not in time.
    #[track_caller]
    pub fn wait_for_arrivals(&self, count: usize, deadline: Duration) -> Vec<u32> {
        eventually(deadline, &format!("{count} processes come to the gate"), || {
            let arrivals = self.arrivals();
            (arrivals.len() >= count).then_some(arrivals)
        })
    }
}

/// Whether a process is there and no zombie.
pub fn is_alive(pid: u32) -> bool {
    let status = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    status.is_ok_and(|status| !status.contains(") Z "))
}
