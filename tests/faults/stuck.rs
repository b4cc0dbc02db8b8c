//! Row 45: processes that the kernel holds (state `D`), because they write to a disk that takes nothing: nobody can end them. Needs the right to mount.

use crate::campaign::{Campaign, cpu, pass};
use crate::disk::Disk;
use crate::trial::{Trial, slow};
use std::fs;
use std::path::Path;
use std::time::Duration;
use testkit::{BEGIN_DEADLINE, END_DEADLINE, Steps, eventually};
use tidemill_protocol::status::{AttemptStatus, RunStatus};

pub(crate) const TRIALS: &[Trial] = &[
    slow(
        "a_step_that_the_kernel_holds_keeps_its_slot_until_it_is_let_go_and_others_go_on",
        its_own_process,
    ),
    slow(
        "an_attempt_ends_without_a_process_that_the_kernel_holds_and_says_so",
        one_that_it_started,
    ),
];

/// Longer than a worker's grace, and the five seconds after it.
const TOO_LONG: Duration = Duration::from_secs(20);

/// `own` is held itself; `other` starts one that is held, and ends.
const PIPELINE: &str = "
type: pipeline
settings: {default_compute: azureml:cpu-cluster}
inputs: {marks: none, disk: none}
jobs:
  NAME:
    command: COMMAND
    inputs: {marks: '${{parent.inputs.marks}}', disk: '${{parent.inputs.disk}}'}
";
const OWN: &str = "echo $$ > ${{inputs.marks}}/pid && echo held > ${{inputs.disk}}/file";
const OTHER: &str = "(sh -c 'echo $$ > $0/pid && echo held > $1/file' ${{inputs.marks}} ${{inputs.disk}} &) ; until [ -s ${{inputs.marks}}/pid ]; do sleep 0.05; done ; sleep 1";

/// A run whose step has a process that is held.
struct Held {
    campaign: Campaign,
    disk: Disk,
    run: String,
    pid: u32,
}

fn held(name: &str, command: &str) -> Held {
    let campaign = Campaign::start(&[cpu("one", 2)]);
    let sandbox = &campaign.cluster.sandbox;
    let (marks, place) = (sandbox.path().join("held"), sandbox.path().join("disk"));
    fs::create_dir(&marks).expect("a folder can be made");
    let disk = Disk::make(sandbox.path(), &place);
    disk.freeze();
    let pipeline = PIPELINE.replace("NAME", name).replace("COMMAND", command);
    sandbox.write("held.yml", &pipeline);
    let parameters = [
        format!("marks={}", marks.display()),
        format!("disk={}", place.display()),
    ];
    let run = campaign
        .cluster
        .submit("held.yml", &["-p", &parameters[0], "-p", &parameters[1]]);
    let pid = eventually(BEGIN_DEADLINE, "a process says who it is", || {
        fs::read_to_string(marks.join("pid")).ok()?.trim().parse().ok()
    });
    eventually(BEGIN_DEADLINE, "the kernel holds it", || {
        (state(pid) == Some('D')).then_some(())
    });
    Held {
        campaign,
        disk,
        run,
        pid,
    }
}

fn its_own_process() {
    let Held {
        mut campaign,
        disk,
        run,
        pid,
    } = held("own", OWN);
    campaign.cluster.ok(["runs", "cancel", &run]);
    // The other slot does what there is to do.
    campaign.submit(0);
    campaign.wait_for_all();
    pass(TOO_LONG);
    assert_eq!(state(pid), Some('D'), "nobody could end it");
    let view = campaign.cluster.run(&run);
    assert_eq!(
        view.step("own").attempts[0].status,
        AttemptStatus::Running,
        "what it holds is given to nobody else"
    );
    disk.thaw();
    let view = campaign
        .cluster
        .wait_for_run(&run, RunStatus::Cancelled, END_DEADLINE);
    assert_eq!(view.step("own").attempts.len(), 1);
    eventually(BEGIN_DEADLINE, "it is gone", || {
        state(pid).is_none().then_some(())
    });
    campaign.submit(0);
    campaign.end();
    drop(disk);
}

#[expect(clippy::print_stdout, reason = "what was not tried must be seen")]
fn one_that_it_started() {
    let Held {
        mut campaign,
        disk,
        run,
        pid,
    } = held("other", OTHER);
    let view = campaign
        .cluster
        .wait_for_run(&run, RunStatus::Succeeded, END_DEADLINE);
    let usage = view.step("other").attempts[0].usage.clone();
    let notes = usage.expect("it has ended").notes;
    let says = |word: &str| notes.iter().any(|note| note.contains(word));
    if says("by control group") {
        assert_eq!(state(pid), Some('D'), "nobody could end it");
        assert!(says("left behind"), "{notes:?}");
    } else {
        println!("NOT PROVED HERE, for want of control groups: {notes:?}");
    }
    disk.thaw();
    eventually(BEGIN_DEADLINE, "it is gone", || {
        state(pid).is_none().then_some(())
    });
    campaign.submit(0);
    campaign.end();
    drop(disk);
}

/// The state of a process as `proc_pid_stat(5)` has it.
fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}
