//! Webhooks as they are listed.

use super::subscriptions::{last, told};
use crate::output::table::Column;
use tidemill_protocol::api::WebhookView;
use tidemill_protocol::time::Timestamp;

/// The columns of a list of webhooks.
pub(crate) fn columns(now: Timestamp) -> Vec<Column<WebhookView>> {
    vec![
        Column::new("WEBHOOK", |one: &WebhookView| one.name.to_string()).fixed(),
        Column::new("URL", |one: &WebhookView| one.spec.url.clone()),
        Column::new("TELLS", |one: &WebhookView| {
            let spec = &one.spec;
            told(
                (&spec.runs, &spec.steps),
                (spec.pipeline.as_ref(), spec.experiment.as_ref()),
            )
        }),
        Column::toned("LAST", move |one: &WebhookView| {
            last(one.pause.as_ref(), one.last.as_ref(), now)
        }),
        Column::new("SECRET", |one: &WebhookView| one.spec.secret.to_string()).wide(),
        Column::new("BY", |one: &WebhookView| one.created_by.clone()).wide(),
    ]
}
