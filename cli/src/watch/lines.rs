//! One line for each change, where nobody looks at a terminal: in CI logs, files and pipes.

use super::board::{Board, Change};
use crate::output::tone::{self, Tone};
use crate::output::{Printer, humane};
use tidemill_protocol::status::StepStatus;

/// Writes a change to standard error as a line.
pub(super) fn show(board: &Board, change: &Change, printer: &mut Printer) {
    let Some((path, _)) = &change.step else { return };
    let Some(status) = change.event.step_status else {
        return;
    };
    // That a task lies in a queue is of interest only while somebody looks.
    if matches!(status, StepStatus::Ready | StepStatus::Dispatched) {
        return;
    }
    let at = humane::duration(board.since_submission(change.event.at));
    let status = tone::of_step(status).paint(format!("{:<9}", status.as_str()));
    let detail = detail(change);
    let gap = if detail.is_empty() { "" } else { "  " };
    printer.note(format_args!(
        "{at:>8}  {status}  {path}{gap}{}",
        Tone::Dim.paint(detail)
    ));
}

/// How long the step worked, and what the event says beside that.
pub(super) fn detail(change: &Change) -> String {
    let took = change.took.map(humane::duration);
    let said = Some(humane::short_runs(&change.event.detail)).filter(|said| !said.is_empty());
    let facts: Vec<String> = [took, said].into_iter().flatten().collect();
    facts.join(", ")
}
