//! Join tokens as they are listed.

use crate::output::humane;
use crate::output::table::Column;
use crate::output::tone::Tone;
use tidemill_protocol::api::{JoinTokenStatus, JoinTokenView};
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;

/// The columns of a list of join tokens.
pub(crate) fn columns(now: Timestamp) -> Vec<Column<JoinTokenView>> {
    vec![
        Column::new("TOKEN", |token: &JoinTokenView| token.id.to_string()).fixed(),
        Column::toned("STATUS", |token: &JoinTokenView| status(token.status)).fixed(),
        Column::new("WORKER", |token: &JoinTokenView| {
            let worker = token.worker.as_ref();
            worker.map_or_else(|| "-".to_owned(), ToString::to_string)
        }),
        Column::new("CLASS", |token: &JoinTokenView| {
            let class = token.class.as_ref();
            class.map_or_else(|| "any".to_owned(), ToString::to_string)
        }),
        Column::new("SERVES", |token: &JoinTokenView| {
            let targets: Vec<&str> = token.targets.iter().map(Name::as_str).collect();
            if targets.is_empty() {
                "any".to_owned()
            } else {
                targets.join(", ")
            }
        }),
        Column::new("EXPIRES", |token: &JoinTokenView| humane::local(token.expires_at)),
        Column::new("CREATED", move |token: &JoinTokenView| {
            humane::ago(token.created_at, now)
        }),
        Column::new("BY", |token: &JoinTokenView| token.created_by.clone()).wide(),
    ]
}

fn status(status: JoinTokenStatus) -> (String, Tone) {
    let (word, tone) = match status {
        JoinTokenStatus::Live => ("live", Tone::Good),
        JoinTokenStatus::Used => ("used", Tone::Dim),
        JoinTokenStatus::Expired => ("expired", Tone::Warn),
        JoinTokenStatus::Revoked => ("revoked", Tone::Bad),
        JoinTokenStatus::Unknown => ("?", Tone::Plain),
    };
    (word.to_owned(), tone)
}
