//! What lists of webhooks and of mailings have in common: which ends are told, what came of the last delivery, and the log of deliveries.

use crate::output::humane;
use crate::output::table::Column;
use crate::output::tone::Tone;
use tidemill_protocol::api::PauseView;
use tidemill_protocol::delivery::{Delivery, DeliveryOutcome};
use tidemill_protocol::name::Name;
use tidemill_protocol::status::{RunStatus, StepStatus};
use tidemill_protocol::time::Timestamp;

/// Which ends are told, in a phrase.
pub(super) fn told(
    (runs, steps): (&[RunStatus], &[StepStatus]),
    (pipeline, experiment): (Option<&Name>, Option<&Name>),
) -> String {
    let runs: Vec<&str> = runs.iter().map(|status| status.as_str()).collect();
    let steps: Vec<&str> = steps.iter().map(|status| status.as_str()).collect();
    let mut parts = Vec::new();
    if !runs.is_empty() {
        parts.push(format!("runs {}", runs.join(", ")));
    }
    if !steps.is_empty() {
        parts.push(format!("steps {}", steps.join(", ")));
    }
    if let Some(pipeline) = pipeline {
        parts.push(format!("of {pipeline}"));
    }
    if let Some(experiment) = experiment {
        parts.push(format!("in {experiment}"));
    }
    parts.join("; ")
}

/// What came of the last delivery, or that nothing is told now.
pub(super) fn last(pause: Option<&PauseView>, last: Option<&Delivery>, now: Timestamp) -> (String, Tone) {
    if let Some(pause) = pause {
        return (format!("paused {}", humane::ago(pause.at, now)), Tone::Dim);
    }
    last.map_or_else(
        || ("-".to_owned(), Tone::Dim),
        |last| {
            let (text, tone) = outcome(&last.outcome);
            (format!("{text} {}", humane::ago(last.at, now)), tone)
        },
    )
}

/// The columns of a list of deliveries.
pub(crate) fn deliveries() -> Vec<Column<Delivery>> {
    vec![
        Column::new("EVENT", |one: &Delivery| one.sequence.to_string()).number(),
        Column::new("AT", |one: &Delivery| humane::local(one.at)).fixed(),
        Column::toned("OUTCOME", |one: &Delivery| outcome(&one.outcome)).whole(),
        Column::new("TRIES", |one: &Delivery| one.tries.to_string()).number(),
        Column::new("ABOUT", |one: &Delivery| humane::short_runs(&one.about)).whole(),
    ]
}

/// What came of a delivery.
pub(crate) fn outcome(outcome: &DeliveryOutcome) -> (String, Tone) {
    match outcome {
        DeliveryOutcome::Delivered { status } => (format!("delivered ({status})"), Tone::Good),
        DeliveryOutcome::PartlyDelivered { taken, why } => {
            (format!("delivered to {taken}, not to others: {why}"), Tone::Bad)
        }
        DeliveryOutcome::GivenUp { why } => (format!("given up: {why}"), Tone::Bad),
        DeliveryOutcome::Missed { .. } => ("missed".to_owned(), Tone::Bad),
    }
}
