//! Runs in lists, one run with its steps, and what differs between two.

use crate::failure::Failure;
use crate::output::table::Column;
use crate::output::tone::{self, Tone};
use crate::output::{Printer, humane};
use tidemill_protocol::api::{
    ActivityView, CommentView, RunAct, RunDiffView, RunSummary, RunView, StepDiffView, StepView,
};
use tidemill_protocol::project::is_default_project;
use tidemill_protocol::status::StepStatus;
use tidemill_protocol::time::{Millis, Timestamp};
use tidemill_protocol::wire::Phase;

/// The columns of a list of runs.
pub(crate) fn columns(now: Timestamp) -> Vec<Column<RunSummary>> {
    vec![
        Column::new("RUN", |run: &RunSummary| humane::short_run(&run.id)).fixed(),
        Column::toned("STATUS", |run: &RunSummary| {
            (run.status.to_string(), tone::of_run(run.status))
        })
        .fixed(),
        Column::new("NAME", |run: &RunSummary| run.display_name.clone()),
        Column::new("STEPS", |run: &RunSummary| progress(run)).number(),
        Column::toned("SUBMITTED", move |run: &RunSummary| {
            (humane::ago(run.submitted_at, now), Tone::Dim)
        })
        .fixed(),
        Column::new("TOOK", move |run: &RunSummary| humane::duration(length(run, now))).number(),
        Column::new("PIPELINE", |run: &RunSummary| run.pipeline.to_string()).wide(),
        Column::new("EXPERIMENT", |run: &RunSummary| run.experiment.to_string()).wide(),
        Column::new("PROJECT", |run: &RunSummary| run.project.to_string()).wide(),
        Column::new("BY", |run: &RunSummary| run.submitted_by.clone()).wide(),
        Column::new("ID", |run: &RunSummary| run.id.to_string())
            .wide()
            .fixed(),
    ]
}

/// How long a run took, or has gone on.
pub(crate) fn length(run: &RunSummary, now: Timestamp) -> Millis {
    run.finished_at.unwrap_or(now).since(run.submitted_at)
}

fn progress(run: &RunSummary) -> String {
    let steps = &run.steps;
    let done = steps.succeeded + steps.reused + steps.skipped + steps.failed + steps.ended;
    format!("{done}/{}", steps.total)
}

/// How the steps of a run ended, in words: `5 succeeded, 2 reused`.
pub(crate) fn tally(run: &RunSummary) -> String {
    let steps = &run.steps;
    let facts = [
        (steps.succeeded, "succeeded"),
        (steps.reused, "reused"),
        (steps.running, "running"),
        (steps.dispatched, "queued"),
        (steps.pending, "pending"),
        (steps.failed, "failed"),
        (steps.skipped, "skipped"),
        (steps.ended, "ended early"),
    ];
    let words: Vec<String> = facts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{} {word}", humane::thousands(u64::from(*count))))
        .collect();
    if words.is_empty() {
        "no steps".to_owned()
    } else {
        words.join(", ")
    }
}

/// Shows one run with its steps.
pub(crate) fn show(printer: &mut Printer, run: &RunView, now: Timestamp) -> Result<(), Failure> {
    let summary = &run.summary;
    let status = tone::of_run(summary.status).paint(summary.status);
    printer.line(format_args!(
        "{}  {status}",
        Tone::Strong.paint(&summary.display_name)
    ))?;
    let mut facts = vec![
        ("run", summary.id.to_string()),
        (
            "pipeline",
            format!("{} in {}", summary.pipeline, summary.experiment),
        ),
        (
            "submitted",
            format!(
                "{} by {}, {} so far",
                humane::ago(summary.submitted_at, now),
                summary.submitted_by,
                humane::duration(length(summary, now))
            ),
        ),
        ("steps", tally(summary)),
    ];
    if !is_default_project(&summary.project) {
        facts.push(("project", summary.project.to_string()));
    }
    if summary.finished_at.is_some() {
        facts[2].1 = facts[2].1.replace(" so far", " in all");
    }
    if !run.description.is_empty() {
        facts.push(("about", run.description.trim().to_owned()));
    }
    facts.extend(
        run.parameters
            .iter()
            .map(|(name, value)| ("parameter", format!("{name} = {value}"))),
    );
    facts.extend(
        summary
            .tags
            .iter()
            .map(|(name, value)| ("tag", format!("{name} = {value}"))),
    );
    facts.extend(
        run.outputs
            .iter()
            .map(|(name, source)| ("output", format!("{name} from {source}"))),
    );
    facts.extend(
        run.assets
            .iter()
            .map(|used| ("uses", format!("{} {}:{}", used.kind, used.name, used.version))),
    );
    let acts = run.activity.iter().filter(|act| act.what != RunAct::Submitted);
    facts.extend(acts.map(|act| ("activity", activity(act, now))));
    facts.extend(run.warnings.iter().map(|warning| ("warning", warning.clone())));
    for (name, value) in facts {
        printer.line(format_args!(
            "  {} {value}",
            Tone::Dim.paint(format_args!("{name:<10}"))
        ))?;
    }
    printer.line("")?;
    printer.table(&run.steps_list, &step_columns(now))?;
    comments(printer, &run.comments, now)
}

fn activity(act: &ActivityView, now: Timestamp) -> String {
    let detail = if act.detail.is_empty() {
        String::new()
    } else {
        format!(" {}", act.detail)
    };
    let when = humane::ago(act.at, now);
    format!("{} {}{detail}, {when}", act.by, act.what.describe())
}

/// The comments on a run, each with who wrote it.
fn comments(printer: &mut Printer, comments: &[CommentView], now: Timestamp) -> Result<(), Failure> {
    for comment in comments {
        let edited = comment.edited_at.map_or("", |_| ", edited");
        printer.line("")?;
        printer.line(format_args!(
            "{} {}",
            Tone::Strong.paint(format_args!("#{} {}", comment.number, comment.by)),
            Tone::Dim.paint(format_args!("{}{edited}", humane::ago(comment.at, now)))
        ))?;
        for line in comment.text.lines() {
            printer.line(format_args!("  {line}"))?;
        }
    }
    Ok(())
}

/// The columns of the steps of a run.
pub(crate) fn step_columns(now: Timestamp) -> Vec<Column<StepView>> {
    vec![
        Column::new("STEP", |step: &StepView| step.path.to_string()).fixed(),
        Column::toned("STATUS", |step: &StepView| {
            (step.status.to_string(), tone::of_step(step.status))
        })
        .fixed(),
        Column::new("TOOK", move |step: &StepView| {
            step_length(step, now).map(humane::duration).unwrap_or_default()
        })
        .number(),
        Column::new("TARGET", |step: &StepView| step.target.to_string()),
        Column::toned("DETAIL", |step: &StepView| (step_detail(step), Tone::Dim)).whole(),
        Column::new("KIND", |step: &StepView| step.kind.clone()).wide(),
        Column::new("WORKER", |step: &StepView| {
            let worker = step.last_attempt().and_then(|attempt| attempt.worker.clone());
            worker.map(|worker| worker.to_string()).unwrap_or_default()
        })
        .wide(),
        Column::new("AFTER", |step: &StepView| {
            step.depends_on
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .wide(),
    ]
}

fn step_length(step: &StepView, now: Timestamp) -> Option<Millis> {
    if step.status == StepStatus::Reused {
        return None;
    }
    Some(step.finished_at.unwrap_or(now).since(step.started_at?))
}

fn step_detail(step: &StepView) -> String {
    if let Some(source) = &step.reused_from {
        return format!("from {}", humane::short_runs(source));
    }
    let Some(attempt) = step.last_attempt() else {
        return String::new();
    };
    let failure = attempt.failure.as_ref().map(|failure| failure.reason.describe());
    let phase = attempt.phase.and_then(aside).map(str::to_owned);
    let tries = (step.attempts.len() > 1).then(|| format!("attempt {}", attempt.attempt));
    let facts: Vec<String> = [failure, phase, tries].into_iter().flatten().collect();
    facts.join(", ")
}

/// What a step that runs is at while its process does not.
const fn aside(phase: Phase) -> Option<&'static str> {
    match phase {
        Phase::Environment => Some("building its environment"),
        Phase::Staging => Some("staging its inputs"),
        Phase::Running => None,
        Phase::Storing => Some("storing its outputs"),
    }
}

/// Shows what differs between two runs.
pub(crate) fn diff(printer: &mut Printer, diff: &RunDiffView) -> Result<(), Failure> {
    if diff.parameters.is_empty() && diff.steps.is_empty() {
        return printer.line("the runs do not differ");
    }
    for (name, (left, right)) in &diff.parameters {
        printer.line(format_args!(
            "parameter {}: {} {} {}",
            Tone::Strong.paint(name),
            Tone::Bad.paint(quoted(left)),
            Tone::Dim.paint("→"),
            Tone::Good.paint(quoted(right)),
        ))?;
    }
    if !diff.parameters.is_empty() && !diff.steps.is_empty() {
        printer.line("")?;
    }
    if diff.steps.is_empty() {
        return Ok(());
    }
    let side = |status: Option<StepStatus>| {
        status.map_or(("-".to_owned(), Tone::Dim), |s| (s.to_string(), tone::of_step(s)))
    };
    printer.table(
        &diff.steps,
        &[
            Column::new("STEP", |step: &StepDiffView| step.path.to_string()).fixed(),
            Column::toned("LEFT", move |step: &StepDiffView| side(step.left)).fixed(),
            Column::toned("RIGHT", move |step: &StepDiffView| side(step.right)).fixed(),
            Column::new("WHAT DIFFERS", |step: &StepDiffView| {
                let outputs = step.outputs.iter().map(|output| format!("output {output}"));
                step.key
                    .iter()
                    .cloned()
                    .chain(outputs)
                    .collect::<Vec<_>>()
                    .join("; ")
            })
            .whole(),
        ],
    )
}

fn quoted(value: &str) -> String {
    if value.is_empty() {
        "(none)".to_owned()
    } else {
        value.to_owned()
    }
}
