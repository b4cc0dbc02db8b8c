//! A daemon that is killed loses nothing: the next one goes on with its attempts.

use crate::bench::{Bench, FAR, Step, broker, config, eventually, parts, signer, store};
use crate::environments::{find_uv, in_python};
use bytes::Bytes;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tidemill_protocol::codec;
use tidemill_protocol::failure::FailureReason;
use tidemill_protocol::wire::{Audience, Kind, ReportBody, seal};
use tidemill_transport::Broker;
use tokio_util::sync::CancellationToken;

/// From the start of the next daemon on.
const ADOPTED_WITHIN: Duration = Duration::from_secs(2);
const SCRIPT: &str = "echo one; echo $$ > \"$DIR/own\"; echo $PPID > \"$DIR/parent\"; echo x >> \"$DIR/started\"; while ! test -e \"$DIR/go\"; do sleep 0.02; done; echo two; exit $CODE";

fn step(dir: &Path, code: &str) -> Step {
    Step::shell(SCRIPT)
        .variable("DIR", dir.to_str().unwrap())
        .variable("CODE", code)
}

/// Asks whether it runs in an environment.
const IN_ENVIRONMENT: &str = "python -c 'import sys; print(sys.prefix != sys.base_prefix)'";

/// Runs a worker in this process until the process is killed: one attempt that waits to be let go; or for its environment, where a `uv` lies ready.
pub(crate) fn be_a_daemon(dir: &Path) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (broker, store) = (broker().await, store(dir).await);
        let token = CancellationToken::new();
        let mut config = config(dir);
        find_uv(&mut config);
        let worker = tidemill_worker::start(config, parts(&broker, &store), token)
            .await
            .unwrap();
        let step = match std::fs::read_to_string(dir.join("code")) {
            Ok(code) => step(dir, &code),
            Err(_) => in_python(&[], IN_ENVIRONMENT),
        };
        let body = codec::encode(&step.task(5));
        let task = seal(&signer(), Kind::Task, Audience::target("cpu"), FAR, &body).unwrap();
        broker.publish(&Bench::tasks(), Bytes::from(task)).await.unwrap();
        worker.wait().await;
    });
}

pub(crate) fn start_daemon(dir: &Path) -> Child {
    let mut role = OsString::from(format!("{}=", super::DAEMON_DIR));
    role.push(dir);
    Command::new("/usr/bin/env")
        .arg(role)
        .arg(std::env::current_exe().unwrap())
        .args(["daemon_role", "--exact", "--nocapture"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn starts(dir: &Path) -> usize {
    std::fs::read_to_string(dir.join("started")).map_or(0, |text| text.lines().count())
}

/// `kill -9` to the process of this number.
fn kill(pid: &str) {
    let killed = Command::new("kill").arg("-KILL").arg(pid.trim()).status();
    assert!(killed.unwrap().success());
}

fn is_gone(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    stat.map_or(true, |text| text.contains(") Z "))
}

async fn killed_daemon(code: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("code"), code).unwrap();
    let mut daemon = start_daemon(dir.path());
    eventually("the step runs", async || starts(dir.path()) == 1).await;
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    dir
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_step_outlives_a_killed_daemon_and_its_exit_code_is_exact() {
    let dir = killed_daemon("23").await;
    let began = std::time::Instant::now();
    let mut bench = Bench::start_in(dir, |_| {}).await;
    assert_eq!(bench.metric("tidemill_attempts_adopted_total"), 1);
    let took = began.elapsed();
    println!("a running attempt was adopted {took:?} after the start of the next daemon");
    assert!(took < ADOPTED_WITHIN, "adopted only after {took:?}");
    std::fs::write(bench.path("go"), "").unwrap();
    let body = loop {
        let report = bench.report().await;
        if !matches!(report.body, ReportBody::Claimed | ReportBody::Progress { .. }) {
            break report.body;
        }
    };
    let ReportBody::Failed { failure, usage } = body else {
        panic!("expected a failure, not {body:?}");
    };
    assert_eq!(failure.reason, FailureReason::ExitCode { code: 23 });
    assert_eq!(bench.text(&usage.stdout.unwrap()).await, "one\ntwo\n");
    assert_eq!(starts(bench.dir.path()), 1, "the process was not started twice");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_ended_while_no_daemon_ran_is_reported_by_the_next() {
    let dir = killed_daemon("0").await;
    let records = dir.path().join("state/supervisor/records");
    let length = || std::fs::metadata(&records).map_or(0, |file| file.len());
    eventually("the supervisor has written the start", async || length() > 0).await;
    let before = length();
    std::fs::write(dir.path().join("go"), "").unwrap();
    eventually("the supervisor has written the exit record", async || {
        length() > before
    })
    .await;
    let mut bench = Bench::start_in(dir, |_| {}).await;
    let success = loop {
        match bench.report().await.body {
            ReportBody::Claimed | ReportBody::Progress { .. } => {}
            ReportBody::Succeeded(success) => break success,
            other => panic!("expected success, not {other:?}"),
        }
    };
    assert_eq!(bench.stdout(&success).await, "one\ntwo\n");
    assert_eq!(starts(bench.dir.path()), 1);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_daemon_in_the_same_folder_is_refused() {
    let bench = Bench::start().await;
    let second = tidemill_worker::start(
        config(bench.dir.path()),
        parts(&bench.broker, &bench.store),
        CancellationToken::new(),
    )
    .await;
    assert!(matches!(second, Err(tidemill_worker::StartError::InUse(_))));
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_supervisor_costs_the_attempt_and_leaves_no_process_behind() {
    let mut bench = Bench::start().await;
    let pids = bench.dir.path().to_str().unwrap().to_owned();
    let script = "echo $PPID > \"$PIDS/parent\"; echo $$ > \"$PIDS/own\"; sleep 1000";
    let attempt = bench.submit(Step::shell(script).variable("PIDS", &pids)).await;
    let read = |name: &str| std::fs::read_to_string(bench.path(name)).unwrap_or_default();
    eventually("the step runs", async || read("own").ends_with('\n')).await;
    // One that is killed before it has written that down is started once more, in the same attempt.
    let records = bench.path("state/supervisor/records");
    eventually("its start is written down", async || {
        std::fs::metadata(&records).is_ok_and(|file| file.len() > 0)
    })
    .await;
    kill(&read("parent"));
    let own = read("own");
    let body = bench.ending(attempt).await;
    let ReportBody::Failed { failure, .. } = body else {
        panic!("expected a failure, not {body:?}");
    };
    assert_eq!(failure.reason, FailureReason::Lost);
    eventually("the process is gone", async || is_gone(&own)).await;
    // The worker has a new supervisor and goes on.
    bench.run_well(Step::argv(&["/bin/true"])).await;
    bench.end().await;
}

/// A process that has this number, and leads a group of it: whoever takes it for another one would end it. None where nobody may choose numbers.
fn numbered(pid: u32) -> Option<Child> {
    // Others are started meanwhile, and some number is held for a moment by who is being buried.
    for _ in 0..10_000 {
        std::fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).ok()?;
        let mut child = Command::new("/bin/sleep")
            .arg("1000")
            .process_group(0)
            .spawn()
            .unwrap();
        if child.id() == pid {
            return Some(child);
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_that_was_given_the_number_of_a_lost_step_is_left_alone() {
    let dir = killed_daemon("0").await;
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap_or_default();
    let records = dir.path().join("state/supervisor/records");
    eventually("its start is written down", async || {
        std::fs::metadata(&records).is_ok_and(|file| file.len() > 0)
    })
    .await;
    let own = read("own");
    // Nobody sees how it ends: its supervisor is gone before it.
    kill(&read("parent"));
    kill(&own);
    eventually("the step is gone", async || is_gone(&own)).await;
    let Some(mut stranger) = numbered(own.trim().parse().unwrap()) else {
        println!("NOT PROVED HERE: nobody here may choose the number of a process");
        return;
    };
    // The next daemon starts a supervisor, which reads of a process of this number that was never seen to end.
    let mut bench = Bench::start_in(dir, |_| {}).await;
    let body = loop {
        let report = bench.report().await;
        if !matches!(report.body, ReportBody::Claimed | ReportBody::Progress { .. }) {
            break report.body;
        }
    };
    let ReportBody::Failed { failure, .. } = body else {
        panic!("expected a failure, not {body:?}");
    };
    assert_eq!(failure.reason, FailureReason::Lost);
    bench.run_well(Step::argv(&["/bin/true"])).await;
    bench.end().await;
    assert_eq!(stranger.try_wait().unwrap(), None, "it was not touched");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}
