//! Which run, which step: what people type in place of an id.

use super::error::ApiError;
use crate::driver::Sight;
use tidemill_engine::Run;
use tidemill_protocol::api::ErrorCode;
use tidemill_protocol::ids::{RunId, StepIndex};

/// Shortest prefix of an id that is looked up.
const PREFIX_BYTES_MIN: usize = 4;

/// The run that `text` names: an id, a unique prefix of one, `last`, or `@` and the name of a run, which means the newest one with it.
pub(super) fn run<'a>(sight: &Sight<'a>, text: &str) -> Result<&'a Run, ApiError> {
    let unknown = || {
        ApiError::new(ErrorCode::NotFound, format!("there is no run `{text}`"))
            .hint("tidemill runs list shows them")
    };
    if text == "last" {
        return sight.engine.runs_newest_first(None).next().ok_or_else(|| {
            ApiError::new(ErrorCode::NotFound, "there is no run yet").hint("tidemill submit FILE starts one")
        });
    }
    if let Some(name) = text.strip_prefix('@') {
        let mut newest_first = sight.engine.runs_newest_first(None);
        return newest_first
            .find(|run| sight.ledgers.remarks.display_name(run.id(), run.plan()) == name)
            .ok_or_else(|| {
                ApiError::new(ErrorCode::NotFound, format!("no run is called `{name}`"))
                    .hint("tidemill runs list shows their names")
            });
    }
    if let Ok(id) = text.parse::<RunId>() {
        return sight.engine.run(id).ok_or_else(unknown);
    }
    if text.len() < PREFIX_BYTES_MIN || !text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') {
        return Err(unknown());
    }
    let wanted = text.to_ascii_lowercase();
    let mut fitting = sight
        .engine
        .runs_newest_first(None)
        .filter(|run| run.id().to_string().starts_with(&wanted));
    match (fitting.next(), fitting.next()) {
        (Some(run), None) => Ok(run),
        (Some(_), Some(_)) => Err(ApiError::new(
            ErrorCode::Ambiguous,
            format!("several runs begin with `{text}`"),
        )
        .hint("type more of it; tidemill runs list -q shows whole ids")),
        (None, _) => Err(unknown()),
    }
}

/// The step of a run that `text` names.
pub(super) fn step(run: &Run, text: &str) -> Result<StepIndex, ApiError> {
    let found = text.parse().ok().and_then(|path| run.find(&path));
    found.ok_or_else(|| {
        ApiError::new(
            ErrorCode::NotFound,
            format!("run {} has no step `{text}`", run.id()),
        )
        .hint("tidemill runs show lists its steps")
    })
}
