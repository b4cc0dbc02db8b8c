//! Tokens as they are listed.

use crate::output::humane;
use crate::output::table::Column;
use crate::output::tone::Tone;
use tidemill_protocol::access::SubjectKind;
use tidemill_protocol::api::{TokenStatus, TokenView};
use tidemill_protocol::time::Timestamp;

/// The columns of a list of tokens.
pub(crate) fn columns(now: Timestamp) -> Vec<Column<TokenView>> {
    vec![
        Column::new("TOKEN", |token: &TokenView| token.id.to_string()).fixed(),
        Column::new("SUBJECT", subject),
        Column::new("SCOPE", |token: &TokenView| token.scope.to_string()).fixed(),
        Column::new("PROJECT", |token: &TokenView| {
            token
                .project
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default()
        })
        .wide(),
        Column::toned("STATUS", |token: &TokenView| status(token.status)).fixed(),
        Column::new("EXPIRES", |token: &TokenView| {
            token.expires_at.map_or_else(|| "never".to_owned(), humane::local)
        }),
        Column::toned("USED", move |token: &TokenView| {
            let used = token.last_used_at;
            (
                used.map_or_else(|| "-".to_owned(), |used| humane::ago(used, now)),
                Tone::Dim,
            )
        }),
        Column::new("CREATED", move |token: &TokenView| {
            humane::ago(token.created_at, now)
        }),
        Column::new("BY", |token: &TokenView| token.created_by.clone()).wide(),
    ]
}

/// Whose it is, with what they are where that is no person.
pub(crate) fn subject(token: &TokenView) -> String {
    match token.kind {
        SubjectKind::Person => token.subject.clone(),
        SubjectKind::Team => format!("team {}", token.subject),
    }
}

fn status(status: TokenStatus) -> (String, Tone) {
    let (word, tone) = match status {
        TokenStatus::Live => ("live", Tone::Good),
        TokenStatus::Expired => ("expired", Tone::Warn),
        TokenStatus::Revoked => ("revoked", Tone::Bad),
        TokenStatus::Unknown => ("?", Tone::Plain),
    };
    (word.to_owned(), tone)
}
