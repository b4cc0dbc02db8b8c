//! Processes: that whole trees end, that strays do not survive, that values arrive as they are.

use crate::bench::{Bench, Step, eventually};
use std::path::Path;
use tidemill_protocol::key::InputValue;
use tidemill_protocol::literal::Literal;
use tidemill_protocol::plan::{Command, Distribution, DistributionKind, Fragment, Word};
use tidemill_protocol::time::Millis;
use tidemill_protocol::wire::{Control, ReportBody, StopReason};

/// A grandchild in a session of its own, with nothing that ties it to the step but its environment.
const STRAY: &str =
    "(setsid sh -c 'echo $$ > \"$PIDS/stray\"; exec sleep 1000' &) ; echo $$ > \"$PIDS/own\"; ";

fn is_alive(file: &Path) -> bool {
    let pid = std::fs::read_to_string(file).unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    stat.is_ok_and(|text| !text.contains(") Z "))
}

async fn wait_for(file: &Path) {
    eventually("the file is written", async || {
        std::fs::read_to_string(file).is_ok_and(|t| t.ends_with('\n'))
    })
    .await;
}

fn with_pids(bench: &Bench, script: &str) -> Step {
    Step::shell(script).variable("PIDS", bench.dir.path().to_str().unwrap())
}

/// As [`STRAY`], and without its environment either: the one that comes to own it has left its session, its parents and its variables behind.
const NAKED_STRAY: &str = "env -i PIDS=\"$PIDS\" setsid sh -c \
    '(echo 0 > /dev/null; sh -c \"echo \\$\\$ > $PIDS/stray; exec sleep 1000\" &)' ; echo $$ > \"$PIDS/own\"; ";

async fn assert_nothing_left(bench: &Bench) {
    for file in ["stray", "own"] {
        let path = bench.path(file);
        eventually("the process is gone", async || !is_alive(&path)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_limit_ends_the_whole_tree_with_those_that_left_the_session() {
    let mut bench = Bench::start().await;
    let mut step = with_pids(&bench, &format!("{STRAY} sleep 1000"));
    step.rules.timeout = Some(Millis(700));
    let body = bench.run(step).await;
    assert!(matches!(body, ReportBody::Failed { .. }), "{body:?}");
    assert_nothing_left(&bench).await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_step_that_ignores_sigterm_is_ended_with_its_tree() {
    let mut bench = Bench::start().await;
    let step = with_pids(
        &bench,
        &format!("trap '' TERM; {STRAY} while true; do sleep 0.1; done"),
    );
    let attempt = bench.submit(step).await;
    for file in ["stray", "own"] {
        wait_for(&bench.path(file)).await;
    }
    let stop = |token| Control::Stop {
        attempt,
        token,
        reason: StopReason::Cancelled,
    };
    bench
        .control(&stop(tidemill_protocol::ids::FencingToken(99)))
        .await;
    bench.claimed(attempt).await;
    assert!(is_alive(&bench.path("own")), "another token stops nothing");
    bench
        .control(&stop(tidemill_protocol::ids::FencingToken(1)))
        .await;
    let body = bench.ending(attempt).await;
    assert!(matches!(body, ReportBody::Stopped { .. }), "{body:?}");
    assert_nothing_left(&bench).await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_without_environment_dies_with_its_step_and_another_step_runs_on_unharmed() {
    let mut bench = Bench::start().await;
    let other = Step::shell("echo $$ > \"$PIDS/other\"; while ! test -e \"$PIDS/go\"; do sleep 0.02; done")
        .variable("PIDS", bench.dir.path().to_str().unwrap());
    let other = bench.submit(other).await;
    wait_for(&bench.path("other")).await;
    // The younger of two: it is not its age that gives the stray away.
    let step = with_pids(&bench, &format!("{NAKED_STRAY} sleep 1000"));
    let attempt = bench.submit(step).await;
    for file in ["stray", "own"] {
        wait_for(&bench.path(file)).await;
    }
    bench
        .control(&Control::Stop {
            attempt,
            token: tidemill_protocol::ids::FencingToken(2),
            reason: StopReason::Cancelled,
        })
        .await;
    let body = bench.ending(attempt).await;
    let ReportBody::Stopped { usage } = body else {
        panic!("expected a stop, not {body:?}");
    };
    assert!(is_alive(&bench.path("other")), "the other step was hit");
    let can_tell = in_force(&usage.notes);
    if can_tell {
        assert!(!is_alive(&bench.path("stray")), "the daemon outlived its step");
    } else {
        println!("NOT PROVED HERE, for want of control groups: {:?}", usage.notes);
    }
    std::fs::write(bench.path("go"), "").unwrap();
    bench.success(other).await;
    // Without control groups at the latest when no older step runs any more.
    assert_nothing_left(&bench).await;
    bench.end().await;
}

/// Whether there are control groups; the notes must say so, or why not.
fn in_force(notes: &[String]) -> bool {
    let note = notes.iter().find(|note| note.contains("processes"));
    let note = note.unwrap_or_else(|| panic!("nothing is said of processes: {notes:?}"));
    let is_in_force = note.contains("in force by control group");
    assert_eq!(is_in_force, may_make_groups(), "{note}");
    is_in_force
}

/// Whether this machine lets this process limit processes, as seen from here.
pub(crate) fn may_make_groups() -> bool {
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let path = own
        .lines()
        .find_map(|line| line.split_once(":pids:/"))
        .map(|(_, path)| path);
    let Some(path) = path else {
        return false;
    };
    let folder = Path::new("/sys/fs/cgroup/pids").join(path);
    let probe = folder.join(format!("tidemill-probe-{}", std::process::id()));
    let made = std::fs::create_dir(&probe).is_ok();
    if made {
        std::fs::remove_dir(&probe).unwrap();
    }
    made
}

/// Forks without end, and counts how far it came.
const FORK_BOMB: &str = r#"
import os, time
born = 0
try:
    while born < 500:
        if os.fork() == 0:
            time.sleep(1000)
        born += 1
except BlockingIOError:
    pass
print("born", born, flush=True)
os._exit(3)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_bomb_is_contained_and_nothing_of_it_is_left() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("processes"), "40").unwrap();
    let mut bench = Bench::start_in(dir, |_| {}).await;
    let mark = format!("bomb-{}", std::process::id());
    let body = bench.run(Step::argv(&["python3", "-c", FORK_BOMB, &mark])).await;
    let ReportBody::Failed { failure, usage } = body else {
        panic!("expected a failure, not {body:?}");
    };
    assert_eq!(failure.reason.describe(), "exit code 3");
    let said = bench.text(&usage.stdout.unwrap()).await;
    let born: u32 = said.trim().strip_prefix("born ").unwrap().parse().unwrap();
    if in_force(&usage.notes) {
        assert!((10..40).contains(&born), "{born} processes were born");
    } else {
        println!("NOT PROVED HERE, for want of control groups: {:?}", usage.notes);
    }
    let is_there = |entry: std::fs::DirEntry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&mark)
    };
    eventually("the bomb is gone", async || {
        !std::fs::read_dir("/proc").unwrap().flatten().any(is_there)
    })
    .await;
    // Its group serves the next one, which has all of the limit to itself.
    bench.run_well(Step::shell("sh -c true; sh -c true")).await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_gets_three_open_files_and_private_folders_of_its_own() {
    let mut bench = Bench::start().await;
    // What lists them has one open itself.
    let script =
        "ls /proc/self/fd | tr '\n' ' '; echo; umask; stat -c %a . \"$TMPDIR\"; test \"$TMPDIR\" != /tmp";
    let success = bench.run_well(Step::shell(script)).await;
    assert_eq!(bench.stdout(&success).await, "0 1 2 3 \n0022\n700\n700\n");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_finished_step_left_running_is_ended() {
    let mut bench = Bench::start().await;
    let step = with_pids(
        &bench,
        &format!("{STRAY} while ! test -s \"$PIDS/stray\"; do sleep 0.01; done"),
    );
    bench.run_well(step).await;
    assert_nothing_left(&bench).await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_script_lets_its_children_finish_within_the_grace() {
    let mut bench = Bench::start_with(|config| config.stop_grace = std::time::Duration::from_secs(20)).await;
    // The shell dies of SIGTERM at once; the child it waits for takes its time to save something.
    let child = "trap 'sleep 0.3; echo saved > \"$PIDS/saved\"; exit 0' TERM; echo $$ > \"$PIDS/own\"; while true; do sleep 0.05; done";
    let step = with_pids(&bench, "bash -c \"$CHILD\"; echo after").variable("CHILD", child);
    let attempt = bench.submit(step).await;
    wait_for(&bench.path("own")).await;
    bench
        .control(&Control::Stop {
            attempt,
            token: tidemill_protocol::ids::FencingToken(1),
            reason: StopReason::Aborted,
        })
        .await;
    let body = bench.ending(attempt).await;
    assert!(matches!(body, ReportBody::Stopped { .. }), "{body:?}");
    assert!(bench.path("saved").exists());
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_with_hostile_characters_arrive_as_they_are() {
    let mut bench = Bench::start().await;
    let hostile = "a b\t'c' \"d\" $(touch pwned) `id` ; & | > < \\ \n * ? ~ ü 🦀";
    let text = |t: &str| Word(vec![Fragment::Text(t.into())]);
    let words = vec![
        text("/usr/bin/printf"),
        text("%s"),
        Word(vec![Fragment::Input("x".parse().unwrap())]),
    ];
    let argv = Step::command(Command::Argv { words });
    let shell = Step::shell("printf %s \"${TIDEMILL_INPUT_x}\"");
    for step in [argv, shell] {
        let success = bench
            .run_well(step.input("x", InputValue::Literal(Literal::string(hostile))))
            .await;
        assert_eq!(bench.stdout(&success).await, hostile);
    }
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_daemons_environment_reaches_a_step() {
    let mut bench = Bench::start().await;
    let success = bench.run_well(Step::argv(&["/usr/bin/env"])).await;
    let environment = bench.stdout(&success).await;
    assert!(environment.contains("TIDEMILL_STEP=s1\n"), "{environment}");
    assert!(environment.contains("AZUREML_RUN_ID="));
    assert!(environment.contains("TIDEMILL_IDEMPOTENCY_KEY="));
    for name in ["CARGO", "RUST", "HOSTNAME=", "TIDEMILL_TEST"] {
        assert!(!environment.contains(name), "{name} in {environment}");
    }
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_processes_of_a_distributed_step_know_their_ranks_and_fall_together() {
    let mut bench = Bench::start().await;
    let distribution = Distribution {
        kind: DistributionKind::Pytorch,
        processes_per_instance: 3,
        workers: 0,
        parameter_servers: 0,
    };
    let mut step = Step::shell("echo rank $RANK of $WORLD_SIZE at $MASTER_ADDR");
    step.work.distribution = Some(distribution.clone());
    let success = bench.run_well(step).await;
    let stdout = bench.stdout(&success).await;
    let mut lines: Vec<&str> = stdout.lines().collect();
    lines.sort_unstable();
    let expected: Vec<String> = (0..3).map(|r| format!("rank {r} of 3 at 127.0.0.1")).collect();
    assert_eq!(lines, expected);

    let mut step = Step::shell("test $RANK = 1 && exit 5; sleep 1000");
    step.work.distribution = Some(distribution);
    let body = bench.run(step).await;
    let ReportBody::Failed { failure, .. } = body else {
        panic!("expected a failure, not {body:?}");
    };
    assert_eq!(failure.reason.describe(), "exit code 5");
    bench.end().await;
}

/// The score by which the kernel chooses whom to end when memory runs out.
fn score(pid: &str) -> i32 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap();
    text.trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_memory_runs_out_a_step_with_all_its_processes_comes_before_its_supervisor_and_the_daemon() {
    let mut bench = Bench::start().await;
    let own = score("self");
    let script = "echo $PPID > \"$PIDS/parent\"; cat /proc/$$/oom_score_adj; cat /proc/self/oom_score_adj; \
                  until test -e \"$PIDS/go\"; do sleep 0.02; done";
    let step = with_pids(&bench, script);
    let attempt = bench.submit(step).await;
    wait_for(&bench.path("parent")).await;
    let supervisor = std::fs::read_to_string(bench.path("parent")).unwrap();
    // For the moment of a birth it has the score that it hands on.
    eventually("the supervisor has the daemon's score", async || {
        score(supervisor.trim()) == own
    })
    .await;
    std::fs::write(bench.path("go"), "").unwrap();
    let success = bench.success(attempt).await;
    let raised = (own.max(0) + 500).min(1000);
    assert_eq!(bench.stdout(&success).await, format!("{raised}\n{raised}\n"));
    bench.end().await;
}
