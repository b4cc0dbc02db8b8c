//! How a run ended: the line that sums it up, its outputs, and for a bad end what failed, the last lines it wrote, and what to type next.

use super::runs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::tone::{self, Tone};
use crate::output::{Printer, humane};
use tidemill_protocol::api::{AttemptView, RunView, StepView};
use tidemill_protocol::status::{RunStatus, StepStatus};
use tidemill_protocol::terminal;

/// Most failed steps that are shown in full.
const FAILURES_SHOWN_MAX: usize = 5;
/// Most lines of a failed step's standard error that are shown.
const STDERR_LINES_MAX: usize = 20;

/// Shows how a run ended, and turns a bad end into the failure that the program exits with.
pub(crate) fn show(printer: &mut Printer, run: &RunView) -> Result<Exit, Failure> {
    let id = run.summary.id.to_string();
    if printer.is_for_people() {
        summary(printer, run)?;
    } else {
        printer.one(run, |_| id, |_, _| Ok(()))?;
    }
    match run.summary.status {
        RunStatus::Succeeded => Ok(Exit::Good),
        RunStatus::Cancelled => Err(Failure::new(
            Exit::Cancelled,
            format!("run {} was cancelled", short(run)),
        )),
        _ => {
            failures(printer, run);
            Err(bad_end(run))
        }
    }
}

fn short(run: &RunView) -> String {
    humane::short_run(&run.summary.id)
}

fn summary(printer: &mut Printer, run: &RunView) -> Result<(), Failure> {
    let summary = &run.summary;
    let tone = tone::of_run(summary.status);
    let length = humane::duration(runs::length(
        summary,
        summary.finished_at.unwrap_or(summary.submitted_at),
    ));
    let sign = if summary.status.is_good() { "✓" } else { "✗" };
    printer.line(format_args!(
        "{} {} in {length}: {}  {}",
        tone.paint(format_args!("{sign} {}", summary.display_name)),
        tone.paint(summary.status),
        runs::tally(summary),
        Tone::Dim.paint(format_args!("run {}", short(run))),
    ))?;
    for (name, source) in &run.outputs {
        let artifact = source.split_once('.').and_then(|_| output_of(run, source));
        let Some((step, output, size)) = artifact else {
            continue;
        };
        printer.line(format_args!(
            "  {:<20} {:>10}  {}",
            name.as_str(),
            humane::bytes(size),
            Tone::Dim.paint(format_args!(
                "tidemill artifacts get {}/{step}/{output}",
                short(run)
            )),
        ))?;
    }
    Ok(())
}

/// The step and the output that `STEP.OUTPUT` names (a step's name may itself hold dots), with the output's size.
fn output_of<'a>(run: &'a RunView, source: &'a str) -> Option<(&'a str, &'a str, u64)> {
    let (step, output) = source.rsplit_once('.')?;
    let view = run.steps_list.iter().find(|view| view.path.as_str() == step)?;
    let artifact = view.outputs.iter().find(|(name, _)| name.as_str() == output)?;
    Some((step, output, artifact.1.size_bytes))
}

fn failed(run: &RunView) -> impl Iterator<Item = &StepView> {
    run.steps_list
        .iter()
        .filter(|step| step.status == StepStatus::Failed)
}

fn failures(printer: &mut Printer, run: &RunView) {
    for step in failed(run).take(FAILURES_SHOWN_MAX) {
        let Some(attempt) = step.last_attempt() else {
            continue;
        };
        one_failure(printer, step, attempt);
    }
    let more = failed(run).count().saturating_sub(FAILURES_SHOWN_MAX);
    if more > 0 {
        printer.note(format_args!(
            "… and {} more: tidemill runs show {}",
            humane::count(more as u64, "failed step"),
            short(run)
        ));
    }
}

fn one_failure(printer: &mut Printer, step: &StepView, attempt: &AttemptView) {
    let reason = attempt
        .failure
        .as_ref()
        .map_or_else(|| "unknown reason".to_owned(), |f| f.reason.describe());
    let tries = if step.attempts.len() > 1 {
        format!(" after {} attempts", step.attempts.len())
    } else {
        String::new()
    };
    let worker = attempt
        .worker
        .as_ref()
        .map(|worker| format!(" on {worker}"))
        .unwrap_or_default();
    printer.note("");
    printer.note(format_args!(
        "{} {}{}",
        Tone::Bad.paint(format_args!("✗ {}", step.path)),
        Tone::Bad.paint(format_args!("failed{tries}: {reason}")),
        Tone::Dim.paint(worker),
    ));
    let Some(failure) = &attempt.failure else { return };
    // The worker says this, and whoever has the broker's password can say that he is one.
    let message = terminal::shown(failure.message.as_bytes());
    if !message.is_empty() {
        printer.note(format_args!("  {message}"));
    }
    let tail = terminal::plain(failure.stderr_tail.as_bytes());
    let lines: Vec<&str> = tail.trim_end().lines().collect();
    let hidden = lines.len().saturating_sub(STDERR_LINES_MAX);
    for line in &lines[hidden..] {
        printer.note(format_args!("  {} {line}", Tone::Dim.paint("│")));
    }
}

fn bad_end(run: &RunView) -> Failure {
    let total = run.summary.steps.total;
    let count = failed(run).count() as u64;
    let what = format!(
        "run {} {}: {} of {} failed",
        short(run),
        run.summary.status,
        humane::thousands(count),
        humane::count(u64::from(total), "step")
    );
    let mut failure = Failure::new(Exit::RunFailed, what).code("run_failed");
    if let Some(step) = failed(run).next() {
        let id = short(run);
        failure = failure
            .help(format!(
                "`tidemill logs {id}/{}` prints all that the step wrote",
                step.path
            ))
            .help(format!(
                "`tidemill runs retry {id}` tries again what did not end well"
            ));
    }
    failure
}
