//! Python environments: built once, shared, and a failure that says why.

use crate::adoption::start_daemon;
use crate::bench::{Bench, Step, eventually};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tidemill_protocol::failure::FailureReason;
use tidemill_protocol::ids::{AttemptId, FencingToken};
use tidemill_protocol::plan::PythonEnvironment;
use tidemill_protocol::wire::{Control, Phase, ReportBody, StopReason};
use tidemill_worker::WorkerConfig;

pub(crate) fn in_python(requirements: &[&str], script: &str) -> Step {
    let mut step = Step::shell(script);
    step.work.environment.python = Some(PythonEnvironment {
        version: None,
        requirements: requirements.iter().map(|r| (*r).to_owned()).collect(),
    });
    step
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_that_need_the_same_environment_at_once_build_it_once() {
    let mut bench = Bench::start().await;
    let script = "python -c 'import sys; print(sys.prefix == sys.base_prefix)'";
    let step = in_python(&[], script);
    let digest = step.work.environment.digest();
    let first = bench.submit(step.clone()).await;
    let second = bench.submit(step.clone()).await;
    let mut ended = 0;
    while ended < 2 {
        let report = bench.report().await;
        assert!(report.attempt == first || report.attempt == second);
        if let ReportBody::Succeeded(success) = &report.body {
            assert_eq!(bench.stdout(success).await, "False\n");
            ended += 1;
        } else {
            assert!(!matches!(report.body, ReportBody::Failed { .. }), "{report:?}");
        }
    }
    let log = bench.path(&format!("state/environments/{digest}.log"));
    let builds = fs::read_to_string(log).unwrap();
    assert_eq!(builds.matches("$ ").count(), 1, "{builds}");
    let third = bench.run_well(step).await;
    assert!(third.usage.preparing_ms < 1000, "it was there already");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_that_cannot_be_built_fails_with_the_end_of_the_build_log() {
    let mut bench = Bench::start().await;
    let broken = in_python(&["./no-such-package-here"], "echo never");
    let body = bench.run(broken).await;
    let ReportBody::Failed { failure, usage } = body else {
        panic!("expected a failure, not {body:?}");
    };
    assert_eq!(failure.reason, FailureReason::EnvironmentFailed);
    assert!(
        failure.message.contains("no-such-package-here"),
        "{}",
        failure.message
    );
    let log = bench.text(&usage.stderr.unwrap()).await;
    assert!(
        log.contains("no-such-package-here"),
        "the build's log is the attempt's"
    );
    bench.end().await;
}

/// The first of these that is started leaves somebody in a session of its own and waits to be let go; each says who it is, and whether the one before it is still there.
const SLOW_UV: &str = "#!/bin/sh
for folder; do :; done
before=$(tail -n 1 \"$DIR/builders\" 2> /dev/null)
test -z \"$before\" || ! kill -0 $before || echo $before >> \"$DIR/together\"
ls \"$folder\" >> \"$DIR/found\"
echo $$ >> \"$DIR/builders\"
if test -z \"$before\"; then
    touch \"$folder/half-built\"
    (setsid sh -c 'echo $$ > \"$DIR/stray\"; exec sleep 1000' &)
    until test -e \"$DIR/go\"; do sleep 0.02; done
fi
exec python3 -m venv \"$folder\"
";

/// Has a worker find the `uv` that lies in `bin` beside its folder.
pub(crate) fn find_uv(config: &mut WorkerConfig) {
    let dir = config.state_dir.parent().unwrap().to_owned();
    let bin = dir.join("bin");
    if bin.exists() {
        let base = &mut config.base_environment;
        base.insert("PATH".into(), format!("{}:/usr/bin:/bin", bin.display()));
        base.insert("DIR".into(), dir.to_str().unwrap().to_owned());
    }
}

fn put_slow_uv(dir: &Path) {
    let uv = dir.join("bin/uv");
    fs::create_dir(dir.join("bin")).unwrap();
    fs::write(&uv, SLOW_UV).unwrap();
    fs::set_permissions(uv, Permissions::from_mode(0o755)).unwrap();
}

async fn with_slow_uv(change: impl FnOnce(&mut WorkerConfig)) -> Bench {
    let dir = tempfile::tempdir().unwrap();
    put_slow_uv(dir.path());
    Bench::start_in(dir, |config| {
        find_uv(config);
        change(config);
    })
    .await
}

fn lines(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().map(ToOwned::to_owned).collect()
}

fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|text| !text.contains(") Z "))
}

/// Waits until a build has begun, and somebody has left it.
async fn begun(dir: &Path) -> [String; 2] {
    let said = |name: &str| lines(&dir.join(name)).first().cloned();
    eventually("the build has begun", async || {
        said("builders").is_some() && said("stray").is_some()
    })
    .await;
    ["builders", "stray"].map(|name| said(name).unwrap())
}

async fn gone(pids: &[String]) {
    eventually("nothing of the build is left", async || {
        !pids.iter().any(|pid| is_alive(pid))
    })
    .await;
}

fn cancel(attempt: AttemptId) -> Control {
    Control::Stop {
        attempt,
        token: FencingToken(u64::from(attempt.step.0)),
        reason: StopReason::Cancelled,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_goes_on_as_long_as_somebody_waits_for_it_and_is_ended_with_all_that_it_started_after_that() {
    let mut bench = with_slow_uv(|_| {}).await;
    let step = in_python(&[], "echo built");
    let attempts = [bench.submit(step.clone()).await, bench.submit(step.clone()).await];
    let mut waiting = Vec::new();
    while waiting.len() < attempts.len() {
        let report = bench.report().await;
        if report.body
            == (ReportBody::Progress {
                phase: Phase::Environment,
            })
        {
            waiting.push(report.attempt);
        }
    }
    let pids = begun(bench.dir.path()).await;
    bench.control(&cancel(attempts[0])).await;
    let body = bench.ending(attempts[0]).await;
    assert!(matches!(body, ReportBody::Stopped { .. }), "{body:?}");
    assert!(pids.iter().all(|pid| is_alive(pid)), "the other one still waits");
    bench.control(&cancel(attempts[1])).await;
    let body = bench.ending(attempts[1]).await;
    assert!(matches!(body, ReportBody::Stopped { .. }), "{body:?}");
    gone(&pids).await;
    // Whoever wants it next has it built.
    let success = bench.run_well(step).await;
    assert_eq!(bench.stdout(&success).await, "built\n");
    assert_eq!(lines(&bench.path("builders")).len(), 2);
    assert!(!bench.path("together").exists(), "one after the other");
    assert_eq!(
        lines(&bench.path("found")),
        Vec::<String>::new(),
        "nothing is built upon a half"
    );
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_takes_too_long_is_ended_with_all_that_it_started_and_says_which_setting_gives_it_more()
{
    let mut bench = with_slow_uv(|config| config.environment_build_max = Duration::from_secs(2)).await;
    let step = in_python(&[], "echo never");
    let folder = bench.path(&format!("state/environments/{}", step.work.environment.digest()));
    let attempt = bench.submit(step).await;
    let pids = begun(bench.dir.path()).await;
    let body = bench.ending(attempt).await;
    let ReportBody::Failed { failure, .. } = body else {
        panic!("expected a failure, not {body:?}");
    };
    assert_eq!(failure.reason, FailureReason::EnvironmentFailed);
    for said in ["took longer than 2 s", "environment_timeout"] {
        assert!(failure.message.contains(said), "{}", failure.message);
    }
    gone(&pids).await;
    for left in [folder.clone(), folder.with_extension("home")] {
        assert!(!left.exists(), "{}", left.display());
    }
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_daemon_was_building_is_ended_before_the_next_one_builds_it_properly() {
    let dir = tempfile::tempdir().unwrap();
    put_slow_uv(dir.path());
    let mut daemon = start_daemon(dir.path());
    let pids = begun(dir.path()).await;
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    assert!(is_alive(&pids[0]), "a build does not end with its daemon");
    let mut bench = Bench::start_in(dir, find_uv).await;
    let success = bench.next_success().await;
    assert_eq!(bench.stdout(&success).await, "True\n");
    gone(&pids).await;
    assert_eq!(lines(&bench.path("builders")).len(), 2);
    assert!(!bench.path("together").exists(), "two were building at once");
    assert_eq!(
        lines(&bench.path("found")),
        Vec::<String>::new(),
        "nothing is built upon a half"
    );
    bench.end().await;
}
