//! Secrets as they are listed: names, never values.

use crate::output::humane;
use crate::output::table::Column;
use tidemill_protocol::api::SecretView;
use tidemill_protocol::time::Timestamp;

/// The columns of a list of secrets.
pub(crate) fn columns(now: Timestamp) -> Vec<Column<SecretView>> {
    vec![
        Column::new("SECRET", |secret: &SecretView| secret.name.to_string()),
        Column::new("VERSION", |secret: &SecretView| secret.version.to_string()).fixed(),
        Column::new("SET", move |secret: &SecretView| humane::ago(secret.set_at, now)),
        Column::new("BY", |secret: &SecretView| secret.set_by.clone()),
    ]
}
