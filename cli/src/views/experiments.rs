//! Experiments in lists, and one in full.

use crate::failure::Failure;
use crate::output::table::Column;
use crate::output::tone::Tone;
use crate::output::{Printer, humane};
use tidemill_protocol::api::{ExperimentView, RunSummary};
use tidemill_protocol::time::Timestamp;

/// The columns of a list of experiments.
pub(crate) fn columns(now: Timestamp) -> Vec<Column<ExperimentView>> {
    vec![
        Column::new("EXPERIMENT", |one: &ExperimentView| one.name.clone()).fixed(),
        Column::new("RUNS", |one: &ExperimentView| humane::thousands(one.runs)).number(),
        Column::new("TRACKED", |one: &ExperimentView| {
            humane::thousands(one.tracked_runs)
        })
        .number(),
        Column::toned("LAST RUN", move |one: &ExperimentView| {
            let last = one.last_run.as_ref();
            let ago = last.map(|run| humane::ago(run.submitted_at, now));
            (ago.unwrap_or_else(|| "-".to_owned()), Tone::Dim)
        }),
        Column::new("STATUS", |one: &ExperimentView| {
            let last = one.last_run.as_ref();
            last.map_or_else(|| "-".to_owned(), |run| run.status.to_string())
        }),
        Column::new("TAGS", |one: &ExperimentView| pairs(one)).wide(),
        Column::new("ABOUT", |one: &ExperimentView| {
            one.description.lines().next().unwrap_or_default().to_owned()
        })
        .spare(),
    ]
}

fn pairs(one: &ExperimentView) -> String {
    let tags = one.tags.iter();
    let pairs: Vec<String> = tags.map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join(" ")
}

/// Shows one.
pub(crate) fn show(printer: &mut Printer, one: &ExperimentView, now: Timestamp) -> Result<(), Failure> {
    let deleted = if one.is_deleted { "  deleted" } else { "" };
    printer.line(format_args!("{}{deleted}", Tone::Strong.paint(&one.name)))?;
    let mut facts = vec![
        ("runs", humane::thousands(one.runs)),
        ("tracked", humane::thousands(one.tracked_runs)),
    ];
    facts.extend(one.last_run.as_ref().map(|run| ("last run", last_run(run, now))));
    facts.push(("id", one.id.clone()));
    if !one.description.is_empty() {
        facts.push(("about", one.description.trim().to_owned()));
    }
    let tags = one.tags.iter();
    facts.extend(tags.map(|(name, value)| ("tag", format!("{name} = {value}"))));
    for (name, value) in facts {
        printer.line(format_args!(
            "  {} {value}",
            Tone::Dim.paint(format_args!("{name:<10}"))
        ))?;
    }
    Ok(())
}

fn last_run(run: &RunSummary, now: Timestamp) -> String {
    format!(
        "{} {} {}, {} by {}",
        run.id,
        run.display_name,
        run.status,
        humane::ago(run.submitted_at, now),
        run.submitted_by
    )
}
