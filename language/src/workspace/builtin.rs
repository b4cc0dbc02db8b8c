//! The built-in tables: names that pipelines found in the wild use, so that they run without any configuration. A workspace's own entries win.

use super::EnvironmentEntry;
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

/// What nearly every curated environment brings along.
const BASE: [&str; 8] = [
    "numpy>=1.26,<3",
    "pandas>=2.1,<3",
    "scipy>=1.11,<2",
    "matplotlib>=3.8,<4",
    "joblib>=1.3,<2",
    "pyarrow>=14",
    "mlflow>=2.14,<3",
    "azureml-mlflow>=1.57",
];

/// Families of curated environments: how their names start (in lower case), and the requirements beside the base, in which `{v}` is the
/// version that the name ends in (`sklearn-1.5`). A requirement with `{v}` is taken without a bound when the name has no version.
const FAMILIES: [(&str, &[&str]); 9] = [
    ("sklearn", &["scikit-learn{v}"]),
    ("azureml-sklearn", &["scikit-learn{v}"]),
    (
        "xgboost-sklearn",
        &["scikit-learn>=1.3", "xgboost>=2,<3", "lightgbm>=4,<5"],
    ),
    ("lightgbm", &["scikit-learn>=1.3", "lightgbm{v}"]),
    ("tensorflow", &["scikit-learn>=1.3", "tensorflow{v}"]),
    ("azureml-tensorflow", &["scikit-learn>=1.3", "tensorflow"]),
    ("acpt-pytorch", &["scikit-learn>=1.3", "torch{v}", "torchvision"]),
    (
        "azureml-acpt-pytorch",
        &["scikit-learn>=1.3", "torch", "torchvision"],
    ),
    (
        "azureml-automl",
        &["scikit-learn>=1.3", "xgboost>=2,<3", "lightgbm>=4,<5"],
    ),
];

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
    let (family, extra) = FAMILIES.iter().find(|(family, _)| belongs(&lower, family))?;
    let bound = version_of(&lower, family).and_then(|version| compatible(&version));
    let extra = extra
        .iter()
        .map(|requirement| requirement.replace("{v}", bound.as_deref().unwrap_or_default()));
    Some(EnvironmentEntry {
        python: Some("3.10".to_owned()),
        requirements: BASE.iter().map(|base| (*base).to_owned()).chain(extra).collect(),
        ..EnvironmentEntry::default()
    })
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

fn belongs(asked: &str, family: &str) -> bool {
    asked
        .strip_prefix(family)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
}

/// The version right behind the family's name: `1.5` of `sklearn-1.5`, `2.8` of `acpt-pytorch-2.8-cuda12.6`.
fn version_of(asked: &str, family: &str) -> Option<String> {
    let rest = asked.strip_prefix(family)?.trim_start_matches(['-', '_']);
    let version: String = rest
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    (version.starts_with(|c: char| c.is_ascii_digit()) && version.contains('.')).then_some(version)
}

/// `1.5` → `>=1.5,<1.6`.
fn compatible(version: &str) -> Option<String> {
    let mut parts = version.split('.');
    let (major, minor): (u32, u32) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some(format!(">={major}.{minor},<{major}.{}", minor.checked_add(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirements(name: &str) -> Vec<String> {
        environment(name).unwrap().requirements
    }

    #[test]
    fn curated_names_bring_their_library_at_a_fitting_version() {
        assert!(requirements("sklearn-1.5").contains(&"scikit-learn>=1.5,<1.6".to_owned()));
        assert!(
            requirements("AzureML-sklearn-1.0-ubuntu20.04-py38-cpu")
                .contains(&"scikit-learn>=1.0,<1.1".to_owned())
        );
        assert!(requirements("acpt-pytorch-2.8-cuda12.6").contains(&"torch>=2.8,<2.9".to_owned()));
        assert!(requirements("tensorflow-2.16-cuda12").contains(&"tensorflow>=2.16,<2.17".to_owned()));
        assert!(requirements("xgboost-sklearn-py38").contains(&"xgboost>=2,<3".to_owned()));
        assert!(requirements("sklearn-1.5").contains(&"mlflow>=2.14,<3".to_owned()));
    }

    #[test]
    fn the_host_environment_asks_for_nothing() {
        assert!(requirements("host").is_empty());
        assert!(environment("my-own-environment").is_none());
        assert!(environment("sklearnish").is_none());
    }
}
