//! What the fuzz target `query` checks; only with the feature `fuzzing`. Here, because the parameters of the routes are private.

use super::archives::ArchiveQuery;
use super::events::EventsQuery;
use super::listing::is_read;
use super::local::{Whence, is_local};
use super::logs::LogsQuery;
use super::runs::{ByQuery, ListQuery};
use super::tree_files::FilesQuery;
use crate::access::{Presented, Secret};
use axum::extract::Query;
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Debug;
use tidemill_protocol::api::{RunSummary, TokenView};

/// Reads bytes as the query of every route, and as what the gate reads of headers.
///
/// # Panics
/// When a query is not read again from how it is printed, or when a host that is not this machine passes for it.
pub fn query(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        round::<ListQuery>(text);
        round::<ByQuery>(text);
        round::<EventsQuery>(text);
        round::<LogsQuery>(text);
        round::<FilesQuery>(text);
        round::<ArchiveQuery>(text);
        asked(text);
        token(text);
    }
    if let Ok(value) = HeaderValue::from_bytes(data) {
        for name in [header::HOST, header::ORIGIN] {
            let mut headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("localhost:1"))]);
            headers.insert(name, value.clone());
            let whence = Whence {
                method: &Method::POST,
                headers: &headers,
                is_tls: false,
            };
            if is_local(whence) {
                assert!(names_this_machine(&value), "{value:?} passes for this machine");
            }
        }
    }
}

/// What is asked of a list is refused or understood, whatever it is.
fn asked(text: &str) {
    let uri = Uri::builder().path_and_query(format!("/?{text}")).build();
    if let Ok(uri) = uri {
        is_read::<RunSummary>(&uri);
        is_read::<TokenView>(&uri);
    }
}

fn token(text: &str) {
    let (Ok(shown), Ok(secret)) = (Presented::read(text), text.parse::<Secret>()) else {
        return;
    };
    assert_eq!(secret.reveal(), text, "a token has two spellings");
    assert_eq!((shown.id(), *shown.hash()), (secret.id(), secret.hash()));
    let secret_half = text.rsplit_once('_').map_or(text, |(_, half)| half);
    assert!(!format!("{secret:?} {shown:?}").contains(secret_half) || secret_half.len() < 12);
}

fn round<T: DeserializeOwned + Serialize + Debug>(text: &str) {
    let Some(read) = parsed::<T>(text) else { return };
    let again = parsed::<T>(&printed(&read));
    assert_eq!(
        again.map(|again| format!("{again:?}")),
        Some(format!("{read:?}")),
        "{text:?} is another query when it is printed"
    );
}

fn parsed<T: DeserializeOwned>(text: &str) -> Option<T> {
    let uri = Uri::builder().path_and_query(format!("/?{text}")).build().ok()?;
    Some(Query::try_from_uri(&uri).ok()?.0)
}

/// A second opinion, coarser than the gate's.
fn names_this_machine(value: &HeaderValue) -> bool {
    let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let authority = text.rsplit("://").next().unwrap_or_default();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".:[]%".contains(&b);
    authority.bytes().all(plain)
        && (authority.starts_with("localhost") || authority.starts_with("127.") || authority.contains("::"))
}

/// `name=value` for every value that is there, joined by `&`.
fn printed(query: &impl Serialize) -> String {
    let fields = serde_json::to_value(query).expect("a query is plain data");
    let present = fields
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| {
            let text = match value {
                Value::Null => return None,
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            Some(format!("{name}={}", escaped(&text)))
        });
    present.collect::<Vec<_>>().join("&")
}

fn escaped(text: &str) -> String {
    let bytes: Vec<String> = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    bytes.concat()
}
