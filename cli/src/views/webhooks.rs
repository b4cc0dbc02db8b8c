//! Webhooks and their deliveries as they are listed.

use crate::output::humane;
use crate::output::table::Column;
use crate::output::tone::Tone;
use tidemill_protocol::api::WebhookView;
use tidemill_protocol::time::Timestamp;
use tidemill_protocol::webhook::{Delivery, DeliveryOutcome, WebhookSpec};

/// The columns of a list of webhooks.
pub(crate) fn columns(now: Timestamp) -> Vec<Column<WebhookView>> {
    vec![
        Column::new("WEBHOOK", |one: &WebhookView| one.name.to_string()).fixed(),
        Column::new("URL", |one: &WebhookView| one.spec.url.clone()),
        Column::new("TELLS", |one: &WebhookView| told(&one.spec)),
        Column::toned("LAST", move |one: &WebhookView| {
            let last = one.last.as_ref();
            last.map_or_else(
                || ("-".to_owned(), Tone::Dim),
                |last| {
                    let (text, tone) = outcome(&last.outcome);
                    (format!("{text} {}", humane::ago(last.at, now)), tone)
                },
            )
        }),
        Column::new("SECRET", |one: &WebhookView| one.spec.secret.to_string()).wide(),
        Column::new("BY", |one: &WebhookView| one.created_by.clone()).wide(),
    ]
}

fn told(spec: &WebhookSpec) -> String {
    let runs: Vec<&str> = spec.runs.iter().map(|status| status.as_str()).collect();
    let steps: Vec<&str> = spec.steps.iter().map(|status| status.as_str()).collect();
    let mut parts = Vec::new();
    if !runs.is_empty() {
        parts.push(format!("runs {}", runs.join(", ")));
    }
    if !steps.is_empty() {
        parts.push(format!("steps {}", steps.join(", ")));
    }
    if let Some(pipeline) = &spec.pipeline {
        parts.push(format!("of {pipeline}"));
    }
    parts.join("; ")
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

fn outcome(outcome: &DeliveryOutcome) -> (String, Tone) {
    match outcome {
        DeliveryOutcome::Delivered { status } => (format!("delivered ({status})"), Tone::Good),
        DeliveryOutcome::GivenUp { why } => (format!("given up: {why}"), Tone::Bad),
    }
}
