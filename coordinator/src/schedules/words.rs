//! The names by which a firing is known: its key, the labels of its run, and what expressions in its parameters mean.

use super::calendar::time_zone;
use super::state::Schedule;
use std::collections::BTreeMap;
use tidemill_protocol::api::StartRequest;
use tidemill_protocol::name::Name;
use tidemill_protocol::schedule::{Moment, Trigger};
use tidemill_protocol::time::Timestamp;

/// The label of a run that says by which schedule it was started.
const SCHEDULE_TAG: &str = "tidemill.schedule";
/// The label of a run that says for which moment.
const MOMENT_TAG: &str = "tidemill.schedule_time";

/// The key by which a second start of the same firing finds the run of the first.
pub(super) fn idempotency_key(name: &Name, schedule: &Schedule, moment: &Moment) -> String {
    let (made, nominal, cause) = (schedule.created_at.0, moment.nominal.0, moment.cause.as_str());
    match cause {
        "" => format!("schedule/{name}@{made}/{nominal}"),
        cause => format!("schedule/{name}@{made}/{nominal}/{cause}"),
    }
}

/// What is started at this moment.
pub(super) fn request(name: &Name, schedule: &Schedule, moment: &Moment) -> StartRequest {
    let spec = &schedule.spec;
    let time = written(moment.nominal);
    let own_name = match moment.cause.as_str() {
        "" => format!("{name}-{}", compact(moment.nominal)),
        cause => format!("{name}-{}-{cause}", compact(moment.nominal)),
    };
    let meant = meant(schedule, moment);
    let filled = |text: &String| {
        let text = fill(text, "creation_context.trigger_time", &time);
        let text = fill(&text, "name", &own_name);
        let known = meant.iter();
        known.fold(text, |text, (word, value)| fill(&text, word, value))
    };
    let parameters = spec.parameters.iter();
    let parameters: BTreeMap<_, _> = parameters
        .map(|(name, text)| (name.clone(), filled(text)))
        .collect();
    let mut tags = spec.tags.clone();
    tags.insert(SCHEDULE_TAG.to_owned(), name.to_string());
    tags.insert(MOMENT_TAG.to_owned(), time.clone());
    StartRequest {
        parameters,
        display_name: spec.display_name.as_ref().map(filled),
        experiment: spec.experiment.clone(),
        project: None,
        tags,
        priority: spec.priority,
        force_rerun: spec.force_rerun,
        continue_on_step_failure: spec.continue_on_step_failure,
        idempotency_key: Some(idempotency_key(name, schedule, moment)),
        by: None,
    }
}

/// What the words of this trigger mean at this moment.
fn meant(schedule: &Schedule, moment: &Moment) -> Vec<(&'static str, String)> {
    match &schedule.spec.trigger {
        Trigger::Cron(_) | Trigger::Recurrence(_) => Vec::new(),
        Trigger::NewVersion(_) => vec![("trigger.version", moment.cause.clone())],
        Trigger::RunEnded(_) => vec![("trigger.run", moment.cause.clone())],
        Trigger::FilesChanged(files) => {
            let mut changes = schedule.changes.iter();
            let change = changes.find(|change| change.moment == *moment);
            let paths = change.map_or(&[][..], |change| &change.paths);
            let count = change.map_or(0, |change| change.added + change.changed);
            vec![
                ("trigger.files", serde_json::json!(paths).to_string()),
                ("trigger.count", count.to_string()),
                ("trigger.path", files.address()),
            ]
        }
    }
}

/// Puts a value in place of `${{word}}`, with or without spaces inside.
fn fill(text: &str, word: &str, value: &str) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once("${{") {
        let Some((expression, after)) = inside.split_once("}}") else {
            break;
        };
        filled.push_str(before);
        if expression.trim() == word {
            filled.push_str(value);
        } else {
            filled.extend(["${{", expression, "}}"]);
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// `2025-06-01T04:00:00Z`.
fn written(nominal: Timestamp) -> String {
    in_utc(nominal, "%Y-%m-%dT%H:%M:%SZ")
}

/// `20250601T040000Z`.
fn compact(nominal: Timestamp) -> String {
    in_utc(nominal, "%Y%m%dT%H%M%SZ")
}

fn in_utc(nominal: Timestamp, format: &str) -> String {
    let millisecond = i64::try_from(nominal.0).unwrap_or(i64::MAX);
    let instant = jiff::Timestamp::from_millisecond(millisecond);
    let zone = time_zone("UTC");
    match (instant, zone) {
        (Ok(instant), Ok(zone)) => instant.to_zoned(zone).strftime(format).to_string(),
        _ => nominal.0.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_expressions_that_are_meant_are_filled_in() {
        let text = "a ${{ name }} b ${{creation_context.trigger_time}} ${{inputs.x}} ${{ open";
        let filled = fill(&fill(text, "name", "N"), "creation_context.trigger_time", "T");
        assert_eq!(filled, "a N b T ${{inputs.x}} ${{ open");
        assert_eq!(written(Timestamp(1_748_750_400_000)), "2025-06-01T04:00:00Z");
        assert_eq!(compact(Timestamp(1_748_750_400_000)), "20250601T040000Z");
    }
}
