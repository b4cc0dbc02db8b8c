//! The grammar of names and of paths inside artifacts. Whatever passes here is safe as a file name, a queue name, a
//! key in an object store and an environment variable; whatever does not is refused with the rule that it broke.

use serde::{Deserialize, Deserializer, Serialize, de};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Longest name in bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// Longest path inside an artifact in bytes.
pub const PATH_BYTES_MAX: usize = 1024;
/// Longest segment of such a path in bytes: what common file systems hold.
pub const SEGMENT_BYTES_MAX: usize = 255;
/// Most segments of such a path.
pub const SEGMENTS_MAX: usize = 64;

/// A text that breaks the grammar of names or paths.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?} {rule}")]
pub struct NameError {
    /// What the text was meant to be, e.g. "name".
    pub what: &'static str,
    /// The text, cut to 80 characters.
    pub text: String,
    /// The rule it breaks.
    pub rule: &'static str,
}

fn refuse(what: &'static str, text: &str, rule: &'static str) -> NameError {
    NameError {
        what,
        text: text.chars().take(80).collect(),
        rule,
    }
}

/// The name of a compute target, pipeline, experiment, component, worker and the like: a letter or digit, then
/// letters, digits, `.`, `_` and `-`; at most 128 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct Name(Arc<str>);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let mut bytes = text.bytes();
        let starts_well = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
        if !starts_well {
            return Err(refuse("name", text, "must start with a letter or a digit"));
        }
        if text.len() > NAME_BYTES_MAX {
            return Err(refuse("name", text, "is longer than 128 bytes"));
        }
        if !bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
            return Err(refuse(
                "name",
                text,
                "may hold only letters, digits, `.`, `_` and `-`",
            ));
        }
        Ok(Self(text.into()))
    }
}

/// The name of a step's input or output: a letter or `_`, then letters, digits and `_`, at most 128 bytes. It is part of the
/// name of an environment variable, so nothing else is allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct PortName(Arc<str>);

impl PortName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PortName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let starts_well = text
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        if !starts_well {
            return Err(refuse(
                "input or output name",
                text,
                "must start with a letter or `_`",
            ));
        }
        if text.len() > NAME_BYTES_MAX {
            return Err(refuse("input or output name", text, "is longer than 128 bytes"));
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(refuse(
                "input or output name",
                text,
                "may hold only letters, digits and `_`",
            ));
        }
        Ok(Self(text.into()))
    }
}

/// A relative path inside a tree: `/`-separated segments of UTF-8 text, none empty, `.` or `..`, without control
/// characters and backslashes. Spaces and letters of any script are allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct ArtifactPath(Arc<str>);

impl ArtifactPath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments from the root down.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl FromStr for ArtifactPath {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        const WHAT: &str = "path";
        if text.len() > PATH_BYTES_MAX {
            return Err(refuse(WHAT, text, "is longer than 1024 bytes"));
        }
        if text.chars().any(|c| c.is_control() || c == '\\') {
            return Err(refuse(WHAT, text, "holds a control character or a backslash"));
        }
        if text.split('/').count() > SEGMENTS_MAX {
            return Err(refuse(WHAT, text, "has more than 64 segments"));
        }
        for segment in text.split('/') {
            if matches!(segment, "" | "." | "..") {
                return Err(refuse(WHAT, text, "has an empty, `.` or `..` segment"));
            }
            if segment.len() > SEGMENT_BYTES_MAX {
                return Err(refuse(WHAT, text, "has a segment longer than 255 bytes"));
            }
        }
        Ok(Self(text.into()))
    }
}

macro_rules! text_type {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

text_type!(Name, PortName, ArtifactPath);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_their_grammar() {
        for good in ["cpu-cluster", "gpu_a100", "A", "9", "train.v2", &"n".repeat(128)] {
            assert!(good.parse::<Name>().is_ok(), "{good} was refused");
        }
        for bad in [
            "",
            "-x",
            ".x",
            "a b",
            "a/b",
            "ü",
            "a\0",
            "<POOL>",
            &"n".repeat(129),
        ] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn port_names_are_fit_for_environment_variables() {
        assert!("_training_data2".parse::<PortName>().is_ok());
        for bad in ["", "2x", "a-b", "a.b", "a=b", "a b"] {
            assert!(bad.parse::<PortName>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn the_file_names_of_real_users_are_paths() {
        for good in [
            "data.csv",
            "a/b/c",
            "my file (1).txt",
            "größe/日本語.parquet",
            "..hidden",
            "x.",
            "-rf",
        ] {
            assert!(good.parse::<ArtifactPath>().is_ok(), "{good} was refused");
        }
    }

    #[test]
    fn paths_that_could_leave_the_folder_are_refused() {
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a//b",
            "a/./b",
            "a/",
            "a\\..\\b",
            "a\0b",
            "a\nb",
        ] {
            assert!(bad.parse::<ArtifactPath>().is_err(), "{bad:?} was accepted");
        }
        assert!(vec!["a"; 65].join("/").parse::<ArtifactPath>().is_err());
        assert!("a".repeat(256).parse::<ArtifactPath>().is_err());
    }

    #[test]
    fn a_bad_name_does_not_deserialize() {
        assert!(serde_json::from_str::<ArtifactPath>("\"../x\"").is_err());
        assert!(serde_json::from_str::<Name>("\"a b\"").is_err());
    }

    #[test]
    fn no_path_leads_out_of_the_folder_that_it_is_joined_to() {
        let climbing: Vec<String> =
            serde_json::from_str(include_str!("../tests/paths/climbing.json")).unwrap();
        assert!(climbing.len() >= 180, "{}", climbing.len());
        let mut refused = 0;
        for text in &climbing {
            let read = text.parse::<ArtifactPath>();
            let decoded = serde_json::from_value::<ArtifactPath>(text.as_str().into());
            assert_eq!(read.is_ok(), decoded.is_ok(), "{text:?}");
            let Ok(path) = read else {
                refused += 1;
                continue;
            };
            let joined = std::path::Path::new("/root").join(path.as_str());
            let inside = joined.strip_prefix("/root").unwrap();
            let plain = |part| matches!(part, std::path::Component::Normal(_));
            assert!(inside.components().all(plain), "{text:?}");
        }
        // What is left are names with dots, percent signs and signs that only look like dots: nobody decodes them.
        assert!(refused >= 100, "{refused} of {} were refused", climbing.len());
    }
}
