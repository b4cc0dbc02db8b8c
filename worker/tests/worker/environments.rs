//! Python environments: built once, shared, and a failure that says why.

use crate::bench::{Bench, Step};
use tidemill_protocol::failure::FailureReason;
use tidemill_protocol::plan::PythonEnvironment;
use tidemill_protocol::wire::ReportBody;

fn in_python(requirements: &[&str], script: &str) -> Step {
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
    let builds = std::fs::read_to_string(log).unwrap();
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
