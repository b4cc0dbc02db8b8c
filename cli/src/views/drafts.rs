//! Drafts in lists, and one with what is said of it.

use super::pipelines;
use crate::failure::Failure;
use crate::output::table::Column;
use crate::output::tone::Tone;
use crate::output::{Printer, humane};
use tidemill_protocol::api::DraftView;
use tidemill_protocol::time::Timestamp;

/// The columns of a list of drafts.
pub(crate) fn columns(now: Timestamp) -> Vec<Column<DraftView>> {
    vec![
        Column::new("DRAFT", |one: &DraftView| one.name.to_string()).fixed(),
        Column::new("OWNER", |one: &DraftView| one.created_by.clone()),
        Column::toned("CHANGED", move |one: &DraftView| {
            (humane::ago(one.changed_at, now), Tone::Dim)
        }),
        Column::new("PARAMETERS", given),
        Column::new("MADE OF", |one: &DraftView| one.draft.made_of.clone()).wide(),
        Column::new("DESCRIPTION", |one: &DraftView| one.draft.description.clone()).wide(),
    ]
}

fn given(one: &DraftView) -> String {
    let pairs = one.draft.parameters.iter();
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join(" ")
}

/// Shows a draft.
pub(crate) fn show(printer: &mut Printer, one: &DraftView, now: Timestamp) -> Result<(), Failure> {
    printer.line(Tone::Strong.paint(&one.name))?;
    let who = |at, by: &String| format!("{} by {by}", humane::ago(at, now));
    let mut facts = vec![
        ("made", who(one.created_at, &one.created_by)),
        ("changed", who(one.changed_at, &one.changed_by)),
    ];
    let draft = &one.draft;
    let texts = [
        ("made of", Some(&draft.made_of)),
        ("runs called", draft.display_name.as_ref()),
        ("experiment", draft.experiment.as_ref()),
        ("about", Some(&draft.description)),
    ];
    let texts = texts
        .into_iter()
        .filter_map(|(name, text)| Some((name, text?.clone())));
    facts.extend(texts.filter(|(_, text)| !text.is_empty()));
    let pairs = [("parameter", &draft.parameters), ("tag", &draft.tags)];
    for (word, pairs) in pairs {
        facts.extend(
            pairs
                .iter()
                .map(|(name, value)| (word, format!("{name} = {value}"))),
        );
    }
    for (name, value) in facts {
        printer.line(format_args!("  {:<11} {value}", Tone::Dim.paint(name)))?;
    }
    if draft.pipeline.parameters.is_empty() {
        return Ok(());
    }
    printer.line("")?;
    printer.table(&draft.pipeline.parameters, &pipelines::parameters())
}
