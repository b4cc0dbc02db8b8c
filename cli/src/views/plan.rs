//! What a submission would do, step by step, and why.

use crate::failure::Failure;
use crate::output::Printer;
use crate::output::humane;
use crate::output::table::Column;
use crate::output::tone::Tone;
use tidemill_protocol::api::{PlanDecision, PlanView, PlannedStepView};

/// Shows a plan.
pub(crate) fn show(printer: &mut Printer, plan: &PlanView) -> Result<(), Failure> {
    printer.table(
        &plan.steps,
        &[
            Column::toned("", |step: &PlannedStepView| {
                (sign(step.decision).to_owned(), tone(step.decision))
            })
            .fixed(),
            Column::new("STEP", |step: &PlannedStepView| step.path.to_string()).fixed(),
            Column::toned("DECISION", |step: &PlannedStepView| {
                (word(step.decision).to_owned(), tone(step.decision))
            })
            .fixed(),
            Column::new("TARGET", |step: &PlannedStepView| step.target.to_string()),
            Column::toned("WHY", |step: &PlannedStepView| {
                (humane::short_runs(&step.reasons.join("; ")), Tone::Dim)
            })
            .whole(),
            Column::new("AFTER", |step: &PlannedStepView| {
                step.depends_on
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .wide(),
        ],
    )?;
    printer.line("")?;
    printer.line(sum(plan))
}

/// `3 steps: 1 runs, 2 reused`.
pub(crate) fn sum(plan: &PlanView) -> String {
    let count = |decision| plan.steps.iter().filter(|step| step.decision == decision).count() as u64;
    let facts = [
        (count(PlanDecision::Run), "to run"),
        (count(PlanDecision::Undecided), "undecided until then"),
        (count(PlanDecision::Reuse), "reused"),
    ];
    let words: Vec<String> = facts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{} {word}", humane::thousands(*count)))
        .collect();
    format!(
        "{}: {}",
        humane::count(plan.steps.len() as u64, "step"),
        words.join(", ")
    )
}

const fn sign(decision: PlanDecision) -> &'static str {
    match decision {
        PlanDecision::Reuse => "=",
        PlanDecision::Run => "▸",
        PlanDecision::Undecided => "?",
    }
}

const fn word(decision: PlanDecision) -> &'static str {
    match decision {
        PlanDecision::Reuse => "reuse",
        PlanDecision::Run => "run",
        PlanDecision::Undecided => "undecided",
    }
}

const fn tone(decision: PlanDecision) -> Tone {
    match decision {
        PlanDecision::Reuse => Tone::Reused,
        PlanDecision::Run => Tone::Busy,
        PlanDecision::Undecided => Tone::Warn,
    }
}
