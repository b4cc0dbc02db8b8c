//! How long and how many: the limits that clients know, and those that keep the ledger small.

use super::command::TrackingRejection;
use std::collections::BTreeMap;

/// Experiments that are kept.
pub const EXPERIMENTS_MAX: usize = 10_000;
/// Runs that are kept, beside tidemill's own to which nothing was logged.
pub const RUNS_MAX: usize = 100_000;
/// Models that are kept.
pub(super) const MODELS_MAX: usize = 100_000;
/// Files that are kept.
pub(super) const FILES_MAX: usize = 1_000_000;
/// Metrics of one run.
pub(super) const METRICS_MAX: usize = 10_000;
/// Parameters of one run.
pub(super) const PARAMS_MAX: usize = 10_000;
/// Tags of anything.
pub(super) const TAGS_MAX: usize = 1_000;
/// Data sets and models that a run used or made, of each kind.
pub(super) const LINKS_MAX: usize = 1_000;
/// Longest name of a metric, parameter or tag in bytes.
pub(super) const KEY_BYTES_MAX: usize = 250;
/// Longest value of a parameter in characters.
pub(super) const PARAM_CHARS_MAX: usize = 6_000;
/// Longest value of a run's tag in characters.
pub(super) const TAG_CHARS_MAX: usize = 8_000;
/// Longest value of an experiment's tag in characters.
pub(super) const EXPERIMENT_TAG_CHARS_MAX: usize = 20_000;
/// Longest name of an experiment or a run in characters.
pub(super) const NAME_CHARS_MAX: usize = 500;
/// Points that a run may have outside the store.
pub(super) const TAIL_POINTS_MAX: u64 = 100_000;

type Checked = Result<(), TrackingRejection>;

fn invalid(message: String) -> Checked {
    Err(TrackingRejection::Invalid(message))
}

/// A name: something visible, not too long.
pub(super) fn check_name(what: &str, name: &str) -> Checked {
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        return invalid(format!("{what} needs a name without control characters"));
    }
    if name.chars().count() > NAME_CHARS_MAX {
        return invalid(format!(
            "a name of {what} has at most {NAME_CHARS_MAX} characters"
        ));
    }
    Ok(())
}

/// The name of a metric, parameter or tag: words that could be a path, as clients keep them in files, and may not lead out of their folder.
pub(super) fn check_key(what: &str, key: &str) -> Checked {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return invalid(format!("a {what} needs a name of 1 to {KEY_BYTES_MAX} bytes"));
    }
    let is_allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | '/' | ':');
    if !key.chars().all(is_allowed) {
        return invalid(format!(
            "the {what} `{key}` has a character that names may not have: letters, digits, `_`, `-`, `.`, `:`, `/` and spaces are allowed"
        ));
    }
    let is_path = key.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if !is_path {
        return invalid(format!(
            "the {what} `{key}` has an empty part, `.` or `..` between its slashes"
        ));
    }
    Ok(())
}

/// A value that is text.
pub(super) fn check_value(what: &str, key: &str, value: &str, chars_max: usize) -> Checked {
    if value.len() > chars_max && value.chars().count() > chars_max {
        return invalid(format!(
            "the value of the {what} `{key}` is longer than {chars_max} characters"
        ));
    }
    Ok(())
}

/// Tags that are to be set or removed, and how many there will be.
pub(super) fn check_tags(
    have: &BTreeMap<String, String>,
    changes: &BTreeMap<String, Option<String>>,
    chars_max: usize,
) -> Checked {
    for (key, value) in changes {
        check_key("tag", key)?;
        check_value("tag", key, value.as_deref().unwrap_or_default(), chars_max)?;
    }
    let new = changes
        .iter()
        .filter(|(key, value)| value.is_some() && !have.contains_key(*key));
    check_room("tags", have.len() + new.count(), TAGS_MAX)
}

/// Whether so many may be.
pub(super) fn check_room(what: &'static str, count: usize, max: usize) -> Checked {
    if count > max {
        return Err(TrackingRejection::TooMany { what, max });
    }
    Ok(())
}
