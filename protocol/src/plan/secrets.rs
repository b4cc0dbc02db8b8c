//! Which secrets a step is given, and how. Names only: a value is nowhere in a plan, a task or a step key.

use crate::name::{NAME_BYTES_MAX, Name};
use serde::{Deserialize, Serialize};

/// Most secrets of one step.
pub const SECRETS_PER_STEP_MAX: usize = 32;
/// Variables that begin so are ours.
const RESERVED: &str = "TIDEMILL_";

/// A secret as a step is given it, under the name of an environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretUse {
    /// The secret's name at the coordinator.
    pub secret: Name,
    /// How it is given.
    #[serde(default)]
    pub form: SecretForm,
}

/// How a secret is given to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretForm {
    /// The variable holds the value.
    #[default]
    Variable,
    /// The variable holds the path of a file with the value, which only the step's own user may read.
    File,
}

impl SecretForm {
    /// The word for it in pipeline files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Variable => "variable",
            Self::File => "file",
        }
    }
}

/// Whether an author may set an environment variable of this name.
pub fn may_name_variable(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !name.starts_with(RESERVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_has_a_name_that_shells_know_and_that_is_not_ours() {
        for good in ["DB_PASSWORD", "_x", "a1"] {
            assert!(may_name_variable(good), "{good}");
        }
        for bad in ["", "1A", "A-B", "A=B", "TIDEMILL_X", "A B", &"x".repeat(129)] {
            assert!(!may_name_variable(bad), "{bad}");
        }
    }
}
