//! Compute targets in lists, and one with its workers.

use crate::failure::Failure;
use crate::output::table::Column;
use crate::output::tone::Tone;
use crate::output::{Printer, humane};
use tidemill_protocol::api::{ComputeTargetView, WorkerView};
use tidemill_protocol::time::{Millis, Timestamp};

/// The columns of a list of compute targets.
pub(crate) fn columns() -> Vec<Column<ComputeTargetView>> {
    vec![
        Column::new("TARGET", |one: &ComputeTargetView| one.name.to_string()).fixed(),
        Column::new("TYPE", compute_type),
        Column::new("WORKERS", |one: &ComputeTargetView| one.queue.workers.to_string()).number(),
        Column::new("SLOTS FREE", |one: &ComputeTargetView| {
            format!("{} of {}", one.slots_free, one.queue.slots)
        })
        .number(),
        Column::new("RUNNING", |one: &ComputeTargetView| {
            humane::thousands(one.queue.running)
        })
        .number(),
        Column::toned("WAITING", |one: &ComputeTargetView| {
            let is_stuck = one.queue.workers == 0 && waiting(one) > 0;
            let tone = if is_stuck { Tone::Bad } else { Tone::Plain };
            (humane::thousands(waiting(one)), tone)
        })
        .number(),
        Column::new("OLDEST", oldest).number(),
    ]
}

fn compute_type(one: &ComputeTargetView) -> String {
    let known = one.compute_type.as_ref();
    known.map_or_else(|| "-".to_owned(), ToString::to_string)
}

/// Steps that could run and do not: held back by the coordinator, or in the broker's queue.
const fn waiting(one: &ComputeTargetView) -> u64 {
    one.queue.backlog + one.queue.dispatched
}

fn oldest(one: &ComputeTargetView) -> String {
    match one.queue.oldest_age_ms {
        0 => "-".to_owned(),
        age => humane::duration(Millis(age)),
    }
}

/// Shows one.
pub(crate) fn show(printer: &mut Printer, one: &ComputeTargetView, now: Timestamp) -> Result<(), Failure> {
    printer.line(format_args!(
        "{}  {}",
        Tone::Strong.paint(&one.name),
        compute_type(one)
    ))?;
    let slots = format!("{} of {} free", one.slots_free, one.queue.slots);
    let queue = format!(
        "{} running, {} published, {} in the backlog",
        humane::thousands(one.queue.running),
        humane::thousands(one.queue.dispatched),
        humane::thousands(one.queue.backlog)
    );
    let mut facts = vec![("slots", slots), ("steps", queue)];
    if one.queue.oldest_age_ms > 0 {
        facts.push(("oldest", format!("waits for {}", oldest(one))));
    }
    facts.extend(one.workers.iter().map(|one| ("worker", worker(one, now))));
    for (name, value) in facts {
        printer.line(format_args!(
            "  {} {value}",
            Tone::Dim.paint(format_args!("{name:<10}"))
        ))?;
    }
    Ok(())
}

fn worker(one: &WorkerView, now: Timestamp) -> String {
    let gpus = match one.gpus.len() {
        0 => String::new(),
        count => format!(", {}", humane::count(count as u64, "GPU")),
    };
    format!(
        "{} {}, {} of {} slots used{gpus}, heard of {}",
        one.id,
        one.status,
        one.slots_used,
        one.slots,
        humane::ago(one.last_heard_at, now)
    )
}
