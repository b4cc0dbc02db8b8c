//! The grammar of names, ids and paths: whatever passes is safe wherever names go.

use crate::manifest::stays_inside;
use std::fmt::{Debug, Display};
use std::str::FromStr;
use tidemill_protocol::access::{Scope, TokenId};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::{RunId, StepPath};
use tidemill_protocol::name::{ArtifactPath, Name, PortName};
use tidemill_protocol::wire::TrustedKey;

/// Reads a text as every kind of name.
///
/// # Panics
/// When a law does not hold.
pub fn name(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Some(name) = round::<Name>(text) {
        only(name.as_str(), "._-");
        assert!(!name.as_str().starts_with(['.', '-', '_']));
    }
    if let Some(name) = round::<PortName>(text) {
        only(name.as_str(), "_");
        assert!(!name.as_str().starts_with(|c: char| c.is_ascii_digit()));
    }
    if let Some(path) = round::<StepPath>(text) {
        only(path.as_str(), "._-");
        assert!(path.as_str().split('.').all(|part| !part.is_empty()));
    }
    if let Some(path) = round::<ArtifactPath>(text) {
        assert!(
            !path
                .as_str()
                .contains(|c: char| c.is_control() || c == '\\' || c == '\0')
        );
        stays_inside(path.as_str());
    }
    if let Some(digest) = round::<Digest>(text) {
        assert_eq!(digest.to_string(), text, "a digest has two spellings");
    }
    if let Some(id) = round::<RunId>(text) {
        only(&id.to_string(), "-");
    }
    if let Some(id) = round::<TokenId>(text) {
        only(id.as_str(), "");
    }
    round::<Scope>(text);
    if let Ok(key) = text.parse::<TrustedKey>() {
        assert_eq!(key.to_string().parse(), Ok(key));
    }
    json(text);
}

/// What was read is read again from how it is printed.
fn round<T: FromStr + Display + PartialEq + Debug>(text: &str) -> Option<T> {
    let read: T = text.parse().ok()?;
    let printed = read.to_string();
    let again = printed.parse::<T>().ok();
    assert_eq!(again.as_ref(), Some(&read), "{printed:?} is another name");
    Some(read)
}

fn only(text: &str, beside: &str) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || beside.contains(c);
    assert!(
        !text.is_empty() && text.chars().all(allowed),
        "{text:?} was accepted"
    );
    assert!(text.len() <= 1024);
}

/// JSON takes the same names as text does.
fn json(text: &str) {
    let quoted = serde_json::Value::from(text);
    let by_json = serde_json::from_value::<ArtifactPath>(quoted.clone()).ok();
    assert_eq!(by_json, text.parse().ok());
    assert_eq!(serde_json::from_value::<Name>(quoted).ok(), text.parse().ok());
}
