//! Datastores: in a list, and one in full. Of credentials there are only names.

use crate::failure::Failure;
use crate::output::table::Column;
use crate::output::tone::Tone;
use crate::output::{Printer, humane};
use tidemill_protocol::api::DatastoreView;
use tidemill_protocol::time::Timestamp;

/// The columns of a list of datastores.
pub(crate) fn columns(now: Timestamp) -> Vec<Column<DatastoreView>> {
    vec![
        Column::new("DATASTORE", |store: &DatastoreView| store.name.to_string()).fixed(),
        Column::new("KIND", |store: &DatastoreView| store.kind.to_string()).fixed(),
        Column::new("AT", |store: &DatastoreView| store.definition.url.clone()),
        Column::new("SET", move |store: &DatastoreView| humane::ago(store.set_at, now)).spare(),
        Column::new("BY", |store: &DatastoreView| store.set_by.clone()).spare(),
        Column::new("ABOUT", |store: &DatastoreView| {
            let first = store.definition.description.lines().next();
            first.unwrap_or_default().to_owned()
        })
        .wide(),
    ]
}

/// Shows one datastore.
pub(crate) fn show(printer: &mut Printer, store: &DatastoreView, now: Timestamp) -> Result<(), Failure> {
    let definition = &store.definition;
    printer.line(format_args!(
        "{}  {}",
        Tone::Strong.paint(&store.name),
        store.kind
    ))?;
    let mut facts = vec![("at", definition.url.clone())];
    let options = definition.options.iter();
    facts.extend(options.map(|(name, value)| ("option", format!("{name} = {value}"))));
    let secrets = definition.secrets.iter();
    facts.extend(secrets.map(|(name, secret)| ("secret", format!("{name} from {secret}"))));
    facts.push((
        "set",
        format!("{} by {}", humane::ago(store.set_at, now), store.set_by),
    ));
    if !definition.description.is_empty() {
        facts.push(("about", definition.description.trim().to_owned()));
    }
    for (name, value) in facts {
        printer.line(format_args!(
            "  {} {value}",
            Tone::Dim.paint(format_args!("{name:<10}"))
        ))?;
    }
    Ok(())
}
