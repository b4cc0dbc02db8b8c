//! The built-in tables: names that pipelines found in the wild use, so that they run without any configuration. A workspace's own entries win.

use super::{EnvironmentEntry, curated};
use std::collections::BTreeMap;
use tidemill_protocol::name::Name;

fn name(text: &str) -> Name {
    text.parse().expect("built-in names follow the grammar")
}

/// Where steps run when nobody says it.
pub(super) fn default_compute() -> Name {
    name("cpu")
}

/// Compute names that mean "wherever there is room". Any other legal name is a compute target of that very name.
pub(super) fn computes() -> BTreeMap<String, Name> {
    ["serverless", "local"]
        .map(|from| (from.to_owned(), default_compute()))
        .into()
}

/// The built-in meaning of an environment's name.
pub(super) fn environment(asked: &str) -> Option<EnvironmentEntry> {
    let lower = asked.to_lowercase();
    if ["host", "local", "system"].contains(&lower.as_str()) {
        return Some(EnvironmentEntry::default());
    }
    if lower.starts_with("python") || lower.starts_with("minimal") {
        return Some(EnvironmentEntry {
            python: version_of(&lower, "python").filter(|version| version.starts_with('3')),
            ..EnvironmentEntry::default()
        });
    }
    curated::environment(&lower)
}

/// Names that people are likely to mean, for suggestions.
pub(super) const COMMON: [&str; 6] = [
    "sklearn-1.5",
    "xgboost-sklearn",
    "lightgbm",
    "tensorflow-2.16",
    "acpt-pytorch-2.8",
    "host",
];

/// The version right behind a name: `3.8` of `python-3.8`.
fn version_of(asked: &str, family: &str) -> Option<String> {
    let rest = asked.strip_prefix(family)?.trim_start_matches(['-', '_']);
    let version: String = rest
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    (version.starts_with(|c: char| c.is_ascii_digit()) && version.contains('.')).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_environment_asks_for_nothing() {
        assert!(environment("host").unwrap().requirements.is_empty());
        assert!(environment("my-own-environment").is_none());
        assert!(environment("sklearnish").is_none());
    }
}
