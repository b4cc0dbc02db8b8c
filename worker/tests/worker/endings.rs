//! How attempts end, and that each ending is told apart.

use crate::bench::{Bench, Step};
use crate::processes::may_make_groups;
use tidemill_protocol::failure::FailureReason;
use tidemill_protocol::plan::{PortType, StepKind};
use tidemill_protocol::time::Millis;
use tidemill_protocol::wire::ReportBody;

fn reason(body: ReportBody) -> FailureReason {
    match body {
        ReportBody::Failed { failure, .. } => failure.reason,
        other => panic!("expected a failure, not {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_without_output_succeeds_and_writes_nothing_to_the_store() {
    let mut bench = Bench::start().await;
    let success = bench.run_well(Step::argv(&["/bin/true"])).await;
    assert!(success.outputs.is_empty());
    assert_eq!(success.manifest, None);
    assert_eq!((success.usage.stdout, success.usage.stderr), (None, None));
    assert!(success.usage.started_at.is_some());
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_code_is_reported_exactly_with_the_end_of_standard_error() {
    let mut bench = Bench::start().await;
    let body = bench
        .run(Step::shell("printf '\\033[31mit broke\\033[0m\\n' >&2; exit 37"))
        .await;
    let ReportBody::Failed { failure, usage } = body else {
        panic!("expected a failure, not {body:?}");
    };
    assert_eq!(failure.reason, FailureReason::ExitCode { code: 37 });
    assert_eq!(failure.stderr_tail, "it broke");
    assert!(usage.stderr.is_some());
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_tidemill_did_not_send_is_named() {
    let mut bench = Bench::start().await;
    let killed = bench.run(Step::shell("kill -KILL $$")).await;
    assert_eq!(reason(killed), FailureReason::Signal { signal: 9 });
    let crashed = bench.run(Step::shell("kill -SEGV $$")).await;
    assert_eq!(reason(crashed), FailureReason::Signal { signal: 11 });
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_does_not_exist_is_a_failed_start() {
    let mut bench = Bench::start().await;
    for program in ["no-such-program", "/no/such/program"] {
        let body = bench.run(Step::argv(&[program])).await;
        let ReportBody::Failed { failure, .. } = body else {
            panic!("expected a failure, not {body:?}");
        };
        assert_eq!(failure.reason, FailureReason::StartFailed);
        assert!(failure.message.contains(program), "{}", failure.message);
    }
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_a_kind_without_executor_says_so() {
    let mut bench = Bench::start().await;
    let mut step = Step::argv(&["/bin/true"]);
    step.work.kind = StepKind::Other {
        name: "sweep".into(),
        settings: "{}".into(),
    };
    assert_eq!(reason(bench.run(step).await), FailureReason::ExecutorMissing);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_output_that_was_not_written_fails_the_step() {
    let mut bench = Bench::start().await;
    let step = Step::argv(&["/bin/true"]).output("model", PortType::File);
    let expected = FailureReason::OutputMissing {
        output: "model".into(),
    };
    assert_eq!(reason(bench.run(step).await), expected);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_out_of_an_output_is_refused() {
    let mut bench = Bench::start().await;
    let script = "ln -s /etc/passwd \"$TIDEMILL_OUTPUT_model\"";
    let file = Step::shell(script).output("model", PortType::File);
    let expected = FailureReason::OutputRefused {
        output: "model".into(),
    };
    assert_eq!(reason(bench.run(file).await), expected);
    let script = "ln -s /etc \"$TIDEMILL_OUTPUT_model/etc\"";
    let folder = Step::shell(script).output("model", PortType::Folder);
    assert_eq!(reason(bench.run(folder).await), expected);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_limit_is_told_apart_from_a_crash() {
    let mut bench = Bench::start().await;
    let mut step = Step::argv(&["/bin/sleep", "1000"]);
    step.rules.timeout = Some(Millis(200));
    assert_eq!(
        reason(bench.run(step).await),
        FailureReason::TimedOut { limit_ms: 200 }
    );
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_eats_more_than_its_memory_is_out_of_memory() {
    let mut bench = Bench::start().await;
    let mut step = Step::shell("python3 -c 'x = bytearray(600 * 1024 * 1024)'");
    step.rules.resources.memory_bytes = 64 * 1024 * 1024;
    let body = bench.run(step).await;
    let (reason, notes) = match body {
        ReportBody::Failed { failure, usage } => (Some(failure.reason), usage.notes),
        ReportBody::Succeeded(success) => (None, success.usage.notes),
        other => panic!("unexpected {other:?}"),
    };
    let note = notes.iter().find(|note| note.contains("memory limit")).unwrap();
    let is_in_force = note.contains("in force by control group");
    assert_eq!(is_in_force, may_make_groups(), "{note}");
    if is_in_force {
        assert_eq!(reason, Some(FailureReason::OutOfMemory), "{notes:?}");
    } else {
        println!("NOT PROVED HERE, for want of control groups: {note}");
    }
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_can_never_fit_fails_instead_of_going_round() {
    let mut bench = Bench::start().await;
    let mut step = Step::argv(&["/bin/true"]);
    step.rules.resources.gpus = 99;
    let body = bench.run(step).await;
    assert_eq!(reason(body), FailureReason::StartFailed);
    bench.end().await;
}
