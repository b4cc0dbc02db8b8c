//! What curated environments of Azure ML bring along, by family and version: requirements that exist together, and the Pythons for which they exist.
//! Which names mean an environment at all is said in `builtin`.

use super::EnvironmentEntry;

/// A family of environments.
struct Family {
    /// How its names start, without `azureml-`.
    name: &'static str,
    /// What its versions bring along, oldest first. A version takes the last row that is not newer; a name without a version the last of all.
    releases: &'static [Release],
}

/// What the versions from one on bring along.
struct Release {
    /// The first of them.
    from: (u32, u32),
    /// The Pythons for which all of it has wheels.
    python: &'static str,
    /// The time from which the base is.
    base: &'static [&'static str],
    /// What the family adds; `{v}` is the version in the environment's name.
    own: &'static [&'static str],
}

/// Built against numpy 1 when it still had `np.int` and its kin.
const BEFORE_NUMPY_1_24: &[&str] = &[
    "numpy<1.24",
    "pandas<2",
    "scipy<1.11",
    "matplotlib<3.9",
    "joblib<2",
    "pyarrow",
    "mlflow>=1.30,<3",
    "azureml-mlflow",
];
/// Built against numpy 1.
const BEFORE_NUMPY_2: &[&str] = &[
    "numpy<2",
    "pandas<3",
    "scipy<1.14",
    "matplotlib<3.11",
    "joblib<2",
    "pyarrow",
    "mlflow>=2,<3",
    "azureml-mlflow",
];
/// Built against numpy 2, whose later releases drop what these packages use.
const TODAY: &[&str] = &[
    "numpy<2.3",
    "pandas<3",
    "scipy<1.16",
    "matplotlib<3.11",
    "joblib<2",
    "pyarrow",
    "mlflow>=2,<3",
    "azureml-mlflow",
];

const SKLEARN: &[&str] = &["scikit-learn{v}"];
const TENSORFLOW: &[&str] = &["scikit-learn", "tensorflow{v}"];
const TORCH: &[&str] = &["scikit-learn", "torch{v}", "torchvision"];
const LIGHTGBM: &[&str] = &["scikit-learn", "lightgbm{v}"];
const BOOSTED: &[&str] = &["scikit-learn", "xgboost>=2,<3", "lightgbm>=4,<5"];

const fn release(
    from: (u32, u32),
    python: &'static str,
    base: &'static [&'static str],
    own: &'static [&'static str],
) -> Release {
    Release {
        from,
        python,
        base,
        own,
    }
}

const FAMILIES: &[Family] = &[
    Family {
        name: "sklearn",
        releases: &[
            release((0, 24), ">=3.8,<3.10", BEFORE_NUMPY_1_24, SKLEARN),
            release((1, 0), ">=3.8,<3.11", BEFORE_NUMPY_1_24, SKLEARN),
            release((1, 1), ">=3.8,<3.12", BEFORE_NUMPY_1_24, SKLEARN),
            release((1, 3), ">=3.8,<3.13", BEFORE_NUMPY_2, SKLEARN),
            release((1, 4), ">=3.9,<3.13", TODAY, SKLEARN),
            release((1, 5), ">=3.9,<3.14", TODAY, SKLEARN),
            release((1, 7), ">=3.10,<3.14", TODAY, SKLEARN),
        ],
    },
    Family {
        name: "xgboost-sklearn",
        releases: &[release((0, 0), ">=3.9,<3.14", TODAY, BOOSTED)],
    },
    Family {
        name: "lightgbm",
        releases: &[
            release((3, 2), ">=3.8,<3.12", BEFORE_NUMPY_1_24, LIGHTGBM),
            release((4, 0), ">=3.9,<3.14", TODAY, LIGHTGBM),
        ],
    },
    Family {
        name: "tensorflow",
        releases: &[
            release((2, 4), ">=3.8,<3.9", BEFORE_NUMPY_1_24, TENSORFLOW),
            release((2, 5), ">=3.8,<3.10", BEFORE_NUMPY_1_24, TENSORFLOW),
            release((2, 8), ">=3.8,<3.11", BEFORE_NUMPY_1_24, TENSORFLOW),
            release((2, 12), ">=3.9,<3.12", BEFORE_NUMPY_1_24, TENSORFLOW),
            release((2, 14), ">=3.9,<3.12", BEFORE_NUMPY_2, TENSORFLOW),
            release((2, 16), ">=3.9,<3.13", BEFORE_NUMPY_2, TENSORFLOW),
            release((2, 18), ">=3.9,<3.13", TODAY, TENSORFLOW),
        ],
    },
    Family {
        name: "pytorch",
        releases: &[
            release((1, 8), ">=3.8,<3.10", BEFORE_NUMPY_1_24, TORCH),
            release((1, 11), ">=3.8,<3.11", BEFORE_NUMPY_1_24, TORCH),
            release((2, 0), ">=3.8,<3.12", BEFORE_NUMPY_2, TORCH),
            release((2, 3), ">=3.9,<3.13", BEFORE_NUMPY_2, TORCH),
            release((2, 5), ">=3.9,<3.13", TODAY, TORCH),
            release((2, 6), ">=3.9,<3.14", TODAY, TORCH),
            release((2, 9), ">=3.10,<3.14", TODAY, TORCH),
        ],
    },
    Family {
        name: "automl",
        releases: &[release((0, 0), ">=3.9,<3.14", TODAY, BOOSTED)],
    },
];

/// The curated environment of this name, in lower case.
pub(super) fn environment(asked: &str) -> Option<EnvironmentEntry> {
    let bare = asked.strip_prefix("azureml-").unwrap_or(asked);
    let bare = bare.strip_prefix("acpt-").unwrap_or(bare);
    let (family, rest) = FAMILIES.iter().find_map(|family| {
        let rest = bare.strip_prefix(family.name)?;
        let belongs = rest.is_empty() || rest.starts_with(['-', '_']);
        belongs.then_some((family, rest.trim_start_matches(['-', '_'])))
    })?;
    let version = version(rest);
    let release = version
        .and_then(|version| family.releases.iter().rfind(|release| release.from <= version))
        .or_else(|| match version {
            // Older than what is listed: the oldest that is.
            Some(_) => family.releases.first(),
            None => family.releases.last(),
        })?;
    let bound =
        version.map(|(major, minor)| format!(">={major}.{minor},<{major}.{}", minor.saturating_add(1)));
    let own = release
        .own
        .iter()
        .map(|requirement| requirement.replace("{v}", bound.as_deref().unwrap_or_default()));
    Some(EnvironmentEntry {
        python: Some(release.python.to_owned()),
        requirements: release
            .base
            .iter()
            .map(|base| (*base).to_owned())
            .chain(own)
            .collect(),
        ..EnvironmentEntry::default()
    })
}

/// `(1, 5)` of `1.5`, `(2, 8)` of `2.8-cuda12.6`; none when no version stands there.
fn version(rest: &str) -> Option<(u32, u32)> {
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(rest.len());
    let mut numbers = rest.get(..end)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_protocol::plan::PythonVersions;

    fn requirements(name: &str) -> Vec<String> {
        environment(name).unwrap().requirements
    }

    #[test]
    fn curated_names_bring_their_library_at_a_fitting_version() {
        for (name, line) in [
            ("sklearn-1.5", "scikit-learn>=1.5,<1.6"),
            (
                "azureml-sklearn-1.0-ubuntu20.04-py38-cpu",
                "scikit-learn>=1.0,<1.1",
            ),
            ("acpt-pytorch-2.8-cuda12.6", "torch>=2.8,<2.9"),
            ("azureml-acpt-pytorch-1.11-py38-cuda11.3-gpu", "torch>=1.11,<1.12"),
            ("tensorflow-2.16-cuda12", "tensorflow>=2.16,<2.17"),
            ("azureml-lightgbm-3.2-ubuntu18.04-py37-cpu", "lightgbm>=3.2,<3.3"),
            ("xgboost-sklearn-py38", "xgboost>=2,<3"),
            ("azureml-automl", "xgboost>=2,<3"),
            ("lightgbm", "lightgbm"),
        ] {
            assert!(
                requirements(name).contains(&line.to_owned()),
                "{name}: {:?}",
                requirements(name)
            );
        }
    }

    #[test]
    fn what_was_built_against_the_first_numpy_does_not_get_the_second() {
        for old in [
            "sklearn-0.24",
            "sklearn-1.1",
            "sklearn-1.3",
            "tensorflow-2.12",
            "acpt-pytorch-1.13",
        ] {
            let bounds = requirements(old);
            assert!(
                bounds[0] == "numpy<1.24" || bounds[0] == "numpy<2",
                "{old}: {bounds:?}"
            );
        }
        assert!(requirements("sklearn-1.5").contains(&"numpy<2.3".to_owned()));
    }

    #[test]
    fn every_release_says_for_which_pythons_it_exists() {
        for family in FAMILIES {
            assert!(
                family.releases.is_sorted_by_key(|release| release.from),
                "{}",
                family.name
            );
            for release in family.releases {
                let range = PythonVersions::parse(release.python);
                assert!(
                    matches!(range, Some(PythonVersions::Within { below: Some(_), .. })),
                    "{}",
                    family.name
                );
            }
        }
    }

    #[test]
    fn other_names_are_no_family() {
        for name in ["sklearnish", "my-own-environment", "azureml", "acpt"] {
            assert!(environment(name).is_none(), "{name}");
        }
    }
}
