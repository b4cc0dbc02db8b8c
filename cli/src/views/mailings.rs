//! Mailings as they are listed.

use super::subscriptions::{last, told};
use crate::output::table::Column;
use tidemill_protocol::api::MailingView;
use tidemill_protocol::mailing::EmailAddress;
use tidemill_protocol::time::Timestamp;

/// The columns of a list of mailings.
pub(crate) fn columns(now: Timestamp) -> Vec<Column<MailingView>> {
    vec![
        Column::new("MAILING", |one: &MailingView| one.name.to_string()).fixed(),
        Column::new("TO", |one: &MailingView| {
            let to: Vec<&str> = one.spec.to.iter().map(EmailAddress::as_str).collect();
            to.join(", ")
        }),
        Column::new("TELLS", |one: &MailingView| {
            let spec = &one.spec;
            told(
                (&spec.runs, &spec.steps),
                (spec.pipeline.as_ref(), spec.experiment.as_ref()),
            )
        }),
        Column::toned("LAST", move |one: &MailingView| {
            last(one.pause.as_ref(), one.last.as_ref(), now)
        }),
        Column::new("BY", |one: &MailingView| one.created_by.clone()).wide(),
    ]
}
