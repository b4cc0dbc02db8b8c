//! Why a step stands as it does, and its key part by part.

use crate::failure::Failure;
use crate::output::table::Column;
use crate::output::tone::{self, Tone};
use crate::output::{Printer, humane};
use tidemill_protocol::api::{ExplanationView, KeyPartView};

/// Digits of a digest that people see.
const DIGEST_DIGITS: usize = 12;

/// Shows the reasons of one step.
pub(crate) fn reasons(printer: &mut Printer, explanation: &ExplanationView) -> Result<(), Failure> {
    let status = tone::of_step(explanation.status).paint(explanation.status);
    printer.line(format_args!(
        "{}  {status}",
        Tone::Strong.paint(&explanation.path)
    ))?;
    for reason in &explanation.reasons {
        printer.line(format_args!("  {}", humane::short_runs(reason)))?;
    }
    for hint in &explanation.hints {
        printer.line(format_args!("  {}: {hint}", Tone::Reused.paint("help")))?;
    }
    Ok(())
}

/// Shows the key of one step beside that of the newest earlier run.
pub(crate) fn key(printer: &mut Printer, explanation: &ExplanationView) -> Result<(), Failure> {
    if explanation.key.is_empty() {
        return printer.line("the key is not known yet: it needs the content of every input");
    }
    let has_before = explanation.key.iter().any(|part| part.before.is_some());
    let columns = [
        Column::toned("", |part: &KeyPartView| (mark(part).0.to_owned(), mark(part).1)).fixed(),
        Column::new("PART", |part: &KeyPartView| part.part.clone()).fixed(),
        Column::new("NOW", |part: &KeyPartView| digest(part.now.as_deref())).fixed(),
        Column::new("BEFORE", |part: &KeyPartView| digest(part.before.as_deref())).fixed(),
        Column::new("WHAT CHANGED", |part: &KeyPartView| part.detail.clone()).whole(),
    ];
    printer.table(&explanation.key, &columns)?;
    printer.line("")?;
    let changed = explanation
        .key
        .iter()
        .filter(|part| part.now != part.before)
        .count();
    match (has_before, changed) {
        (false, _) => printer.line("no earlier run of this step is known"),
        (true, 0) => printer.line("every part is as before"),
        (true, 1) => printer.line("1 part differs from the newest earlier run"),
        (true, many) => printer.line(format_args!("{many} parts differ from the newest earlier run")),
    }
}

fn mark(part: &KeyPartView) -> (&'static str, Tone) {
    match (&part.now, &part.before) {
        (now, before) if now == before => ("=", Tone::Dim),
        (Some(_), None) => ("+", Tone::Good),
        (None, Some(_)) => ("-", Tone::Bad),
        _ => ("~", Tone::Warn),
    }
}

fn digest(text: Option<&str>) -> String {
    text.map_or_else(
        || "-".to_owned(),
        |text| text.chars().take(DIGEST_DIGITS).collect(),
    )
}
