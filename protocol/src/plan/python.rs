//! Which Python an environment is built with: one version that is wanted, or a range outside of which its packages do not exist.

use std::fmt;

/// Longest text that names Python versions.
const TEXT_BYTES_MAX: usize = 64;

/// What an environment says about its Python, e.g. `3.11`, or `>=3.8,<3.12`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PythonVersions {
    /// This one if the worker has it, else the worker's own, which says so.
    Wanted(PythonVersion),
    /// One of these; the environment cannot be built with any other.
    Within {
        /// The oldest.
        least: PythonVersion,
        /// The first that is too new, if any is.
        below: Option<PythonVersion>,
    },
}

/// A version of Python in two numbers: `3.11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PythonVersion {
    /// The 3 of `3.11`.
    pub major: u16,
    /// The 11 of `3.11`.
    pub minor: u16,
}

impl PythonVersions {
    /// Reads `3`, `3.11`, `3.11.4`, `>=3.8` or `>=3.8,<3.12`; none for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let Some(range) = text.strip_prefix(">=") else {
            return PythonVersion::parse(text).map(Self::Wanted);
        };
        let (least, below) = match range.split_once(',') {
            None => (range, None),
            Some((least, below)) => (least, Some(below.trim().strip_prefix('<')?)),
        };
        let least = PythonVersion::parse(least)?;
        let below = match below {
            None => None,
            Some(below) => Some(PythonVersion::parse(below).filter(|below| *below > least)?),
        };
        Some(Self::Within { least, below })
    }

    /// Whether this Python will do without a note.
    pub fn fits(&self, version: PythonVersion) -> bool {
        match self {
            Self::Wanted(wanted) => *wanted == version,
            Self::Within { least, below } => *least <= version && below.is_none_or(|below| version < below),
        }
    }
}

impl PythonVersion {
    /// Reads `3.11` or `3.11.4`, of which the last number does not matter; `3` is `3.0`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.trim().split('.');
        let version = Self {
            major: numbers.next()?.parse().ok()?,
            minor: numbers.next().unwrap_or("0").parse().ok()?,
        };
        numbers
            .all(|number| number.parse::<u16>().is_ok() || number == "*")
            .then_some(version)
    }
}

impl fmt::Display for PythonVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(versions: &str, version: &str) -> bool {
        PythonVersions::parse(versions)
            .unwrap()
            .fits(PythonVersion::parse(version).unwrap())
    }

    #[test]
    fn a_range_holds_its_first_and_not_its_last() {
        assert!(fits(">=3.8,<3.12", "3.8"));
        assert!(fits(">=3.8, <3.12", "3.11.7"));
        assert!(!fits(">=3.8,<3.12", "3.12"));
        assert!(!fits(">=3.8,<3.12", "3.7"));
        assert!(fits(">=3.8", "3.99"));
        assert!(fits("3.11", "3.11.4"));
        assert!(!fits("3.11", "3.1"));
    }

    #[test]
    fn anything_else_is_no_version() {
        for bad in [
            "",
            "py38",
            "3.x",
            "<3.9",
            ">=3.8,3.9",
            ">=3.9,<3.8",
            ">=3.8,<3.9,<4",
            "-1",
            "3..1",
        ] {
            assert_eq!(PythonVersions::parse(bad), None, "{bad}");
        }
    }
}
