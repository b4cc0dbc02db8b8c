//! Entries of the audit log as they are listed.

use crate::output::humane;
use crate::output::table::Column;
use crate::output::tone::Tone;
use tidemill_protocol::api::{AuditDecision, AuditEntry};

/// The columns of a list of entries.
pub(crate) fn columns() -> Vec<Column<AuditEntry>> {
    vec![
        Column::new("ENTRY", |entry: &AuditEntry| entry.sequence.to_string()).fixed(),
        Column::new("AT", |entry: &AuditEntry| humane::local(entry.at)).fixed(),
        Column::new("WHO", |entry: &AuditEntry| entry.who.clone()),
        Column::new("FROM", |entry: &AuditEntry| entry.from.clone()).spare(),
        Column::toned("DECISION", decision).fixed(),
        Column::new("WHAT", what).whole(),
        Column::new("WHY", why),
        Column::new("TOKEN", |entry: &AuditEntry| {
            entry.token.clone().unwrap_or_else(|| "-".to_owned())
        })
        .wide(),
        Column::new("REQUEST", |entry: &AuditEntry| {
            entry.request_id.clone().unwrap_or_else(|| "-".to_owned())
        })
        .wide(),
    ]
}

fn decision(entry: &AuditEntry) -> (String, Tone) {
    let tone = match entry.decision {
        AuditDecision::Accepted => Tone::Good,
        AuditDecision::Refused => Tone::Warn,
        AuditDecision::Failed => Tone::Bad,
        AuditDecision::Admitted | AuditDecision::Unknown => Tone::Plain,
    };
    let status = entry
        .status
        .map_or_else(String::new, |status| format!(" {status}"));
    (format!("{}{status}", entry.decision.as_str()), tone)
}

/// The request, with the resources in their places.
fn what(entry: &AuditEntry) -> String {
    let mut route = entry.route.clone().unwrap_or_else(|| "?".to_owned());
    for (name, value) in &entry.ids {
        let place = format!("{{{name}}}");
        if route.contains(&place) {
            route = route.replace(&place, value);
        } else {
            route = format!("{route} → {value}");
        }
    }
    let more = entry
        .count
        .map_or_else(String::new, |count| format!(" and {count} more"));
    format!("{} {route}{more}", entry.method)
}

fn why(entry: &AuditEntry) -> String {
    match (&entry.why, entry.of) {
        (Some(why), _) => why.clone(),
        (None, Some(of)) => format!("of {of}"),
        (None, None) => String::new(),
    }
}
